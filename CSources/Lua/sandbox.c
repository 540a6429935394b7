/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of Lua's own a script gets: nothing that reaches files, processes or other scripts' bytecode,
 * a repeatable math.random, and no accidental globals.
 */

#include <math.h>
#include <string.h>
#include <time.h>

#include "engine.h"

/* The generator of drand48, whose sequence scripts have always got from Redis. */

void redwing_lua_seed(redwing_lua *engine, uint32_t seed) {
    engine->random = (uint64_t)seed << 16 | 0x330E;
}

static int32_t next_random(redwing_lua *engine) {
    engine->random = (engine->random * 0x5DEECE66DULL + 0xB) & ((1ULL << 48) - 1);
    return (int32_t)(engine->random >> 17);
}

static int math_random(lua_State *lua) {
    lua_Number r = (lua_Number)(next_random(redwing_lua_of(lua)) % INT32_MAX) / INT32_MAX;
    switch (lua_gettop(lua)) {
        case 0: lua_pushnumber(lua, r); break;
        case 1: {
            int upper = luaL_checkint(lua, 1);
            luaL_argcheck(lua, 1 <= upper, 1, "interval is empty");
            lua_pushnumber(lua, floor(r * upper) + 1);
            break;
        }
        case 2: {
            int lower = luaL_checkint(lua, 1);
            int upper = luaL_checkint(lua, 2);
            luaL_argcheck(lua, lower <= upper, 2, "interval is empty");
            lua_pushnumber(lua, floor(r * ((double)upper - lower + 1)) + lower);
            break;
        }
        default: return luaL_error(lua, "wrong number of arguments");
    }
    return 1;
}

static int math_randomseed(lua_State *lua) {
    redwing_lua_seed(redwing_lua_of(lua), (uint32_t)luaL_checkint(lua, 1));
    return 0;
}

static int os_clock(lua_State *lua) {
    lua_pushnumber(lua, (lua_Number)clock() / CLOCKS_PER_SEC);
    return 1;
}

/* Bytecode isn't checked by the interpreter and reaches any memory: text only. */
static int load_text(lua_State *lua, const char *text, size_t count, const char *name) {
    int code;
    if (count > 0 && text[0] == LUA_SIGNATURE[0]) {
        lua_pushfstring(lua, "attempt to load a binary chunk (only text is allowed)");
        code = 1;
    } else {
        code = luaL_loadbuffer(lua, text, count, name);
    }
    if (code == 0) return 1;
    lua_pushnil(lua);
    lua_insert(lua, -2);
    return 2;
}

static int base_loadstring(lua_State *lua) {
    size_t count;
    const char *text = luaL_checklstring(lua, 1, &count);
    return load_text(lua, text, count, luaL_optstring(lua, 2, text));
}

/* load(function): the pieces it returns until nil or "" are one chunk. */
static int base_load(lua_State *lua) {
    const char *name = luaL_optstring(lua, 2, "=(load)");
    luaL_checktype(lua, 1, LUA_TFUNCTION);
    lua_settop(lua, 2);
    lua_newtable(lua);
    int pieces = 0;
    for (;;) {
        lua_pushvalue(lua, 1);
        lua_call(lua, 0, 1);
        if (lua_isnil(lua, -1)) break;
        if (!lua_isstring(lua, -1)) return luaL_error(lua, "reader function must return a string");
        if (lua_objlen(lua, -1) == 0) break;
        lua_rawseti(lua, 3, ++pieces);
    }
    luaL_Buffer whole;
    luaL_buffinit(lua, &whole);
    for (int i = 1; i <= pieces; i++) {
        lua_rawgeti(lua, 3, i);
        luaL_addvalue(&whole);
    }
    luaL_pushresult(&whole);
    size_t count;
    const char *text = lua_tolstring(lua, -1, &count);
    return load_text(lua, text, count, name);
}

/*
 * Globals are made by the main chunk that defines a script, and by C. Errors name the lines 8 and 15
 * of this chunk, which people have come to know from Redis.
 */
static const char strict[] =
    "local info, fail, put, text = debug.getinfo, error, rawset, tostring\n"
    "local guard = {}\n"
    "setmetatable(_G, guard)\n"
    "guard.__newindex = function (globals, name, value)\n"
    "    local caller = info(2, 'S')\n"
    "    local what = caller and caller.what or 'C'\n"
    "    if what ~= 'main' and what ~= 'C' then\n"
    "        fail(\"Script attempted to create global variable '\" .. text(name) .. \"'\", 2)\n"
    "    end\n"
    "    put(globals, name, value)\n"
    "end\n"
    "guard.__index = function (globals, name)\n"
    "    local caller = info(2, 'S')\n"
    "    if caller and caller.what ~= 'C' then\n"
    "        fail(\"Script attempted to access nonexistent global variable '\" .. text(name) .. \"'\", 2)\n"
    "    end\n"
    "end\n"
    "debug = nil\n";

static void open_library(lua_State *lua, const char *name, lua_CFunction open) {
    lua_pushcfunction(lua, open);
    lua_pushstring(lua, name);
    lua_call(lua, 1, 0);
}

static void set(lua_State *lua, const char *table, const char *name, lua_CFunction function) {
    lua_getglobal(lua, table);
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
    lua_pop(lua, 1);
}

static void remove_global(lua_State *lua, const char *name) {
    lua_pushnil(lua);
    lua_setglobal(lua, name);
}

void redwing_lua_open_sandbox(lua_State *lua) {
    open_library(lua, "", luaopen_base);
    open_library(lua, LUA_TABLIBNAME, luaopen_table);
    open_library(lua, LUA_STRLIBNAME, luaopen_string);
    open_library(lua, LUA_MATHLIBNAME, luaopen_math);
    open_library(lua, LUA_DBLIBNAME, luaopen_debug);
    redwing_lua_open_cjson(lua);
    redwing_lua_open_struct(lua);
    redwing_lua_open_cmsgpack(lua);
    redwing_lua_open_bit(lua);
    redwing_lua_open_redis(lua);
    remove_global(lua, "loadfile");
    remove_global(lua, "dofile");
    /* Finalizers, which newproxy gives, run without the hook: one that loops could not be killed. */
    remove_global(lua, "newproxy");
    lua_register(lua, "loadstring", base_loadstring);
    lua_register(lua, "load", base_load);
    set(lua, "math", "random", math_random);
    set(lua, "math", "randomseed", math_randomseed);
    lua_newtable(lua);
    lua_setglobal(lua, "os");
    set(lua, "os", "clock", os_clock);
    if (luaL_loadbuffer(lua, strict, sizeof strict - 1, "@enable_strict_lua") != 0) lua_error(lua);
    lua_call(lua, 0, 0);
}
