/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The Lua 5.1 interpreter as Redis scripts see it: sandbox, redis.*, cjson, cmsgpack, struct, bit.
 *
 * A Lua error leaves C functions by longjmp, which must never cross a Swift frame. So all that
 * touches the Lua stack is C in this folder, and the server is reached by the few functions of
 * `redwing_lua_host`, which only look at bytes and return. One thread owns an engine.
 */
#ifndef REDWING_LUA_H
#define REDWING_LUA_H

#include <stddef.h>
#include <stdint.h>

typedef struct redwing_lua redwing_lua;

/** A run of bytes that somebody else owns. */
struct redwing_lua_word {
    const char *start;
    size_t count;
};

/** What the server does for a script. No function may call back into the engine. */
struct redwing_lua_host {
    void *context;
    /**
     * Runs a command. 0: `*reply` is its reply in RESP, good until the next call; `*sort` becomes
     * 1 when an array is to be sorted. 1: `*reply` is the text of a refusal.
     */
    int (*call)(void *context, const struct redwing_lua_word *words, size_t count,
                struct redwing_lua_word *reply, int *sort);
    /** Every 10 us or so, unless the script is in something long. Not 0: it has to end. */
    int (*tick)(void *context);
    /** A line for the server's log; level 0 (debug) to 3 (warning). */
    void (*log)(void *context, int level, const char *text, size_t count);
    /** 40 hexadecimal digits of the SHA-1 of `text` to `digits`. */
    void (*sha1)(void *context, const char *text, size_t count, char *digits);
    /** 1 when effects instead of the script are replicated from now on, 0 when it is too late. */
    int (*replicate_commands)(void *context);
    /** Bit 0 AOF, bit 1 replicas. 0, or 1 when effects are not what is replicated. */
    int (*set_repl)(void *context, int targets);
    /** The script wants replies of RESP 2 or 3. */
    void (*set_resp)(void *context, int version);
};

/** A new interpreter, or NULL without memory. The host's functions are copied. */
redwing_lua *redwing_lua_create(const struct redwing_lua_host *host);
/** NULL is allowed. Not while a script runs. */
void redwing_lua_free(redwing_lua *engine);

/**
 * Makes `body` the function `name` ("f_" and 40 digits, null-terminated). 0; 1 when it doesn't
 * compile; 2 when its definition failed. `redwing_lua_output` then is the reason.
 */
int redwing_lua_define(redwing_lua *engine, const char *name, const char *body, size_t count);

/**
 * Runs `name` with `keys` words of `words` as KEYS and the other `arguments` as ARGV. 0: the output
 * is the reply in RESP of `version`. 1: the output is the error's text. `ticks`: ask host->tick.
 */
int redwing_lua_run(redwing_lua *engine, const char *name, const struct redwing_lua_word *words,
                    size_t keys, size_t arguments, int version, int ticks);

/** What the last call left; good until the next. */
struct redwing_lua_word redwing_lua_output(const redwing_lua *engine);

/** Gives back the memory of a long output, once it isn't needed any more. */
void redwing_lua_drop_output(redwing_lua *engine);

/** Bytes that Lua holds. */
size_t redwing_lua_memory(const redwing_lua *engine);

#endif
