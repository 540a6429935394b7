/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library `struct`: numbers and strings to and from packed bytes, by a format.
 *
 *   < > =    little endian, big endian, as the machine      ! [n]   align to n (8), a power of two
 *   x        a zero byte                                    space   nothing
 *   b h l T  signed (B H L unsigned) integers of the sizes of char, short, long, size_t
 *   i I [n]  an integer of n bytes (4)                      f d     float, double
 *   s        a string that a zero byte ends                 c [n]   n bytes (1); c0: of the number before
 */

#include <string.h>

#include "engine.h"

enum { MAX_INTEGER = 32, MAX_ALIGNMENT = 8 };

struct layout {
    const char *format;
    int little;
    size_t alignment;
};

static void begin(struct layout *layout, const char *format) {
    layout->format = format;
    layout->little = 1;
    layout->alignment = 1;
}

/* The digits at the format, or `otherwise` when there are none. */
static size_t number(lua_State *lua, struct layout *layout, size_t otherwise) {
    if (*layout->format < '0' || *layout->format > '9') return otherwise;
    size_t value = 0;
    while (*layout->format >= '0' && *layout->format <= '9') {
        value = value * 10 + (size_t)(*layout->format++ - '0');
        if (value > INT32_MAX) luaL_error(lua, "integral size overflow");
    }
    return value;
}

/* Bytes of the item `option`, whose digits are taken off the format. */
static size_t item_size(lua_State *lua, struct layout *layout, char option) {
    redwing_lua_spend(redwing_lua_of(lua), lua, 1);
    switch (option) {
        case 'B':
        case 'b':
        case 'x': return 1;
        case 'H':
        case 'h': return sizeof(short);
        case 'L':
        case 'l': return sizeof(long);
        case 'T': return sizeof(size_t);
        case 'f': return sizeof(float);
        case 'd': return sizeof(double);
        case 'c': return number(lua, layout, 1);
        case 'i':
        case 'I': {
            size_t size = number(lua, layout, sizeof(int));
            if (size > MAX_INTEGER) {
                luaL_error(lua, "integral size %d is larger than limit of %d", (int)size, MAX_INTEGER);
            }
            return size;
        }
        default: return 0;
    }
}

/* Padding before an item at `total`: strings and bytes of no alignment need none. */
static size_t padding(const struct layout *layout, size_t size, char option, size_t total) {
    if (size == 0 || option == 'c') return 0;
    if (size > layout->alignment) size = layout->alignment;
    return size > 1 ? (size - (total & (size - 1))) & (size - 1) : 0;
}

/* What is no item: the layout of those that follow. */
static void control(lua_State *lua, struct layout *layout, char option) {
    switch (option) {
        case ' ': return;
        case '>': layout->little = 0; return;
        case '<':
        case '=': layout->little = 1; return;
        case '!': {
            size_t wanted = number(lua, layout, MAX_ALIGNMENT);
            if (wanted == 0 || (wanted & (wanted - 1)) != 0) {
                luaL_error(lua, "alignment %d is not a power of 2", (int)wanted);
            }
            layout->alignment = wanted;
            return;
        }
        default: {
            const char *text = lua_pushfstring(lua, "invalid format option '%c'", option);
            luaL_argerror(lua, 1, text);
        }
    }
}

static void put_integer(lua_State *lua, luaL_Buffer *out, const struct layout *layout, int arg,
                        size_t size) {
    lua_Number given = luaL_checknumber(lua, arg);
    uint64_t value;
    if (given < 0) {
        value = (uint64_t)(given >= -0x1p63 ? (int64_t)given : INT64_MIN);
    } else {
        value = given < 0x1p64 ? (uint64_t)given : 0;
    }
    char bytes[MAX_INTEGER];
    for (size_t i = 0; i < size; i++) {
        bytes[layout->little ? i : size - 1 - i] = (char)(value & 0xFF);
        value >>= 8;
    }
    luaL_addlstring(out, bytes, size);
}

