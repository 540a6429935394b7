/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library `cmsgpack`: MessagePack (the format of msgpack.org, with str 8 and without bin). A
 * table with the keys 1 to n is an array, any other a map. Tables nested deeper than 16 are nil.
 */

#include <math.h>
#include <string.h>

#include "engine.h"

enum { MAX_NESTING = 16 };

/* Out. */

static void add_big_endian(struct redwing_lua_text *out, unsigned char head, uint64_t value, int size) {
    char bytes[9];
    bytes[0] = (char)head;
    for (int i = 0; i < size; i++) bytes[1 + i] = (char)(value >> (8 * (size - 1 - i)) & 0xFF);
    redwing_lua_text_add(out, bytes, (size_t)size + 1);
}

static void pack_integer(struct redwing_lua_text *out, int64_t value) {
    uint64_t bits = (uint64_t)value;
    if (value >= 0) {
        if (value <= 127) {
            redwing_lua_text_byte(out, (unsigned char)value);
        } else if (value <= UINT8_MAX) {
            add_big_endian(out, 0xCC, bits, 1);
        } else if (value <= UINT16_MAX) {
            add_big_endian(out, 0xCD, bits, 2);
        } else if (value <= UINT32_MAX) {
            add_big_endian(out, 0xCE, bits, 4);
        } else {
            add_big_endian(out, 0xCF, bits, 8);
        }
    } else if (value >= -32) {
        redwing_lua_text_byte(out, (unsigned char)value);
    } else if (value >= INT8_MIN) {
        add_big_endian(out, 0xD0, bits, 1);
    } else if (value >= INT16_MIN) {
        add_big_endian(out, 0xD1, bits, 2);
    } else if (value >= INT32_MIN) {
        add_big_endian(out, 0xD2, bits, 4);
    } else {
        add_big_endian(out, 0xD3, bits, 8);
    }
}

static void pack_number(struct redwing_lua_text *out, lua_Number value) {
    if (value >= -0x1p63 && value < 0x1p63 && (lua_Number)(int64_t)value == value) {
        pack_integer(out, (int64_t)value);
        return;
    }
    float narrow = (float)value;
    if ((double)narrow == value) {
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        add_big_endian(out, 0xCA, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        add_big_endian(out, 0xCB, bits, 8);
    }
}

static void pack_string(struct redwing_lua_text *out, const char *bytes, size_t count) {
    if (count < 32) {
        redwing_lua_text_byte(out, (unsigned char)(0xA0 | count));
    } else if (count <= UINT8_MAX) {
        add_big_endian(out, 0xD9, count, 1);
    } else if (count <= UINT16_MAX) {
        add_big_endian(out, 0xDA, count, 2);
    } else {
        add_big_endian(out, 0xDB, count, 4);
    }
    redwing_lua_text_add(out, bytes, count);
}

/* Whether the table at `index` has the keys 1 to *count and no other; else *count is its size. */
static int is_array(struct redwing_lua_text *out, int index, size_t *count) {
    lua_State *lua = out->lua;
    size_t items = 0;
    lua_Number highest = 0;
    int whole = 1;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        redwing_lua_spend(out->engine, lua, 1);
        items++;
        if (lua_type(lua, -2) != LUA_TNUMBER) {
            whole = 0;
            continue;
        }
        lua_Number key = lua_tonumber(lua, -2);
        if (key <= 0 || key != floor(key)) whole = 0;
        if (key > highest) highest = key;
    }
    *count = items;
    return whole && highest == (lua_Number)items;
}

/*
 * Appends the value at stack place `index`. Tables in tables make a text that is exponential in what
 * a script took: every value is a step, and Lua's memory bounds the text.
 */
static void pack_value(struct redwing_lua_text *out, int index, int level);

static void pack_table(struct redwing_lua_text *out, int index, int level) {
    lua_State *lua = out->lua;
    size_t count;
    int array = is_array(out, index, &count);
    if (count < 16) {
        redwing_lua_text_byte(out, (unsigned char)((array ? 0x90 : 0x80) | count));
    } else if (count <= UINT16_MAX) {
        add_big_endian(out, array ? 0xDC : 0xDE, count, 2);
    } else {
        add_big_endian(out, array ? 0xDD : 0xDF, count, 4);
    }
    if (array) {
        for (size_t i = 1; i <= count; i++) {
            lua_rawgeti(lua, index, (int)i);
            pack_value(out, lua_gettop(lua), level + 1);
            lua_pop(lua, 1);
        }
        return;
    }
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        int top = lua_gettop(lua);
        pack_value(out, top - 1, level + 1);
        pack_value(out, top, level + 1);
        lua_pop(lua, 1);
    }
}

