# SPDX-License-Identifier: BSD-3-Clause
"""What no client should send: random bytes, random arguments, huge counts and offsets, damaged payloads. The
server answers with errors, reserves no memory for what it refuses, and lives."""

import os
import random
import socket

import pytest

from lab.data import fill_all_types
from lab.resp import Closed, ReplyError, encode
from lab.servers import eventually

SEEDS = range(int(os.environ.get("REDWING_FUZZ_SEEDS", 4)))
# Ends or stops the server, or waits; DEBUG and CONFIG get arguments of their own elsewhere.
NOT_RANDOM = {"shutdown", "debug", "replicaof", "slaveof", "sync", "psync", "failover", "monitor", "config", "post",
              "host:", "replconf", "bgrewriteaof", "bgsave", "save", "client", "wait", "quit", "acl", "auth", "migrate"}
WORDS = [b"", b"0", b"1", b"-1", b"2", b"10", b"-10", b"9223372036854775807", b"-9223372036854775808",
         b"9223372036854775808", b"18446744073709551615", b"4294967296", b"2147483648", b"-2147483649", b"536870911",
         b"1e308", b"-inf", b"+inf", b"nan", b"0.1", b"1e-320", b"(1", b"[a", b"(a", b"-", b"+", b"*", b"$", b">",
         b"~", b"=", b"0-0", b"1-1", b"5-*", b"18446744073709551615-18446744073709551615", b"\x00\xff\r\n", b"x" * 300,
         b"WITHSCORES", b"LIMIT", b"COUNT", b"STORE", b"STOREDIST", b"BY", b"GET", b"MATCH", b"TYPE", b"ASC", b"DESC",
         b"ALPHA", b"BYSCORE", b"BYLEX", b"REV", b"WEIGHTS", b"AGGREGATE", b"SUM", b"NX", b"XX", b"GT", b"LT", b"CH",
         b"INCR", b"EX", b"PX", b"EXAT", b"KEEPTTL", b"RANK", b"MAXLEN", b"MINID", b"STREAMS", b"GROUP", b"MKSTREAM",
         b"BLOCK", b"JUSTID", b"FORCE", b"LEFT", b"RIGHT", b"BEFORE", b"u8", b"i64", b"u63", b"u64", b"#1", b"OVERFLOW",
         b"SET", b"AND", b"NOT", b"FROMMEMBER", b"FROMLONLAT", b"BYBOX", b"BYRADIUS", b"km", b"WITHCOORD", b"REPLACE",
         b"FULL", b"CREATE", b"SETID", b"DESTROY", b"WITHVALUES", b"LEN", b"IDX", b"KEYS", b"STRINGS", b"help"]
KEYS = [b"s", b"n", b"l", b"set", b"int", b"h", b"z", b"big", b"x", b"hll", b"g", b"none", b"other"]
SETUP = ["SET s text", "SET n 10", "RPUSH l a b c 1 2 3", "SADD set a b c", "SADD int 1 2 3", "HSET h a 1 b 2",
         "ZADD z 1 a 2 b 3 c", "ZADD big " + " ".join(f"{i} m{i}" for i in range(300)), "XADD x 1-1 a b",
         "XGROUP CREATE x g 0", "PFADD hll a b c", "GEOADD g 13.3 38.1 a 15.0 37.5 b"]


@pytest.fixture(scope="module")
def server(shared_farm):
    return shared_farm.redwing({"proto-max-bulk-len": "512mb", "lua-time-limit": "200"})


@pytest.fixture
def client(server):
    with server.client() as one:
        one.call("FLUSHALL")
        yield one


