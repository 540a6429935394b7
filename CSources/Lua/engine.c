/* SPDX-License-Identifier: BSD-3-Clause */
/* An interpreter's life, defining scripts and running them. */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

/* Where the functions of scripts stand in the registry, by this address: the globals of the same
 * names can be changed by scripts. */
static const char scripts_key;

static void *allocate(void *context, void *place, size_t old, size_t size) {
    redwing_lua *engine = context;
    if (size == 0) {
        free(place);
        engine->memory -= old;
        return NULL;
    }
    void *fresh = realloc(place, size);
    if (fresh != NULL) engine->memory = engine->memory - old + size;
    return fresh;
}

redwing_lua *redwing_lua_of(lua_State *lua) {
    void *engine = NULL;
    lua_getallocf(lua, &engine);
    return engine;
}

static int open_all(lua_State *lua) {
    redwing_lua_open_sandbox(lua);
    lua_pushlightuserdata(lua, (void *)(uintptr_t)&scripts_key);
    lua_newtable(lua);
    lua_rawset(lua, LUA_REGISTRYINDEX);
    return 0;
}

redwing_lua *redwing_lua_create(const struct redwing_lua_host *host) {
    redwing_lua *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return NULL;
    engine->host = *host;
    engine->script_resp = 2;
    engine->client_resp = 2;
    redwing_lua_seed(engine, 0);
    engine->state = lua_newstate(allocate, engine);
    if (engine->state == NULL || lua_cpcall(engine->state, open_all, NULL) != 0) {
        redwing_lua_free(engine);
        return NULL;
    }
    return engine;
}

void redwing_lua_free(redwing_lua *engine) {
    if (engine == NULL) return;
    if (engine->state != NULL) lua_close(engine->state);
    free(engine->out);
    free(engine);
}

struct redwing_lua_word redwing_lua_output(const redwing_lua *engine) {
    struct redwing_lua_word word = {engine->out, engine->used};
    return word;
}

size_t redwing_lua_memory(const redwing_lua *engine) { return engine->memory; }

/* The error at the top of the stack becomes the output. */
static void take_error(redwing_lua *engine, lua_State *lua) {
    size_t count = 0;
    engine->used = 0;
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, &count) : NULL;
    if (text == NULL) {
        text = "(null)";
        count = strlen(text);
    }
    redwing_lua_append(engine, text, count);
    lua_settop(lua, 0);
}

struct definition {
    const char *name;
    const char *body;
    size_t count;
    int phase;
};

