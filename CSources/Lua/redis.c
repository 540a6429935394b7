/* SPDX-License-Identifier: BSD-3-Clause */
/* The table `redis` of scripts. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* A table whose `err` tells where the script stands and what is wrong. */
static void push_refusal(lua_State *lua, const char *text, size_t count) {
    lua_Debug place;
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, "err");
    if (lua_getstack(lua, 1, &place) && lua_getinfo(lua, "nSl", &place)) {
        lua_pushfstring(lua, "%s: %d: ", place.source, place.currentline);
        lua_pushlstring(lua, text, count);
        lua_concat(lua, 2);
    } else {
        lua_pushlstring(lua, text, count);
    }
    lua_rawset(lua, -3);
}

/* Raises the `err` of the table at the top, or returns the table. */
static int refused(lua_State *lua, int raises) {
    if (!raises) return 1;
    lua_pushstring(lua, "err");
    lua_rawget(lua, -2);
    return lua_error(lua);
}

static int refuse(lua_State *lua, int raises, const char *text) {
    push_refusal(lua, text, strlen(text));
    return refused(lua, raises);
}

/* 1 as a table of Lua sorts; false, which is a null, stands for the empty string. */
static int in_order(lua_State *lua) {
    for (int i = 1; i <= 2; i++) {
        if (lua_type(lua, i) == LUA_TBOOLEAN) {
            lua_pushliteral(lua, "");
            lua_replace(lua, i);
        }
    }
    lua_pushboolean(lua, lua_lessthan(lua, 1, 2));
    return 1;
}

/* Sorts the table at the top with the sort that upvalue 1 of redis.call holds. */
static void sort_reply(lua_State *lua) {
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_pushvalue(lua, -2);
    lua_pushcfunction(lua, in_order);
    lua_call(lua, 2, 0);
}

/* "%.17g" of a number; most are whole, and those are printed faster. */
static void push_digits(lua_State *lua, lua_Number value) {
    char text[64];
    size_t size;
    long long whole = value > -1e15 && value < 1e15 ? (long long)value : 0;
    if (value == (lua_Number)whole && !signbit(value) == (whole >= 0)) {
        size = redwing_lua_digits(text, whole);
    } else {
        size = (size_t)snprintf(text, sizeof text, "%.17g", value);
    }
    lua_pushlstring(lua, text, size);
}

static int call_command(lua_State *lua, int raises) {
    redwing_lua *engine = redwing_lua_of(lua);
    int count = lua_gettop(lua);
    if (count == 0) {
        return refuse(lua, raises, "Please specify at least one argument for redis.call()");
    }
    /* Beside the arguments there are LUA_MINSTACK places, 20, as in every C function. */
    struct redwing_lua_word few[16];
    struct redwing_lua_word *words = few;
    if (count > 16) words = lua_newuserdata(lua, (size_t)count * sizeof *words);
    for (int i = 1; i <= count; i++) {
        if (lua_type(lua, i) == LUA_TNUMBER) {
            push_digits(lua, lua_tonumber(lua, i));
            lua_replace(lua, i);
        } else if (lua_type(lua, i) != LUA_TSTRING) {
            return refuse(lua, raises, "Lua redis() command arguments must be strings or integers");
        }
        words[i - 1].start = lua_tolstring(lua, i, &words[i - 1].count);
    }
    struct redwing_lua_word reply = {NULL, 0};
    int sort = 0;
    engine->calling = 1;
    int refusal = engine->host.call(engine->host.context, words, (size_t)count, &reply, &sort);
    if (refusal) {
        push_refusal(lua, reply.start, reply.count);
        engine->calling = 0;
        return refused(lua, raises);
    }
    int is_error = reply.count > 0 && reply.start[0] == '-';
    int is_array = reply.count > 1 && reply.start[0] == '*' && reply.start[1] != '-';
    redwing_lua_push_reply(lua, reply.start, reply.count);
    engine->calling = 0;
    if (is_error) return refused(lua, raises);
    if (sort && is_array) sort_reply(lua);
    return 1;
}

static int redis_call(lua_State *lua) { return call_command(lua, 1); }
static int redis_pcall(lua_State *lua) { return call_command(lua, 0); }

static int fail(lua_State *lua, const char *text) {
    lua_pushstring(lua, text);
    return lua_error(lua);
}