def memory(server):
    """What the process holds, in bytes: what was asked of the system and touched."""
    with open(f"/proc/{server.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def lives(server):
    assert server.alive() and server.call("PING") == b"PONG"


# The protocol.

def broken_requests(source):
    """Bytes that begin as a request may and then go wrong somewhere."""
    kind = source.randrange(6)
    if kind == 0:
        return source.randbytes(source.randrange(1, 200))
    good = b"".join(encode(*[source.choice(WORDS + KEYS) for _ in range(source.randrange(1, 6))]) for _ in range(3))
    if kind == 1:
        return good[:source.randrange(len(good))]
    if kind == 2:
        bad = bytearray(good)
        for _ in range(source.randrange(1, 5)):
            bad[source.randrange(len(bad))] = source.randrange(256)
        return bytes(bad)
    if kind == 3:
        number = source.choice([b"-1", b"1048577", b"99999999999999999999", b"", b"x", b"536870913", b"-2147483649", b"2 "])
        return b"*" + number + b"\r\n$" + source.choice([number, b"3"]) + b"\r\nGET\r\n"
    if kind == 4:
        return b"GET " + source.choice([b'"unbalanced', b"'x", b'"a"b', b'"\\xzz"', b"\x00"]) + b"\r\n"
    return source.choice([b"\r\n" * 50, b"*0\r\n", b"*1\r\n$0\r\n\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab\r\n\r\n",
                          b"x" * 70000, b"*1\r\n$" + b"1" * 70000, b"$5\r\nhello\r\n", b"+OK\r\n", b":1\r\n"])


@pytest.mark.parametrize("seed", SEEDS)
def test_random_bytes(server, seed):
    source = random.Random(seed)
    for _ in range(150):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
            peer.settimeout(0.002)
            try:
                for _ in range(source.randrange(1, 4)):
                    data = broken_requests(source)
                    if b"SHUTDOWN" not in data.upper():
                        peer.sendall(data)
                peer.recv(65536)
            except OSError:
                pass
    lives(server)
    eventually(lambda: server.info("clients")["connected_clients"] == "1")


# Commands.

def random_requests(table, source, count):
    for _ in range(count):
        name, arity = source.choice(table)
        words = abs(arity) - 1 + (source.randrange(5) if arity < 0 else 0)
        request = [name]
        for _ in range(words):
            kind = source.random()
            request.append(source.choice(KEYS) if kind < 0.45 else source.choice(WORDS) if kind < 0.95
                           else source.randbytes(source.randrange(20)))
        # A list of a gigabyte of zeros is what SETRANGE and SETBIT are for: once is enough.
        if name.upper() in (b"SETRANGE", b"SETBIT", b"BITFIELD") and any(len(one) > 8 and one.isdigit() for one in request[1:]):
            continue
        yield request


@pytest.mark.parametrize("seed", SEEDS)
def test_random_commands(server, client, seed):
    source = random.Random(1000 + seed)
    table = [(row[0], row[1]) for row in client.call("COMMAND") if row[0].decode() not in NOT_RANDOM]
    blocking = {b"blpop", b"brpop", b"brpoplpush", b"blmove", b"bzpopmin", b"bzpopmax", b"xread", b"xreadgroup"}
    before = memory(server)
    other = server.client(timeout=20)
    for start in range(0, 4000, 200):
        for line in SETUP:
            client.call_or_error(*line.split())
        batch = list(random_requests(table, source, 200))
        try:
            # Inside a transaction nothing blocks.
            for request in batch:
                if request[0] in blocking or any(word.upper() == b"BLOCK" for word in request):
                    other.pipeline([("MULTI",), request, ("EXEC",)])
                else:
                    other.call_or_error(*request)
        except (Closed, OSError):
            lives(server)
        other.close()
        other = server.client(timeout=20)
        if start % 1000 == 0:
            client.call("DEBUG", "DIGEST")
    other.close()
    client.call("DEBUG", "RELOAD")
    lives(server)
    client.call("FLUSHALL")
    assert memory(server) - before < 300 << 20


# Counts and offsets.

HUGE = [
    ("SETRANGE k 536870912 x", "string exceeds maximum allowed size"),
    ("SETRANGE k 9223372036854775807 x", "string exceeds maximum allowed size"),
    ("SETRANGE k -1 x", "offset is out of range"),
    ("SETBIT k 4294967296 1", "bit offset is not an integer or out of range"),
    ("SETBIT k -1 1", "bit offset"),
    ("BITFIELD k SET i64 #67108864 1", "bit offset"),
    ("BITFIELD k GET u64 0", "Invalid bitfield type"),
    ("GETRANGE s 0 9223372036854775807", b"text"), ("GETRANGE s -9223372036854775808 9223372036854775807", b"text"),
    ("LRANGE l -9223372036854775808 9223372036854775807", 6), ("LRANGE l 9223372036854775807 9223372036854775807", 0),
    ("LTRIM l -9223372036854775808 9223372036854775807", b"OK"), ("LINDEX l 9223372036854775807", None),
    ("LPOS l a RANK 9223372036854775807", None), ("LPOS l a COUNT 0 MAXLEN 9223372036854775807", 1),
    ("LPOS l a RANK -9223372036854775808", "RANK can't|out of range"), ("LPOP l 9223372036854775808", "out of range"),
    ("SRANDMEMBER set -9223372036854775808", "out of range"), ("SRANDMEMBER set -4611686018427387904", "out of range"),
    ("SRANDMEMBER set 9223372036854775807", "out of range|3"), ("SPOP int 9223372036854775807", 3),
    ("ZRANDMEMBER z -9223372036854775808", "out of range"), ("ZRANDMEMBER z -9223372036854775807 WITHSCORES", "out of range"),
    ("HRANDFIELD h -9223372036854775808", "out of range"), ("HRANDFIELD h -4611686018427387904 WITHVALUES", "out of range"),
    ("ZRANGE z -9223372036854775808 9223372036854775807", 3), ("ZRANGE z 0 9223372036854775807 REV", 3),
    ("ZRANGEBYSCORE z -inf +inf LIMIT 9223372036854775807 9223372036854775807", 0),
    ("ZRANGEBYSCORE z -inf +inf LIMIT -9223372036854775808 -9223372036854775808", 0),
    ("ZPOPMIN z 9223372036854775807", 6), ("ZUNIONSTORE d 9223372036854775807 a", "syntax|out of range"),
    ("ZUNIONSTORE d -1 a", "at least 1 input key"), ("SORT l LIMIT 0 9223372036854775807 ALPHA", 6),
    ("SORT l LIMIT -9223372036854775808 9223372036854775807 ALPHA", 6), ("SORT l LIMIT 9223372036854775807 9223372036854775807 ALPHA", 0),
    ("SORT l LIMIT 5 -9223372036854775808 ALPHA", "any"), ("SCAN 18446744073709551615 COUNT 9223372036854775807", "any"),
    ("SSCAN set 0 COUNT 9223372036854775807", "any"), ("XADD x MAXLEN -1 * a b", "must be >= 0"),
    ("XADD x MAXLEN 9223372036854775807 * a b", "any"), ("XRANGE x - + COUNT 9223372036854775807", "any"),
    ("XREAD COUNT 9223372036854775807 STREAMS x 0", "any"), ("XPENDING x g - + 9223372036854775807", 0),
    ("XAUTOCLAIM x g c 0 0 COUNT 9223372036854775807", "COUNT must be"), ("EVAL return 9223372036854775807", "number of args"),
    ("EVAL return 9223372036854775807 a", "greater than number of args|out of range"), ("EVAL return -1", "negative"),
    ("EXPIRE s 9223372036854775807", "invalid expire time"), ("PEXPIRE s 9223372036854775807", "invalid expire time"),
    ("SET s v EX 9223372036854775807", "invalid expire time"), ("GETEX s EX 9223372036854775807", "invalid expire time"),
    ("RESTORE r 9223372036854775807 x", "checksum"), ("INCRBY n 9223372036854775807", "overflow"),
    ("DECRBY n -9223372036854775808", "overflow"), ("INCRBYFLOAT n inf", "NaN or Infinity|valid float"),
    ("LINSERT l BEFORE a", "number of arguments"), ("OBJECT FREQ s", "any"), ("MEMORY USAGE s SAMPLES 9223372036854775807", "any"),
    ("SLOWLOG GET 9223372036854775807", "any"), ("GEORADIUS g 0 0 1e308 km COUNT 9223372036854775807", "any"),
    ("GEOSEARCH g FROMLONLAT 0 0 BYBOX 1e308 1e308 km", "any"), ("BITCOUNT s -9223372036854775808 9223372036854775807", "any"),
    ("BITPOS s 1 9223372036854775807 -9223372036854775808", -1), ("BLPOP none 9223372036854775807", "timeout|any"),
    ("CLIENT PAUSE 9223372036854775808", "timeout"), ("STRALGO LCS STRINGS a b MINMATCHLEN 9223372036854775807 IDX", "any"),
]


@pytest.mark.parametrize("row", HUGE, ids=[row[0][:60] for row in HUGE])
def test_huge_numbers(server, client, row):
    command, expected = row
    for line in SETUP:
        client.call(*line.split())
    before = memory(server)
    if command.startswith("BLPOP"):
        client.pipeline([("MULTI",), command.split(), ("EXEC",)])
        return lives(server)
    reply = client.call_or_error(*command.split())
    if isinstance(expected, str):
        wanted = expected.split("|")
        if "any" not in wanted:
            text = str(reply) if isinstance(reply, ReplyError) else str(len(reply))
            assert any(one in text for one in wanted), reply
    elif isinstance(expected, int) and isinstance(reply, list):
        assert len(reply) == expected
    else:
        assert reply == expected
    lives(server)
    assert memory(server) - before < 32 << 20


SAMPLERS = ["SRANDMEMBER members {}", "HRANDFIELD fields {}", "HRANDFIELD fields {} WITHVALUES", "ZRANDMEMBER scores {}",
            "ZRANDMEMBER scores {} WITHSCORES", "HRANDFIELD packed {}", "SRANDMEMBER int {}", "ZRANDMEMBER z {}"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_more_random_elements_than_memory(server, client, sampler):
    """Refused before the first is written, also where the elements are small and only their number is large."""
    for line in SETUP:
        client.call(*line.split())
    long = [f"{i}" * 500 for i in range(10, 40)]
    client.call("SADD", "members", *long)
    client.call("HSET", "fields", *[word for one in long for word in (one, one)])
    client.call("ZADD", "scores", *[word for i, one in enumerate(long) for word in (i, one)])
    client.call("HSET", "packed", *[word for i in range(100) for word in (i, "")])
    before = memory(server)
    for count in (-(1 << 27), -100000000, -4000000000000000000, -(1 << 63) + 1, -(1 << 63), -(1 << 62), 1 << 63):
        reply = client.call_or_error(*sampler.format(count).split())
        assert "out of range" in str(reply), (count, str(reply)[:100])
    for count, most in ((-5000, 5000), (5000, 100)):
        reply = client.call(*sampler.format(count).split())
        assert len(reply) in (most, 2 * most) if count < 0 else 0 < len(reply) <= 2 * most
    lives(server)
    assert memory(server) - before < 300 << 20


def test_a_client_over_its_limit_is_closed_amid_its_random_elements(server, client):
    client.call("SADD", "members", "x" * 1000)
    client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0")
    try:
        before = memory(server)
        with server.client() as other, pytest.raises((Closed, ConnectionError)):
            other.call("SRANDMEMBER", "members", -400000)
        assert memory(server) - before < 64 << 20
    finally:
        client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
    lives(server)


def test_the_largest_string_is_allowed(server, client):
    assert client.call("SETRANGE", "k", 536870911, "x") == 536870912
    assert client.call("STRLEN", "k") == 536870912
    assert "exceeds maximum" in str(client.call_or_error("APPEND", "k", "x"))
    assert client.call("GETRANGE", "k", -1, -1) == b"x"
    assert client.call("BITPOS", "k", 1, -4, -1) == 536870911 * 8 + 1
    client.call("UNLINK", "k")
    eventually(lambda: memory(server) < 300 << 20)


SCRIPTS = ["return unpack({}, 1, 1e8)", "return {unpack({}, 1, 7000)}", "return string.rep('x', 2^31)",
           "local t = {} for i = 1, 8e6 do t[i] = i end return redis.call('RPUSH', 'l', unpack(t))",
           "local t = {} t[1] = t return t", "local t = {} for i = 1, 1000 do t = {t} end return t",
           "local t = {} for i = 1, 5000 do t = {t} end return cjson.encode(t)", "return cjson.decode(string.rep('[', 100000))",
           "return cmsgpack.unpack(string.rep('\\x91', 200000))", "return cmsgpack.unpack('\\xdd\\xff\\xff\\xff\\xff')",
           "return struct.pack('c2147483647', 'x')", "return struct.unpack('>I999', 'x')", "return bit.lshift(1, 1e18)",
           "return string.format('%99999d', 1)", "return ('x'):rep(100000):find(('a?'):rep(2000))", "error({})",
           "return redis.call(unpack({'SET'}))", "return redis.call()", "return redis.sha1hex()", "return redis.pcall({})"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one[:50])
def test_scripts_that_ask_for_too_much(server, client, script):
    client.send(encode("EVAL", script, 0))
    client.read_raw()
    lives(server)


# Payloads.

@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_payloads(server, client, seed):
    """RESTORE of thousands of mutated values: refused, or a value that all commands can handle."""
    source = random.Random(seed)
    fill_all_types(client, n=150, seed=seed, databases=(0,))
    for line in SETUP:
        client.call_or_error(*line.split())
    client.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">")
    dumps = [client.call("DUMP", key) for key in sorted(client.call("KEYS", "*"))]
    dumps = [dump for dump in dumps if len(dump) < 20000]
    before = memory(server)
    taken = 0
    for _ in range(2500):
        data = bytearray(source.choice(dumps))
        body = len(data) - 10
        for _ in range(source.randrange(1, 4)):
            kind = source.randrange(4)
            at = source.randrange(max(1, body))
            if kind == 0:
                data[at] = source.randrange(256)
            elif kind == 1:
                data[at] ^= 1 << source.randrange(8)
            elif kind == 2:
                data[at:at + source.randrange(1, 5)] = b"" if len(data) > 30 else b"x"
            else:
                data[at:at] = source.randbytes(source.randrange(1, 5))
        data = signed(bytes(data[:-8]))
        reply = client.call_or_error("RESTORE", "damaged", 0, data, "REPLACE")
        if not isinstance(reply, ReplyError):
            taken += 1
            client.pipeline([("DEBUG", "DIGEST-VALUE", "damaged"), ("DUMP", "damaged"), ("OBJECT", "ENCODING", "damaged"),
                             ("COPY", "damaged", "copy", "REPLACE"), ("SORT", "damaged", "ALPHA", "STORE", "d"),
                             ("LPUSH", "damaged", "x"), ("LRANGE", "damaged", 0, -1), ("SADD", "damaged", "x"),
                             ("SPOP", "damaged"), ("ZADD", "damaged", 1, "x"), ("ZRANGE", "damaged", 0, -1),
                             ("HSET", "damaged", "x", "y"), ("HGETALL", "damaged"), ("XADD", "damaged", "*", "a", "b"),
                             ("XRANGE", "damaged", "-", "+"), ("XINFO", "STREAM", "damaged", "FULL"), ("APPEND", "damaged", "x"),
                             ("DEL", "damaged")])
    lives(server)
    client.call("DEBUG", "RELOAD")
    client.call("FLUSHALL")
    lives(server)
    assert taken > 0
    assert memory(server) - before < 300 << 20


def signed(data):
    """The payload with the checksum that belongs to it."""
    return data + crc64(data).to_bytes(8, "little")


TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x95AC9329AC4BC9B5 if _byte & 1 else 0)
    TABLE.append(_byte)


