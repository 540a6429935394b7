/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lua's patterns: find, match, gmatch, gsub, and string.rep.
 *
 * A pattern can take a time that is exponential in its length, in which Lua's own functions can't be
 * ended, and a long one takes the C stack. Here every step is counted and depth has a limit.
 *
 *   x . %a [set]   one byte          (…) ()  a capture, a place       ^ $     the ends
 *   * + - ?        repetitions       %1…%9   what was captured        %bxy    balanced x and y
 *                                    %f[set] where the set begins to hold
 *
 * A zero byte ends a pattern, as in Lua 5.1.
 */

#include <ctype.h>
#include <string.h>

#include "engine.h"

enum {
    MOST_CAPTURES = 32,
    /* Of items that something may be undone in; each takes some 200 bytes of the stack. */
    MOST_DEPTH = 4000,
    /* Lengths of captures. */
    OPEN = -1,
    PLACE = -2
};

#define ESCAPE '%'

struct matcher {
    redwing_lua *engine;
    lua_State *lua;
    const char *start;
    const char *end;
    int depth;
    /* Captures begun, and each one's text. */
    int count;
    struct {
        const char *start;
        ptrdiff_t size;
    } captures[MOST_CAPTURES];
};

static void spend(struct matcher *m, size_t steps) { redwing_lua_spend(m->engine, m->lua, steps); }

/* One byte of the pattern's alphabet. */

static int is_of_class(int byte, int class) {
    int is;
    switch (tolower(class)) {
        case 'a': is = isalpha(byte); break;
        case 'c': is = iscntrl(byte); break;
        case 'd': is = isdigit(byte); break;
        case 'l': is = islower(byte); break;
        case 'p': is = ispunct(byte); break;
        case 's': is = isspace(byte); break;
        case 'u': is = isupper(byte); break;
        case 'w': is = isalnum(byte); break;
        case 'x': is = isxdigit(byte); break;
        case 'z': is = byte == 0; break;
        default: return class == byte;
    }
    return isupper(class) ? !is : is != 0;
}

/* Behind the item at `at`, which isn't the pattern's end. */
static const char *item_end(struct matcher *m, const char *at) {
    char head = *at++;
    if (head == ESCAPE) {
        if (*at == 0) luaL_error(m->lua, "malformed pattern (ends with '%%')");
        return at + 1;
    }
    if (head != '[') return at;
    if (*at == '^') at++;
    /* A bracket that comes first stands for itself. */
    do {
        if (*at == 0) luaL_error(m->lua, "malformed pattern (missing ']')");
        spend(m, 1);
        if (*at++ == ESCAPE && *at != 0) at++;
    } while (*at != ']');
    return at + 1;
}

/* Whether the set from `at`, its bracket, to `last`, the closing one, holds `byte`. */
static int is_of_set(struct matcher *m, int byte, const char *at, const char *last) {
    int found = 1;
    if (at[1] == '^') {
        found = 0;
        at++;
    }
    spend(m, (size_t)(last - at));
    for (at++; at < last; at++) {
        if (*at == ESCAPE) {
            at++;
            if (is_of_class(byte, (unsigned char)*at)) return found;
        } else if (at[1] == '-' && at + 2 < last) {
            if ((unsigned char)at[0] <= byte && byte <= (unsigned char)at[2]) return found;
            at += 2;
        } else if ((unsigned char)*at == byte) {
            return found;
        }
    }
    return !found;
}

static int is_of_item(struct matcher *m, const char *at, const char *item, const char *behind) {
    if (at >= m->end) return 0;
    int byte = (unsigned char)*at;
    switch (*item) {
        case '.': return 1;
        case ESCAPE: return is_of_class(byte, (unsigned char)item[1]);
        case '[': return is_of_set(m, byte, item, behind - 1);
        default: return (unsigned char)*item == byte;
    }
}

/* Where a match of `pattern` that begins at `at` ends, or NULL. */
static const char *match(struct matcher *m, const char *at, const char *pattern);

/* An item with `*` or `+`: as many as can be, then fewer. */
static const char *match_most(struct matcher *m, const char *at, const char *item, const char *behind) {
    const char *last = at;
    while (is_of_item(m, last, item, behind)) {
        spend(m, 1);
        last++;
    }
    for (;; last--) {
        const char *end = match(m, last, behind + 1);
        if (end != NULL || last == at) return end;
    }
}

