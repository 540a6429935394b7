# SPDX-License-Identifier: BSD-3-Clause
"""Scripts: every reply equal to a stock Redis's, own texts of 6.0.7, replication, BUSY and KILL.

7.0 words the errors that end a script otherwise than 6.0 (FORMS of pair.py makes them one), so the
exact texts of 6.0.7 stand in a table here. What a library says is compared exactly, through pcall.
"""

import hashlib
import threading
import time

import pytest
import redis

from lab.resp import Client, ReplyError, encode
from lab.servers import eventually


def e(script, *words):
    return ("EVAL", script, *(words or ("0",)))


def sha(script):
    return hashlib.sha1(script.encode()).hexdigest()


def caught(body):
    """Runs `body`, gives what it returns or the text of its error."""
    return e("local r = {pcall(function() %s end)} r[1] = tostring(r[1]) return r" % body)


ROWS = {
    "values to RESP": [
        e("return 1"), e("return 3.99"), e("return -3.99"), e("return 'x'"), e("return true"),
        e("return false"), e("return nil"), e("return"), e("return {}"), e("return {1, 2, {3, 'x'}}"),
        e("return {1, nil, 3}"), e("return {1, false, true}"), e("return {ok = 'fine'}"),
        e("return {err = 'MY own'}"), e("return {ok = 1}"), e("return {a = 1}"), e("return tostring"),
        e("return 1e15"), e("return -1e15"), e("return {'a', {err = 'ERR x'}, {ok = 'y'}}"),
        e("return {double = 3.5}"), e("return {double = 1e300}"), e("return {map = {a = 1}}"),
        e("return {set = {a = true}}"), e("return redis.status_reply('FINE')"),
        e("return {big_number = '12345678901234567890'}"), e("return ''"), e("return '\\0\\r\\n'"),
        e("return {verbatim_string = {format = 'txt', string = 'abc'}}"),
    ],
    "RESP to values": [
        "SET k v", e("return redis.call('get', 'k')"), e("return redis.call('get', 'no') == false"),
        e("return redis.call('set', 'k', 'w').ok"), e("return type(redis.call('incr', 'n'))"),
        e("return redis.call('mget', 'k', 'no', 'n')"), e("return redis.pcall('incr', 'k').err ~= nil"),
        e("return redis.call('ping')"), e("return redis.call('set', 'f', 1.5)"), "GET f",
        e("return redis.call('set', 'f', 100000000000000000)"), "GET f", "RPUSH l a b c",
        e("return redis.call('lrange', 'l', 0, -1)"), e("return #redis.call('lrange', 'l', 0, -1)"),
        e("return redis.call('type', 'l')"), e("return redis.call('type', 'l').ok"),
        e("return redis.call('object', 'encoding', 'k')"), e("return redis.call('blpop', 'none', 0)"),
        e("return redis.call('exists', 'none')"),
        e("return redis.call('hgetall', 'none')"), e("return redis.call('zadd', 'z', 1, 'a')"),
        e("return redis.call('zscore', 'z', 'a')"), e("return redis.call('brpoplpush', 'none', 'x', 0)"),
    ],
    "keys and arguments": [
        e("return {KEYS[1], KEYS[2], ARGV[1], #KEYS, #ARGV}", 2, "a", "b", "c", "d"),
        e("return KEYS", 0), e("return ARGV", 0, "x", "y"), e("return 1", -1), e("return 1", 1),
        e("return 1", 3, "a", "b"), e("return 1", "x"), e("return {KEYS[3], ARGV[-1]}", 1, "a"),
        "EVAL", "EVAL x", e("return ARGV[1]", 0, b"\x00\xff\r\n"),
    ],
    "the cache": [
        ("SCRIPT", "LOAD", "return 'loaded'"), ("EVALSHA", sha("return 'loaded'"), 0),
        ("EVALSHA", sha("return 'loaded'").upper(), 0), ("EVALSHA", sha("no"), 0), "EVALSHA x 0",
        ("SCRIPT", "EXISTS", sha("return 'loaded'"), sha("no"), "x"), e("return 'ran'"),
        ("EVALSHA", sha("return 'ran'"), 0), "SCRIPT FLUSH", ("EVALSHA", sha("return 'ran'"), 0),
        "SCRIPT FLUSH ASYNC", "SCRIPT FLUSH SYNC", "SCRIPT FLUSH x", "SCRIPT KILL", "SCRIPT NO",
        ("SCRIPT", "LOAD", "return x x"), "SCRIPT",
    ],
    "refusals": [
        e("return foo"), e("foo = 1"), e("return 1 1"), e("error('x')"), e("return redis.call()"),
        e("return redis.call('nosuch')"), e("return redis.call('get')"), e("return redis.call({})"),
        e("return redis.call('eval', 'return 1', 0)"), e("return redis.call('multi')"),
        e("return redis.call('subscribe', 'x')"), e("return redis.call('get', {})"),
        e("function f() return 1 end return f()"), e("local function f() return 1 end return f()"),
        e("return redis.call('incr', KEYS[1])", 1, "l"), "RPUSH l x", e("return redis.call('incr', 'l')"),
        e("return redis.pcall('incr', 'l')"), e("redis.pcall('incr', 'l') return 5"), e("return dofile"),
        e("return io"), e("return loadfile"), e("return require"), e("return debug"),
        e("return redis.set_repl()"), e("redis.set_repl(9)"), e("redis.setresp(4)"), e("redis.setresp()"),
        e("redis.log(1)"), e("redis.log('x', 'y')"), e("redis.log(10, 'y')"), e("redis.sha1hex()"),
    ],
    "the table redis": [
        e("return redis.sha1hex('')"), e("return redis.sha1hex('abc')"), e("return redis.sha1hex(1)"),
        e("return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}"),
        e("return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL}"),
        e("return redis.replicate_commands()"), e("return redis.breakpoint()"), e("return redis.debug('x')"),
        e("redis.set_repl(redis.REPL_AOF) redis.set_repl(redis.REPL_ALL) return 1"),
        e("return redis.log(redis.LOG_DEBUG, 'quiet')"),
    ],
    "random numbers": [
        e("math.randomseed(7) local t = {} for i = 1, 9 do t[i] = math.random(1000) end return t"),
        e("math.randomseed(-7) return math.random(1000000)"), caught("return math.random(0)"),
        caught("return math.random(5, 1)"), caught("return math.random(1, 2, 3)"),
    ],
    "the database is the caller's": [
        "SELECT 3", "SET k three", e("return redis.call('get', 'k')"),
        e("redis.call('select', 5) redis.call('set', 'k', 'five') return redis.call('get', 'k')"),
        "GET k", "SELECT 5", "GET k", e("return redis.call('select', 99)"),
    ],
    "inside a transaction": [
        "MULTI", e("return redis.call('set', 'k', 'v')"), "GET k", e("return redis.call('nosuch')"), "EXEC",
        "MULTI", "EVAL x", "EXEC",
    ],
    "text only": [
        e("return loadstring('return 5')()"), e("return {loadstring('x x')}"),
        e("return loadstring(string.dump(function() return 1 end)) == nil"),
        e("local n = 0 return load(function() n = n + 1 return ({'return ', '4', '2'})[n] end)()"),
        e("return load(function() return nil end)()"), caught("return load(1)"),
        e("return string.format('%q', 'x')"), e("return unpack({1, 2, 3})"),
        e("return {string.byte('abc', 1, -1)}"), e("return table.concat({1, 2, 3}, '-')"),
        e("local t = {3, 1, 2} table.sort(t) return t"), e("return tostring(1e100)"),
        e("return select('#', 1, 2, 3)"), caught("return string.rep('x', -1)"), e("return #_VERSION"),
        e("local c = coroutine.wrap(function() coroutine.yield(1) end) return c()"),
        e("local c = coroutine.wrap(function() return redis.call('ping') end) return c()"),
    ],
    "bit": [
        e("return {bit.tobit(4294967295), bit.tobit(2^40 + 5), bit.bnot(0), bit.bnot(5), bit.tobit(1.5)}"),
        e("return {bit.band(255, 15, 9), bit.bor(1, 2, 4), bit.bxor(255, 15), bit.band(5)}"),
        e("return {bit.lshift(1, 31), bit.lshift(1, 33), bit.rshift(-1, 28), bit.arshift(-256, 4)}"),
        e("return {bit.rol(0x12345678, 12), bit.ror(0x12345678, 12), bit.rol(1, 0), bit.ror(1, 32)}"),
        e("return {bit.bswap(0x12345678), bit.tohex(255), bit.tohex(255, 4), bit.tohex(-1, -4)}"),
        e("return {bit.tohex(1, 0), bit.tohex(1, 99), bit.tohex(0xabcdef, -99)}"), caught("return bit.band()"),
        caught("return bit.bnot('x')"), e("return bit.band('7', 3)"), e("return bit.tobit(-2147483649)"),
    ],
    "struct": [
        e("return struct.pack('>I2I4h', 258, 1, -2)"), e("return struct.pack('<i8', -1)"),
        e("return struct.pack('bBhHlLT', -1, 255, -2, 65535, -3, 4, 5)"), e("return struct.pack('fd', 1.5, 2.25)"),
        e("return struct.pack('>fd', 1.5, 2.25)"), e("return struct.pack('s', 'abc')"),
        e("return struct.pack('c2', 'abc')"), e("return struct.pack('c0', 'abc')"), e("return struct.pack('xx')"),
        e("return struct.pack('!4bi4', 1, 2)"), e("return struct.pack('!bd', 1, 2)"), e("return struct.pack('> I2 < I2', 1, 1)"),
        e("return {struct.unpack('>I2', '\\1\\2')}"), e("return {struct.unpack('<i2i2', '\\255\\255\\1\\0')}"),
        e("return {struct.unpack('bB', '\\255\\255')}"), e("return {struct.unpack('s', 'abc\\0def')}"),
        e("return {struct.unpack('Bc0', '\\3abcdef')}"), e("return {struct.unpack('c3', 'abcdef', 3)}"),
        e("return {struct.size('bhid'), struct.size('!8bd'), struct.size('c10'), struct.size('>i3')}"),
        e("return tostring(struct.unpack('d', struct.pack('d', 0.1)))"), e("return {struct.unpack('i16', string.rep('\\1', 16))}"),
        caught("return struct.pack('z', 1)"), caught("return struct.pack('i33', 1)"), caught("return struct.unpack('i4', 'ab')"),
        caught("return struct.unpack('s', 'abc')"), caught("return struct.pack('!3b', 1)"), caught("return struct.size('s')"),
        caught("return struct.size('c0')"), caught("return struct.pack('c5', 'abc')"), caught("return struct.pack('i')"),
        caught("return struct.unpack('c0', 'abc')"), caught("return struct.unpack('i4', 'abcdefgh', 100)"),
        e("return struct.pack('i3', -2)"), e("return struct.pack('I12', 5)"), caught("return struct.pack('i99999999999', 1)"),
    ],
    "cmsgpack": [
        *[e("return cmsgpack.pack(%s)" % value) for value in (
            "1", "127", "128", "255", "256", "65535", "65536", "4294967295", "4294967296", "-1", "-32", "-33",
            "-128", "-129", "-32768", "-32769", "-2147483648", "-2147483649", "1.5", "0.1", "1e300", "true",
            "false", "nil", "''", "'abc'", "string.rep('x', 32)", "string.rep('x', 300)", "string.rep('x', 70000)",
            "{}", "{1, 2, 3}", "{a = 1}", "{1, nil, 3}", "{{1}, {2, {3}}}", "1, 2, 'x'", "tostring", "2^53", "{[1.5] = 2}")],
        e("local t = {} for i = 1, 20 do t = {t} end return cmsgpack.pack(t)"),
        e("local t = {} for i = 1, 70000 do t[i] = 1 end return #cmsgpack.pack(t)"),
        e("return cmsgpack.unpack(cmsgpack.pack({1, 'x', {2, -3, 400, -500, 70000}}))"),
        e("return {cmsgpack.unpack(cmsgpack.pack(1, 2, 'x'))}"), e("return cmsgpack.unpack(cmsgpack.pack({a = 'b'})).a"),
        e("return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 3))}"), e("return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 3), 2)}"),
        e("return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 2)}"), e("return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 1, 1)}"),
        e("return tostring(cmsgpack.unpack(cmsgpack.pack(0.1)))"), e("return tostring(cmsgpack.unpack('\\202\\63\\128\\0\\0'))"),
        e("return cmsgpack.unpack('\\217\\2ab')"), e("return cmsgpack.unpack('\\207\\0\\0\\0\\1\\0\\0\\0\\0') == 4294967296"),
        e("return cmsgpack.unpack('\\211\\255\\255\\255\\255\\255\\255\\255\\254')"), e("return {cmsgpack.unpack('')}"),
        caught("return cmsgpack.unpack('\\147\\1')"), caught("return cmsgpack.unpack('\\193')"), caught("return cmsgpack.pack()"),
        caught("return cmsgpack.unpack('\\221\\255\\255\\255\\255')"), caught("return cmsgpack.unpack_limit('x', -1)"),
        caught("return cmsgpack.unpack_one('x', 5)"), caught("return cmsgpack.unpack({})"),
        e("return cmsgpack._NAME"),
    ],
    "cjson.encode": [
        *[e("return cjson.encode(%s)" % value) for value in (
            "1", "1.5", "0.1", "1e100", "-5", "2^53", "1/3", "'x'", "'a\"b\\\\c/d\\n\\r\\t\\b\\f\\1\\127'", "true", "false", "nil", "cjson.null",
            "{}", "{1, 2, 3}", "{1, nil, 3}", "{a = 1}", "{[1] = 'a', [2] = 'b'}", "{{}, {1}}", "{[10] = 1}", "{[1.5] = 1}",
            "'\\195\\164'", "'\\0'", "{['1'] = 2}", "{a = {b = {1}}}", "{[0] = 1}", "12345678901234567890")],
        *[caught("return cjson.encode(%s)" % value) for value in (
            "tostring", "{tostring}", "{[100] = 1}", "0/0", "1/0", "-1/0", "{[true] = 1}", "", "1, 2")],
        caught("local t = {} for i = 1, 1001 do t = {t} end return cjson.encode(t)"),
        e("local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(t)"),
        caught("local t = {} t[1] = t return cjson.encode(t)"),
        e("local c = cjson.new() c.encode_sparse_array(true) return c.encode({[100] = 1})"),
        e("local c = cjson.new() c.encode_number_precision(3) return c.encode(3.14159)"),
        e("local c = cjson.new() c.encode_invalid_numbers('null') return c.encode({0/0})"),
        e("local c = cjson.new() c.encode_max_depth(2) return c.encode({{1}})"),
        caught("local c = cjson.new() c.encode_max_depth(2) return c.encode({{{1}}})"),
        caught("return cjson.encode_max_depth(0)"), caught("return cjson.encode_number_precision(99)"),
        e("return cjson.new().encode_max_depth()"), e("return {cjson.new().encode_sparse_array()}"),
    ],
    "cjson.decode": [
        *[e("return cjson.decode(ARGV[1])", 0, text) for text in (
            "1", "[1,2,3]", '["a","b"]', "[]", "{}", '[[1],[2,[3]]]', " [ 1 , 2 ] ", '"x"', '"\\u00e4\\u20ac\\ud83d\\ude00"',
            '"\\"\\\\\\/\\b\\f\\n\\r\\t"', "true", "false", "[null]", "-5", "1e3", "0x10", "[1.9]")],
        e("return cjson.decode('null') == cjson.null"), e("return tostring(cjson.decode('{\"a\":1.5}').a)"),
        e("return cjson.decode('{\"a\":{\"b\":[1,2]}}').a.b"), e("return tostring(cjson.decode('nan'))"),
        e("return tostring(cjson.decode('-inf'))"), e("return tostring(cjson.decode('[1e400]')[1])"),
        *[e("local r = {pcall(cjson.decode, ARGV[1])} r[1] = tostring(r[1]) return r", 0, text) for text in (
            "", "[", "[1", "[1,", "[1,]", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,}', "{1:2}", "x", "tru", '"abc', '"\\x"', '"\\u12"',
            '"\\ud83d"', '"\\udc00"', "[1] 2", "}", "nul", "-", "[1 2]", '{"a" 1}', "+1", ".5", "01", b"\x00a", b"a\x00")],
        e("return #cjson.decode(string.rep('[', 1000) .. string.rep(']', 1000))"),
        caught("return cjson.decode(string.rep('[', 1001) .. string.rep(']', 1001))"),
        caught("return cjson.decode()"), caught("return cjson.decode({})"),
        caught("local c = cjson.new() c.decode_invalid_numbers(false) return c.decode('[0x10]')"),
        caught("local c = cjson.new() c.decode_max_depth(1) return c.decode('[[1]]')"),
    ],
    "odd replies": [
        e("local t = {} for i = 1, 100000 do t[i] = i end return #t"), e("return {1, {2, {3, {4, {5}}}}}"),
        e("local t = {} for i = 1, 300 do t = {t} end return t"), e("return string.rep('x', 100000)"),
        e("return {map = {}}"), e("return {set = {}}"),
    ],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_rows(pair, row):
    pair.each("SCRIPT FLUSH")
    pair.run(row)


