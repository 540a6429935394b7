/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What keeps a script from holding up the server. The host is asked now and then whether the script
 * may go on (a tick): by a hook after so many instructions, by C functions after so many steps of
 * their loops, by the allocator after so many bytes. And Lua's memory has an end.
 */

#include <stdlib.h>

#include "engine.h"

const char redwing_lua_killed[] = "Script killed by user with SCRIPT KILL...";

static int must_stop(redwing_lua *engine) {
    engine->steps = 0;
    engine->grown = 0;
    if (!engine->ticking) return 0;
    if (!engine->stopping && engine->host.tick(engine->host.context) != 0) engine->stopping = 1;
    return engine->stopping;
}

static int may_grow(redwing_lua *engine, size_t extra) {
    if (extra > REDWING_LUA_MOST_BYTES - engine->memory) return 0;
    engine->grown += extra;
    if (engine->grown < REDWING_LUA_TICK_BYTES || engine->calling) return 1;
    return !must_stop(engine);
}

/* Without memory Lua raises an error. It relies on getting less of what it has. */
void *redwing_lua_allocate(void *context, void *place, size_t old, size_t size) {
    redwing_lua *engine = context;
    if (size == 0) {
        free(place);
        engine->memory -= old;
        return NULL;
    }
    if (size > old && !may_grow(engine, size - old)) return NULL;
    void *fresh = realloc(place, size);
    if (fresh != NULL) engine->memory = engine->memory - old + size;
    return fresh;
}

/*
 * Lua 5.1 begins a collection when memory has doubled and doesn't collect in need, so that garbage
 * alone could reach the end of it.
 */
void redwing_lua_make_room(redwing_lua *engine, lua_State *lua, size_t extra) {
    const size_t most = REDWING_LUA_MOST_BYTES;
    if (engine->memory + extra < most / 2 || engine->memory < engine->kept + most / 16) return;
    lua_gc(lua, LUA_GCCOLLECT, 0);
    engine->kept = engine->memory;
}

void redwing_lua_ask(redwing_lua *engine, lua_State *lua) {
    engine->calling = 0;
    redwing_lua_make_room(engine, lua, 0);
    if (!must_stop(engine)) return;
    lua_pushstring(lua, redwing_lua_killed);
    lua_error(lua);
}

void redwing_lua_tick(lua_State *lua, lua_Debug *at) {
    (void)at;
    redwing_lua *engine = redwing_lua_of(lua);
    engine->calling = 0;
    redwing_lua_make_room(engine, lua, 0);
    if (!must_stop(engine)) return;
    /* A script that catches the error meets the next one on its next line. */
    lua_sethook(lua, redwing_lua_tick, LUA_MASKLINE | LUA_MASKCOUNT, REDWING_LUA_TICK);
    lua_sethook(engine->state, redwing_lua_tick, LUA_MASKLINE | LUA_MASKCOUNT, REDWING_LUA_TICK);
    lua_pushstring(lua, redwing_lua_killed);
    lua_error(lua);
}