static void reverse(char *bytes, size_t size) {
    for (size_t i = 0; i < size / 2; i++) {
        char byte = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
}

static void put_float(lua_State *lua, luaL_Buffer *out, const struct layout *layout, int arg,
                      size_t size) {
    char bytes[sizeof(double)];
    double value = luaL_checknumber(lua, arg);
    if (size == sizeof(float)) {
        float narrow = (float)value;
        memcpy(bytes, &narrow, size);
    } else {
        memcpy(bytes, &value, size);
    }
    if (!layout->little) reverse(bytes, size);
    luaL_addlstring(out, bytes, size);
}

static int struct_pack(lua_State *lua) {
    struct layout layout;
    begin(&layout, luaL_checkstring(lua, 1));
    /* The buffer may keep pieces on the stack, above this mark that ends the arguments. */
    lua_pushnil(lua);
    luaL_Buffer out;
    luaL_buffinit(lua, &out);
    size_t total = 0;
    int arg = 2;
    while (*layout.format != 0) {
        char option = *layout.format++;
        size_t size = item_size(lua, &layout, option);
        size_t gap = padding(&layout, size, option, total);
        total += gap;
        while (gap-- > 0) luaL_addchar(&out, 0);
        switch (option) {
            case 'b': case 'B': case 'h': case 'H': case 'l': case 'L': case 'T': case 'i': case 'I':
                put_integer(lua, &out, &layout, arg++, size);
                break;
            case 'x': luaL_addchar(&out, 0); break;
            case 'f': case 'd': put_float(lua, &out, &layout, arg++, size); break;
            case 'c': case 's': {
                size_t count;
                const char *text = luaL_checklstring(lua, arg++, &count);
                if (size == 0) size = count;
                luaL_argcheck(lua, count >= size, arg, "string too short");
                luaL_addlstring(&out, text, size);
                if (option == 's') {
                    luaL_addchar(&out, 0);
                    size++;
                }
                break;
            }
            default: control(lua, &layout, option);
        }
        total += size;
    }
    luaL_pushresult(&out);
    return 1;
}

static lua_Number get_integer(const char *bytes, const struct layout *layout, int is_signed,
                              size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[layout->little ? size - 1 - i : i];
        value = value << 8 | byte;
    }
    if (!is_signed) return (lua_Number)value;
    if (size < sizeof value && size > 0) {
        uint64_t sign = 1ULL << (size * 8 - 1);
        value = (value ^ sign) - sign;
    }
    return (lua_Number)(int64_t)value;
}

static lua_Number get_float(const char *bytes, const struct layout *layout, size_t size) {
    char copy[sizeof(double)];
    memcpy(copy, bytes, size);
    if (!layout->little) reverse(copy, size);
    if (size == sizeof(float)) {
        float narrow;
        memcpy(&narrow, copy, sizeof narrow);
        return (lua_Number)narrow;
    }
    double value;
    memcpy(&value, copy, sizeof value);
    return value;
}

static int struct_unpack(lua_State *lua) {
    struct layout layout;
    begin(&layout, luaL_checkstring(lua, 1));
    size_t length;
    const char *data = luaL_checklstring(lua, 2, &length);
    lua_Integer first = luaL_optinteger(lua, 3, 1);
    luaL_argcheck(lua, first != 0, 3, "offset must be 1 or greater");
    size_t at = (size_t)first - 1;
    int results = 0;
    while (*layout.format != 0) {
        char option = *layout.format++;
        size_t size = item_size(lua, &layout, option);
        at += padding(&layout, size, option, at);
        luaL_argcheck(lua, at <= length && size <= length - at, 2, "data string too short");
        luaL_checkstack(lua, 2, "too many results");
        switch (option) {
            case 'b': case 'B': case 'h': case 'H': case 'l': case 'L': case 'T': case 'i': case 'I': {
                int is_signed = option >= 'a';
                lua_pushnumber(lua, get_integer(data + at, &layout, is_signed, size));
                results++;
                break;
            }
            case 'x': break;
            case 'f': case 'd':
                lua_pushnumber(lua, get_float(data + at, &layout, size));
                results++;
                break;
            case 'c':
                if (size == 0) {
                    if (results == 0 || !lua_isnumber(lua, -1)) {
                        return luaL_error(lua, "format 'c0' needs a previous size");
                    }
                    lua_Number wanted = lua_tonumber(lua, -1);
                    lua_pop(lua, 1);
                    results--;
                    luaL_argcheck(lua, wanted >= 0 && wanted <= (lua_Number)(length - at), 2,
                                  "data string too short");
                    size = (size_t)wanted;
                }
                lua_pushlstring(lua, data + at, size);
                results++;
                break;
            case 's': {
                const char *end = at < length ? memchr(data + at, 0, length - at) : NULL;
                if (end == NULL) return luaL_error(lua, "unfinished string in data");
                size = (size_t)(end - (data + at)) + 1;
                lua_pushlstring(lua, data + at, size - 1);
                results++;
                break;
            }
            default: control(lua, &layout, option);
        }
        at += size;
    }
    /* From a negative offset on nothing can be read: it comes back as it was. */
    lua_pushnumber(lua, (lua_Number)(ptrdiff_t)at + 1);
    return results + 1;
}

static int struct_size(lua_State *lua) {
    struct layout layout;
    begin(&layout, luaL_checkstring(lua, 1));
    size_t total = 0;
    while (*layout.format != 0) {
        char option = *layout.format++;
        size_t size = item_size(lua, &layout, option);
        total += padding(&layout, size, option, total);
        if (option == 's') {
            luaL_argerror(lua, 1, "option 's' has no fixed size");
        } else if (option == 'c' && size == 0) {
            luaL_argerror(lua, 1, "option 'c0' has no fixed size");
        }
        if (strchr("bBhHlLTiIxfdc", option) == NULL) control(lua, &layout, option);
        total += size;
    }
    lua_pushnumber(lua, (lua_Number)total);
    return 1;
}

static const luaL_Reg functions[] = {
    {"pack", struct_pack}, {"unpack", struct_unpack}, {"size", struct_size}, {NULL, NULL}};

void redwing_lua_open_struct(lua_State *lua) {
    lua_newtable(lua);
    luaL_register(lua, NULL, functions);
    lua_setglobal(lua, "struct");
}