def test_replies_of_resp3(pair):
    pair.call("HELLO 3", compare="none")
    pair.run([
        "HSET h a 1", "SADD s m", "ZADD z 1.5 m",
        e("redis.setresp(3) return redis.call('hgetall', 'h')"), e("return redis.call('hgetall', 'h')"),
        e("redis.setresp(3) return redis.call('hgetall', 'h').map.a"),
        e("redis.setresp(3) return redis.call('smembers', 's')"),
        e("redis.setresp(3) return redis.call('smembers', 's').set.m"),
        e("redis.setresp(3) return redis.call('zscore', 'z', 'm')"),
        e("redis.setresp(3) return tostring(redis.call('zscore', 'z', 'm').double)"),
        e("redis.setresp(3) return redis.call('get', 'none') == nil"), e("return true"), e("return false"),
        e("redis.setresp(3) return true"), e("redis.setresp(3) return false"), e("return nil"),
        e("return {double = 1e10}"), e("return {map = {a = {1, 2}}}"), e("return {set = {a = true}}"),
        e("return {big_number = '123'}"), e("return {verbatim_string = {format = 'mkd', string = 'x'}}"),
    ])
    pair.call("HELLO 2", compare="none")
    pair.run([e("redis.setresp(3) return redis.call('hgetall', 'h')"), e("redis.setresp(3) return true"),
              e("redis.setresp(3) return false")])