/* An item with `-`: as few as can be. */
static const char *match_least(struct matcher *m, const char *at, const char *item, const char *behind) {
    for (;;) {
        const char *end = match(m, at, behind + 1);
        if (end != NULL) return end;
        if (!is_of_item(m, at, item, behind)) return NULL;
        at++;
    }
}

static const char *open_capture(struct matcher *m, const char *at, const char *rest, int size) {
    if (m->count >= MOST_CAPTURES) luaL_error(m->lua, "too many captures");
    m->captures[m->count].start = at;
    m->captures[m->count].size = size;
    m->count++;
    const char *end = match(m, at, rest);
    if (end == NULL) m->count--;
    return end;
}

static const char *close_capture(struct matcher *m, const char *at, const char *rest) {
    int which = m->count - 1;
    while (which >= 0 && m->captures[which].size != OPEN) which--;
    if (which < 0) luaL_error(m->lua, "invalid pattern capture");
    m->captures[which].size = at - m->captures[which].start;
    const char *end = match(m, at, rest);
    if (end == NULL) m->captures[which].size = OPEN;
    return end;
}

/* Behind a copy at `at` of what the capture `digit` holds, or NULL. */
static const char *match_capture(struct matcher *m, const char *at, char digit) {
    int which = digit - '1';
    if (which < 0 || which >= m->count || m->captures[which].size == OPEN) {
        luaL_error(m->lua, "invalid capture index");
    }
    ptrdiff_t size = m->captures[which].size;
    if (size == PLACE || m->end - at < size) return NULL;
    spend(m, (size_t)size / 16);
    return memcmp(m->captures[which].start, at, (size_t)size) == 0 ? at + size : NULL;
}

/* Behind the byte that balances the one at `at`, or NULL; `pair` is both. */
static const char *match_balance(struct matcher *m, const char *at, const char *pair) {
    if (pair[0] == 0 || pair[1] == 0) luaL_error(m->lua, "unbalanced pattern");
    if (at >= m->end || *at != pair[0]) return NULL;
    size_t open = 1;
    for (at++; at < m->end; at++) {
        spend(m, 1);
        if (*at == pair[1]) {
            if (--open == 0) return at + 1;
        } else if (*at == pair[0]) {
            open++;
        }
    }
    return NULL;
}

/* The set at `set` holds what is at `at` and not what is before it; a zero byte is at both ends. */
static int is_frontier(struct matcher *m, const char *at, const char *set, const char *behind) {
    int before = at == m->start ? 0 : (unsigned char)at[-1];
    return !is_of_set(m, before, set, behind - 1)
           && is_of_set(m, at == m->end ? 0 : (unsigned char)*at, set, behind - 1);
}

static const char *match_here(struct matcher *m, const char *at, const char *pattern) {
    for (;;) {
        spend(m, 1);
        switch (*pattern) {
            case 0: return at;
            case '(':
                if (pattern[1] == ')') return open_capture(m, at, pattern + 2, PLACE);
                return open_capture(m, at, pattern + 1, OPEN);
            case ')': return close_capture(m, at, pattern + 1);
            case '$':
                if (pattern[1] == 0) return at == m->end ? at : NULL;
                break;
            case ESCAPE:
                if (pattern[1] == 'b') {
                    at = match_balance(m, at, pattern + 2);
                    if (at == NULL) return NULL;
                    pattern += 4;
                    continue;
                }
                if (pattern[1] == 'f') {
                    const char *set = pattern + 2;
                    if (*set != '[') luaL_error(m->lua, "missing '[' after '%%f' in pattern");
                    pattern = item_end(m, set);
                    if (!is_frontier(m, at, set, pattern)) return NULL;
                    continue;
                }
                if (isdigit((unsigned char)pattern[1])) {
                    at = match_capture(m, at, pattern[1]);
                    if (at == NULL) return NULL;
                    pattern += 2;
                    continue;
                }
                break;
            default: break;
        }
        const char *behind = item_end(m, pattern);
        int fits = is_of_item(m, at, pattern, behind);
        switch (*behind) {
            case '?':
                if (fits) {
                    const char *end = match(m, at + 1, behind + 1);
                    if (end != NULL) return end;
                }
                pattern = behind + 1;
                continue;
            case '*': return match_most(m, at, pattern, behind);
            case '+': return fits ? match_most(m, at + 1, pattern, behind) : NULL;
            case '-': return match_least(m, at, pattern, behind);
            default: break;
        }
        if (!fits) return NULL;
        at++;
        pattern = behind;
    }
}

