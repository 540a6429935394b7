# SPDX-License-Identifier: BSD-3-Clause
"""RESP3: after HELLO 3 every family's replies have the same types and bytes as a stock Redis's."""

import pytest

from lab.resp import encode

FAMILIES = {
    "strings": [
        "GET nosuch", "SET q v GET", "GETEX q", "GETDEL q", "GETDEL q", "MGET a b", "INCRBYFLOAT f 1.5", "SET q v NX GET",
        "BITFIELD f GET u8 0", "BITFIELD ff OVERFLOW FAIL SET u1 0 5", "BITPOS nosuch 1", "DUMP nosuch", "GETRANGE nosuch 0 1",
        "SETNX a 1", "MSETNX a 1 b 2", "STRLEN a", "GETSET new v", "PFADD hll a", "PFCOUNT hll",
    ],
    "keys": [
        "KEYS nosuch", "SCAN 0 MATCH nosuch", "OBJECT ENCODING nosuch", "OBJECT FREQ nosuch", "RANDOMKEY", "EXPIRE nosuch 1",
        "TTL nosuch", "TYPE nosuch", "SORT nosuch", "SORT nosuch GET x*", "EXISTS nosuch", "COPY nosuch other",
        "RENAME nosuch other",
    ],
    "lists": [
        "LPOP l", "LPOP l 2", "RPUSH l 1 2", "LPOP l 2", "RPOP l", "LPOS l a", "LPOS l a COUNT 1", "LINDEX l 9", "LRANGE l 0 -1",
        "BLPOP nosuch 0.01", "BRPOPLPUSH nosuch l 0.01", "RPUSH l a", "BLPOP l 1", "LMOVE l m LEFT LEFT", "RPOPLPUSH l m",
        "RPUSH l 3 1 2", "SORT l", "SORT l GET nosuch*",
    ],
    "sets": [
        "SMEMBERS nosuch", "SADD s a", "SMEMBERS s", "SINTER s", "SUNION s", "SDIFF s", "SMISMEMBER s a q", "SSCAN s 0",
        "SRANDMEMBER s 2", "SRANDMEMBER s", "SRANDMEMBER nosuch", "SRANDMEMBER nosuch 2", "SPOP s 0", "SPOP s", "SPOP s",
        "SPOP s 3", "SISMEMBER s a",
    ],
    "hashes": [
        "HGETALL nosuch", "HSET h a 1", "HGETALL h", "HGET h q", "HMGET h a q", "HKEYS h", "HVALS h", "HSCAN h 0",
        "HINCRBYFLOAT h a 1.5", "HRANDFIELD h 1 WITHVALUES", "HRANDFIELD h -2 WITHVALUES", "HRANDFIELD h", "HRANDFIELD nosuch",
        "HRANDFIELD nosuch 2", "HEXISTS h a",
    ],
    "sorted sets": [
        "ZSCORE z x", "ZADD z 1.5 a 2 b", "ZRANGE z 0 -1 WITHSCORES", "ZRANGE z 0 -1", "ZSCORE z a", "ZINCRBY z 1 a",
        "ZMSCORE z a q", "ZRANK z nosuch", "ZADD z INCR 1 a", "ZADD z NX INCR 1 a", "ZUNION 1 z WITHSCORES",
        "ZDIFF 1 z WITHSCORES", "ZINTER 1 z WITHSCORES", "ZREVRANGEBYSCORE z +inf -inf WITHSCORES", "ZSCAN z 0",
        "ZRANDMEMBER nosuch 1", "ZRANDMEMBER nosuch", "ZADD one 1 a", "ZRANDMEMBER one -2 WITHSCORES", "ZADD inf inf a -inf b",
        "ZRANGE inf 0 -1 WITHSCORES", "ZPOPMIN z", "ZPOPMAX z 1", "ZPOPMIN z 1", "ZPOPMAX z", "BZPOPMIN nosuch 0.01",
        "BZPOPMIN one 1",
    ],
    "geo": [
        "GEOADD g 1 2 a", "GEOPOS g a b", "GEORADIUS g 1 2 3 km WITHDIST WITHCOORD WITHHASH", "GEODIST g a b", "GEODIST g a a",
        "GEOHASH g a b", "GEOSEARCH g FROMLONLAT 1 2 BYRADIUS 3 km WITHCOORD",
    ],
    "streams": [
        "XREAD STREAMS x 0", "XADD x 1-1 a b", "XREAD STREAMS x 0", "XREAD STREAMS x $", "XGROUP CREATE x g 0",
        "XREADGROUP GROUP g c STREAMS x >", "XREADGROUP GROUP g c STREAMS x >", "XPENDING x g", "XPENDING nosuch g",
        "XINFO CONSUMERS nosuch g", "XCLAIM x g d 0 1-1", "XRANGE x - +", "XLEN x", "XADD x NOMKSTREAM 1-1 a b",
        "XADD nosuch NOMKSTREAM 1-1 a b", "XDEL x 1-1", "XREADGROUP GROUP g d STREAMS x 0",
    ],
    "scripts": [
        "HSET h a 1", "EVAL 'return {true,false,1,nil}' 0", "EVAL 'redis.setresp(3) return {double=1.5}' 0",
        "EVAL 'redis.setresp(3) return {map={a=1}}' 0", "EVAL 'return {set={a=true}}' 0", "EVAL 'return true' 0",
        "EVAL 'return false' 0", "EVAL 'redis.setresp(3) return redis.call(\"hgetall\",\"h\")' 0",
        "EVAL 'redis.setresp(3) return redis.call(\"zscore\",\"z\",\"no\")' 0",
        "EVAL 'redis.setresp(3) return redis.call(\"smembers\",\"no\")' 0", "EVAL 'return redis.call(\"hgetall\",\"h\")' 0",
        "EVAL 'return {ok=\"X\"}' 0", "EVAL 'return {double=1/0}' 0", "EVAL 'return {big_number=\"123\"}' 0",
        "EVAL 'return {verbatim_string={format=\"txt\",string=\"x\"}}' 0", "SCRIPT EXISTS a",
    ],
    "transactions": [
        "MULTI", "GET nosuch", "HGETALL h", "ZSCORE z q", "EXEC", "WATCH a", "SET a 1", "MULTI", "EXEC", "MULTI", "DISCARD",
    ],
    "pubsub": [
        "SUBSCRIBE a", "PING", "ECHO still", "UNSUBSCRIBE a", "PING", "PSUBSCRIBE p*", "PUNSUBSCRIBE", "UNSUBSCRIBE",
        "PUBSUB CHANNELS", "PUBSUB NUMPAT", "PUBSUB NUMSUB a",
    ],
    "server": [
        "CONFIG GET maxmemory", "CONFIG GET nosuch", "ROLE", "CLIENT GETNAME", "CLIENT LIST ID 99", "CLIENT TRACKINGINFO",
        "CLIENT GETREDIR", "LATENCY LATEST", "LATENCY DOCTOR", "SLOWLOG GET 0", "ACL GETUSER nosuch", "ACL USERS", "ACL WHOAMI",
        "ACL LOG", "COMMAND GETKEYS GET a", "DEBUG SLEEP 0", "MEMORY USAGE nosuch", "MODULE LIST", "TIME", "DBSIZE",
    ],
    # The reply of each type.
    "types": [f"DEBUG PROTOCOL {one}" for one in
              "string integer double null array set map verbatim true false bignum".split()],
}