TEXTS = {
    "return foo": "ERR Error running script (call to f_{sha}): @enable_strict_lua:15: user_script:1: "
                  "Script attempted to access nonexistent global variable 'foo' ",
    "foo = 1": "ERR Error running script (call to f_{sha}): @enable_strict_lua:8: user_script:1: "
               "Script attempted to create global variable 'foo' ",
    "return 1 1": "ERR Error compiling script (new function): user_script:1: 'end' expected near '1' ",
    "error('x')": "ERR Error running script (call to f_{sha}): @user_script:1: user_script:1: x ",
    "\n\nreturn redis.call('nosuch')":
        "ERR Error running script (call to f_{sha}): @user_script:3: @user_script: 3: "
        "Unknown Redis command called from Lua script ",
    "return redis.call('get')":
        "ERR Error running script (call to f_{sha}): @user_script:1: @user_script: 1: "
        "Wrong number of args calling Redis command From Lua script ",
    "return redis.call('eval', 'x', 0)":
        "ERR Error running script (call to f_{sha}): @user_script:1: @user_script: 1: "
        "This Redis command is not allowed from scripts ",
    "redis.call('set', 'k', 'v') return redis.call('lpush', 'k', 'v')":
        "ERR Error running script (call to f_{sha}): @user_script:1: "
        "WRONGTYPE Operation against a key holding the wrong kind of value ",
    "return redis.pcall('nosuch')": "@user_script: 1: Unknown Redis command called from Lua script",
    "return redis.error_reply('MY own')": "MY own",
}


