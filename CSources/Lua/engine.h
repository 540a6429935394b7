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
    /* In the registry: functions of scripts by name, the globals, and as scripts see them. */
    int scripts;
    int globals;
    int environment;
    /* The output; memory of its own, so that an error's longjmp loses nothing. */
    char *out;
    size_t used;
    size_t capacity;
    /* Bytes that Lua holds; after the last whole collection; after the last between runs. */
    size_t memory;
    size_t kept;
    size_t rested;
    /* Bytes added since a tick. */
    size_t grown;
    /* Steps that C functions took since a tick. */
    size_t steps;
    /* 48 bits of the generator behind math.random. */
    uint64_t random;
    /* RESP of what the script reads (redis.setresp), and of its caller. */
    int script_resp;
    int client_resp;
    /* Inside redis.call, whose reply lies in the host's memory: no tick, which might change it. */
    int calling;
    /* A script runs whose host wants ticks. */
    int ticking;
    /* The script was told to end: every line raises. */
    int stopping;
    unsigned runs;
};

enum {
    /* Instructions, or steps of a C function, between ticks: some 10 us. */
    REDWING_LUA_TICK = 1000,
    /* So are the bytes that Lua's memory grows by: filling them takes some ms. */
    REDWING_LUA_TICK_BYTES = 16 << 20,
    /* Lua's memory, and a script's reply beside it: what can't be had by a reasonable script. */
    REDWING_LUA_MOST_BYTES = 1 << 30,
    /* string.rep, as long as a value may be. */
    REDWING_LUA_LONGEST_STRING = 512 << 20,
};

/** The engine of a state: its allocator carries it. */
redwing_lua *redwing_lua_of(lua_State *lua);

/* limits.c */
void *redwing_lua_allocate(void *engine, void *place, size_t old, size_t size);
/** The hook of each REDWING_LUA_TICK instructions. */
void redwing_lua_tick(lua_State *lua, lua_Debug *at);
/** Asks the host; raises when the script has to end. */
void redwing_lua_ask(redwing_lua *engine, lua_State *lua);
/** Collects what is garbage when memory is short. Only where the API may be used. */
void redwing_lua_make_room(redwing_lua *engine, lua_State *lua, size_t extra);
extern const char redwing_lua_killed[];

/**
 * To be called by every loop in C whose length a script chooses: `steps` are values visited, bytes
 * compared or the like. May raise.
 */
static inline void redwing_lua_spend(redwing_lua *engine, lua_State *lua, size_t steps) {
    engine->steps += steps;
    if (engine->steps >= REDWING_LUA_TICK) redwing_lua_ask(engine, lua);
}

/* text.c */

/**
 * A string that grows, in a userdata at a fixed place of the stack, so that an error loses no
 * memory: Lua collects it.
 */
struct redwing_lua_text {
    redwing_lua *engine;
    lua_State *lua;
    int place;
    char *bytes;
    size_t used;
    size_t capacity;
};

/** Begins with a nil that is pushed at the place `place`, the top. */
struct redwing_lua_text redwing_lua_text_begin(lua_State *lua);
/** Where `extra` more bytes have room; the caller adds to `used` what it puts there. */
char *redwing_lua_text_room(struct redwing_lua_text *text, size_t extra);
void redwing_lua_text_add(struct redwing_lua_text *text, const char *bytes, size_t count);
static inline void redwing_lua_text_byte(struct redwing_lua_text *text, unsigned char byte) {
    char *place = redwing_lua_text_room(text, 1);
    *place = (char)byte;
    text->used++;
}
/** Pushes the string. */
void redwing_lua_text_push(struct redwing_lua_text *text);

/* output.c */

/** Writes `value` in decimal, up to 20 bytes; returns how many. */
size_t redwing_lua_digits(char *out, long long value);
void redwing_lua_append(redwing_lua *engine, const char *bytes, size_t count);
/** Pushes the value of the RESP reply at `bytes`. */
void redwing_lua_push_reply(lua_State *lua, const char *bytes, size_t count);
/** Appends the value at the top, which it pops, as RESP to the output. */
void redwing_lua_emit(redwing_lua *engine, lua_State *lua);

/* readonly.c */

/** Gives scripts a table through which `name`, a global, can be read and not changed. */
void redwing_lua_lock_global(lua_State *lua, const char *name);
/**
 * Pushes a table through which the one at the top is read, which it replaces; its metatable, of
 * which `index` is that table, stays above it.
 */
void redwing_lua_lock(lua_State *lua);
/** next, pairs, rawget, rawset, getmetatable, setmetatable: those that know of locked tables. */
void redwing_lua_open_readonly(lua_State *lua);
/** Raises when the value at `index` is locked. */
void redwing_lua_check_writable(lua_State *lua, int index);

/* sandbox.c */
void redwing_lua_open_sandbox(lua_State *lua);
void redwing_lua_seed(redwing_lua *engine, uint32_t seed);

/* patterns.c, tables.c: functions that take the place of Lua's in `string` and `table`. */
void redwing_lua_open_patterns(lua_State *lua);
void redwing_lua_open_tables(lua_State *lua);

/* redis.c, cjson.c, cmsgpack.c, struct.c, bit.c: each makes its global table. */
void redwing_lua_open_redis(lua_State *lua);
void redwing_lua_open_cjson(lua_State *lua);
void redwing_lua_open_cmsgpack(lua_State *lua);
void redwing_lua_open_struct(lua_State *lua);
void redwing_lua_open_bit(lua_State *lua);

#endif