static const char *match(struct matcher *m, const char *at, const char *pattern) {
    if (++m->depth > MOST_DEPTH) luaL_error(m->lua, "pattern too complex");
    const char *end = match_here(m, at, pattern);
    m->depth--;
    return end;
}

/* Where a match that begins at `at` itself ends, or NULL; the captures are its. */
static const char *match_at(struct matcher *m, const char *at, const char *pattern) {
    m->depth = 0;
    m->count = 0;
    return match(m, at, pattern);
}

static struct matcher begin(lua_State *lua, const char *text, size_t size) {
    return (struct matcher){.engine = redwing_lua_of(lua), .lua = lua, .start = text, .end = text + size};
}

/* Captures. A pattern without any has one: the whole match. */

static void push_capture(struct matcher *m, int which, const char *at, const char *end) {
    if (which >= m->count) {
        if (which != 0) luaL_error(m->lua, "invalid capture index");
        lua_pushlstring(m->lua, at, (size_t)(end - at));
        return;
    }
    ptrdiff_t size = m->captures[which].size;
    if (size == OPEN) luaL_error(m->lua, "unfinished capture");
    if (size == PLACE) {
        lua_pushinteger(m->lua, m->captures[which].start - m->start + 1);
    } else {
        lua_pushlstring(m->lua, m->captures[which].start, (size_t)size);
    }
}

static int push_captures(struct matcher *m, int count, const char *at, const char *end) {
    luaL_checkstack(m->lua, count, "too many captures");
    for (int i = 0; i < count; i++) push_capture(m, i, at, end);
    return count;
}

static int push_match(struct matcher *m, const char *at, const char *end) {
    return push_captures(m, m->count == 0 ? 1 : m->count, at, end);
}

/* find, match */

/* The byte of the text where the search begins, of the optional third argument. */
static size_t first_byte(lua_State *lua, size_t size) {
    ptrdiff_t first = luaL_optinteger(lua, 3, 1);
    if (first < 0) first += (ptrdiff_t)size + 1;
    if (first < 1) return 0;
    return (size_t)first - 1 < size ? (size_t)first - 1 : size;
}

static int find_plain(lua_State *lua, const char *text, size_t size, size_t first, const char *wanted,
                      size_t count) {
    redwing_lua_spend(redwing_lua_of(lua), lua, size / 64);
    /* memmem's time is linear, and an empty string is where one looks for it. */
    const char *at = memmem(text + first, size - first, wanted, count);
    if (at == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, at - text + 1);
    lua_pushinteger(lua, at - text + (ptrdiff_t)count);
    return 2;
}

static int search(lua_State *lua, int finds) {
    size_t size, count;
    const char *text = luaL_checklstring(lua, 1, &size);
    const char *pattern = luaL_checklstring(lua, 2, &count);
    size_t first = first_byte(lua, size);
    if (finds && (lua_toboolean(lua, 4) || strpbrk(pattern, "^$*+?.([%-") == NULL)) {
        return find_plain(lua, text, size, first, pattern, count);
    }
    int anchored = *pattern == '^';
    pattern += anchored;
    struct matcher m = begin(lua, text, size);
    for (const char *at = text + first; at <= m.end; at++) {
        const char *end = match_at(&m, at, pattern);
        if (end != NULL) {
            if (!finds) return push_match(&m, at, end);
            lua_pushinteger(lua, at - text + 1);
            lua_pushinteger(lua, end - text);
            return 2 + push_captures(&m, m.count, at, end);
        }
        if (anchored) break;
    }
    lua_pushnil(lua);
    return 1;
}

static int string_find(lua_State *lua) { return search(lua, 1); }
static int string_match(lua_State *lua) { return search(lua, 0); }

/* gmatch: the upvalues are the text, the pattern and the place of the next search. */

static int next_match(lua_State *lua) {
    size_t size;
    const char *text = lua_tolstring(lua, lua_upvalueindex(1), &size);
    const char *pattern = lua_tostring(lua, lua_upvalueindex(2));
    struct matcher m = begin(lua, text, size);
    for (const char *at = text + lua_tointeger(lua, lua_upvalueindex(3)); at <= m.end; at++) {
        const char *end = match_at(&m, at, pattern);
        if (end == NULL) continue;
        lua_pushinteger(lua, end - text + (end == at));
        lua_replace(lua, lua_upvalueindex(3));
        return push_match(&m, at, end);
    }
    return 0;
}

static int string_gmatch(lua_State *lua) {
    luaL_checkstring(lua, 1);
    luaL_checkstring(lua, 2);
    lua_settop(lua, 2);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, next_match, 3);
    return 1;
}

