/* SPDX-License-Identifier: BSD-3-Clause */
/* Values between RESP and Lua, both ways. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

void redwing_lua_append(redwing_lua *engine, const char *bytes, size_t count) {
    if (engine->capacity - engine->used < count) {
        if (count > REDWING_LUA_MOST_BYTES - engine->used) {
            luaL_error(engine->state, "the reply of the script is too large");
            return;
        }
        size_t size = engine->capacity * 2 + count + 256;
        char *fresh = realloc(engine->out, size);
        if (fresh == NULL) {
            luaL_error(engine->state, "not enough memory");
            return;
        }
        engine->out = fresh;
        engine->capacity = size;
    }
    memcpy(engine->out + engine->used, bytes, count);
    engine->used += count;
}

/* RESP to Lua. A reply comes from the server itself, yet nothing behind `end` is touched. */

static long long line_number(const char *line, const char *end) {
    int is_negative = line < end && *line == '-';
    unsigned long long value = 0;
    for (line += is_negative; line < end && *line >= '0' && *line <= '9'; line++) {
        value = value * 10 + (unsigned long long)(*line - '0');
    }
    return (long long)(is_negative ? 0 - value : value);
}

static void push_field(lua_State *lua, const char *field, const char *text, size_t count) {
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, field);
    lua_pushlstring(lua, text, count);
    lua_rawset(lua, -3);
}

/* Pushes one value, always; returns what follows it. There are 8 free places on the stack. */
static const char *push_value(lua_State *lua, const char *at, const char *end);

/* For an aggregate: four places of its own beside those of a value in it. */
static void nest(lua_State *lua) { luaL_checkstack(lua, 12, "reply is nested too deeply"); }

static const char *push_array(lua_State *lua, long long count, const char *at, const char *end) {
    nest(lua);
    lua_createtable(lua, count < 1 << 16 ? (int)count : 1 << 16, 0);
    for (long long i = 1; i <= count && at < end; i++) {
        at = push_value(lua, at, end);
        lua_rawseti(lua, -2, (int)i);
    }
    return at;
}

/* Maps and sets of RESP3 lie in a field of that name. */
static const char *push_keyed(lua_State *lua, const char *field, int is_map, long long count,
                              const char *at, const char *end) {
    nest(lua);
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, field);
    lua_newtable(lua);
    for (long long i = 0; i < count && at < end; i++) {
        at = push_value(lua, at, end);
        if (is_map) {
            at = push_value(lua, at, end);
        } else {
            lua_pushboolean(lua, 1);
        }
        if (lua_isnil(lua, -2)) {
            lua_pop(lua, 2);
        } else {
            lua_rawset(lua, -3);
        }
    }
    lua_rawset(lua, -3);
    return at;
}

static const char *push_verbatim(lua_State *lua, const char *text, size_t count) {
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, "verbatim_string");
    lua_createtable(lua, 0, 2);
    size_t skip = count >= 4 ? 4 : count;
    lua_pushstring(lua, "string");
    lua_pushlstring(lua, text + skip, count - skip);
    lua_rawset(lua, -3);
    lua_pushstring(lua, "format");
    lua_pushlstring(lua, text, count >= 3 ? 3 : count);
    lua_rawset(lua, -3);
    lua_rawset(lua, -3);
    return text;
}

static void push_double(lua_State *lua, const char *line, const char *stop) {
    char text[64];
    size_t count = (size_t)(stop - line);
    if (count >= sizeof text) count = sizeof text - 1;
    memcpy(text, line, count);
    text[count] = 0;
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, "double");
    lua_pushnumber(lua, strtod(text, NULL));
    lua_rawset(lua, -3);
}