@pytest.mark.parametrize("script", TEXTS)
def test_texts_of_6_0_7(farm, script):
    client = farm.redwing().client()
    reply = client.call_or_error("EVAL", script, 0)
    assert isinstance(reply, ReplyError) and str(reply) == TEXTS[script].format(sha=sha(script))


def test_random_numbers_repeat_with_every_run(farm):
    """The sequence in the documentation of Redis 6.0; 7.0 begins elsewhere."""
    client = farm.redwing().client()
    for _ in range(2):
        got = client.call("EVAL", "local t = {} for i = 1, 10 do t[i] = tostring(math.random()) end return t", 0)
        assert [float(one) for one in got] == [
            0.17082803611217, 0.74990198051087, 0.09637165539729, 0.87046522734243, 0.57730350670279,
            0.7857992587545, 0.6921941534114, 0.36876626981831, 0.87390407681181, 0.74509509873814]


# Replication: what goes into the stream, read by a replica that only listens.


class Stream:
    """The commands that a master streams, from a PSYNC of our own."""

    def __init__(self, server):
        self.client = Client(server.port)
        self.client.send(encode("REPLCONF", "capa", "psync2"))
        self.client.read()
        self.client.send(encode("PSYNC", "?", "-1"))
        self.client._line()
        line = b""
        while not line.startswith(b"$"):
            line = self.client._line()
        size = int(line[1:])
        self.client._need(size)
        self.snapshot = bytes(self.client.pending[self.client.at:self.client.at + size])
        self.client.at += size

    def until(self, mark):
        """The commands up to `SET mark`, without SELECT, PING and the mark itself."""
        found = []
        while True:
            words = self.client.read()
            if words[0].upper() in (b"SELECT", b"PING", b"REPLCONF"):
                continue
            if words[:2] == [b"SET", mark]:
                return found
            found.append(words)


