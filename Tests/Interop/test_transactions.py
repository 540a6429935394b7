# SPDX-License-Identifier: BSD-3-Clause
"""MULTI, EXEC, DISCARD and WATCH beside a stock Redis: what queues, what aborts, what spoils."""

import time

import pytest

# A command that begins with "2:" is said by another client.
ROWS = {
    "queued and run": ["MULTI", "SET a 1", "GET a", "EXEC", "GET a", "EXEC", "DISCARD", "MULTI", "EXEC"],
    "discarded": ["MULTI", "SET a 1", "DISCARD", "GET a", "WATCH a", "MULTI", "DISCARD", "2:SET a 2", "MULTI", "EXEC"],
    "nested": ["MULTI", "MULTI", "SET a 1", "WATCH a", "UNWATCH", "EXEC", "GET a"],
    "aborted by what can't be queued": ["MULTI", "SET a 1", "NONSENSE x", "EXEC", "MULTI", "SET a", "SET a 1", "EXEC", "GET a",
                                        "MULTI", "WATCH", "EXEC"],
    "an error while it runs aborts nothing": ["SET s x", "MULTI", "LPUSH s a", "INCR s", "SET t 1", "EXEC", "GET t"],
    "databases": ["MULTI", "SELECT 3", "SET k 3", "SELECT 0", "SET k 0", "EXEC", "SELECT 3", "GET k"],
    "a select in it stays": ["MULTI", "SELECT 4", "EXEC", "SET k v", "2:SELECT 4", "2:GET k"],
    "scripts and transactions": ["MULTI", "EVAL \"return redis.call('INCR', KEYS[1])\" 1 n", "EXEC", "MULTI", "EVAL \"syntax(\" 0", "EXEC"],
    "nothing blocks inside": ["MULTI", "BLPOP none 0", "BRPOPLPUSH a b 0", "BZPOPMIN none 0", "XREAD BLOCK 0 STREAMS x $", "WAIT 1 0", "EXEC"],
    "commands of the session inside": ["MULTI", "PING", "ECHO x", "CLIENT SETNAME me", "CLIENT GETNAME", "PUBLISH c m", "DBSIZE", "TYPE k", "EXEC"],
    "subscribing inside": ["MULTI", "SUBSCRIBE c", "UNSUBSCRIBE c", "EXEC", "GET k"],
    "watched and changed": ["SET a 1", "WATCH a", "2:SET a 2", "MULTI", "SET a 3", "EXEC", "GET a", "MULTI", "GET a", "EXEC"],
    "watched and left alone": ["SET a 1", "WATCH a b c", "2:SET d 2", "2:GET a", "MULTI", "GET a", "EXEC"],
    "changed by oneself": ["WATCH a", "SET a 1", "MULTI", "GET a", "EXEC"],
    "changed, unwatched": ["WATCH a", "2:SET a 1", "UNWATCH", "MULTI", "GET a", "EXEC"],
    "changed before": ["2:SET a 1", "WATCH a", "MULTI", "GET a", "EXEC"],
    "another database": ["WATCH a", "2:SELECT 5", "2:SET a 1", "MULTI", "PING", "EXEC"],
    "of another database": ["SELECT 5", "WATCH a", "SELECT 0", "2:SELECT 5", "2:SET a 1", "MULTI", "PING", "EXEC"],
    "made by a transaction": ["WATCH a", "2:MULTI", "2:SET a 1", "2:EXEC", "MULTI", "PING", "EXEC"],
    "made by a script": ["WATCH a", "2:EVAL \"redis.call('SET', KEYS[1], 1)\" 1 a", "MULTI", "PING", "EXEC"],
    "flushed, there": ["SET a 1", "WATCH a", "2:FLUSHALL", "MULTI", "PING", "EXEC"],
    "flushed, not there": ["WATCH a", "2:FLUSHALL", "MULTI", "PING", "EXEC"],
    "its database flushed": ["SET a 1", "WATCH a", "2:FLUSHDB ASYNC", "MULTI", "PING", "EXEC"],
    "another database flushed": ["SET a 1", "WATCH a", "2:SELECT 2", "2:FLUSHDB", "MULTI", "PING", "EXEC"],
    "flushed by oneself": ["SET a 1", "WATCH a", "FLUSHDB", "MULTI", "PING", "EXEC"],
    "swapped away": ["SET a 1", "WATCH a", "2:SWAPDB 0 1", "MULTI", "PING", "EXEC"],
    "swapped in": ["SELECT 1", "SET a 1", "SELECT 0", "WATCH a", "2:SWAPDB 0 1", "MULTI", "PING", "EXEC"],
    "swapped, in neither": ["WATCH a", "2:SWAPDB 0 1", "MULTI", "PING", "EXEC"],
    "other databases swapped": ["SET a 1", "WATCH a", "2:SWAPDB 2 1", "MULTI", "PING", "EXEC"],
    "renamed away": ["SET a 1", "WATCH a", "2:RENAME a b", "MULTI", "PING", "EXEC"],
    "renamed to": ["SET b 1", "WATCH a", "2:RENAME b a", "MULTI", "PING", "EXEC"],
    "moved": ["SET a 1", "WATCH a", "2:MOVE a 3", "MULTI", "PING", "EXEC"],
    "copied to": ["SET b 1", "WATCH a", "2:COPY b a", "MULTI", "PING", "EXEC"],
    "copied from": ["SET a 1", "WATCH a", "2:COPY a b", "MULTI", "PING", "EXEC"],
    "given a time to live": ["SET a 1", "WATCH a", "2:EXPIRE a 100", "MULTI", "PING", "EXEC"],
    "kept": ["SET a 1 EX 100", "WATCH a", "2:PERSIST a", "MULTI", "PING", "EXEC"],
    "deleted": ["SET a 1", "WATCH a", "2:DEL a", "MULTI", "PING", "EXEC"],
    "not deleted": ["WATCH a", "2:DEL a", "MULTI", "PING", "EXEC"],
    "deleted by its time": ["SET a 1", "WATCH a", "2:EXPIRE a -1", "MULTI", "PING", "EXEC"],
    "served a waiter": ["WATCH q", "2:RPUSH q x", "MULTI", "PING", "EXEC"],
    "stored": ["RPUSH l 1 2", "WATCH d", "2:SORT l STORE d", "MULTI", "PING", "EXEC"],
    "stored nothing over nothing": ["WATCH d", "2:SORT l STORE d", "MULTI", "PING", "EXEC"],
    "stored nothing over something": ["SET d 1", "WATCH d", "2:SUNIONSTORE d none", "MULTI", "PING", "EXEC"],
}
# (before, what may or may not count as a change). SETBIT and BITFIELD that leave all bits as they were
# count in 6.0, and no longer in 7.0.
CHANGES = [
    ("SET a 1", ["SET a 1", "SETNX a 2", "SET a 2 NX", "SET a 2 XX", "GETSET a 1", "APPEND a x", "GETEX a", "GETEX a EX 100",
                 "GETEX a PERSIST", "TOUCH a", "PERSIST a", "INCRBY a 0", "SETRANGE a 0 1", "SETBIT a 7 0", "BITFIELD a GET u8 0",
                 "BITFIELD a SET u8 0 48", "EXPIRE a 100 XX", "MSETNX a 1 b 2", "RENAMENX b a", "COPY a a2", "GETDEL a",
                 "OBJECT ENCODING a", "PFCOUNT x", "LPUSH a x", "SETRANGE a 0 ''", "INCRBYFLOAT a 0"]),
    ("RPUSH a 1 2 3", ["LREM a 0 x", "LTRIM a 0 -1", "LSET a 0 1", "LSET a 9 1", "LINSERT a BEFORE x y", "LPUSHX a 1", "LPOP a 0",
                       "LMOVE a a LEFT LEFT", "RPOPLPUSH a a", "LPOS a 1", "LRANGE a 0 -1", "SORT a STORE b", "RPOP a 3"]),
    ("SADD a 1 2 3", ["SADD a 1", "SREM a x", "SPOP a 0", "SMOVE a b x", "SMOVE a a 1", "SINTERSTORE a a", "SRANDMEMBER a", "SPOP a"]),
    ("HSET a f 1", ["HSET a f 1", "HSETNX a f 2", "HDEL a x", "HINCRBY a f 0", "HGET a f", "HINCRBYFLOAT a f 0", "HMSET a f 1"]),
    ("ZADD a 1 x", ["ZADD a 1 x", "ZADD a NX 2 x", "ZADD a XX 2 y", "ZADD a INCR 0 x", "ZINCRBY a 0 x", "ZREM a y", "ZPOPMIN a 0",
                    "ZREMRANGEBYSCORE a 5 6", "ZADD a GT 0 x", "ZRANGESTORE a a 0 -1", "ZREMRANGEBYRANK a 5 6"]),
    ("XADD a 1-1 f v", ["XADD a 2-2 f v", "XDEL a 9-9", "XTRIM a MAXLEN 10", "XGROUP CREATE a g 0", "XSETID a 5-5", "XADD a NOMKSTREAM 3-3 f v",
                        "XREAD STREAMS a 0", "XACK a g 1-1", "XTRIM a MAXLEN 0"]),
    ("PFADD a x", ["PFADD a x", "PFADD a y", "PFCOUNT a", "PFMERGE a a", "PFMERGE a b"]),
    ("GEOADD a 1 1 x", ["GEOADD a 1 1 x", "GEOADD a NX 2 2 x", "GEORADIUS a 1 1 1 km STORE a", "GEOSEARCHSTORE b a FROMLONLAT 1 1 BYRADIUS 1 km"]),
]


