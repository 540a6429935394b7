# SPDX-License-Identifier: BSD-3-Clause
"""Every write command through mixed chains, Redis 7.0.15 → Redwing → Redis and the other way round: equal
digests and expiries at each end. The table is complete: a write command that it lacks fails a test."""

import itertools

import pytest

from lab import sync
from lab.resp import ReplyError, encode
from lab.servers import eventually
from pair import arguments_of

# A row may hold no command that fails; "!" before one says that an error is what it is about.
FAMILIES = {
    "strings": [
        "SET k v", "SET k w XX GET", "SET new v NX EX 1000", "SET t v PX 900000", "SET t v KEEPTTL",
        "SET at v EXAT 33177117420", "SET pat v PXAT 33177117420000", "SETNX nx v", "SETEX se 1000 v",
        "PSETEX pse 900000 v", "GETSET k old", "GETEX t EX 500", "GETEX t PERSIST", "GETEX k PXAT 33177117420000",
        "SET gone v", "GETDEL gone", "APPEND k more", "SETRANGE k 30 far", "INCR n", "DECR n", "INCRBY n 10",
        "DECRBY n 3", "INCRBYFLOAT n 0.1", "INCRBYFLOAT f 3.0e3", "INCRBYFLOAT f -1e-5", "MSET a 1 b 2 c 3",
        "MSETNX d 4 e 5", "MSETNX d 6 z 7", "SETBIT bits 70 1", "BITFIELD bits SET u8 0 255 INCRBY i5 100 1",
        "BITFIELD bits OVERFLOW SAT INCRBY u2 #9 9", "BITOP AND and bits k", "BITOP NOT not bits",
        "BITOP XOR none missing", "SUBSTR k 0 1", "GETEX a EXAT 1",
        # Asked for, a dead key is deleted, which may otherwise happen between two digests.
        "SET past v PXAT 1", "EXISTS past",
    ],
    "keys": [
        "MSET a 1 b 2 c 3 d 4 e 5 f 6", "DEL a", "UNLINK b missing", "RENAME c c2", "RENAMENX d d2", "COPY e e2",
        "COPY e e3 DB 1", "COPY e e2 REPLACE", "MOVE e 2", "EXPIRE f 1000", "EXPIRE f 2000 GT", "PEXPIRE e2 900000",
        "EXPIREAT c2 33177117420", "PEXPIREAT d2 33177117420000", "PERSIST d2", "EXPIRE f -1", "SET x 1",
        "PEXPIREAT x 1", "TOUCH c2", "SET y 1", "EXPIRE y 100 NX", "SELECT 3", "SET in3 v", "SELECT 0", "SWAPDB 0 3",
        "SET s 1", "SELECT 5", "SET five 5", "FLUSHDB", "SET five 6", "SELECT 0", "SWAPDB 5 0",
    ],
    "flush": ["MSET a 1 b 2", "SELECT 4", "SET c 3", "FLUSHALL ASYNC", "SET d 4", "FLUSHDB SYNC", "SELECT 0",
              "SET e 1", "FLUSHALL", "FLUSHALL", "SET kept 1"],
    "lists": [
        "RPUSH l a b c d e f g", "LPUSH l x y", "LPUSHX l z", "RPUSHX l z", "RPUSHX none z", "LSET l 1 set",
        "LINSERT l BEFORE c before", "LINSERT l AFTER c after", "LREM l 1 z", "LTRIM l 0 8", "LPOP l", "RPOP l 2",
        "RPOPLPUSH l m", "LMOVE l m LEFT RIGHT", "BLPOP none l 1", "BRPOP l 1", "BRPOPLPUSH l m 1",
        "BLMOVE l m RIGHT LEFT 1", "RPUSH one x", "LPOP one", "RPUSH rest 1 2 3", "LPOP rest 10",
    ],
    "sets": [
        "SADD s a b c d e f 1 2 3", "SADD i 1 2 3 4 5 6 7 8 9 10", "SREM s a", "SMOVE s t b", "SPOP s", "SPOP i 3",
        "SPOP i 100", "SADD u 1 2 3", "SINTERSTORE si u s", "SUNIONSTORE su u s t", "SDIFFSTORE sd u s",
        "SINTERSTORE su missing", "SADD big " + " ".join(map(str, range(600))), "SPOP big 250", "SPOP big 349",
        "SPOP big",
    ],
    "hashes": [
        "HSET h a 1 b 2 c 3", "HMSET h d 4 e 5", "HSETNX h f 6", "HINCRBY h a 41", "HINCRBYFLOAT h a 0.3",
        "HINCRBYFLOAT h g 1e20", "HDEL h b missing", "HSET x f v", "HDEL x f", "HSET long f " + "y" * 100,
    ],
    "sorted sets": [
        "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g", "ZADD z XX CH GT 10 a 0 b", "ZADD z INCR 1.1 c", "ZADD z NX 9 h",
        "ZINCRBY z 0.1 c", "ZREM z d", "ZADD y 1 a 2 x", "ZUNIONSTORE u 2 z y WEIGHTS 2 3 AGGREGATE MAX",
        "ZINTERSTORE i 2 z y", "ZDIFFSTORE d 2 z y", "ZRANGESTORE r z 0 2", "ZRANGESTORE s z (1 +inf BYSCORE",
        "ZPOPMIN z", "ZPOPMAX z 2", "BZPOPMIN none z 1", "BZPOPMAX z 1", "ZADD l 0 a 0 b 0 c 0 d",
        "ZREMRANGEBYLEX l [b (d", "ZREMRANGEBYRANK l 0 0", "ZREMRANGEBYSCORE u 3 5", "ZADD e 1 x", "ZPOPMIN e",
        "ZADD inf inf a -inf b", "ZUNIONSTORE none 1 missing",
    ],
    "geo": [
        "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", "GEOADD g NX CH 2 48 Paris",
        "GEORADIUS g 15 37 200 km STORE gs", "GEORADIUSBYMEMBER g Palermo 200 km STOREDIST gd",
        "GEOSEARCHSTORE gss g FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 1",
        "GEOSEARCHSTORE gsd g FROMMEMBER Palermo BYRADIUS 300 km STOREDIST",
    ],
    "streams": [
        "XADD x * a 1", "XADD x * b 2 c 3", "XADD y 1-1 a b", "XADD y 1-* c d", "XADD y 2 e f", "XADD y MAXLEN 2 5-5 g h",
        "XADD y MAXLEN ~ 10 * i j", "XADD y MINID 2 * k l", "XADD y NOMKSTREAM 33177117420000-0 m n", "XDEL y 2-0",
        "XTRIM y MAXLEN 2", "XGROUP CREATE x g 0", "XGROUP CREATE new g $ MKSTREAM", "XGROUP CREATECONSUMER x g idle",
        "XREADGROUP GROUP g c1 COUNT 1 STREAMS x >", "XREADGROUP GROUP g c2 NOACK STREAMS x >", "XADD x 33177117420000-1 d 4",
        "XREADGROUP GROUP g c2 BLOCK 100 STREAMS x >", "XACK x g 33177117420000-1", "XADD x 33177117420000-2 e 5",
        "XREADGROUP GROUP g c2 STREAMS x >", "XCLAIM x g c3 0 33177117420000-2", "XAUTOCLAIM x g c4 0 0",
        "XCLAIM x g c5 0 33177117420000-2 RETRYCOUNT 7 FORCE JUSTID", "XGROUP SETID x g 0", "XGROUP DELCONSUMER x g c1",
        "XGROUP DESTROY new g", "XSETID x 33177117420001-0", "XADD gone 1-1 a b", "XDEL gone 1-1",
    ],
    "hyperloglog": [
        "PFADD h " + " ".join(map(str, range(500))), "PFADD i a b c", "PFMERGE m h i", "PFCOUNT m", "PFADD h 1",
        "PFADD empty", "PFDEBUG TODENSE h", "PFADD h extra", "PFCOUNT h i",
    ],
    "sort": ["RPUSH l 3 1 2", "SADD s c a b", "MSET w1 9 w2 5 w3 7", "SORT l STORE a", "SORT l BY w* DESC STORE b",
             "SORT s ALPHA LIMIT 0 2 STORE c", "SORT l GET # GET w* STORE d", "SORT missing STORE a"],
    "transactions": [
        "MULTI", "SET a 1", "INCR a", "LPUSH l x", "SADD s m n o", "SPOP s", "EXEC", "WATCH a", "MULTI", "SELECT 2",
        "SET b 2", "SELECT 0", "SET c 3", "EXEC", "MULTI", "SET d 4", "DISCARD", "MULTI", "GET a", "EXEC",
        "MULTI", "!LPUSH a wrong", "SET after 1", "EXEC", "MULTI", "PEXPIRE a 900000", "INCRBYFLOAT f 0.1", "EXEC",
    ],
    "scripts": [
        "EVAL \"return redis.call('SET', KEYS[1], ARGV[1])\" 1 k v",
        "EVAL \"for i = 1, 20 do redis.call('RPUSH', KEYS[1], i) end\" 1 l",
        "EVAL \"redis.replicate_commands(); redis.call('SET', KEYS[1], redis.call('TIME')[1])\" 1 time",
        "EVAL \"redis.replicate_commands(); redis.call('SADD', KEYS[1], 1, 2, 3); return redis.call('SPOP', KEYS[1])\" 1 s",
        "EVAL \"redis.call('INCRBYFLOAT', KEYS[1], '0.1'); redis.call('EXPIRE', KEYS[1], 1000)\" 1 f",
        "SCRIPT LOAD \"return redis.call('INCR', KEYS[1])\"",
        "EVALSHA 61636018f4e6b5817b89791bbed242f93fa089e3 1 n", "EVALSHA 61636018f4e6b5817b89791bbed242f93fa089e3 1 n",
        "MULTI", "EVAL \"return redis.call('APPEND', KEYS[1], 'x')\" 1 app", "INCR n", "EXEC",
        "!EVAL \"redis.call('SET', KEYS[1], 1); error('late')\" 1 half", "SCRIPT FLUSH",
        "EVAL \"redis.call('SELECT', 6); redis.call('SET', KEYS[1], 6)\" 1 six", "SET zero 0",
    ],
    "publish": ["SET before 1", "PUBLISH channel message", "SET after 1"],
}
# Not in a table of replies: RESTORE, blocked clients and MIGRATE have tests of their own below.
ELSEWHERE = {"restore", "restore-asking", "migrate"}
# Later than what Redwing has; EVAL and its kin are no write commands by their flags.
LATER = {"blmpop", "bzmpop", "lmpop", "zmpop", "function", "fcall"}