def crc64(data):
    crc = 0
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def test_the_checksum_is_that_of_redis(client):
    client.call("SET", "k", "v" * 100)
    dump = client.call("DUMP", "k")
    assert signed(dump[:-8]) == dump


# What one client may hold.

def test_a_client_that_doesnt_read_is_cut_off(server, client):
    client.call("SET", "big", "x" * 1000000)
    client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 20000000 0 0")
    try:
        with server.client() as greedy:
            greedy.send(encode("GET", "big") * 2000)
            eventually(lambda: server.info("clients")["connected_clients"] == "2")
        assert memory(server) < 400 << 20
    finally:
        client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
    lives(server)


def test_a_query_without_an_end_is_cut_off(server, client):
    client.call("CONFIG", "SET", "client-query-buffer-limit", "2mb")
    try:
        with server.client() as endless:
            with pytest.raises((Closed, OSError)):
                endless.send(b"*1000000\r\n")
                for _ in range(200):
                    endless.send(b"$100000\r\n" + b"x" * 100000 + b"\r\n")
                endless.read()
    finally:
        client.call("CONFIG", "SET", "client-query-buffer-limit", "1gb")
    lives(server)


def test_big_requests_before_a_password_are_refused(farm):
    server = farm.redwing({"requirepass": "secret"})
    for data, text in ((b"*11\r\n", b"unauthenticated multibulk length"), (b"*1\r\n$16385\r\n", b"unauthenticated bulk length")):
        with server.client() as stranger:
            stranger.send(data)
            assert text in stranger.read_raw()
            with pytest.raises((Closed, OSError)):
                stranger.read_raw()
