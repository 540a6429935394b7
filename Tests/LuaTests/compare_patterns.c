/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our patterns against Lua's own: the same random texts and patterns, short ones, to both; results and
 * errors must be equal. `compare_patterns SEED ROUNDS`; under sanitizers (test_lua_fuzz.py).
 */
#include <lua5.1/lauxlib.h>
#include <lua5.1/lua.h>
#include <lua5.1/lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redwing_lua.h"

static unsigned long state;

static unsigned pick(unsigned below) {
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(state >> 33) % below;
}

/* What a round does with ARGV: a text, a pattern, a replacement, a number. */
static const char body[] =
    "local text, pattern, with, number = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])\n"
    "local out = {}\n"
    "local function note(...)\n"
    "    for i = 1, select('#', ...) do out[#out + 1] = tostring((select(i, ...))) end\n"
    "    out[#out + 1] = ';'\n"
    "end\n"
    "note(pcall(string.find, text, pattern))\n"
    "note(pcall(string.find, text, pattern, number))\n"
    "note(pcall(string.find, text, pattern, number, true))\n"
    "note(pcall(string.match, text, pattern))\n"
    "note(pcall(string.match, text, pattern, number))\n"
    "note(pcall(string.gsub, text, pattern, with))\n"
    "note(pcall(string.gsub, text, pattern, with, number))\n"
    "note(pcall(string.gsub, text, pattern, {a = 'A', ab = false, b = 7}))\n"
    "note(pcall(string.gsub, text, pattern, function(x, y) note(x, y) return y end))\n"
    "note(pcall(function() for x, y in string.gmatch(text, pattern) do note(x, y) end end))\n"
    "note(pcall(string.rep, text, number))\n"
    "return table.concat(out, '|')\n";

static size_t fill(char *out, size_t most, const char *letters, size_t count) {
    size_t size = pick((unsigned)most + 1);
    for (size_t i = 0; i < size; i++) out[i] = letters[pick((unsigned)count)];
    return size;
}

/* Half of them of parts that make sense, half of any bytes. */
static size_t fill_pattern(char *out, size_t most) {
    static const char *const parts[] = {"a",  "b",   ".",    "%a",  "%d",     "[ab]",    "[^a]", "[a-c]",
                                        "*",  "+",   "-",    "?",   "(",      ")",       "()",   "^",
                                        "$",  "%1",  "%b()", "%bab", "%f[%w]", "%f[^a]", "%z",   "(a*)",
                                        "%s", "%W",  "[%a_]", "%.", "(b)",    "[]a]",    "[a-]", "%2"};
    if (pick(2)) return fill(out, most, "ab()[]%*+-?.^$1cwb\0f", 20);
    size_t size = 0;
    for (unsigned count = pick(7); count > 0; count--) {
        const char *part = parts[pick(sizeof parts / sizeof *parts)];
        size_t length = strlen(part);
        if (size + length > most) break;
        memcpy(out + size, part, length);
        size += length;
    }
    return size;
}

/* No round calls the server. */
static int no_tick(void *context) {
    (void)context;
    return 0;
}

static const char *stock(lua_State *lua, const struct redwing_lua_word *words, size_t *count) {
    lua_settop(lua, 1);
    lua_newtable(lua);
    for (int i = 0; i < 4; i++) {
        lua_pushlstring(lua, words[i].start, words[i].count);
        lua_rawseti(lua, -2, i + 1);
    }
    lua_setglobal(lua, "ARGV");
    lua_pushvalue(lua, 1);
    if (lua_pcall(lua, 0, 1, 0) != 0) return NULL;
    return lua_tolstring(lua, -1, count);
}

int main(int argc, char **argv) {
    state = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    long rounds = argc > 2 ? atol(argv[2]) : 1000;
    struct redwing_lua_host host = {.tick = no_tick};
    redwing_lua *engine = redwing_lua_create(&host);
    lua_State *lua = luaL_newstate();
    if (engine == NULL || lua == NULL) return 1;
    luaL_openlibs(lua);
    if (luaL_loadbuffer(lua, body, sizeof body - 1, "@user_script") != 0) return 1;
    if (redwing_lua_define(engine, "f_compare", body, sizeof body - 1) != 0) return 1;
    for (long round = 0; round < rounds; round++) {
        char text[16], pattern[20], with[6], number[8];
        struct redwing_lua_word words[] = {{text, 0}, {pattern, 0}, {with, 0}, {number, 0}};
        words[0].count = fill(text, sizeof text, "aab(c)1 _.\0B", 12);
        words[1].count = fill_pattern(pattern, sizeof pattern);
        words[2].count = fill(with, sizeof with, "x%%012a", 7);
        words[3].count = (size_t)snprintf(number, sizeof number, "%d", (int)pick(12) - 4);
        size_t count = 0;
        const char *wanted = stock(lua, words, &count);
        if (wanted == NULL || redwing_lua_run(engine, "f_compare", words, 0, 4, 2, 1) != 0) return 2;
        struct redwing_lua_word got = redwing_lua_output(engine);
        char head[32];
        size_t size = (size_t)snprintf(head, sizeof head, "$%zu\r\n", count);
        if (got.count != size + count + 2 || memcmp(got.start + size, wanted, count) != 0) {
            fprintf(stderr, "text ");
            fwrite(text, 1, words[0].count, stderr);
            fprintf(stderr, "\npattern ");
            fwrite(pattern, 1, words[1].count, stderr);
            fprintf(stderr, "\nwith %.*s, %s\nwanted ", (int)words[2].count, with, number);
            fwrite(wanted, 1, count, stderr);
            fprintf(stderr, "\ngot ");
            fwrite(got.start, 1, got.count, stderr);
            return 3;
        }
    }
    lua_close(lua);
    redwing_lua_free(engine);
    return 0;
}