static const char *push_value(lua_State *lua, const char *at, const char *end) {
    const char *stop = at < end ? memchr(at, '\r', (size_t)(end - at)) : NULL;
    if (stop == NULL || end - stop < 2) {
        lua_pushnil(lua);
        return end;
    }
    char kind = *at;
    const char *line = at + 1;
    const char *next = stop + 2;
    switch (kind) {
        case ':':
            lua_pushnumber(lua, (lua_Number)line_number(line, stop));
            return next;
        case '+':
            push_field(lua, "ok", line, (size_t)(stop - line));
            return next;
        case '-':
            push_field(lua, "err", line, (size_t)(stop - line));
            return next;
        case '(':
            push_field(lua, "big_number", line, (size_t)(stop - line));
            return next;
        case '#':
            lua_pushboolean(lua, *line == 't');
            return next;
        case ',':
            push_double(lua, line, stop);
            return next;
        case '$':
        case '=': {
            long long count = line_number(line, stop);
            if (count < 0 || count > end - next) {
                lua_pushboolean(lua, 0);
                return count < 0 ? next : end;
            }
            if (kind == '=') {
                push_verbatim(lua, next, (size_t)count);
            } else {
                lua_pushlstring(lua, next, (size_t)count);
            }
            next += count;
            return end - next >= 2 ? next + 2 : end;
        }
        case '*':
        case '>': {
            long long count = line_number(line, stop);
            if (count < 0) {
                lua_pushboolean(lua, 0);
                return next;
            }
            return push_array(lua, count, next, end);
        }
        case '%': return push_keyed(lua, "map", 1, line_number(line, stop), next, end);
        case '~': return push_keyed(lua, "set", 0, line_number(line, stop), next, end);
        case '|': {
            /* Attributes are not for scripts. */
            next = push_keyed(lua, "map", 1, line_number(line, stop), next, end);
            lua_pop(lua, 1);
            return push_value(lua, next, end);
        }
        default: lua_pushnil(lua); return next;
    }
}

void redwing_lua_push_reply(lua_State *lua, const char *bytes, size_t count) {
    push_value(lua, bytes, bytes + count);
}

/* Lua to RESP. */

size_t redwing_lua_digits(char *out, long long value) {
    char digits[20];
    size_t count = 0, size = 0;
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) out[size++] = '-';
    while (count > 0) out[size++] = digits[--count];
    return size;
}

static void append_header(redwing_lua *engine, char kind, long long count) {
    char text[24] = {kind};
    size_t size = 1 + redwing_lua_digits(text + 1, count);
    memcpy(text + size, "\r\n", 2);
    redwing_lua_append(engine, text, size + 2);
}

static void append_bulk(redwing_lua *engine, const char *bytes, size_t count) {
    append_header(engine, '$', (long long)count);
    redwing_lua_append(engine, bytes, count);
    redwing_lua_append(engine, "\r\n", 2);
}

static void append_null(redwing_lua *engine) {
    if (engine->client_resp == 3) {
        redwing_lua_append(engine, "_\r\n", 3);
    } else {
        redwing_lua_append(engine, "$-1\r\n", 5);
    }
}

/* A line: CR and LF in it would break the framing. */
static void append_line(redwing_lua *engine, char kind, const char *text, size_t count) {
    redwing_lua_append(engine, &kind, 1);
    size_t from = engine->used;
    redwing_lua_append(engine, text, count);
    for (size_t i = from; i < engine->used; i++) {
        if (engine->out[i] == '\r' || engine->out[i] == '\n') engine->out[i] = ' ';
    }
    redwing_lua_append(engine, "\r\n", 2);
}

static void append_double(redwing_lua *engine, double value) {
    char text[64];
    int size = isinf(value) ? snprintf(text, sizeof text, value > 0 ? "inf" : "-inf")
                            : snprintf(text, sizeof text, "%.17g", value);
    if (engine->client_resp == 3) {
        append_line(engine, ',', text, (size_t)size);
    } else {
        append_bulk(engine, text, (size_t)size);
    }
}

static void append_boolean(redwing_lua *engine, int value) {
    if (engine->script_resp == 3) {
        if (engine->client_resp == 3) {
            redwing_lua_append(engine, value ? "#t\r\n" : "#f\r\n", 4);
        } else {
            redwing_lua_append(engine, value ? ":1\r\n" : ":0\r\n", 4);
        }
    } else if (value) {
        redwing_lua_append(engine, ":1\r\n", 4);
    } else {
        append_null(engine);
    }
}

/* Pushes table[field]; 1 when it has `type`, otherwise nothing is pushed. */
static int has_field(lua_State *lua, const char *field, int type) {
    lua_pushstring(lua, field);
    lua_rawget(lua, -2);
    if (lua_type(lua, -1) == type) return 1;
    lua_pop(lua, 1);
    return 0;
}