def streamed(server, client, stream, *commands):
    for command in commands:
        client.call_or_error(*command)
    client.call("SET", "mark", "1")
    return stream.until(b"mark")


@pytest.fixture
def master(farm):
    server = farm.redwing({"repl-diskless-sync": "no"})
    client = server.client()
    return server, client, Stream(server)


def test_effects_are_streamed_in_a_transaction(master):
    server, client, stream = master
    script = "redis.call('set', 'a', 1) redis.call('incr', 'a') redis.call('get', 'a') return 1"
    assert streamed(server, client, stream, e(script)) == [
        [b"MULTI"], [b"set", b"a", b"1"], [b"incr", b"a"], [b"EXEC"]]
    assert streamed(server, client, stream, e("return redis.call('get', 'a')")) == []
    script = "redis.call('set', 'b', 1) error('late')"
    assert streamed(server, client, stream, e(script)) == [[b"MULTI"], [b"set", b"b", b"1"], [b"EXEC"]]
    # Inside MULTI there is one frame for all.
    got = streamed(server, client, stream, ("MULTI",), ("SET", "x", "1"), e("return redis.call('set', 'y', 1)"),
                   ("EXEC",))
    assert got == [[b"MULTI"], [b"SET", b"x", b"1"], [b"set", b"y", b"1"], [b"EXEC"]]