static int redis_log(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    int count = lua_gettop(lua);
    if (count < 2) return fail(lua, "redis.log() requires two arguments or more.");
    if (!lua_isnumber(lua, 1)) {
        return fail(lua, "First argument must be a number (log level).");
    }
    lua_Number level = lua_tonumber(lua, 1);
    if (!(level >= 0 && level < 4)) return fail(lua, "Invalid debug level.");
    luaL_Buffer text;
    luaL_buffinit(lua, &text);
    for (int i = 2; i <= count; i++) {
        if (!lua_isstring(lua, i)) continue;
        if (i > 2) luaL_addchar(&text, ' ');
        lua_pushvalue(lua, i);
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    size_t size;
    const char *line = lua_tolstring(lua, -1, &size);
    engine->host.log(engine->host.context, (int)level, line, size);
    return 0;
}

static int redis_sha1hex(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    if (lua_gettop(lua) != 1) return fail(lua, "wrong number of arguments");
    size_t count = 0;
    const char *text = lua_tolstring(lua, 1, &count);
    char digits[40];
    engine->host.sha1(engine->host.context, text == NULL ? "" : text, count, digits);
    lua_pushlstring(lua, digits, sizeof digits);
    return 1;
}

static int single_field(lua_State *lua, const char *field) {
    if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
        return refuse(lua, 0, "wrong number or type of arguments");
    }
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, field);
    lua_pushvalue(lua, 1);
    lua_rawset(lua, -3);
    return 1;
}

static int redis_status_reply(lua_State *lua) { return single_field(lua, "ok"); }
static int redis_error_reply(lua_State *lua) { return single_field(lua, "err"); }

static int redis_replicate_commands(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    int done = engine->host.replicate_commands(engine->host.context);
    /* Nobody has to repeat the run, so the numbers of math.random may differ from run to run. */
    if (done) redwing_lua_seed(engine, (uint32_t)random());
    lua_pushboolean(lua, done);
    return 1;
}

static int redis_breakpoint(lua_State *lua) {
    lua_pushboolean(lua, 0);
    return 1;
}

static int redis_debug(lua_State *lua) {
    (void)lua;
    return 0;
}

static int redis_set_repl(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    /* Whether it may be called comes first, as in Redis: ask without a change. */
    if (engine->host.set_repl(engine->host.context, -1) != 0) {
        return fail(lua,
                    "You can set the replication behavior only after turning on single commands "
                    "replication with redis.replicate_commands().");
    }
    if (lua_gettop(lua) != 1) return fail(lua, "redis.set_repl() requires two arguments.");
    lua_Number targets = lua_tonumber(lua, -1);
    if (!(targets >= 0 && targets < 4)) {
        return fail(lua, "Invalid replication flags. Please use REPL_AOF, REPL_REPLICA, REPL_ALL or "
                         "REPL_NONE.");
    }
    engine->host.set_repl(engine->host.context, (int)targets);
    return 0;
}

static int redis_setresp(lua_State *lua) {
    redwing_lua *engine = redwing_lua_of(lua);
    if (lua_gettop(lua) != 1) return fail(lua, "redis.setresp() requires one argument.");
    lua_Number version = lua_tonumber(lua, -1);
    if (version != 2 && version != 3) return fail(lua, "RESP version must be 2 or 3.");
    engine->script_resp = (int)version;
    engine->host.set_resp(engine->host.context, (int)version);
    return 0;
}

static const luaL_Reg functions[] = {
    {"log", redis_log},
    {"sha1hex", redis_sha1hex},
    {"status_reply", redis_status_reply},
    {"error_reply", redis_error_reply},
    {"replicate_commands", redis_replicate_commands},
    {"set_repl", redis_set_repl},
    {"setresp", redis_setresp},
    {"breakpoint", redis_breakpoint},
    {"debug", redis_debug},
};

static const struct {
    const char *name;
    int value;
} numbers[] = {
    {"LOG_DEBUG", 0}, {"LOG_VERBOSE", 1}, {"LOG_NOTICE", 2}, {"LOG_WARNING", 3}, {"REPL_NONE", 0},
    {"REPL_AOF", 1},  {"REPL_SLAVE", 2},  {"REPL_REPLICA", 2}, {"REPL_ALL", 3},
};

static void add_calling(lua_State *lua, const char *name, lua_CFunction function) {
    lua_pushstring(lua, name);
    lua_getglobal(lua, "table");
    lua_getfield(lua, -1, "sort");
    lua_remove(lua, -2);
    lua_pushcclosure(lua, function, 1);
    lua_rawset(lua, -3);
}

void redwing_lua_open_redis(lua_State *lua) {
    lua_newtable(lua);
    add_calling(lua, "call", redis_call);
    add_calling(lua, "pcall", redis_pcall);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushcfunction(lua, functions[i].func);
        lua_setfield(lua, -2, functions[i].name);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        lua_pushnumber(lua, numbers[i].value);
        lua_setfield(lua, -2, numbers[i].name);
    }
    lua_setglobal(lua, "redis");
}