def run(pair, row):
    return [pair.second(command[2:]) if command.startswith("2:") else pair.call(command) for command in row]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_rules(pair, row):
    run(pair, row)
    pair.digest()


@pytest.mark.parametrize("before,command", [(before, command) for before, row in CHANGES for command in row],
                         ids=lambda one: one)
def test_what_counts_as_a_change(pair, before, command):
    pair.call(before)
    pair.call("WATCH a")
    pair.second(command)
    pair.call("MULTI")
    pair.call("PING")
    pair.call("EXEC")


@pytest.mark.parametrize("active", [0, 1])
def test_expiry_of_a_watched_key(pair, active):
    """It spoils, whether or not somebody has deleted it; one that was dead when it was watched does not."""
    pair.each(f"DEBUG SET-ACTIVE-EXPIRE {active}")
    try:
        # Long enough for the WATCH to come while it lives.
        pair.call("SET a 1 PX 1000")
        pair.call("WATCH a")
        time.sleep(1.2)
        pair.call("MULTI")
        pair.call("GET a")
        pair.call("EXEC")
        pair.call("SET a 1 PX 1")
        time.sleep(0.25)
        pair.call("WATCH a")
        pair.call("MULTI")
        pair.call("GET a")
        pair.call("EXEC")
    finally:
        pair.each("DEBUG SET-ACTIVE-EXPIRE 1")


