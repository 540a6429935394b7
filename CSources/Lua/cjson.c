/* SPDX-License-Identifier: BSD-3-Clause */
/* The library `cjson`: its table, its options. Encoding and decoding have files of their own. */

#include "cjson.h"

#include <limits.h>

struct cjson_options *redwing_cjson_options(lua_State *lua) {
    struct cjson_options *options = lua_touserdata(lua, lua_upvalueindex(1));
    if (options == NULL) luaL_error(lua, "BUG: Unable to fetch CJSON configuration");
    return options;
}

/* At most `count` arguments, the missing ones nil. */
static struct cjson_options *begin(lua_State *lua, int count) {
    luaL_argcheck(lua, lua_gettop(lua) <= count, count + 1, "found too many arguments");
    lua_settop(lua, count);
    return redwing_cjson_options(lua);
}

/* Argument `index`, when there is one, becomes the option; the option is pushed. */
static void integer_option(lua_State *lua, int index, int *option, int least, int most) {
    if (!lua_isnil(lua, index)) {
        lua_Integer value = luaL_checkinteger(lua, index);
        if (value < least || value > most) {
            const char *text =
                lua_pushfstring(lua, "expected integer between %d and %d", least, most);
            luaL_argerror(lua, index, text);
        }
        *option = (int)value;
    }
    lua_pushinteger(lua, *option);
}

/* One of false, true and, where `third` says so, "null". */
static void choice_option(lua_State *lua, int index, int *option, int third) {
    static const char *const two[] = {"off", "on", NULL};
    static const char *const three[] = {"off", "on", "null", NULL};
    if (!lua_isnil(lua, index)) {
        if (lua_isboolean(lua, index)) {
            *option = lua_toboolean(lua, index);
        } else {
            *option = luaL_checkoption(lua, index, NULL, third ? three : two);
        }
    }
    if (*option == 2) {
        lua_pushliteral(lua, "null");
    } else {
        lua_pushboolean(lua, *option);
    }
}

static int encode_sparse_array(lua_State *lua) {
    struct cjson_options *options = begin(lua, 3);
    choice_option(lua, 1, &options->sparse_convert, 0);
    integer_option(lua, 2, &options->sparse_ratio, 0, INT_MAX);
    integer_option(lua, 3, &options->sparse_safe, 0, INT_MAX);
    return 3;
}

static int encode_max_depth(lua_State *lua) {
    struct cjson_options *options = begin(lua, 1);
    integer_option(lua, 1, &options->encode_depth, 1, INT_MAX);
    return 1;
}

static int decode_max_depth(lua_State *lua) {
    struct cjson_options *options = begin(lua, 1);
    integer_option(lua, 1, &options->decode_depth, 1, INT_MAX);
    return 1;
}

static int encode_number_precision(lua_State *lua) {
    struct cjson_options *options = begin(lua, 1);
    integer_option(lua, 1, &options->precision, 1, 14);
    return 1;
}

static int encode_keep_buffer(lua_State *lua) {
    struct cjson_options *options = begin(lua, 1);
    choice_option(lua, 1, &options->keep_buffer, 0);
    return 1;
}

static int encode_invalid_numbers(lua_State *lua) {
    struct cjson_options *options = begin(lua, 1);
    choice_option(lua, 1, &options->encode_invalid, 1);
    return 1;
}

static int decode_invalid_numbers(lua_State *lua) {
    struct cjson_options *options = begin(lua, 1);
    choice_option(lua, 1, &options->decode_invalid, 0);
    return 1;
}

static void push_library(lua_State *lua);

/* An instance with options of its own. */
static int cjson_new(lua_State *lua) {
    push_library(lua);
    return 1;
}

static const luaL_Reg functions[] = {
    {"encode", redwing_cjson_encode},
    {"decode", redwing_cjson_decode},
    {"encode_sparse_array", encode_sparse_array},
    {"encode_max_depth", encode_max_depth},
    {"decode_max_depth", decode_max_depth},
    {"encode_number_precision", encode_number_precision},
    {"encode_keep_buffer", encode_keep_buffer},
    {"encode_invalid_numbers", encode_invalid_numbers},
    {"decode_invalid_numbers", decode_invalid_numbers},
    {"new", cjson_new},
};

static void push_library(lua_State *lua) {
    lua_newtable(lua);
    struct cjson_options *options = lua_newuserdata(lua, sizeof *options);
    *options = (struct cjson_options){.sparse_convert = 0,
                                      .sparse_ratio = 2,
                                      .sparse_safe = 10,
                                      .encode_depth = 1000,
                                      .decode_depth = 1000,
                                      .encode_invalid = 0,
                                      .decode_invalid = 1,
                                      .precision = 14,
                                      .keep_buffer = 1};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushvalue(lua, -1);
        lua_pushcclosure(lua, functions[i].func, 1);
        lua_setfield(lua, -3, functions[i].name);
    }
    lua_pop(lua, 1);
    lua_pushlightuserdata(lua, NULL);
    lua_setfield(lua, -2, "null");
    lua_pushliteral(lua, "cjson");
    lua_setfield(lua, -2, "_NAME");
    lua_pushliteral(lua, "2.1.0");
    lua_setfield(lua, -2, "_VERSION");
}

void redwing_lua_open_cjson(lua_State *lua) {
    push_library(lua);
    lua_setglobal(lua, "cjson");
}