CHAINS = {"redis redwing redis": ("redis", "redwing", "redis"),
          "redwing redis redwing": ("redwing", "redis", "redwing"),
          "redwing redwing redis": ("redwing", "redwing", "redis")}

AT_ONCE = {"repl-diskless-sync-delay": 0}


class Chain:
    def __init__(self, farm, kinds):
        self.servers = [farm.start(kind, AT_ONCE) for kind in kinds]
        for master, replica in itertools.pairwise(self.servers):
            sync.replicate(replica, master)
            sync.wait_link_up(replica)
        self.master = self.servers[0]

    def assert_same(self):
        sync.assert_same(*self.servers)
        expiries = [[self.expiries(server, db) for db in range(16)] for server in self.servers]
        assert expiries[0] == expiries[1] == expiries[2]
        for server in self.servers[1:]:
            assert int(server.info("stats").get("unexpected_error_replies", 0)) == 0, server
            assert "== CRITICAL ==" not in server.log(), server

    @staticmethod
    def expiries(server, db):
        with server.client() as client:
            client.call("SELECT", db)
            keys = sorted(client.call("KEYS", "*"))
            return list(zip(keys, client.pipeline(("PEXPIRETIME", key) for key in keys)))


@pytest.fixture(scope="module", params=CHAINS.values(), ids=CHAINS.keys())
def chain(request, shared_farm):
    made = Chain(shared_farm, request.param)
    yield made
    for server in made.servers:
        server.stop()


