/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables that scripts read and can't change: a script that could would run its own redis.call in the
 * scripts of others, with the rights of whoever calls them.
 *
 * Lua 5.1 tells of a write only where the table has nothing, so a script gets an empty table whose
 * metatable leads to the one that holds the values. The functions of Lua that see a table as it is
 * look through it or refuse.
 */

#include "engine.h"

/* In the metatable of a locked table, by this address: the table with the values. */
static const char values_key;

/* Pushes the values of the locked table at `index`; 0 when it isn't locked. */
static int push_values(lua_State *lua, int index) {
    if (!lua_getmetatable(lua, index)) return 0;
    lua_pushlightuserdata(lua, (void *)(uintptr_t)&values_key);
    lua_rawget(lua, -2);
    lua_remove(lua, -2);
    if (lua_istable(lua, -1)) return 1;
    lua_pop(lua, 1);
    return 0;
}

static int is_locked(lua_State *lua, int index) {
    if (!push_values(lua, index)) return 0;
    lua_pop(lua, 1);
    return 1;
}

static const char refusal[] = "Attempt to modify a readonly table";

void redwing_lua_check_writable(lua_State *lua, int index) {
    if (!is_locked(lua, index)) return;
    lua_pushstring(lua, refusal);
    lua_error(lua);
}

static int refuse_write(lua_State *lua) { return luaL_error(lua, refusal); }

void redwing_lua_lock(lua_State *lua) {
    int values = lua_gettop(lua);
    lua_newtable(lua);
    lua_createtable(lua, 0, 3);
    lua_pushvalue(lua, values);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_write);
    lua_setfield(lua, -2, "__newindex");
    lua_pushlightuserdata(lua, (void *)(uintptr_t)&values_key);
    lua_pushvalue(lua, values);
    lua_rawset(lua, -3);
    lua_pushvalue(lua, -1);
    lua_setmetatable(lua, -3);
    lua_remove(lua, values);
}

void redwing_lua_lock_global(lua_State *lua, const char *name) {
    lua_getglobal(lua, name);
    redwing_lua_lock(lua);
    lua_pop(lua, 1);
    lua_setglobal(lua, name);
}

/* Lua's functions anew. */

static int base_next(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 2);
    if (push_values(lua, 1)) lua_replace(lua, 1);
    if (lua_next(lua, 1)) return 2;
    lua_pushnil(lua);
    return 1;
}

/* Upvalue 1 is `next`. */
static int base_pairs(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_pushvalue(lua, 1);
    lua_pushnil(lua);
    return 3;
}

static int base_rawget(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    lua_settop(lua, 2);
    if (push_values(lua, 1)) lua_replace(lua, 1);
    lua_rawget(lua, 1);
    return 1;
}

static int base_rawset(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    luaL_checkany(lua, 3);
    lua_settop(lua, 3);
    redwing_lua_check_writable(lua, 1);
    lua_rawset(lua, 1);
    return 1;
}

static int base_getmetatable(lua_State *lua) {
    luaL_checkany(lua, 1);
    if (is_locked(lua, 1) || !lua_getmetatable(lua, 1)) {
        lua_pushnil(lua);
        return 1;
    }
    luaL_getmetafield(lua, 1, "__metatable");
    return 1;
}

static int base_setmetatable(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    int given = lua_type(lua, 2);
    luaL_argcheck(lua, given == LUA_TNIL || given == LUA_TTABLE, 2, "nil or table expected");
    redwing_lua_check_writable(lua, 1);
    if (luaL_getmetafield(lua, 1, "__metatable")) {
        return luaL_error(lua, "cannot change a protected metatable");
    }
    lua_settop(lua, 2);
    lua_setmetatable(lua, 1);
    return 1;
}

static const luaL_Reg functions[] = {
    {"next", base_next},
    {"rawget", base_rawget},
    {"rawset", base_rawset},
    {"getmetatable", base_getmetatable},
    {"setmetatable", base_setmetatable},
};

void redwing_lua_open_readonly(lua_State *lua) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_register(lua, functions[i].name, functions[i].func);
    }
    lua_getglobal(lua, "next");
    lua_pushcclosure(lua, base_pairs, 1);
    lua_setglobal(lua, "pairs");
}
