/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of `table` whose time a script chooses, which Lua's own take without a tick. */

#include "engine.h"

static redwing_lua *begin(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    redwing_lua_check_writable(lua, 1);
    return redwing_lua_of(lua);
}

/* t[to] = t[from] */
static void move(redwing_lua *engine, lua_State *lua, int from, int to) {
    redwing_lua_spend(engine, lua, 1);
    lua_rawgeti(lua, 1, from);
    lua_rawseti(lua, 1, to);
}

static int table_insert(lua_State *lua) {
    redwing_lua *engine = begin(lua);
    int end = (int)lua_objlen(lua, 1) + 1;
    int place = end;
    switch (lua_gettop(lua)) {
        case 2: break;
        case 3:
            place = luaL_checkint(lua, 2);
            for (int i = end; i > place; i--) move(engine, lua, i - 1, i);
            break;
        default: return luaL_error(lua, "wrong number of arguments to 'insert'");
    }
    lua_rawseti(lua, 1, place);
    return 0;
}

static int table_remove(lua_State *lua) {
    redwing_lua *engine = begin(lua);
    int end = (int)lua_objlen(lua, 1);
    int place = luaL_optint(lua, 2, end);
    if (place < 1 || place > end) return 0;
    lua_rawgeti(lua, 1, place);
    for (int i = place; i < end; i++) move(engine, lua, i + 1, i);
    lua_pushnil(lua);
    lua_rawseti(lua, 1, end);
    return 1;
}

/* What a comparison looks at: strings may differ at their end only. */
static size_t length_of(lua_State *lua, int index) {
    return lua_type(lua, index) == LUA_TSTRING ? lua_objlen(lua, index) / 64 : 0;
}

/* `a < b`, or upvalue 1 when there is one. */
static int in_order(lua_State *lua) {
    redwing_lua_spend(redwing_lua_of(lua), lua, 1 + length_of(lua, 1));
    if (lua_isnil(lua, lua_upvalueindex(1))) {
        lua_pushboolean(lua, lua_lessthan(lua, 1, 2));
        return 1;
    }
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, 2, 1);
    return 1;
}

/* Lua's sort, upvalue 1, which asks us in what order two values are. */
static int table_sort(lua_State *lua) {
    begin(lua);
    if (!lua_isnoneornil(lua, 2)) luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_settop(lua, 2);
    /* A function in Lua is counted by its instructions. */
    if (lua_isnil(lua, 2) || lua_iscfunction(lua, 2)) lua_pushcclosure(lua, in_order, 1);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, 2, 0);
    return 0;
}

void redwing_lua_open_tables(lua_State *lua) {
    lua_getglobal(lua, "table");
    lua_pushcfunction(lua, table_insert);
    lua_setfield(lua, -2, "insert");
    lua_pushcfunction(lua, table_remove);
    lua_setfield(lua, -2, "remove");
    lua_getfield(lua, -1, "sort");
    lua_pushcclosure(lua, table_sort, 1);
    lua_setfield(lua, -2, "sort");
    lua_pop(lua, 1);
}