def test_set_repl_keeps_effects_from_replicas(master):
    server, client, stream = master
    script = ("redis.set_repl(redis.REPL_NONE) redis.call('set', 'a', 1) redis.set_repl(redis.REPL_ALL) "
              "redis.call('set', 'b', 1) redis.set_repl(redis.REPL_AOF) redis.call('set', 'c', 1)")
    assert streamed(server, client, stream, e(script)) == [[b"MULTI"], [b"set", b"b", b"1"], [b"EXEC"]]


def test_scripts_are_streamed_verbatim_when_told_so(master):
    server, client, stream = master
    client.call("CONFIG", "SET", "lua-replicate-commands", "no")
    writes, reads = "return redis.call('set', KEYS[1], ARGV[1])", "return redis.call('get', 'k')"
    assert streamed(server, client, stream, e(writes, 1, "k", "v")) == [
        [b"EVAL", writes.encode(), b"1", b"k", b"v"]]
    call = ("EVALSHA", sha(writes), "1", "k", "w")
    assert streamed(server, client, stream, call) == [[b"EVAL", writes.encode(), b"1", b"k", b"w"]]
    assert streamed(server, client, stream, call) == [[b"EVALSHA", sha(writes).encode(), b"1", b"k", b"w"]]
    assert streamed(server, client, stream, e(reads)) == []
    assert streamed(server, client, stream, ("EVALSHA", sha(reads), "0")) == [
        [b"SCRIPT", b"LOAD", reads.encode()]]
    # A full sync begins: the new replica knows no hash.
    Stream(server)
    assert streamed(server, client, stream, call) == [[b"EVAL", writes.encode(), b"1", b"k", b"w"]]
    late = "redis.call('time') return redis.call('set', 'k', 'v')"
    reply = client.call_or_error("EVAL", late, 0)
    assert "Write commands not allowed after non deterministic commands." in str(reply)
    assert streamed(server, client, stream, e("redis.replicate_commands() " + late)) == [
        [b"MULTI"], [b"set", b"k", b"v"], [b"EXEC"]]
    client.call("SADD", "s", *range(100), "x")
    assert client.call("EVAL", "return redis.call('smembers', 's')", 0) == sorted(client.call("SMEMBERS", "s"))


