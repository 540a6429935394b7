/* SPDX-License-Identifier: BSD-3-Clause */
/* An interpreter's life, defining scripts and running them. */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

enum {
    LONGEST_KEPT_OUTPUT = 1 << 20,
    /* What scripts may leave behind before the next one finds it collected. */
    MOST_GARBAGE = 64 << 20
};

redwing_lua *redwing_lua_of(lua_State *lua) {
    void *engine = NULL;
    lua_getallocf(lua, &engine);
    return engine;
}

static int open_all(lua_State *lua) {
    redwing_lua_open_sandbox(lua);
    lua_newtable(lua);
    redwing_lua_of(lua)->scripts = luaL_ref(lua, LUA_REGISTRYINDEX);
    return 0;
}

redwing_lua *redwing_lua_create(const struct redwing_lua_host *host) {
    redwing_lua *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return NULL;
    engine->host = *host;
    engine->script_resp = 2;
    engine->client_resp = 2;
    redwing_lua_seed(engine, 0);
    engine->state = lua_newstate(redwing_lua_allocate, engine);
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

void redwing_lua_drop_output(redwing_lua *engine) {
    if (engine->capacity <= LONGEST_KEPT_OUTPUT) return;
    free(engine->out);
    engine->out = NULL;
    engine->used = 0;
    engine->capacity = 0;
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

static void compile(lua_State *lua, const char *text, size_t count) {
    if (luaL_loadbuffer(lua, text, count, "@user_script") != 0) lua_error(lua);
}

/* Errors count lines, and name what is missing, as if the body stood in a function. */
static int define(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
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
    compile(lua, source, count);
    /* A body like "end … function f()" would run now. By itself it is no chunk. */
    compile(lua, wanted->body, wanted->count);
    lua_pop(lua, 1);
    wanted->phase = 2;
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_setfenv(lua, -3);
    lua_insert(lua, -2);
    lua_call(lua, 0, 0);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->scripts);
    lua_getfield(lua, -2, wanted->name);
    lua_setfield(lua, -2, wanted->name);
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
    /* What lua_pcall returned of the script itself. */
    int code;
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

/* Makes the words a field of the table at the top. */
static void set_words(lua_State *lua, const char *name, const struct redwing_lua_word *words,
                      size_t count) {
    lua_pushstring(lua, name);
    lua_createtable(lua, count < INT32_MAX ? (int)count : 0, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(lua, words[i].start == NULL ? "" : words[i].start, words[i].count);
        lua_rawseti(lua, -2, (int)(i + 1));
    }
    lua_rawset(lua, -3);
}

/* The function of a script; whatever an earlier run did to its environment is undone. */
static void push_script(redwing_lua *engine, lua_State *lua, const char *name) {
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->environment);
    lua_replace(lua, LUA_GLOBALSINDEX);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->scripts);
    lua_getfield(lua, -1, name);
    lua_remove(lua, -2);
    lua_pushvalue(lua, LUA_GLOBALSINDEX);
    lua_setfenv(lua, -2);
}

static int run(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    struct run *wanted = lua_touserdata(lua, 1);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->globals);
    set_words(lua, "KEYS", wanted->words, wanted->keys);
    set_words(lua, "ARGV", wanted->words + wanted->keys, wanted->arguments);
    lua_pushcfunction(lua, name_place);
    push_script(engine, lua, wanted->name);
    wanted->code = lua_pcall(lua, 0, 1, -2);
    if (wanted->code != 0) return lua_error(lua);
    redwing_lua_emit(engine, lua);
    return 0;
}

static int step(lua_State *lua) {
    lua_gc(lua, LUA_GCSTEP, 50);
    return 0;
}

static int collect(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    size_t before;
    /* Each halves the buffer of Lua's concatenation, which is as long as its longest string. */
    do {
        before = engine->memory;
        lua_gc(lua, LUA_GCCOLLECT, 0);
    } while (engine->memory > engine->rested + MOST_GARBAGE && engine->memory < before);
    engine->kept = engine->rested = engine->memory;
    return 0;
}

/* Garbage doesn't pile up between scripts: all goes after a big one, some now and then. */
static void clean_up(redwing_lua *engine) {
    lua_CFunction what = NULL;
    if (++engine->runs % 50 == 0) what = step;
    if (engine->memory > engine->rested + MOST_GARBAGE) what = collect;
    if (what != NULL && lua_cpcall(engine->state, what, NULL) != 0) lua_settop(engine->state, 0);
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
    engine->ticking = ticks;
    /* The same sequence for every run, so that a script repeated by a replica does the same. */
    redwing_lua_seed(engine, 0);
    if (ticks) lua_sethook(lua, redwing_lua_tick, LUA_MASKCOUNT, REDWING_LUA_TICK);
    int code = lua_cpcall(lua, run, &wanted);
    lua_sethook(lua, NULL, 0, 0);
    engine->ticking = 0;
    if (code != 0) take_error(engine, lua);
    if (engine->stopping && (code == LUA_ERRMEM || wanted.code == LUA_ERRMEM)) {
        /* It was the allocator that was told. */
        engine->used = 0;
        redwing_lua_append(engine, redwing_lua_killed, strlen(redwing_lua_killed));
    }
    clean_up(engine);
    return code != 0;
}