static void pack_value(struct redwing_lua_text *out, int index, int level) {
    lua_State *lua = out->lua;
    luaL_checkstack(lua, LUA_MINSTACK, "in function pack");
    redwing_lua_spend(out->engine, lua, 1);
    int type = lua_type(lua, index);
    if (type == LUA_TTABLE && level < MAX_NESTING) {
        pack_table(out, index, level);
    } else if (type == LUA_TSTRING) {
        size_t count;
        const char *bytes = lua_tolstring(lua, index, &count);
        pack_string(out, bytes, count);
    } else if (type == LUA_TNUMBER) {
        pack_number(out, lua_tonumber(lua, index));
    } else if (type == LUA_TBOOLEAN) {
        redwing_lua_text_byte(out, lua_toboolean(lua, index) ? 0xC3 : 0xC2);
    } else {
        redwing_lua_text_byte(out, 0xC0);
    }
}

static int cmsgpack_pack(lua_State *lua) {
    int count = lua_gettop(lua);
    if (count == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
    luaL_checkstack(lua, LUA_MINSTACK, "Too many arguments for MessagePack pack.");
    struct redwing_lua_text out = redwing_lua_text_begin(lua);
    for (int i = 1; i <= count; i++) pack_value(&out, i, 0);
    redwing_lua_text_push(&out);
    return 1;
}

/* In. */

/* The text of Redis's library for a stack that is full, whatever filled it. */
#define TOO_MANY "too many return values at once; use unpack_one or unpack_limit instead."

enum fault { NONE, MISSING, BAD };

struct cursor {
    const unsigned char *at;
    size_t left;
    enum fault fault;
};

static uint64_t take_big_endian(struct cursor *from, int size) {
    /* The head byte stands before; the caller has looked at `left`. */
    uint64_t value = 0;
    for (int i = 1; i <= size; i++) value = value << 8 | from->at[i];
    from->at += size + 1;
    from->left -= (size_t)size + 1;
    return value;
}

/* True when the head and `size` bytes behind it are there. */
static int has(struct cursor *from, size_t size) {
    if (from->left > size) return 1;
    from->fault = MISSING;
    return 0;
}

static void unpack_value(lua_State *lua, struct cursor *from);

static void unpack_string(lua_State *lua, struct cursor *from, size_t count) {
    if (from->left < count) {
        from->fault = MISSING;
        return;
    }
    lua_pushlstring(lua, (const char *)from->at, count);
    from->at += count;
    from->left -= count;
}

static void unpack_array(lua_State *lua, struct cursor *from, size_t count) {
    luaL_checkstack(lua, 2, "in function mp_decode_to_lua_array");
    lua_newtable(lua);
    for (size_t i = 1; i <= count; i++) {
        unpack_value(lua, from);
        if (from->fault != NONE) return;
        lua_rawseti(lua, -2, (int)i);
    }
}

static void unpack_map(lua_State *lua, struct cursor *from, size_t count) {
    luaL_checkstack(lua, 3, TOO_MANY);
    lua_newtable(lua);
    for (size_t i = 0; i < count; i++) {
        unpack_value(lua, from);
        if (from->fault != NONE) return;
        unpack_value(lua, from);
        if (from->fault != NONE) return;
        /* Lua refuses nil and NaN as a key. */
        lua_rawset(lua, -3);
    }
}

static int width_of(unsigned char head, unsigned char first) { return 1 << (head - first); }

static void unpack_signed(lua_State *lua, struct cursor *from, int size) {
    uint64_t value = take_big_endian(from, size);
    uint64_t sign = 1ULL << (size * 8 - 1);
    lua_pushnumber(lua, (lua_Number)(int64_t)((value ^ sign) - sign));
}

/* Heads from 0xC0 to 0xDF. */
static void unpack_marked(lua_State *lua, struct cursor *from, unsigned char head) {
    int size;
    switch (head) {
        case 0xC0: lua_pushnil(lua); break;
        case 0xC2: lua_pushboolean(lua, 0); break;
        case 0xC3: lua_pushboolean(lua, 1); break;
        case 0xCA: {
            if (!has(from, 4)) return;
            uint32_t bits = (uint32_t)take_big_endian(from, 4);
            float value;
            memcpy(&value, &bits, sizeof value);
            lua_pushnumber(lua, (lua_Number)value);
            return;
        }
        case 0xCB: {
            if (!has(from, 8)) return;
            uint64_t bits = take_big_endian(from, 8);
            double value;
            memcpy(&value, &bits, sizeof value);
            lua_pushnumber(lua, value);
            return;
        }
        case 0xCC: case 0xCD: case 0xCE: case 0xCF:
            size = width_of(head, 0xCC);
            if (has(from, (size_t)size)) {
                /* As Redis has it: what doesn't fit into 63 bits is negative. */
                lua_pushnumber(lua, (lua_Number)(int64_t)take_big_endian(from, size));
            }
            return;
        case 0xD0: case 0xD1: case 0xD2: case 0xD3:
            size = width_of(head, 0xD0);
            if (has(from, (size_t)size)) unpack_signed(lua, from, size);
            return;
        case 0xD9: case 0xDA: case 0xDB:
            size = width_of(head, 0xD9);
            if (has(from, (size_t)size)) unpack_string(lua, from, take_big_endian(from, size));
            return;
        case 0xDC: case 0xDD:
            size = width_of(head, 0xDC) * 2;
            if (has(from, (size_t)size)) unpack_array(lua, from, take_big_endian(from, size));
            return;
        case 0xDE: case 0xDF:
            size = width_of(head, 0xDE) * 2;
            if (has(from, (size_t)size)) unpack_map(lua, from, take_big_endian(from, size));
            return;
        default: from->fault = BAD; return;
    }
    from->at++;
    from->left--;
}

/* Pushes one value unless it sets a fault. Every level takes a byte, and the stack bounds levels. */
static void unpack_value(lua_State *lua, struct cursor *from) {
    if (from->left == 0) {
        from->fault = MISSING;
        return;
    }
    luaL_checkstack(lua, 1, TOO_MANY);
    redwing_lua_spend(redwing_lua_of(lua), lua, 1);
    unsigned char head = *from->at;
    if (head >= 0xC0 && head <= 0xDF) {
        unpack_marked(lua, from, head);
        return;
    }
    from->at++;
    from->left--;
    if (head <= 0x7F) {
        lua_pushnumber(lua, head);
    } else if (head >= 0xE0) {
        lua_pushnumber(lua, (lua_Number)(int)head - 256);
    } else if (head <= 0x8F) {
        unpack_map(lua, from, head & 15);
    } else if (head <= 0x9F) {
        unpack_array(lua, from, head & 15);
    } else {
        unpack_string(lua, from, head & 31);
    }
}

/*
 * `limit` values from `offset`, before them the place behind them, -1 for the end. All values, and no
 * place, if both are 0.
 */
static int unpack_some(lua_State *lua, lua_Number limit, lua_Number offset) {
    size_t count;
    const char *bytes = luaL_checklstring(lua, 1, &count);
    if (offset < 0 || limit < 0) {
        return luaL_error(lua, "Invalid request to unpack with offset of %d and limit of %d.",
                          (int)offset, (int)count);
    }
    if (offset > (lua_Number)count) {
        return luaL_error(lua, "Start offset %d greater than input length %d.", (int)offset,
                          (int)count);
    }
    lua_settop(lua, 1);
    struct cursor from = {(const unsigned char *)bytes + (size_t)offset, count - (size_t)offset, NONE};
    int values = 0;
    int all = limit == 0 && offset == 0;
    while (from.left > 0 && (all || values < limit)) {
        unpack_value(lua, &from);
        if (from.fault == MISSING) return luaL_error(lua, "Missing bytes in input.");
        if (from.fault == BAD) return luaL_error(lua, "Bad data format in input.");
        values++;
    }
    if (all) return values;
    lua_pushnumber(lua, from.left == 0 ? -1 : (lua_Number)(count - from.left));
    lua_insert(lua, 2);
    return values + 1;
}

static int cmsgpack_unpack(lua_State *lua) { return unpack_some(lua, 0, 0); }

static int cmsgpack_unpack_one(lua_State *lua) {
    lua_Number offset = (lua_Number)luaL_optinteger(lua, 2, 0);
    return unpack_some(lua, 1, offset);
}

static int cmsgpack_unpack_limit(lua_State *lua) {
    lua_Number limit = (lua_Number)luaL_checkinteger(lua, 2);
    lua_Number offset = (lua_Number)luaL_optinteger(lua, 3, 0);
    return unpack_some(lua, limit, offset);
}

static const luaL_Reg functions[] = {
    {"pack", cmsgpack_pack},
    {"unpack", cmsgpack_unpack},
    {"unpack_one", cmsgpack_unpack_one},
    {"unpack_limit", cmsgpack_unpack_limit},
    {NULL, NULL},
};

void redwing_lua_open_cmsgpack(lua_State *lua) {
    lua_newtable(lua);
    luaL_register(lua, NULL, functions);
    lua_pushliteral(lua, "cmsgpack");
    lua_setfield(lua, -2, "_NAME");
    lua_pushliteral(lua, "lua-cmsgpack 0.4.0");
    lua_setfield(lua, -2, "_VERSION");
    lua_pushliteral(lua, "Copyright (C) 2012, Salvatore Sanfilippo");
    lua_setfield(lua, -2, "_COPYRIGHT");
    lua_pushliteral(lua, "MessagePack C implementation for Lua");
    lua_setfield(lua, -2, "_DESCRIPTION");
    lua_setglobal(lua, "cmsgpack");
}