@pytest.fixture
def third(pair):
    """The pair, whose first connections speak RESP3."""
    pair.call("HELLO 3", compare="type")
    return pair


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family(third, family):
    for command in FAMILIES[family]:
        third.call(command)


def test_random_elements_have_the_same_types(third):
    """What is drawn differs, its form not: one element to draw."""
    third.run(["SADD s a", "HSET h f v", "ZADD z 1.5 m"])
    for command in ("SRANDMEMBER s -3", "HRANDFIELD h -3 WITHVALUES", "HRANDFIELD h 3 WITHVALUES", "HRANDFIELD h -3",
                    "ZRANDMEMBER z -3 WITHSCORES", "ZRANDMEMBER z 3 WITHSCORES", "ZRANDMEMBER z 3", "SPOP s 2"):
        third.call(command, compare="exact")


def test_a_push_and_the_reply_behind_it(third):
    third.call("DEBUG PROTOCOL push")
    assert third.message() == b"Some real reply following the push reply"
    for connection in third.clients():
        connection.call("HELLO", 2)
    third.call("DEBUG PROTOCOL push")


def test_what_tracking_pushes_stands_before_the_next_reply(third):
    data = b"".join(encode(*command.split()) for command in ("CLIENT TRACKING on", "GET k", "SET k 1", "PING"))
    replies = third.raw(data, replies=5)
    assert replies[3] == [b"invalidate", [b"k"]] and replies[4] == b"PONG"


# As 6.0.7 has them: 7.0 says more.

def test_maps_of_streams_are_maps(third):
    ours = third.clients()[0]
    third.run(["XADD x 1-1 a b", "XGROUP CREATE x g 0", "XREADGROUP GROUP g c STREAMS x >"])
    assert ours.call_raw("XINFO", "GROUPS", "x").startswith(b"*1\r\n%4\r\n")
    assert ours.call_raw("XINFO", "STREAM", "x").startswith(b"%7\r\n")
    assert ours.call_raw("XINFO", "STREAM", "x", "FULL").startswith(b"%6\r\n")
    assert ours.call_raw("XINFO", "CONSUMERS", "x", "g").startswith(b"*1\r\n%3\r\n")
    assert ours.call("XAUTOCLAIM", "x", "g", "d", 0, 0) == [b"0-0", [[b"1-1", [b"a", b"b"]]]]
