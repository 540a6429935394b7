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
        redwing_lua_spend(redwing_lua_of(lua), lua, 1);
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

/* collectgarbage of all that a script holds takes its time: upvalue 1 is Lua's. */
static int base_collectgarbage(lua_State *lua) {
    static const char *const options[] = {"collect", "stop",     "restart",    "count",
                                          "step",    "setpause", "setstepmul", NULL};
    luaL_checkoption(lua, 1, "collect", options);
    redwing_lua *engine = redwing_lua_of(lua);
    redwing_lua_spend(engine, lua, engine->memory / 64);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

/*
 * xpcall whose handler runs once the error has unwound. Lua's runs it where the error is: inside the
 * hook when a tick ends the script, and no hook runs inside a hook.
 */
static int base_xpcall(lua_State *lua) {
    luaL_checkany(lua, 2);
    lua_settop(lua, 2);
    lua_insert(lua, 1);
    int code = lua_pcall(lua, 0, LUA_MULTRET, 0);
    if (code == LUA_ERRRUN) {
        lua_pushvalue(lua, 1);
        lua_insert(lua, 2);
        if (lua_pcall(lua, 1, 1, 0) != 0) {
            lua_pushliteral(lua, "error in error handling");
            lua_replace(lua, 2);
        }
    }
    lua_pushboolean(lua, code == 0);
    lua_replace(lua, 1);
    return lua_gettop(lua);
}

/*
 * What scripts see of globals that aren't there. The arguments: the globals, the metatable of the
 * table through which scripts see them, and their own. Errors name the lines 8 and 15, which people
 * have come to know from Redis.
 */
static const char strict[] =
    "local info, fail, raw, text = debug.getinfo, error, rawget, tostring\n"
    "local globals, outer, inner = ...\n"
    "outer.__newindex = function (_, name)\n"
    "    if raw(globals, name) ~= nil then\n"
    "        fail('Attempt to modify a readonly table', 2)\n"
    "    end\n"
    "    local what = 'Script attempted to create global variable '\n"
    "    fail(what .. \"'\" .. text(name) .. \"'\", 2)\n"
    "end\n"
    "inner.__index = function (_, name)\n"
    "    local caller = info(2, 'S')\n"
    "    if not caller or caller.what == 'C' then\n"
    "        return nil\n"
    "    end\n"
    "    fail(\"Script attempted to access nonexistent global variable '\" .. text(name) .. \"'\", 2)\n"
    "end\n";

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

/* The metatable of strings, which getmetatable gives away: methods come from the library itself. */
static void lock_strings(lua_State *lua) {
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);
    lua_newtable(lua);
    lua_getglobal(lua, "string");
    lua_setfield(lua, -2, "__index");
    redwing_lua_lock(lua);
    lua_pop(lua, 1);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 2);
}

/* From here on new functions see the globals through a locked table, _G. */
static void lock_globals(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    int strict_chunk = lua_gettop(lua) + 1, globals = strict_chunk + 1, locked = globals + 1;
    if (luaL_loadbuffer(lua, strict, sizeof strict - 1, "@enable_strict_lua") != 0) lua_error(lua);
    lua_pushvalue(lua, LUA_GLOBALSINDEX);
    lua_pushvalue(lua, globals);
    redwing_lua_lock(lua);
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_setmetatable(lua, globals);
    lua_pushvalue(lua, globals);
    engine->globals = luaL_ref(lua, LUA_REGISTRYINDEX);
    lua_pushvalue(lua, locked);
    engine->environment = luaL_ref(lua, LUA_REGISTRYINDEX);
    lua_pushvalue(lua, locked);
    lua_setfield(lua, globals, "_G");
    lua_pushvalue(lua, locked);
    lua_replace(lua, LUA_GLOBALSINDEX);
    lua_remove(lua, locked);
    lua_call(lua, 3, 0);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->globals);
    lua_pushnil(lua);
    lua_setfield(lua, -2, "debug");
    lua_pop(lua, 1);
}

static void lock_all(lua_State *lua) {
    static const char *const libraries[] = {"string", "table", "math", "coroutine", "os",      "redis",
                                            "cjson",  "struct", "cmsgpack", "bit"};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        redwing_lua_lock_global(lua, libraries[i]);
    }
    lock_strings(lua);
    lock_globals(lua);
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
    lua_register(lua, "xpcall", base_xpcall);
    lua_getglobal(lua, "collectgarbage");
    lua_pushcclosure(lua, base_collectgarbage, 1);
    lua_setglobal(lua, "collectgarbage");
    redwing_lua_open_patterns(lua);
    redwing_lua_open_tables(lua);
    redwing_lua_open_readonly(lua);
    lua_register(lua, "loadstring", base_loadstring);
    lua_register(lua, "load", base_load);
    set(lua, "math", "random", math_random);
    set(lua, "math", "randomseed", math_randomseed);
    lua_newtable(lua);
    lua_setglobal(lua, "os");
    set(lua, "os", "clock", os_clock);
    lock_all(lua);
}