static int define(lua_State *lua) {
    struct definition *wanted = lua_touserdata(lua, 1);
    luaL_Buffer text;
    luaL_buffinit(lua, &text);
    luaL_addstring(&text, "function ");
    luaL_addstring(&text, wanted->name);
    luaL_addstring(&text, "() ");
    luaL_addlstring(&text, wanted->body, wanted->count);
    luaL_addstring(&text, "\nend");
    luaL_pushresult(&text);
    size_t count;
    const char *source = lua_tolstring(lua, -1, &count);
    if (luaL_loadbuffer(lua, source, count, "@user_script") != 0) return lua_error(lua);
    wanted->phase = 2;
    lua_call(lua, 0, 0);
    lua_pushlightuserdata(lua, (void *)(uintptr_t)&scripts_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    lua_pushstring(lua, wanted->name);
    lua_pushvalue(lua, -1);
    lua_rawget(lua, LUA_GLOBALSINDEX);
    lua_rawset(lua, -3);
    return 0;
}

int redwing_lua_define(redwing_lua *engine, const char *name, const char *body, size_t count) {
    struct definition wanted = {name, body, count, 1};
    engine->used = 0;
    if (lua_cpcall(engine->state, define, &wanted) == 0) return 0;
    take_error(engine, engine->state);
    return wanted.phase;
}

struct run {
    const char *name;
    const struct redwing_lua_word *words;
    size_t keys;
    size_t arguments;
    int failed;
};

/* Puts the place of an error before its text, the way Redis does: "@user_script:1: ". */
static int name_place(lua_State *lua) {
    lua_Debug place;
    int found = lua_getstack(lua, 1, &place) && lua_getinfo(lua, "Sl", &place);
    if (found && strcmp(place.what, "C") == 0) {
        found = lua_getstack(lua, 2, &place) && lua_getinfo(lua, "Sl", &place);
    }
    int is_text = lua_type(lua, 1) == LUA_TSTRING || lua_type(lua, 1) == LUA_TNUMBER;
    if (!is_text) {
        /* What Redis's handler, itself a script, says of an error value without text. */
        lua_pushfstring(lua,
                        "@err_handler_def:8: err_handler_def:8: attempt to concatenate local 'err' "
                        "(a %s value)",
                        luaL_typename(lua, 1));
        return 1;
    }
    if (!found) return 1;
    lua_pushfstring(lua, "%s:%d: ", place.source, place.currentline);
    lua_pushvalue(lua, 1);
    lua_concat(lua, 2);
    return 1;
}

static void tick(lua_State *lua, lua_Debug *at) {
    (void)at;
    redwing_lua *engine = redwing_lua_of(lua);
    if (!engine->stopping && engine->host.tick(engine->host.context) == 0) return;
    /* A script that catches the error meets the next one on its next line. */
    engine->stopping = 1;
    lua_sethook(lua, tick, LUA_MASKLINE | LUA_MASKCOUNT, 1000);
    lua_sethook(engine->state, tick, LUA_MASKLINE | LUA_MASKCOUNT, 1000);
    lua_pushstring(lua, "Script killed by user with SCRIPT KILL...");
    lua_error(lua);
}

static void set_words(lua_State *lua, const char *global, const struct redwing_lua_word *words,
                      size_t count) {
    lua_pushstring(lua, global);
    lua_createtable(lua, count < INT32_MAX ? (int)count : 0, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(lua, words[i].start == NULL ? "" : words[i].start, words[i].count);
        lua_rawseti(lua, -2, (int)(i + 1));
    }
    lua_rawset(lua, LUA_GLOBALSINDEX);
}

static int run(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    struct run *wanted = lua_touserdata(lua, 1);
    set_words(lua, "KEYS", wanted->words, wanted->keys);
    set_words(lua, "ARGV", wanted->words + wanted->keys, wanted->arguments);
    lua_pushcfunction(lua, name_place);
    lua_pushlightuserdata(lua, (void *)(uintptr_t)&scripts_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    lua_pushstring(lua, wanted->name);
    lua_rawget(lua, -2);
    lua_remove(lua, -2);
    if (lua_pcall(lua, 0, 1, -2) != 0) {
        wanted->failed = 1;
        return lua_error(lua);
    }
    /* The reply is made without the hook: it can't last. */
    lua_sethook(lua, NULL, 0, 0);
    redwing_lua_emit(engine, lua);
    return 0;
}

/* Finalizers may run and raise. */
static int collect(lua_State *lua) {
    lua_gc(lua, LUA_GCSTEP, 50);
    return 0;
}

int redwing_lua_run(redwing_lua *engine, const char *name, const struct redwing_lua_word *words,
                    size_t keys, size_t arguments, int version, int ticks) {
    struct run wanted = {name, words, keys, arguments, 0};
    lua_State *lua = engine->state;
    engine->used = 0;
    engine->script_resp = 2;
    engine->client_resp = version;
    engine->calling = 0;
    engine->stopping = 0;
    /* The same sequence for every run, so that a script repeated by a replica does the same. */
    redwing_lua_seed(engine, 0);
    if (ticks) lua_sethook(lua, tick, LUA_MASKCOUNT, REDWING_LUA_TICK);
    int code = lua_cpcall(lua, run, &wanted);
    lua_sethook(lua, NULL, 0, 0);
    if (code != 0) take_error(engine, lua);
    engine->stopping = 0;
    /* A full step of collection now and then, so that garbage doesn't pile up between scripts. */
    if (++engine->runs % 50 == 0 && lua_cpcall(lua, collect, NULL) != 0) lua_settop(lua, 0);
    return code != 0;
}