/* gsub. The replacement is argument 3. */

static void add_template(struct matcher *m, luaL_Buffer *out, const char *at, const char *end) {
    size_t size;
    const char *text = lua_tolstring(m->lua, 3, &size);
    for (size_t i = 0; i < size; i++) {
        if (text[i] != ESCAPE) {
            luaL_addchar(out, text[i]);
            continue;
        }
        /* Behind a % that comes last there is the string's zero byte. */
        char next = text[++i];
        if (next == '0') {
            luaL_addlstring(out, at, (size_t)(end - at));
        } else if (isdigit((unsigned char)next)) {
            push_capture(m, next - '1', at, end);
            luaL_addvalue(out);
        } else {
            luaL_addchar(out, next);
        }
    }
    spend(m, size / 16);
}

static void add_replacement(struct matcher *m, luaL_Buffer *out, const char *at, const char *end) {
    lua_State *lua = m->lua;
    switch (lua_type(lua, 3)) {
        case LUA_TFUNCTION:
            lua_pushvalue(lua, 3);
            lua_call(lua, push_match(m, at, end), 1);
            break;
        case LUA_TTABLE:
            push_capture(m, 0, at, end);
            lua_gettable(lua, 3);
            break;
        default: add_template(m, out, at, end); return;
    }
    if (!lua_toboolean(lua, -1)) {
        lua_pop(lua, 1);
        lua_pushlstring(lua, at, (size_t)(end - at));
    } else if (!lua_isstring(lua, -1)) {
        luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
    }
    luaL_addvalue(out);
}

static int string_gsub(lua_State *lua) {
    size_t size;
    const char *text = luaL_checklstring(lua, 1, &size);
    const char *pattern = luaL_checkstring(lua, 2);
    int type = lua_type(lua, 3);
    int most = luaL_optint(lua, 4, (int)size + 1);
    int replaces = type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION
                   || type == LUA_TTABLE;
    luaL_argcheck(lua, replaces, 3, "string/function/table expected");
    int anchored = *pattern == '^';
    pattern += anchored;
    struct matcher m = begin(lua, text, size);
    luaL_Buffer out;
    luaL_buffinit(lua, &out);
    const char *at = text;
    int done = 0;
    while (done < most) {
        const char *end = match_at(&m, at, pattern);
        if (end != NULL) {
            done++;
            add_replacement(&m, &out, at, end);
        }
        if (end != NULL && end > at) {
            at = end;
        } else if (at < m.end) {
            luaL_addchar(&out, *at++);
        } else {
            break;
        }
        if (anchored) break;
    }
    luaL_addlstring(&out, at, (size_t)(m.end - at));
    luaL_pushresult(&out);
    lua_pushinteger(lua, done);
    return 2;
}

/* rep: Lua's own takes a call for each copy, of nothing as well. */

static int string_rep(lua_State *lua) {
    size_t size;
    const char *text = luaL_checklstring(lua, 1, &size);
    int copies = luaL_checkint(lua, 2);
    if (size == 0 || copies <= 0) {
        lua_pushliteral(lua, "");
        return 1;
    }
    if (size > REDWING_LUA_LONGEST_STRING / (size_t)copies) {
        return luaL_error(lua, "resulting string too large");
    }
    size_t whole = size * (size_t)copies;
    redwing_lua_make_room(redwing_lua_of(lua), lua, whole * 2);
    char few[LUAL_BUFFERSIZE];
    char *bytes = whole <= sizeof few ? few : lua_newuserdata(lua, whole);
    memcpy(bytes, text, size);
    for (size_t done = size; done < whole; done += done < whole - done ? done : whole - done) {
        memcpy(bytes + done, bytes, done < whole - done ? done : whole - done);
    }
    lua_pushlstring(lua, bytes, whole);
    return 1;
}

static const luaL_Reg functions[] = {
    {"find", string_find}, {"match", string_match}, {"gmatch", string_gmatch},
    {"gsub", string_gsub}, {"rep", string_rep},
};

void redwing_lua_open_patterns(lua_State *lua) {
    lua_getglobal(lua, "string");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushcfunction(lua, functions[i].func);
        lua_setfield(lua, -2, functions[i].name);
    }
    /* Its name in Lua 5.0. */
    lua_getfield(lua, -1, "gmatch");
    lua_setfield(lua, -2, "gfind");
    lua_pop(lua, 1);
}
