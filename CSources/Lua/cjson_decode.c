/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cjson.decode: a token is read when it is needed; what a rule didn't expect is named with its place
 * in the text, counted from 1.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cjson.h"

enum token {
    OBJECT_BEGIN,
    OBJECT_END,
    ARRAY_BEGIN,
    ARRAY_END,
    STRING,
    NUMBER,
    BOOLEAN,
    NUL,
    COLON,
    COMMA,
    END,
    WRONG
};

static const char *const token_names[] = {
    "T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER",
    "T_BOOLEAN",   "T_NULL",    "T_COLON",     "T_COMMA",   "T_END",    "T_ERROR"};

struct source {
    lua_State *lua;
    const struct cjson_options *options;
    const char *start;
    const char *at;
    const char *end;
    /* Where strings are unescaped: as long as the text, for none grows. */
    char *scratch;
    int depth;
    /* The token at hand. */
    enum token kind;
    size_t index;
    const char *text;
    size_t count;
    lua_Number number;
};

static void wrong(struct source *from, const char *at, const char *text) {
    from->kind = WRONG;
    from->index = (size_t)(at - from->start);
    from->text = text;
}

static int hex_of(const char *at, const char *end, unsigned *value) {
    if (end - at < 4) return 0;
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        unsigned digit;
        if (c >= '0' && c <= '9') {
            digit = (unsigned)(c - '0');
        } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
            digit = (unsigned)((c | 32) - 'a' + 10);
        } else {
            return 0;
        }
        *value = *value << 4 | digit;
    }
    return 1;
}

static size_t put_utf8(char *out, unsigned code) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* A \u at `from->at`, maybe one of a pair. Bytes put out, 0 when it is invalid. */
static size_t unicode(struct source *from, char *out) {
    unsigned code, low;
    const char *at = from->at;
    if (!hex_of(at + 2, from->end, &code)) return 0;
    size_t taken = 6;
    if ((code & 0xFC00) == 0xDC00) return 0;
    if ((code & 0xFC00) == 0xD800) {
        if (from->end - at < 12 || at[6] != '\\' || at[7] != 'u') return 0;
        if (!hex_of(at + 8, from->end, &low) || (low & 0xFC00) != 0xDC00) return 0;
        code = 0x10000 + ((code & 0x3FF) << 10 | (low & 0x3FF));
        taken = 12;
    }
    from->at += taken;
    return put_utf8(out, code);
}

/* The quote at `from->at` opens a string. */
static void read_string(struct source *from) {
    from->at++;
    size_t used = 0;
    for (;;) {
        if (from->at >= from->end) return wrong(from, from->at, "unexpected end of string");
        char c = *from->at;
        if (c == '"') break;
        if (c != '\\') {
            from->scratch[used++] = c;
            from->at++;
            continue;
        }
        char escape = from->end - from->at >= 2 ? from->at[1] : 0;
        char plain = 0;
        switch (escape) {
            case '"': case '\\': case '/': plain = escape; break;
            case 'b': plain = '\b'; break;
            case 't': plain = '\t'; break;
            case 'n': plain = '\n'; break;
            case 'f': plain = '\f'; break;
            case 'r': plain = '\r'; break;
            case 'u': {
                size_t put = unicode(from, from->scratch + used);
                if (put == 0) return wrong(from, from->at, "invalid unicode escape code");
                used += put;
                continue;
            }
            default: return wrong(from, from->at, "invalid escape code");
        }
        from->scratch[used++] = plain;
        from->at += 2;
    }
    from->at++;
    from->kind = STRING;
    from->text = from->scratch;
    from->count = used;
}

static void read_number(struct source *from) {
    char *end = NULL;
    /* A Lua string ends in a zero byte, behind which strtod can't get. */
    double value = strtod(from->at, &end);
    if (end == from->at) return wrong(from, from->at, "invalid number");
    from->number = value;
    from->kind = NUMBER;
    from->at = end;
}

/* What strtod takes and JSON doesn't: hexadecimal, leading zeros, plus signs, infinity, NaN. */
static int is_invalid_number(const struct source *from) {
    const char *at = from->at;
    if (*at == '+') return 1;
    if (*at == '-') at++;
    if (*at == '0') return (at[1] | 32) == 'x' || (at[1] >= '0' && at[1] <= '9');
    if (*at >= '0' && *at <= '9') return 0;
    return strncasecmp(at, "inf", 3) == 0 || strncasecmp(at, "nan", 3) == 0;
}

static int is_word(const struct source *from, const char *word) {
    return strncmp(from->at, word, strlen(word)) == 0;
}

