/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cjson.encode. The text grows in a userdata at a fixed place of the stack, so that an error loses no
 * memory: Lua collects it.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cjson.h"

struct text {
    lua_State *lua;
    const struct cjson_options *options;
    /* The stack's place of the userdata that `bytes` is. */
    int place;
    char *bytes;
    size_t used;
    size_t capacity;
};

static char *room(struct text *text, size_t extra) {
    if (text->capacity - text->used < extra) {
        size_t size = text->capacity * 2 + extra;
        char *fresh = lua_newuserdata(text->lua, size);
        if (text->used > 0) memcpy(fresh, text->bytes, text->used);
        lua_replace(text->lua, text->place);
        text->bytes = fresh;
        text->capacity = size;
    }
    return text->bytes + text->used;
}

static void add(struct text *text, const char *bytes, size_t count) {
    memcpy(room(text, count), bytes, count);
    text->used += count;
}

static void add_char(struct text *text, char byte) { add(text, &byte, 1); }

/* Takes the value's type from the stack's place `index`. */
static void refuse(struct text *text, int index, const char *reason) {
    luaL_error(text->lua, "Cannot serialise %s: %s", luaL_typename(text->lua, index), reason);
}

static void add_string(struct text *text, int index) {
    size_t count;
    const char *bytes = lua_tolstring(text->lua, index, &count);
    /* A byte becomes six at most. */
    if (count > (SIZE_MAX >> 1) / 6 - 2) refuse(text, index, "string is too long");
    char *out = room(text, count * 6 + 2);
    char *start = out;
    *out++ = '"';
    for (size_t i = 0; i < count; i++) {
        char c = bytes[i];
        switch (c) {
            case '"': *out++ = '\\'; *out++ = '"'; break;
            case '\\': *out++ = '\\'; *out++ = '\\'; break;
            case '/': *out++ = '\\'; *out++ = '/'; break;
            case '\b': *out++ = '\\'; *out++ = 'b'; break;
            case '\t': *out++ = '\\'; *out++ = 't'; break;
            case '\n': *out++ = '\\'; *out++ = 'n'; break;
            case '\f': *out++ = '\\'; *out++ = 'f'; break;
            case '\r': *out++ = '\\'; *out++ = 'r'; break;
            default:
                if ((unsigned char)c < 32 || c == 127) {
                    const char digits[] = "0123456789abcdef";
                    memcpy(out, "\\u00", 4);
                    out[4] = digits[(unsigned char)c >> 4];
                    out[5] = digits[c & 15];
                    out += 6;
                } else {
                    *out++ = c;
                }
        }
    }
    *out++ = '"';
    text->used += (size_t)(out - start);
}

static void add_number(struct text *text, int index) {
    lua_Number value = lua_tonumber(text->lua, index);
    if (isnan(value) || isinf(value)) {
        if (text->options->encode_invalid == 0) refuse(text, index, "must not be NaN or Inf");
        if (text->options->encode_invalid == 2) {
            add(text, "null", 4);
            return;
        }
        if (isnan(value)) {
            add(text, "nan", 3);
            return;
        }
    }
    char digits[64];
    int count = snprintf(digits, sizeof digits, "%.*g", text->options->precision, value);
    add(text, digits, (size_t)count);
}

/* The highest index of an array, or -1 for a table that is an object. */
static int array_length(struct text *text, int index) {
    lua_State *lua = text->lua;
    lua_Number highest = 0;
    lua_Number items = 0;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        lua_Number key = lua_type(lua, -2) == LUA_TNUMBER ? lua_tonumber(lua, -2) : 0;
        if (key < 1 || key != floor(key) || key > INT32_MAX) {
            lua_pop(lua, 2);
            return -1;
        }
        if (key > highest) highest = key;
        items++;
    }
    const struct cjson_options *options = text->options;
    if (options->sparse_ratio > 0 && highest > items * options->sparse_ratio
        && highest > options->sparse_safe) {
        if (!options->sparse_convert) refuse(text, index, "excessively sparse array");
        return -1;
    }
    return (int)highest;
}

static void add_value(struct text *text, int depth);

static void add_array(struct text *text, int index, int count, int depth) {
    add_char(text, '[');
    for (int i = 1; i <= count; i++) {
        if (i > 1) add_char(text, ',');
        lua_rawgeti(text->lua, index, i);
        add_value(text, depth);
        lua_pop(text->lua, 1);
    }
    add_char(text, ']');
}

static void add_object(struct text *text, int index, int depth) {
    lua_State *lua = text->lua;
    int first = 1;
    add_char(text, '{');
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        if (!first) add_char(text, ',');
        first = 0;
        int key = lua_gettop(lua) - 1;
        if (lua_type(lua, key) == LUA_TNUMBER) {
            add_char(text, '"');
            add_number(text, key);
            add_char(text, '"');
        } else if (lua_type(lua, key) == LUA_TSTRING) {
            add_string(text, key);
        } else {
            refuse(text, key, "table key must be a number or string");
        }
        add_char(text, ':');
        add_value(text, depth);
        lua_pop(lua, 1);
    }
    add_char(text, '}');
}

/* The value at the top, which stays. */
static void add_value(struct text *text, int depth) {
    lua_State *lua = text->lua;
    int index = lua_gettop(lua);
    switch (lua_type(lua, index)) {
        case LUA_TSTRING: add_string(text, index); return;
        case LUA_TNUMBER: add_number(text, index); return;
        case LUA_TBOOLEAN:
            if (lua_toboolean(lua, index)) {
                add(text, "true", 4);
            } else {
                add(text, "false", 5);
            }
            return;
        case LUA_TTABLE: {
            depth++;
            /* A table that holds itself ends here. */
            if (depth > text->options->encode_depth || !lua_checkstack(lua, 6)) {
                luaL_error(lua, "Cannot serialise, excessive nesting (%d)", depth);
            }
            int count = array_length(text, index);
            if (count > 0) {
                add_array(text, index, count, depth);
            } else {
                add_object(text, index, depth);
            }
            return;
        }
        case LUA_TNIL: add(text, "null", 4); return;
        case LUA_TLIGHTUSERDATA:
            if (lua_touserdata(lua, index) == NULL) {
                add(text, "null", 4);
                return;
            }
            break;
        default: break;
    }
    refuse(text, index, "type not supported");
}

int redwing_cjson_encode(lua_State *lua) {
    luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
    struct text text = {lua, redwing_cjson_options(lua), 1, NULL, 0, 0};
    lua_pushnil(lua);
    lua_insert(lua, 1);
    add_value(&text, 0);
    lua_pushlstring(lua, text.used > 0 ? text.bytes : "", text.used);
    return 1;
}
