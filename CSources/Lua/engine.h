/* SPDX-License-Identifier: BSD-3-Clause */
/** What the files of this folder share. */
#ifndef REDWING_LUA_ENGINE_H
#define REDWING_LUA_ENGINE_H

#include <lua5.1/lauxlib.h>
#include <lua5.1/lua.h>
#include <lua5.1/lualib.h>

#include "redwing_lua.h"

struct redwing_lua {
    lua_State *state;
    struct redwing_lua_host host;
    /* The output; memory of its own, so that an error's longjmp loses nothing. */
    char *out;
    size_t used;
    size_t capacity;
    /* Bytes that Lua holds. */
    size_t memory;
    /* 48 bits of the generator behind math.random. */
    uint64_t random;
    /* RESP of what the script reads (redis.setresp), and of its caller. */
    int script_resp;
    int client_resp;
    /* Inside redis.call: a finalizer may run there and may not call again. */
    int calling;
    /* The script was told to end: every line raises. */
    int stopping;
    unsigned runs;
};

/** The engine of a state: its allocator carries it. */
redwing_lua *redwing_lua_of(lua_State *lua);

/* output.c */
void redwing_lua_append(redwing_lua *engine, const char *bytes, size_t count);
/** Pushes the value of the RESP reply at `bytes`. */
void redwing_lua_push_reply(lua_State *lua, const char *bytes, size_t count);
/** Appends the value at the top, which it pops, as RESP to the output. */
void redwing_lua_emit(redwing_lua *engine, lua_State *lua);

/* sandbox.c */
void redwing_lua_open_sandbox(lua_State *lua);
void redwing_lua_seed(redwing_lua *engine, uint32_t seed);

/* redis.c, cjson.c, cmsgpack.c, struct.c, bit.c: each makes its global table. */
void redwing_lua_open_redis(lua_State *lua);
void redwing_lua_open_cjson(lua_State *lua);
void redwing_lua_open_cmsgpack(lua_State *lua);
void redwing_lua_open_struct(lua_State *lua);
void redwing_lua_open_bit(lua_State *lua);

#endif