/* The pairs (or the keys) of the table at the top, which stays. */
static void emit_keyed(redwing_lua *engine, lua_State *lua, int is_map) {
    long long count = 0;
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        redwing_lua_spend(engine, lua, 1);
        count++;
    }
    if (engine->client_resp == 3) {
        append_header(engine, is_map ? '%' : '~', count);
    } else {
        append_header(engine, '*', is_map ? count * 2 : count);
    }
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lua_pushvalue(lua, -2);
        redwing_lua_emit(engine, lua);
        if (is_map) {
            redwing_lua_emit(engine, lua);
        } else {
            lua_pop(lua, 1);
        }
    }
}

static void emit_array(redwing_lua *engine, lua_State *lua) {
    int count = 0;
    for (;;) {
        redwing_lua_spend(engine, lua, 1);
        lua_rawgeti(lua, -1, count + 1);
        int ended = lua_isnil(lua, -1);
        lua_pop(lua, 1);
        if (ended) break;
        count++;
    }
    append_header(engine, '*', count);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(lua, -1, i);
        redwing_lua_emit(engine, lua);
    }
}

static void emit_verbatim(redwing_lua *engine, lua_State *lua) {
    size_t count = 0, size = 0;
    const char *format = "txt";
    const char *text = "";
    int pushed = 0;
    if (has_field(lua, "format", LUA_TSTRING)) {
        format = lua_tolstring(lua, -1, &size);
        lua_insert(lua, -2);
        pushed = 1;
        if (size != 3) format = "txt";
    }
    if (has_field(lua, "string", LUA_TSTRING)) {
        text = lua_tolstring(lua, -1, &count);
        if (engine->client_resp == 3) {
            append_header(engine, '=', (long long)count + 4);
            redwing_lua_append(engine, format, 3);
            redwing_lua_append(engine, ":", 1);
            redwing_lua_append(engine, text, count);
            redwing_lua_append(engine, "\r\n", 2);
        } else {
            append_bulk(engine, text, count);
        }
        lua_pop(lua, 1);
    } else {
        append_null(engine);
    }
    if (pushed) lua_remove(lua, -2);
}

static void emit_table(redwing_lua *engine, lua_State *lua) {
    size_t count;
    if (has_field(lua, "err", LUA_TSTRING)) {
        const char *text = lua_tolstring(lua, -1, &count);
        append_line(engine, '-', text, count);
    } else if (has_field(lua, "ok", LUA_TSTRING)) {
        const char *text = lua_tolstring(lua, -1, &count);
        append_line(engine, '+', text, count);
    } else if (has_field(lua, "double", LUA_TNUMBER)) {
        append_double(engine, lua_tonumber(lua, -1));
    } else if (has_field(lua, "map", LUA_TTABLE)) {
        emit_keyed(engine, lua, 1);
    } else if (has_field(lua, "set", LUA_TTABLE)) {
        emit_keyed(engine, lua, 0);
    } else if (has_field(lua, "big_number", LUA_TSTRING)) {
        const char *text = lua_tolstring(lua, -1, &count);
        if (engine->client_resp == 3) {
            append_line(engine, '(', text, count);
        } else {
            append_bulk(engine, text, count);
        }
    } else if (has_field(lua, "verbatim_string", LUA_TTABLE)) {
        emit_verbatim(engine, lua);
    } else {
        emit_array(engine, lua);
        return;
    }
    lua_pop(lua, 1);
}

void redwing_lua_emit(redwing_lua *engine, lua_State *lua) {
    size_t count;
    /* Tables in tables make a reply that is exponential in what the script took. */
    redwing_lua_spend(engine, lua, 1);
    /* A table that holds itself ends here. */
    if (!lua_checkstack(lua, 6)) {
        lua_pop(lua, 1);
        const char text[] = "ERR reached lua stack limit";
        append_line(engine, '-', text, sizeof text - 1);
        return;
    }
    switch (lua_type(lua, -1)) {
        case LUA_TSTRING: {
            const char *bytes = lua_tolstring(lua, -1, &count);
            append_bulk(engine, bytes, count);
            break;
        }
        case LUA_TBOOLEAN: append_boolean(engine, lua_toboolean(lua, -1)); break;
        case LUA_TNUMBER: {
            double value = lua_tonumber(lua, -1);
            /* What an x86-64 CPU makes of numbers out of range. */
            long long whole = value >= -0x1p63 && value < 0x1p63 ? (long long)value : INT64_MIN;
            append_header(engine, ':', whole);
            break;
        }
        case LUA_TTABLE: emit_table(engine, lua); break;
        default: append_null(engine); break;
    }
    lua_pop(lua, 1);
}
