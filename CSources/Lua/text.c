/* SPDX-License-Identifier: BSD-3-Clause */
/* Strings that grow in Lua's memory. */

#include <string.h>

#include "engine.h"

struct redwing_lua_text redwing_lua_text_begin(lua_State *lua) {
    lua_pushnil(lua);
    return (struct redwing_lua_text){redwing_lua_of(lua), lua, lua_gettop(lua), NULL, 0, 0};
}

char *redwing_lua_text_room(struct redwing_lua_text *text, size_t extra) {
    if (text->capacity - text->used < extra) {
        size_t size = text->capacity * 2 + extra + 64;
        redwing_lua_make_room(text->engine, text->lua, size);
        char *fresh = lua_newuserdata(text->lua, size);
        if (text->used > 0) memcpy(fresh, text->bytes, text->used);
        lua_replace(text->lua, text->place);
        text->bytes = fresh;
        text->capacity = size;
    }
    return text->bytes + text->used;
}

void redwing_lua_text_add(struct redwing_lua_text *text, const char *bytes, size_t count) {
    memcpy(redwing_lua_text_room(text, count), bytes, count);
    text->used += count;
}

void redwing_lua_text_push(struct redwing_lua_text *text) {
    redwing_lua_make_room(text->engine, text->lua, text->used);
    lua_pushlstring(text->lua, text->used > 0 ? text->bytes : "", text->used);
}
