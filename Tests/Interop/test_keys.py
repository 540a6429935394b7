# SPDX-License-Identifier: BSD-3-Clause
"""Keys, expiry and SCAN against a stock redis-server."""

import time

import pytest

from lab.servers import eventually

ROWS = {
    "DEL, UNLINK, EXISTS, TOUCH": ["MSET a 1 b 2 c 3", "DEL a none b", "EXISTS a b c c", "TOUCH c x",
                                   "UNLINK c", "UNLINK c", "DBSIZE"],
    "TYPE": ["SET s x", "LPUSH l x", "SADD t x", "ZADD z 1 x", "HSET h f v", "XADD x 1-1 f v",
             "TYPE s", "TYPE l", "TYPE t", "TYPE z", "TYPE h", "TYPE x", "TYPE none"],
    "KEYS": ["MSET foo 1 bar 2 foobar 3", "KEYS *", "KEYS foo*", "KEYS ?oo", "KEYS [fb]*",
             "KEYS none", "KEYS foo"],
    "RENAME": ["RENAME a b", "SET a 1 EX 100", "RENAME a b", "TTL b", "GET b", "SET c 2",
               "RENAMENX b c", "RENAMENX b d", "RENAME d c", "GET c", "RENAME c c", "RENAMENX c c",
               "RENAME x x"],
    "MOVE": ["SET a 1 EX 100", "MOVE a 1", "EXISTS a", "SELECT 1", "TTL a", "MOVE a 1", "SELECT 0",
             "SET a 2", "MOVE a 1", "MOVE none 1"],
    "COPY": ["SET a 1 EX 100", "COPY a b", "TTL b", "COPY a b", "COPY a b REPLACE", "COPY a a",
             "COPY none c", "COPY a b DB 1", "SELECT 1", "GET b", "SELECT 0", "COPY a a DB 3",
             "COPY a b DB 99", "COPY a b FOO", "HSET h f v", "COPY h h2", "HGETALL h2",
             "RPUSH l 1 2", "COPY l l2", "LRANGE l2 0 -1", "SADD s 1 2", "COPY s s2", "SMEMBERS s2",
             "SADD t x y", "COPY t t2", "SMEMBERS t2", "ZADD z 1 a", "COPY z z2",
             "ZRANGE z2 0 -1 WITHSCORES", "XADD x 1-1 f v", "COPY x x2", "XRANGE x2 - +"],
    "SWAPDB": ["SET a 1", "SWAPDB 0 1", "EXISTS a", "SELECT 1", "GET a", "SWAPDB 0 1", "SWAPDB a 1",
               "SWAPDB 0 b", "SWAPDB 0 99", "SWAPDB 1 1", "SELECT 0", "GET a"],
    "FLUSHDB, FLUSHALL": ["SET a 1", "SELECT 1", "SET b 1", "FLUSHDB", "DBSIZE", "SELECT 0", "DBSIZE",
                          "SELECT 1", "SET b 1", "FLUSHALL ASYNC", "SELECT 0", "DBSIZE",
                          "FLUSHALL FOO", "FLUSHDB SYNC", "SET c 1", "GET c", "FLUSHALL SYNC"],
    "OBJECT": ["OBJECT ENCODING none", "SET a x", "OBJECT REFCOUNT a", "OBJECT FREQ a",
               "OBJECT IDLETIME a", "OBJECT FOO a", "RPUSH l 1", "OBJECT ENCODING l", "SADD s 1",
               "OBJECT ENCODING s", "SADD s x", "OBJECT ENCODING s", "ZADD z 1 a",
               "HSET h f v", "OBJECT ENCODING h"],
    "EXPIRE and TTL": ["EXPIRE none 10", "SET a 1", "TTL a", "EXPIRE a 100", "TTL a", "PTTL a",
                       "PEXPIRE a 100000", "EXPIREAT a 33177117420", "EXPIRETIME a", "PEXPIRETIME a",
                       "PEXPIREAT a 33177117420123", "PEXPIRETIME a", "PERSIST a", "PERSIST a",
                       "TTL a", "TTL none", "PTTL none", "EXPIRETIME none", "EXPIRE a -1",
                       "EXISTS a", "SET a 1", "EXPIREAT a 1", "GET a", "EXPIRE a x",
                       "SET a 1", "EXPIRE a 9223372036854775807", "PEXPIRE a 9223372036854775807",
                       "EXPIRE a 0", "EXISTS a"],
    "EXPIRE with conditions": ["SET a 1", "EXPIRE a 100 XX", "EXPIRE a 100 NX", "EXPIRE a 200 NX",
                               "EXPIRE a 50 GT", "EXPIRE a 500 GT", "EXPIRE a 600 LT",
                               "EXPIRE a 60 LT", "TTL a", "PERSIST a", "EXPIRE a 50 GT",
                               "EXPIRE a 50 LT", "EXPIRE a 5 NX XX", "EXPIRE a 5 GT LT",
                               "EXPIRE a 5 FOO", "EXPIRE a 60 XX LT"],
    "SCAN": ["SCAN 0", "SCAN 0 COUNT 0", "SCAN x", "SCAN 0 FOO", "SCAN 0 COUNT x", "SCAN 0 MATCH",
             "SCAN 0 TYPE nosuch", "RANDOMKEY"],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_keys(pair, row):
    pair.run(row)


def test_scan_gives_every_key_once(pair):
    pair.random([("SET", f"key:{n}", n) for n in range(5000)] + [("SADD", f"s{n}", 1) for n in range(50)])
    client = pair.clients()[0]
    seen, cursor = [], b"0"
    while True:
        cursor, keys = client.call("SCAN", cursor, "COUNT", 37, "MATCH", "key:*")
        seen += keys
        if cursor == b"0":
            break
    assert len(seen) == len(set(seen)) == 5000
    seen, cursor = [], b"0"
    while True:
        cursor, keys = client.call("SCAN", cursor, "COUNT", 1000, "TYPE", "set")
        seen += keys
        if cursor == b"0":
            break
    assert len(seen) == len(set(seen)) == 50


def test_dead_keys_go_without_being_asked_for(pair):
    pair.random([("SET", f"key:{n}", n, "PX", 1 + n % 300) for n in range(3000)])
    client = pair.clients()[0]
    eventually(lambda: client.call("DBSIZE") == 0)
    assert client.call("RANDOMKEY") is None


def test_a_key_past_its_time_is_gone_at_once(pair):
    pair.call("SET a 1 PX 30")
    pair.call("SET b 1 PX 30")
    time.sleep(0.05)
    pair.run(["GET a", "EXISTS b", "TTL a", "TYPE a", "INCR b", "TTL b", "SET a 2 KEEPTTL", "TTL a"])


