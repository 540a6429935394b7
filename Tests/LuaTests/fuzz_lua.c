/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random bytes for all that reads them in CSources/Lua: replies of a made-up server, the libraries'
 * decoders and formats, scripts' texts. `fuzz_lua SEED ROUNDS`; under sanitizers (test_lua_fuzz.py).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redwing_lua.h"

static unsigned long state;

static unsigned pick(unsigned below) {
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(state >> 33) % below;
}

static int call(void *context, const struct redwing_lua_word *words, size_t count,
                struct redwing_lua_word *reply, int *sort) {
    static const char *const parts[] = {
        "*2\r\n",    "$3\r\nabc\r\n",       ":1\r\n",     "%1\r\n",  "~2\r\n",  "_\r\n",   "#t\r\n",
        ",1.5\r\n",  "=7\r\ntxt:abc\r\n",   "|1\r\n",     "*-1\r\n", "$-1\r\n", "+OK\r\n", "$99\r\nx",
        "-ERR x\r\n", "(12\r\n", "*1000000\r\n", "=1\r\nx\r\n", "?\r\n",   "\r",      "*3\r\n"};
    static char *kept;
    char text[1024];
    size_t used = 0;
    (void)context, (void)words, (void)count;
    for (unsigned i = pick(12); i > 0; i--) {
        const char *part = parts[pick(sizeof parts / sizeof *parts)];
        memcpy(text + used, part, strlen(part));
        used += strlen(part);
    }
    /* In memory of its own, so that a byte too far is seen. */
    free(kept);
    kept = malloc(used + 1);
    memcpy(kept, text, used);
    *reply = (struct redwing_lua_word){kept, used};
    *sort = (int)pick(2);
    return pick(10) == 0;
}

static int tick(void *context) {
    (void)context;
    return pick(3) == 0;
}
static void take_line(void *context, int level, const char *text, size_t count) {
    (void)context, (void)level, (void)text, (void)count;
}
static void sha1(void *context, const char *text, size_t count, char *digits) {
    (void)context, (void)text, (void)count;
    memset(digits, 'a', 40);
}
static int replicate(void *context) {
    (void)context;
    return (int)pick(2);
}
static int set_repl(void *context, int targets) {
    (void)context, (void)targets;
    return (int)pick(2);
}
static void set_resp(void *context, int version) { (void)context, (void)version; }

/* ARGV[1] is random, ARGV[2] a random format, ARGV[3] a random pattern. */
static const char *const bodies[] = {
    "local ok, v = pcall(cjson.decode, ARGV[1]) if ok then return {pcall(cjson.encode, v)} end return v",
    "return {pcall(cmsgpack.unpack, ARGV[1])}",
    "local t = {pcall(cmsgpack.unpack, ARGV[1])} return cmsgpack.pack(unpack(t))",
    "return cmsgpack.unpack_limit(ARGV[1], 3, 2)",
    "return cmsgpack.unpack_one(ARGV[1], 1)",
    "return {pcall(struct.unpack, ARGV[2], ARGV[1])}",
    "return {pcall(struct.unpack, ARGV[2], ARGV[1], #ARGV[1])}",
    "return {pcall(struct.pack, ARGV[2], 1, -2, 'abc', 3.5, 'x', 6, 7, 8, 9)}",
    "return {pcall(struct.size, ARGV[2])}",
    "return redis.pcall(ARGV[1])",
    "redis.setresp(3) return redis.call(ARGV[1])",
    "redis.setresp(3) local t = {} for i = 1, 5 do t[i] = redis.pcall('x') end return {map = t}",
    "redis.log(1, ARGV[1])",
    "return {pcall(load, function() return ARGV[1] end)}",
    "return {pcall(loadstring, ARGV[1])}",
    "local f = loadstring('return ' .. ARGV[1]) if f then return {pcall(f)} end return ARGV[1]",
    "local a = {} a[1] = a return a",
    "return cjson.encode({ARGV[1]})",
    "return bit.tohex(#ARGV[1], #ARGV[2] - 8)",
    "return {pcall(string.find, ARGV[1], ARGV[3])}",
    "return {pcall(string.match, ARGV[1], ARGV[3], #ARGV[2] - 5)}",
    "return {pcall(string.gsub, ARGV[1], ARGV[3], ARGV[2])}",
    "return {pcall(string.gsub, ARGV[1], ARGV[3], function(...) return (...) end)}",
    "local n = 0 for a, b in string.gmatch(ARGV[1], ARGV[3]) do n = n + #tostring(b) end return n",
    "return {pcall(string.find, string.rep(ARGV[1], 50), string.rep(ARGV[3], 500))}",
    "local t = {} for c in ARGV[1]:gmatch('.') do table.insert(t, #t / 2 + 1, c) end "
    "table.remove(t, #ARGV[2]) table.sort(t) return t",
    "table.sort({ARGV[1], ARGV[2], ARGV[3]}, rawequal)",
    "local t = {ARGV[1]} for i = 1, 60 do t = {t, t} end return t",
    "local t = {ARGV[1]} for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
    "local t = {ARGV[1]} for i = 1, 10 do t[i] = t end return #cmsgpack.pack(t)",
    "local t = {} while true do t[#t + 1] = string.rep(ARGV[1] .. 'x', 100000) .. #t end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "pcall(rawset, redis, ARGV[1], 1) pcall(function() string[ARGV[1]] = 1 end) for k in pairs(_G) do end",
    "setfenv(1, {}) return 1",
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "return {verbatim_string = {string = ARGV[1], format = ARGV[2]}, big_number = ARGV[1]}",
};
enum { BODIES = sizeof bodies / sizeof *bodies };

static size_t fill(char *out, size_t room, const char *letters) {
    size_t count = pick((unsigned)room);
    for (size_t i = 0; i < count; i++) {
        out[i] = letters == NULL ? (char)pick(256) : letters[pick((unsigned)strlen(letters))];
    }
    return count;
}

int main(int argc, char **argv) {
    state = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    long rounds = argc > 2 ? atol(argv[2]) : 1000;
    struct redwing_lua_host host = {NULL, call, tick, take_line, sha1, replicate, set_repl, set_resp};
    redwing_lua *engine = redwing_lua_create(&host);
    if (engine == NULL) return 1;
    char names[BODIES][48];
    for (int i = 0; i < BODIES; i++) {
        snprintf(names[i], sizeof names[i], "f_%040d", i);
        if (redwing_lua_define(engine, names[i], bodies[i], strlen(bodies[i])) != 0) return 1;
    }
    const char json[] = "{}[]:,\"\\u123abtruefalsnullE+-.0xinf \n";
    const char patterns[] = "ab1{[]()%%*+-?.^$bfwz";
    const char formats[] = "<>=!bBhHlLTfdsiIcx 0123456789";
    for (long round = 0; round < rounds; round++) {
        char bytes[64], format[12], pattern[24], script[48];
        size_t size = fill(bytes, sizeof bytes, pick(2) ? json : NULL);
        size_t letters = fill(format, sizeof format, formats);
        size_t items = fill(pattern, sizeof pattern, patterns);
        char *exact = malloc(size + 1);
        memcpy(exact, bytes, size);
        struct redwing_lua_word words[] = {{"key", 3}, {exact, size}, {format, letters}, {pattern, items}};
        redwing_lua_run(engine, names[pick(BODIES)], words, 1, 3, 2 + (int)pick(2), 1);
        if (redwing_lua_output(engine).count == 0) return 2;
        free(exact);
        size = fill(script, sizeof script, json);
        redwing_lua_define(engine, "f_text", script, size);
    }
    redwing_lua_free(engine);
    return 0;
}