def test_expiry_inside_of_a_transaction_is_seen(pair):
    pair.run(["SET a 1 PX 1", {"command": "DEBUG SLEEP 0.01", "compare": "none"}, "MULTI", "GET a", "SET a 2 NX", "PTTL a", "EXEC"])


def test_blocked_clients_are_served_after_the_transaction(pair):
    pair.send("BLPOP q 0", connection=1)
    pair.blocked(1)
    pair.run(["MULTI", "RPUSH q a", "LPUSH q b", "LRANGE q 0 -1", "EXEC"], digest=False)
    pair.receive(connection=1)
    pair.call("LRANGE q 0 -1")
    pair.send("BLPOP q2 0", connection=1)
    pair.blocked(1)
    pair.run(["MULTI", "RPUSH q2 a", "DEL q2", "EXEC"], digest=False)
    pair.call("RPUSH q2 late")
    pair.receive(connection=1)


def test_events_of_databases_and_of_time(pair):
    """FLUSH, SWAPDB, MOVE, expiry and misses: the same events in the same order."""
    pair.config("notify-keyspace-events", "KEAm")
    pair.call("PSUBSCRIBE __key*__:*", connection=2)
    for command in ("MSET a 1 b 2", "MOVE a 3", "COPY b c DB 2", "RENAME b d", "GET missing", "EXISTS missing", "SWAPDB 0 3", "GET a",
                    "HGET missing f", "SET short v PX 1"):
        pair.call(command)
    time.sleep(0.05)
    pair.call("EXISTS short")
    for command in ("MULTI", "SET m 1", "INCR m", "DEL m", "EXEC", "EVAL \"redis.call('SADD', 's', 'x'); redis.call('SREM', 's', 'x')\" 0",
                    "FLUSHDB", "FLUSHALL", "SET a 1", "EXPIRE a -1", "SET end x"):
        pair.call(command)
    while pair.message(2)[-1] != b"end":
        pass


@pytest.mark.parametrize("flags", ["", "K", "E", "Kg", "E$", "KEl", "Ez", "Kx", "AKE", "KEs$lx", "gKhE", "tE", "nK", "q"])
def test_classes_of_events(pair, flags):
    pair.each(("CONFIG", "SET", "notify-keyspace-events", flags))
    try:
        if "n" not in flags and "d" not in flags:
            pair.call("CONFIG GET notify-keyspace-events")
        if set(flags) & set("nd"):
            return
        pair.call("PSUBSCRIBE * ", connection=2)
        for command in ("SET s v", "LPUSH l a", "SADD t a", "HSET h a 1", "ZADD z 1 a", "XADD x 1-1 a b", "DEL l", "EXPIRE s -1", "GET none"):
            pair.call(command)
        pair.call("PUBLISH done done")
        while pair.message(2)[-1] != b"done":
            pass
    finally:
        pair.each(("CONFIG", "SET", "notify-keyspace-events", ""))