def test_script_load_and_flush_are_streamed(master):
    server, client, stream = master
    assert streamed(server, client, stream, ("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "FLUSH")) == [
        [b"SCRIPT", b"LOAD", b"return 1"], [b"SCRIPT", b"FLUSH"]]


def test_scripts_travel_with_a_snapshot(farm):
    master = farm.redwing()
    client = master.client()
    digest = client.call("SCRIPT", "LOAD", "return 'moved'")
    other = farm.redwing().client()
    other.call("REPLICAOF", "127.0.0.1", master.port)
    eventually(lambda: other.info("replication").get("master_link_status") == "up")
    assert other.call("EVALSHA", digest, 0) == b"moved"
    assert "READONLY" in str(other.call_or_error("EVAL", "return redis.call('set', 'a', 1)", 0))


# Verbatim, a stock 7.0 would draw other random numbers.
@pytest.mark.parametrize("kind, effects", [("redis", "yes"), ("redwing", "yes"), ("redwing", "no")])
def test_a_replica_follows_scripts(farm, kind, effects):
    master = farm.redwing({"lua-replicate-commands": effects})
    client = master.client()
    replica = farm.start(kind).client()
    replica.call("REPLICAOF", "127.0.0.1", master.port)
    eventually(lambda: replica.info("replication").get("master_link_status") == "up")
    script = ("for i = 1, 10 do redis.call('incr', KEYS[1]) redis.call('rpush', 'l', math.random(100)) end "
              "redis.call('select', 1) redis.call('setex', 'e', 1000, 'x') return redis.call('get', 'e')")
    for i in range(50):
        assert client.call("EVAL", script, 1, f"k{i % 7}") == b"x"
        assert client.call("EVALSHA", sha(script), 1, f"k{i % 5}") == b"x"
    assert client.call("WAIT", 1, 5000) == 1
    assert replica.call("DEBUG", "DIGEST") == client.call("DEBUG", "DIGEST")


@pytest.mark.parametrize("effects", ["yes", "no"])
def test_scripts_in_the_aof(farm, effects):
    server = farm.redwing({"appendonly": "yes", "appendfsync": "always", "lua-replicate-commands": effects})
    client = server.client()
    script = "return redis.call('incr', KEYS[1])"
    for i in range(3):
        client.call("EVAL", script, 1, "a")
        client.call("EVALSHA", sha(script), 1, "b")
    client.call("MULTI")
    client.call("EVALSHA", sha(script), 1, "b")
    client.call("EXEC")
    client.call("DEBUG", "LOADAOF")
    assert client.call("MGET", "a", "b") == [b"3", b"4"]
    # The new file begins without the script: its hash alone would mean nothing.
    client.call("BGREWRITEAOF")
    eventually(lambda: client.info("persistence")["aof_rewrite_in_progress"] == "0")
    client.call("EVALSHA", sha(script), 1, "b")
    server.restart()
    assert server.client().call("MGET", "a", "b") == [b"3", b"5"]


def test_wait_after_a_script(farm):
    master = farm.redwing()
    replica = farm.redis().client()
    replica.call("REPLICAOF", "127.0.0.1", master.port)
    eventually(lambda: replica.info("replication").get("master_link_status") == "up")
    client = master.client()
    client.call("EVAL", "redis.call('set', 'a', 1) redis.call('set', 'b', 2)", 0)
    assert client.call("WAIT", 1, 5000) == 1 and replica.call("GET", "b") == b"2"


# Long scripts.


def start(server, script):
    client = Client(server.port)
    client.send(encode("EVAL", script, 0))
    return client


def test_a_busy_script_can_be_killed(farm):
    server = farm.redwing({"lua-time-limit": 50})
    client = server.client()
    client.call("SET", "k", "v")
    for script in ("while true do end", "while true do pcall(function() while true do end end) end",
                   "coroutine.wrap(function() while true do end end)()",
                   "while true do redis.call('get', 'k') end"):
        runner = start(server, script)
        eventually(lambda: str(client.call_or_error("GET", "k")) ==
                   "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
        assert client.call("MULTI") == b"OK" and client.call("DISCARD") == b"OK"
        assert "BUSY" in str(client.call_or_error("SCRIPT", "LOAD", "return 1"))
        assert client.call("SCRIPT", "KILL") == b"OK"
        reply = runner.read()
        assert f"(call to f_{sha(script)})" in str(reply)
        assert "Script killed by user with SCRIPT KILL..." in str(reply)
        assert client.call("GET", "k") == b"v"
        assert str(client.call_or_error("SCRIPT", "KILL")) == "NOTBUSY No scripts in execution right now."
        # The connection that ran it goes on.
        runner.send(encode("GET", "k"))
        assert runner.read() == b"v"


def test_a_script_that_wrote_is_not_killed(farm):
    server = farm.redwing({"lua-time-limit": 50})
    client = server.client()
    script = "redis.call('set', 'k', 'v') local n = 0 while n < 1e8 do n = n + 1 end return 'done'"
    runner = start(server, script)
    eventually(lambda: "BUSY" in str(client.call_or_error("PING")))
    assert str(client.call_or_error("SCRIPT", "KILL")) == (
        "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait "
        "the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
    assert runner.read() == b"done" and client.call("GET", "k") == b"v"


def test_shutdown_nosave_ends_a_busy_server(farm):
    server = farm.redwing({"lua-time-limit": 50})
    client = server.client()
    start(server, "redis.call('set', 'k', 'v') while true do end")
    eventually(lambda: "BUSY" in str(client.call_or_error("PING")))
    client.send(encode("SHUTDOWN", "NOSAVE"))
    assert server.process.wait(timeout=30) == 0


def test_a_client_that_leaves_its_busy_script(farm):
    server = farm.redwing({"lua-time-limit": 50})
    client = server.client()
    runner = start(server, "while true do end")
    eventually(lambda: "BUSY" in str(client.call_or_error("PING")))
    runner.close()
    time.sleep(0.1)
    assert client.call("SCRIPT", "KILL") == b"OK"
    assert eventually(lambda: client.call_or_error("PING") == b"PONG")


# Hostile scripts.


HOSTILE = [
    "local a = {} a[1] = a return a", "local function f() return f() + 1 end return f()",
    "local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x",
    "return string.rep('x', 2^40)", "return {unpack({}, 1, 1e7)}", "return redis.call(unpack({}, 1, 7000))",
    "return newproxy(true)", "for i = 1, 200 do redis.call('lrange', 'l', 0, -1) end collectgarbage() return 1",
    "return cjson.decode(string.rep('[', 1e6))", "return cmsgpack.unpack(string.rep('\\145', 1e6))",
    "cjson.decode_max_depth(1e9) return cjson.decode(string.rep('[', 1e6))",
    "string.format = nil table.sort = nil return redis.call('ping')", "setmetatable(_G, nil) x = 1 return x",
    "getmetatable('').__index = nil return ('x'):len()", "error(nil)", "error({err = 1})", "error(tostring)",
    "error(setmetatable({}, {__tostring = error}))", "return setmetatable({}, {__index = error})",
    "return string.find(string.rep('a', 50), string.rep('a?', 20) .. string.rep('a', 20))",
]


@pytest.mark.parametrize("script", HOSTILE)
def test_hostile_scripts_end_and_the_server_serves_on(shared_hostile, script):
    client = shared_hostile.client()
    client.call("DEL", "l")
    client.call("RPUSH", "l", *range(100))
    client.send(encode("EVAL", script, 0))
    client.read_raw()
    assert client.call("PING") == b"PONG"
    assert client.call("EVAL", "return redis.call('llen', KEYS[1])", 1, "l") == 100


@pytest.fixture(scope="module")
def shared_hostile(shared_farm):
    return shared_farm.redwing()


def test_out_of_memory(farm):
    server = farm.redwing({"maxmemory-policy": "noeviction"})
    client = server.client()
    client.call("CONFIG", "SET", "maxmemory", "1")
    reply = client.call_or_error("EVAL", "return redis.call('set', 'k', 'v')", 0)
    assert "OOM command not allowed when used memory > 'maxmemory'." in str(reply)
    assert client.call("EVAL", "return redis.call('get', 'k')", 0) is None


# redis-py.


def test_redis_py_locks_and_scripts(farm):
    server = farm.redwing()
    connection = redis.Redis(port=server.port)
    script = connection.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
    assert script(keys=["n"], args=[5]) == 5
    connection.script_flush()
    assert script(keys=["n"], args=[5]) == 10
    with connection.pipeline() as pipe:
        script(keys=["n"], args=[1], client=pipe)
        script(keys=["n"], args=[1], client=pipe)
        assert pipe.execute() == [11, 12]
    lock = connection.lock("lock", timeout=10)
    assert lock.acquire() and not connection.lock("lock").acquire(blocking=False)
    assert lock.extend(10) and lock.reacquire()
    lock.release()
    with pytest.raises(redis.exceptions.LockError):
        lock.release()
    total = []

    def work():
        for _ in range(20):
            with redis.Redis(port=server.port).lock("busy", timeout=5):
                total.append(1)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(total) == 80


def test_a_script_wakes_who_waits(farm):
    server = farm.redwing()
    waiting, client = server.client(), server.client()
    waiting.send(encode("BLPOP", "q", 0))
    eventually(lambda: client.info("clients")["blocked_clients"] == "1")
    assert client.call("EVAL", "redis.call('rpush', 'q', 'a', 'b') return redis.call('llen', 'q')", 0) == 2
    assert waiting.read() == [b"q", b"a"]


def test_commands_of_scripts_are_watched(farm):
    server = farm.redwing()
    one, other = server.client(), server.client()
    one.call("WATCH", "k")
    other.call("EVAL", "return redis.call('set', 'k', 1)", 0)
    one.call("MULTI")
    one.call("GET", "k")
    assert one.call("EXEC") is None
