/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cjson.encode. Tables in tables make a text that is exponential in what a script took: every value
 * is a step, and Lua's memory bounds the text.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cjson.h"

struct encoder {
    lua_State *lua;
    const struct cjson_options *options;
    struct redwing_lua_text text;
};

static void add(struct encoder *to, const char *bytes, size_t count) {
    redwing_lua_text_add(&to->text, bytes, count);
}

static void add_byte(struct encoder *to, char byte) {
    redwing_lua_text_byte(&to->text, (unsigned char)byte);
}

static void spend(struct encoder *to, size_t steps) {
    redwing_lua_spend(to->text.engine, to->lua, steps);
}

/* Takes the value's type from the stack's place `index`. */
static void refuse(struct encoder *to, int index, const char *reason) {
    luaL_error(to->lua, "Cannot serialise %s: %s", luaL_typename(to->lua, index), reason);
}

static void add_escaped(struct encoder *to, const char *bytes, size_t count) {
    /* A byte becomes six at most. */
    char *out = redwing_lua_text_room(&to->text, count * 6);
    char *start = out;
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
    to->text.used += (size_t)(out - start);
    spend(to, count / 16);
}

static void add_string(struct encoder *to, int index) {
    size_t count;
    const char *bytes = lua_tolstring(to->lua, index, &count);
    add_byte(to, '"');
    /* In pieces, so that what is reserved is near what is needed. */
    while (count > 0) {
        size_t piece = count < 4096 ? count : 4096;
        add_escaped(to, bytes, piece);
        bytes += piece;
        count -= piece;
    }
    add_byte(to, '"');
}

static void add_number(struct encoder *to, int index) {
    lua_Number value = lua_tonumber(to->lua, index);
    if (isnan(value) || isinf(value)) {
        if (to->options->encode_invalid == 0) refuse(to, index, "must not be NaN or Inf");
        if (to->options->encode_invalid == 2) {
            add(to, "null", 4);
            return;
        }
        if (isnan(value)) {
            add(to, "nan", 3);
            return;
        }
    }
    char digits[64];
    int count = snprintf(digits, sizeof digits, "%.*g", to->options->precision, value);
    add(to, digits, (size_t)count);
}

/* The highest index of an array, or -1 for a table that is an object. */
static int array_length(struct encoder *to, int index) {
    lua_State *lua = to->lua;
    lua_Number highest = 0;
    lua_Number items = 0;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        spend(to, 1);
        lua_Number key = lua_type(lua, -2) == LUA_TNUMBER ? lua_tonumber(lua, -2) : 0;
        if (key < 1 || key != floor(key) || key > INT32_MAX) {
            lua_pop(lua, 2);
            return -1;
        }
        if (key > highest) highest = key;
        items++;
    }
    const struct cjson_options *options = to->options;
    if (options->sparse_ratio > 0 && highest > items * options->sparse_ratio
        && highest > options->sparse_safe) {
        if (!options->sparse_convert) refuse(to, index, "excessively sparse array");
        return -1;
    }
    return (int)highest;
}

static void add_value(struct encoder *to, int depth);

static void add_array(struct encoder *to, int index, int count, int depth) {
    add_byte(to, '[');
    for (int i = 1; i <= count; i++) {
        if (i > 1) add_byte(to, ',');
        lua_rawgeti(to->lua, index, i);
        add_value(to, depth);
        lua_pop(to->lua, 1);
    }
    add_byte(to, ']');
}

static void add_object(struct encoder *to, int index, int depth) {
    lua_State *lua = to->lua;
    int first = 1;
    add_byte(to, '{');
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        if (!first) add_byte(to, ',');
        first = 0;
        int key = lua_gettop(lua) - 1;
        if (lua_type(lua, key) == LUA_TNUMBER) {
            add_byte(to, '"');
            add_number(to, key);
            add_byte(to, '"');
        } else if (lua_type(lua, key) == LUA_TSTRING) {
            add_string(to, key);
        } else {
            refuse(to, key, "table key must be a number or string");
        }
        add_byte(to, ':');
        add_value(to, depth);
        lua_pop(lua, 1);
    }
    add_byte(to, '}');
}

/* The value at the top, which stays. */
static void add_value(struct encoder *to, int depth) {
    lua_State *lua = to->lua;
    int index = lua_gettop(lua);
    spend(to, 1);
    switch (lua_type(lua, index)) {
        case LUA_TSTRING: add_string(to, index); return;
        case LUA_TNUMBER: add_number(to, index); return;
        case LUA_TBOOLEAN:
            if (lua_toboolean(lua, index)) {
                add(to, "true", 4);
            } else {
                add(to, "false", 5);
            }
            return;
        case LUA_TTABLE: {
            depth++;
            /* A table that holds itself ends here. */
            if (depth > to->options->encode_depth || !lua_checkstack(lua, 6)) {
                luaL_error(lua, "Cannot serialise, excessive nesting (%d)", depth);
            }
            int count = array_length(to, index);
            if (count > 0) {
                add_array(to, index, count, depth);
            } else {
                add_object(to, index, depth);
            }
            return;
        }
        case LUA_TNIL: add(to, "null", 4); return;
        case LUA_TLIGHTUSERDATA:
            if (lua_touserdata(lua, index) == NULL) {
                add(to, "null", 4);
                return;
            }
            break;
        default: break;
    }
    refuse(to, index, "type not supported");
}

int redwing_cjson_encode(lua_State *lua) {
    luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
    struct encoder to = {lua, redwing_cjson_options(lua), redwing_lua_text_begin(lua)};
    lua_pushvalue(lua, 1);
    add_value(&to, 0);
    redwing_lua_text_push(&to.text);
    return 1;
}