static void single(struct source *from, enum token kind) {
    from->kind = kind;
    from->at++;
}

static void next(struct source *from) {
    while (from->at < from->end
           && (*from->at == ' ' || *from->at == '\t' || *from->at == '\n' || *from->at == '\r')) {
        from->at++;
    }
    from->index = (size_t)(from->at - from->start);
    if (from->at >= from->end) {
        from->kind = END;
        return;
    }
    char c = *from->at;
    switch (c) {
        case '{': single(from, OBJECT_BEGIN); return;
        case '}': single(from, OBJECT_END); return;
        case '[': single(from, ARRAY_BEGIN); return;
        case ']': single(from, ARRAY_END); return;
        case ':': single(from, COLON); return;
        case ',': single(from, COMMA); return;
        case '"': read_string(from); return;
        default: break;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        if (!from->options->decode_invalid && is_invalid_number(from)) {
            wrong(from, from->at, "invalid number");
        } else {
            read_number(from);
        }
    } else if (is_word(from, "true") || is_word(from, "false")) {
        from->kind = BOOLEAN;
        from->number = c == 't';
        from->at += c == 't' ? 4 : 5;
    } else if (is_word(from, "null")) {
        from->kind = NUL;
        from->at += 4;
    } else if (from->options->decode_invalid && is_invalid_number(from)) {
        read_number(from);
    } else {
        wrong(from, from->at, "invalid token");
    }
}

static void expected(struct source *from, const char *what) {
    const char *found = from->kind == WRONG ? from->text : token_names[from->kind];
    luaL_error(from->lua, "Expected %s but found %s at character %d", what, found,
               (int)from->index + 1);
}

static void descend(struct source *from, int slots) {
    from->depth++;
    if (from->depth > from->options->decode_depth || !lua_checkstack(from->lua, slots)) {
        luaL_error(from->lua, "Found too many nested data structures (%d) at character %d",
                   from->depth, (int)(from->at - from->start));
    }
}

static void push_value(struct source *from);

static void push_object(struct source *from) {
    descend(from, 4);
    lua_newtable(from->lua);
    next(from);
    if (from->kind == OBJECT_END) {
        from->depth--;
        return;
    }
    for (;;) {
        if (from->kind != STRING) expected(from, "object key string");
        lua_pushlstring(from->lua, from->text, from->count);
        next(from);
        if (from->kind != COLON) expected(from, "colon");
        next(from);
        push_value(from);
        lua_rawset(from->lua, -3);
        next(from);
        if (from->kind == OBJECT_END) break;
        if (from->kind != COMMA) expected(from, "comma or object end");
        next(from);
    }
    from->depth--;
}

static void push_array(struct source *from) {
    descend(from, 3);
    lua_newtable(from->lua);
    next(from);
    if (from->kind == ARRAY_END) {
        from->depth--;
        return;
    }
    for (int i = 1;; i++) {
        push_value(from);
        lua_rawseti(from->lua, -2, i);
        next(from);
        if (from->kind == ARRAY_END) break;
        if (from->kind != COMMA) expected(from, "comma or array end");
        next(from);
    }
    from->depth--;
}

/* The value that the token at hand begins. */
static void push_value(struct source *from) {
    redwing_lua_spend(redwing_lua_of(from->lua), from->lua, 1);
    switch (from->kind) {
        case STRING: lua_pushlstring(from->lua, from->text, from->count); return;
        case NUMBER: lua_pushnumber(from->lua, from->number); return;
        case BOOLEAN: lua_pushboolean(from->lua, from->number != 0); return;
        case NUL: lua_pushlightuserdata(from->lua, NULL); return;
        case OBJECT_BEGIN: push_object(from); return;
        case ARRAY_BEGIN: push_array(from); return;
        default: expected(from, "value");
    }
}

int redwing_cjson_decode(lua_State *lua) {
    luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
    size_t count;
    const char *text = luaL_checklstring(lua, 1, &count);
    /* A zero among the first two bytes is what UTF-16 and UTF-32 have. */
    if (count >= 2 && (text[0] == 0 || text[1] == 0)) {
        return luaL_error(lua, "JSON parser does not support UTF-16 or UTF-32");
    }
    struct source from = {.lua = lua,
                          .options = redwing_cjson_options(lua),
                          .start = text,
                          .at = text,
                          .end = text + count,
                          .scratch = lua_newuserdata(lua, count + 1)};
    next(&from);
    push_value(&from);
    next(&from);
    if (from.kind != END) expected(&from, "the end");
    return 1;
}