@pytest.fixture
def client(chain):
    with chain.master.client() as one:
        one.call("FLUSHALL")
        yield one


def words(command):
    return arguments_of(command.removeprefix("!"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family(chain, client, family):
    for command in FAMILIES[family]:
        reply = client.call_or_error(*words(command))
        if not command.startswith("!"):
            assert not isinstance(reply, ReplyError), (command, reply)
    chain.assert_same()


def test_the_table_has_every_write_command(chain):
    used = {words(command)[0].lower() for row in FAMILIES.values() for command in row} | ELSEWHERE
    table = chain.master.call("COMMAND")
    writes = {row[0].decode() for row in table if b"write" in [bytes(f) if isinstance(f, bytes) else
                                                              str(f).encode() for f in row[2]]}
    assert writes - used - LATER == set()


def test_restore_of_every_type(chain, client):
    """What either server dumps goes through all of them, with TTLs, and over what was there."""
    for family in ("lists", "sets", "hashes", "sorted sets", "streams", "hyperloglog"):
        for command in FAMILIES[family]:
            client.call_or_error(*words(command))
    for server in chain.servers:
        with server.client() as other:
            dumps = [(key, other.call("DUMP", key)) for key in sorted(other.call("KEYS", "*"))]
        for i, (key, dump) in enumerate(d for d in dumps if not d[0].startswith(b"restored")):
            name = b"restored:" + key
            client.call("RESTORE", name, 0 if i % 2 else 900000, dump, "REPLACE")
            client.call("RESTORE-ASKING", name, 33177117420000, dump, "REPLACE", "ABSTTL")
    chain.assert_same()


def test_blocked_clients_are_served_alike(chain, client):
    with chain.master.client() as one, chain.master.client() as two, chain.master.client() as three:
        waits = [(one, ("BLPOP", "q", 0)), (two, ("BRPOPLPUSH", "q", "to", 0)), (three, ("BLMOVE", "q", "to", "LEFT", "LEFT", 0))]
        for count, (who, request) in enumerate(waits, 1):
            who.send(encode(*request))
            eventually(lambda: chain.master.info("clients")["blocked_clients"] == str(count))
        client.pipeline([("MULTI",), ("RPUSH", "q", "a", "b"), ("RPUSH", "q", "c", "d"), ("EXEC",)])
        for who, _ in waits:
            assert who.read() is not None
        one.send(encode("BZPOPMIN", "z", 0))
        two.send(encode("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "x", ">")
                 if client.call("XGROUP", "CREATE", "x", "g", "$", "MKSTREAM") else b"")
        eventually(lambda: chain.master.info("clients")["blocked_clients"] == "2")
        client.call("ZADD", "z", 1, "a", 2, "b")
        client.call("XADD", "x", "*", "f", "v")
        assert one.read() and two.read()
    chain.assert_same()


def test_streams_groups_are_alike(chain, client):
    for command in FAMILIES["streams"]:
        client.call_or_error(*words(command))
    chain.assert_same()
    seen = []
    for server in chain.servers:
        with server.client() as one:
            group = one.call("XINFO", "GROUPS", "x")[0]
            pending = [row[:2] + row[3:] for row in one.call("XPENDING", "x", "g", "-", "+", 100)]
            names = sorted(row[1] for row in one.call("XINFO", "CONSUMERS", "x", "g"))
            seen.append((group[:8], pending, names))
    assert seen[0] == seen[1] == seen[2]


def test_keys_that_die_and_keys_that_are_evicted(chain, client):
    for i in range(50):
        client.call("SET", f"dying:{i}", "v", "PX", 30 + i)
    eventually(lambda: client.call("DBSIZE") == 0)
    chain.assert_same()
    for i in range(300):
        client.call("SET", f"evicted:{i}", "v" * 1000)
    used = int(chain.master.info("memory")["used_memory"])
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    client.call("CONFIG", "SET", "maxmemory", used - 100000)
    try:
        eventually(lambda: client.call("SET", "more", "v") and client.call("DBSIZE") < 300)
    finally:
        client.call("CONFIG", "SET", "maxmemory", 0)
    chain.assert_same()


# What a 7.0 master sends and 6.2 doesn't know.

def test_a_command_of_a_later_master_marks_the_link(farm):
    master, replica = farm.redis(AT_ONCE), farm.redwing()
    sync.replicate(replica, master)
    sync.wait_link_up(replica)
    assert replica.info("replication")["master_stream_errors"] == "0"
    client = farm.own(master.client())
    client.call("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)")
    client.pipeline([("MULTI",), ("SET", "a", 1), ("FUNCTION", "DELETE", "l"), ("SET", "b", 2), ("EXEC",)])
    # The rest of the stream is applied, that of the transaction as well.
    sync.assert_same(master, replica)
    info = replica.info("replication")
    assert info["master_stream_errors"] == "2"
    assert info["master_stream_last_error"].startswith("function: ERR unknown command `FUNCTION`")
    assert info["master_link_status"] == "up"
    assert replica.log().count("sending an error to its master: 'ERR unknown command `FUNCTION`") == 2
    # Its own words of 7.0 for what 6.2 has are no errors: they come as effects.
    client.call("RPUSH", "l", 1, 2, 3)
    client.call("LMPOP", 1, "l", "LEFT", "COUNT", 2)
    client.call("ZADD", "z", 1, "a", 2, "b")
    client.call("ZMPOP", 1, "z", "MIN")
    sync.assert_same(master, replica)
    assert replica.info("replication")["master_stream_errors"] == "2"
    # A full sync makes the data the master's again.
    replica.call("REPLICAOF", "NO", "ONE")
    sync.replicate(replica, farm.redis(AT_ONCE))
    sync.wait_link_up(replica)
    assert replica.info("replication")["master_stream_errors"] == "0"


def test_an_error_inside_of_a_masters_transaction_is_counted(farm):
    master, replica = farm.redis(AT_ONCE), farm.redwing({"replica-read-only": "no"})
    sync.replicate(replica, master)
    sync.wait_link_up(replica)
    replica.call("LPUSH", "k", "here it is a list")
    with master.client() as client:
        client.pipeline([("MULTI",), ("INCR", "k"), ("SET", "other", 1), ("EXEC",)])
    eventually(lambda: replica.call("GET", "other") == b"1")
    assert replica.info("replication")["master_stream_errors"] == "1"
    assert "WRONGTYPE" in replica.info("replication")["master_stream_last_error"]
