/* SPDX-License-Identifier: BSD-3-Clause */
/* The library `bit` of LuaJIT and Redis: 32-bit numbers, results in -2^31 to 2^31-1. */

#include <string.h>

#include "engine.h"

/* The low 32 bits of a number, rounded to the nearest whole: adding 2^52 + 2^51 leaves them in the low
 * half of the double. */
static uint32_t bits_of(lua_State *lua, int index) {
    double value = luaL_checknumber(lua, index) + 6755399441055744.0;
    uint64_t raw;
    memcpy(&raw, &value, sizeof raw);
    return (uint32_t)raw;
}

static int give(lua_State *lua, uint32_t bits) {
    lua_pushnumber(lua, (lua_Number)(int32_t)bits);
    return 1;
}

static int bit_tobit(lua_State *lua) { return give(lua, bits_of(lua, 1)); }
static int bit_bnot(lua_State *lua) { return give(lua, ~bits_of(lua, 1)); }

static int bit_band(lua_State *lua) {
    uint32_t bits = bits_of(lua, 1);
    for (int i = lua_gettop(lua); i > 1; i--) bits &= bits_of(lua, i);
    return give(lua, bits);
}

static int bit_bor(lua_State *lua) {
    uint32_t bits = bits_of(lua, 1);
    for (int i = lua_gettop(lua); i > 1; i--) bits |= bits_of(lua, i);
    return give(lua, bits);
}

static int bit_bxor(lua_State *lua) {
    uint32_t bits = bits_of(lua, 1);
    for (int i = lua_gettop(lua); i > 1; i--) bits ^= bits_of(lua, i);
    return give(lua, bits);
}

static int bit_lshift(lua_State *lua) {
    uint32_t bits = bits_of(lua, 1);
    return give(lua, bits << (bits_of(lua, 2) & 31));
}

static int bit_rshift(lua_State *lua) {
    uint32_t bits = bits_of(lua, 1);
    return give(lua, bits >> (bits_of(lua, 2) & 31));
}

static int bit_arshift(lua_State *lua) {
    int32_t bits = (int32_t)bits_of(lua, 1);
    return give(lua, (uint32_t)(bits >> (bits_of(lua, 2) & 31)));
}

static uint32_t rotated(uint32_t bits, uint32_t by) {
    by &= 31;
    return by == 0 ? bits : bits << by | bits >> (32 - by);
}

static int bit_rol(lua_State *lua) {
    uint32_t bits = bits_of(lua, 1);
    return give(lua, rotated(bits, bits_of(lua, 2)));
}

static int bit_ror(lua_State *lua) {
    uint32_t bits = bits_of(lua, 1);
    return give(lua, rotated(bits, 32 - (bits_of(lua, 2) & 31)));
}

static int bit_bswap(lua_State *lua) { return give(lua, __builtin_bswap32(bits_of(lua, 1))); }

/* tohex(x [, digits]): a negative number of digits asks for capitals. */
static int bit_tohex(lua_State *lua) {
    uint32_t bits = bits_of(lua, 1);
    int32_t count = lua_isnone(lua, 2) ? 8 : (int32_t)bits_of(lua, 2);
    const char *digits = count < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
    if (count < 0) count = count == INT32_MIN ? 8 : -count;
    if (count > 8) count = 8;
    char text[8];
    for (int32_t i = count; --i >= 0; bits >>= 4) text[i] = digits[bits & 15];
    lua_pushlstring(lua, text, (size_t)count);
    return 1;
}

static const luaL_Reg functions[] = {
    {"tobit", bit_tobit},     {"bnot", bit_bnot},     {"band", bit_band},
    {"bor", bit_bor},         {"bxor", bit_bxor},     {"lshift", bit_lshift},
    {"rshift", bit_rshift},   {"arshift", bit_arshift}, {"rol", bit_rol},
    {"ror", bit_ror},         {"bswap", bit_bswap},   {"tohex", bit_tohex},
    {NULL, NULL},
};

void redwing_lua_open_bit(lua_State *lua) {
    lua_newtable(lua);
    luaL_register(lua, NULL, functions);
    lua_setglobal(lua, "bit");
}
