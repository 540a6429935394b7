# SPDX-License-Identifier: BSD-3-Clause
"""The words of the stream: for each command what replicas get of it. They are those of a stock Redis
7.0.15, or differ for a reason that stands here by name; each is one that Redis 6.0.7 knows, for a replica
that refuses a command differs from its master for ever; and a stock replica has the same data set after
them."""

import re
import shlex
import time

import pytest

from lab.resp import encode
from lab.servers import eventually
from lab.sync import assert_same, offset, replicate, wait_link_up
from links import DISK, Tap, ask
from pair import arguments_of

# What 6.0.7 takes: command → form of its arguments, `_` standing for one that is no plain word.
KNOWN = {
    **dict.fromkeys(("MULTI", "EXEC"), ""),
    **dict.fromkeys(("SELECT", "RPOP", "LPOP", "INCR", "DECR", "PERSIST"), r"\S+"),
    **dict.fromkeys((
        "SETNX", "APPEND", "GETSET", "RPOPLPUSH", "INCRBY", "DECRBY", "INCRBYFLOAT", "MOVE", "RENAME",
        "RENAMENX", "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "SWAPDB", "PUBLISH", "XSETID"),
        r"\S+ \S+"),
    **dict.fromkeys((
        "SETEX", "PSETEX", "SETBIT", "SETRANGE", "LSET", "LTRIM", "LREM", "SMOVE", "ZINCRBY", "HSETNX",
        "HINCRBY", "HINCRBYFLOAT", "ZREMRANGEBYSCORE", "ZREMRANGEBYRANK", "ZREMRANGEBYLEX"),
        r"\S+ \S+ \S+"),
    **dict.fromkeys((
        "DEL", "UNLINK", "RPUSH", "LPUSH", "RPUSHX", "LPUSHX", "SADD", "SREM", "SINTERSTORE",
        "SUNIONSTORE", "SDIFFSTORE", "ZREM", "HSET", "HMSET", "HDEL", "MSET", "MSETNX", "SORT", "BITOP",
        "BITFIELD", "GEORADIUS", "GEORADIUSBYMEMBER", "PFADD", "PFCOUNT", "PFMERGE", "XACK", "XDEL", "EVAL",
        "EVALSHA"), r"\S+( \S+)*"),
    "SET": r"\S+ \S+( EX \d+| PX \d+| NX| XX| KEEPTTL)*",
    "SPOP": r"\S+( \d+)?",
    "LINSERT": r"\S+ (BEFORE|AFTER) \S+ \S+",
    **dict.fromkeys(("ZPOPMIN", "ZPOPMAX"), r"\S+( \d+)?"),
    "ZADD": r"\S+( NX| XX| CH| INCR)*( [-+.\deINF]+ \S+)+",
    "GEOADD": r"\S+( [-.\d]+ [-.\d]+ \S+)+",
    **dict.fromkeys(("ZUNIONSTORE", "ZINTERSTORE"), r"\S+ \d+( \S+)+"),
    **dict.fromkeys(("FLUSHALL", "FLUSHDB"), "(ASYNC)?"),
    "RESTORE": r"\S+ \d+ _( REPLACE| ABSTTL| IDLETIME \d+| FREQ \d+)*",
    "SCRIPT": r"LOAD \S+|FLUSH",
    "XADD": r"\S+( MAXLEN ([=~] )?\d+)? [-\d*]+( \S+ \S+)+",
    "XTRIM": r"\S+ MAXLEN ([=~] )?\d+",
    "XREADGROUP": r"GROUP \S+ \S+( COUNT \d+)?( NOACK)? STREAMS \S+ \S+",
    "XGROUP": r"(CREATE \S+ \S+ \S+( MKSTREAM)?|SETID \S+ \S+ \S+|DESTROY \S+ \S+|DELCONSUMER \S+ \S+ \S+)",
    "XCLAIM": r"\S+ \S+ \S+ \d+( [-\d]+)+( TIME \d+| RETRYCOUNT \d+| FORCE| JUSTID| LASTID \S+)*",
}

EQUAL = {
    "SELECT where the db changes": [
        "SET a 1", "SELECT 3", "SET a 1", "GET a", "SET b 1", "SELECT 12", "SET a 1", "SELECT 0", "SET b 1"],
    "SET": ["SET a 1", "SET a 2 KEEPTTL", "SET a 2 XX GET", "SET n 2 NX", "SET n 2 NX", "SETNX x 1", "SETNX x 1"],
    "GETSET, GETDEL, GETEX": [
        "SET a 1", "GETSET a 5", "GETDEL a", "GETDEL a", "SET a 1", "GETEX a EX 100", "GETEX a PERSIST",
        "GETEX a PERSIST", "GETEX a", "GETEX a EXAT 1", "SET a 1", "GETEX a PXAT 99999999999999"],
    "times": [
        "SET a 1", "EXPIRE a 100", "PEXPIRE a 100000", "EXPIREAT a 99999999999",
        "PEXPIREAT a 99999999999999", "PERSIST a", "PERSIST a", "EXPIRE none 10"],
    "times that are past": [
        "SET a 1", "EXPIRE a -1", "EXPIRE a 10", "SET a 1", "PEXPIREAT a 1", "SET a 1", "EXPIRE a 0"],
    "numbers": [
        "INCR i", "INCRBY i 5", "DECR i", "DECRBY i 3", "INCRBYFLOAT i 1.5", "INCRBYFLOAT i 1e3",
        "HINCRBYFLOAT h f 1.25", "HINCRBY h g 2"],
    "hashes": [
        "HSETNX h g 1", "HSETNX h g 1", "HMSET h a b", "HSET h a b", "HDEL h a none", "HDEL h none"],
    "parts of strings": [
        "APPEND s x", ("APPEND", "s", ""), "SETRANGE s 3 abc", ("SETRANGE", "s", "3", ""), "BITOP AND d s s",
        "BITOP AND d none none", "BITOP AND d none none", "BITFIELD s SET u8 0 5", "BITFIELD s GET u8 0",
        "BITFIELD_RO s GET u8 0"],
    "many keys": ["MSET a 1 b 2", "MSETNX a 1 c 2", "MSETNX d 1 e 2", "DEL none", "DEL a none", "UNLINK b none"],
    "sets": [
        "SADD s a b c d", "SADD s a", "SREM s zz", "SADD one x", "SPOP one", "SADD two x y", "SPOP two 5",
        "SPOP two", "SADD two x", "SPOP two 0", "SMOVE two three x", "SMOVE two three x",
        "SMOVE three three x", "SUNIONSTORE u s three", "SINTERSTORE u s none", "SINTERSTORE u s none",
        "SDIFFSTORE u s none"],
    "sorted sets": [
        "ZADD z 1 a 2 b 3 c", "ZADD z 1 a", "ZADD z CH 1 a", "ZADD z INCR 2 a", "ZADD z INCR 0 a",
        "ZADD z NX INCR 2 a", "ZINCRBY z 1.5 a", "ZPOPMIN z", "ZPOPMAX z 2", "ZPOPMAX z 2", "ZADD z 1 a 2 b",
        "BZPOPMIN z 1", "BZPOPMAX z 1", "ZADD z 1 a 2 b", "ZREMRANGEBYRANK z 5 6", "ZREMRANGEBYSCORE z 1 1",
        "ZREMRANGEBYLEX z - +", "ZADD z 1 a", "ZUNIONSTORE y 1 z", "ZINTERSTORE y 1 none",
        "ZINTERSTORE y 1 none"],
    "what changes no score": ["ZADD z 5 a", "ZADD z GT 4 a", "ZADD z LT 6 a", "ZADD z XX GT 9 none"],
    "stores of nothing where nothing is": [
        "ZADD z 1 a", "ZRANGESTORE d none 0 -1", "ZRANGESTORE d z 5 9", "ZDIFFSTORE d 2 z z",
        "GEOSEARCHSTORE d none FROMLONLAT 1 1 BYRADIUS 1 km", "COPY none d", "LMOVE none d LEFT LEFT",
        "LPOP none 3"],
    "geo": [
        "GEOADD g 13.361389 38.115556 P 15.087269 37.502669 C", "GEORADIUS g 15 37 200 km STORE gs",
        "GEOADD g NX 1 1 P"],
    "lists": [
        "RPUSH l a b c d", "LPUSHX none a", "LPOP l", "LPOP l 0", "BLPOP l 1", "BRPOP l 1", "RPOPLPUSH l m",
        "RPOPLPUSH l m", "BRPOPLPUSH m n 1", "RPUSH l a b c", "LTRIM l 0 -1", "LSET l 0 z", "LREM l 0 none",
        "LINSERT l BEFORE none x", "LINSERT l BEFORE z x", "LTRIM l 5 6"],
    "names": [
        "SET a 1", "RENAME a b", "RENAMENX b c", "RENAMENX c c", "MOVE c 2", "SWAPDB 0 1", "SWAPDB 1 1",
        "SWAPDB 0 1", "TOUCH c"],
    "adding to streams": [
        "XADD x * a b", "XADD x MAXLEN ~ 1 * a b", "XADD x 9999999999999-1 a b", "XADD x 9999999999999-* a b",
        "XADD none NOMKSTREAM * a b", "XTRIM x MAXLEN ~ 1", "XTRIM x MINID 5", "XDEL x 1-1",
        "XSETID x 99999999999999-5"],
    "groups of streams": [
        "XADD x 5-1 a b", "XADD x 5-2 a b", "XADD x 5-3 a b", "XGROUP CREATE x g 0",
        "XGROUP CREATE y g $ MKSTREAM", "XGROUP CREATE y g $ MKSTREAM", "XREADGROUP GROUP g c STREAMS x >",
        "XREADGROUP GROUP g c STREAMS x >", "XREADGROUP GROUP g c STREAMS x 0", "XCLAIM x g d 0 5-1 JUSTID",
        "XCLAIM x g d 0 5-2", "XCLAIM x g d 0 7-7 FORCE", "XAUTOCLAIM x g e 0 0 COUNT 1",
        "XACK x g 5-3", "XACK x g 5-3", "XGROUP SETID x g 0", "XGROUP DELCONSUMER x g c",
        "XGROUP DESTROY y g", "XGROUP DESTROY y g"],
    "HyperLogLog": ["PFADD p a b", "PFADD p a b", "PFMERGE q p", "PFCOUNT p", "PFCOUNT p q"],
    "transactions": [
        "MULTI", "SET a 1", "SET b 2", "EXEC", "MULTI", "GET a", "EXEC", "MULTI", "SET a 1", "DISCARD",
        "MULTI", "SET a 1", "SELECT 4", "SET a 1", "SELECT 0", "EXEC", "MULTI", "EXEC"],
    "messages": ["PUBLISH channel message"],
    "scripts": [
        ("EVAL", "redis.call('set', 'a', '1'); redis.call('set', 'a', '2')", 0),
        ("EVAL", "return redis.call('get', 'a')", 0),
        ("EVAL", "redis.call('set', 'a', redis.call('time')[1]); redis.call('del', 'a')", 0),
        ("EVAL", "redis.replicate_commands(); redis.set_repl(redis.REPL_NONE); redis.call('set', 'a', 1)", 0),
        ("EVAL", "redis.replicate_commands(); redis.set_repl(redis.REPL_AOF); redis.call('set', 'a', 1)", 0),
        "DEL a"],
    "flushes": ["SET a 1", "FLUSHDB", "FLUSHDB", "FLUSHALL", "FLUSHALL ASYNC"],
    "sorts": ["RPUSH l 3 1 2", "SORT l STORE d", "SORT none STORE d", "SORT none STORE d"],
    "values from elsewhere": [
        "SET a 1", "DUMPED RESTORE b 0", "DUMPED RESTORE b 0", "DUMPED RESTORE b 0 REPLACE",
        "DUMPED RESTORE c 100000", "DUMPED RESTORE c 99999999999999 ABSTTL REPLACE",
        "DUMPED RESTORE c 100000 REPLACE IDLETIME 100", "DUMPED RESTORE none 1 ABSTTL",
        "DUMPED RESTORE none 1 REPLACE ABSTTL", "DUMPED RESTORE c 1 REPLACE ABSTTL"],
    "what never goes": ["WAIT 0 1", "PING", "ECHO x", "OBJECT HELP", "CONFIG SET hz 10", "CLIENT SETNAME a"],
    "a key found dead": ["DEBUG SET-ACTIVE-EXPIRE 0", "SET e v", "PEXPIRE e 1", "DEAD", "GET e"],
}

# Reason → rows. The last command's words are those on the right, between bars; the rest of a row leads
# up to it. <ms> is a time, <blob> a value's dump.
PXAT = "PXAT is of 6.2: SET and its time are two commands in one transaction"
GREATER = "GT and LT are of 6.2: the scores that came of them"
STORED = "commands of 6.2 that store: what they stored"
MOVED = "LMOVE is of 6.2: RPOPLPUSH, or a push and a pop in an order in which no key is gone in between"
POPPED = "LPOP's count is of 6.2: LTRIM"
CONSUMER = "XGROUP CREATECONSUMER is of 6.2: a look at an empty history makes a consumer as well"
MINID = "MINID and NOMKSTREAM are of 6.2: the length that was left"
FRAMED = "a transaction or a script of one write keeps its frame, as in 6.0"
ALONE = "a key found dead is deleted by a command of its own, as in 6.0"
NO_CHANGE = "as in 6.0, though nothing changed"
OPTION = "the option is of 6.2 or 7.0, and done with"
SCRIPTS = "scripts are replicated as in 6.0: replicas have them too"
DIFFERENT = [
    (PXAT, ["SET a 1 EX 100"], "MULTI|SET a 1|PEXPIREAT a <ms>|EXEC"),
    (PXAT, ["SET a 1 PX 100000"], "MULTI|SET a 1|PEXPIREAT a <ms>|EXEC"),
    (PXAT, ["SETEX a 100 v"], "MULTI|SET a v|PEXPIREAT a <ms>|EXEC"),
    (PXAT, ["PSETEX a 100000 v"], "MULTI|SET a v|PEXPIREAT a <ms>|EXEC"),
    (PXAT, ["SET a 1 EXAT 99999999999"], "MULTI|SET a 1|PEXPIREAT a 99999999999000|EXEC"),
    (PXAT, ["SET a 1 PXAT 99999999999999"], "MULTI|SET a 1|PEXPIREAT a 99999999999999|EXEC"),
    (PXAT, ["SET a 2 NX EX 10"], "MULTI|SET a 2|PEXPIREAT a <ms>|EXEC"),
    (PXAT, ["SET a 1", "SET a 3 XX PX 10000 GET"], "MULTI|SET a 3|PEXPIREAT a <ms>|EXEC"),
    (PXAT, ["SET a 1 EXAT 1"], "MULTI|SET a 1|PEXPIREAT a 1000|EXEC"),
    (OPTION, ["SET a 1 PX 10000", "EXPIRE a 100 XX"], "PEXPIREAT a <ms>"),
    (OPTION, ["SET a 1 PX 10000", "EXPIRE a 100 GT"], "PEXPIREAT a <ms>"),
    (OPTION, ["SET a 1 PX 100000", "EXPIRE a 10 LT"], "PEXPIREAT a <ms>"),
    (OPTION, ["FLUSHDB SYNC"], "FLUSHDB"),
    (OPTION, ["FLUSHALL SYNC"], "FLUSHALL"),
    (GREATER, ["ZADD z 1 a 5 b", "ZADD z GT CH 2 a 4 b 1.5 c"], "ZADD z 2 a 5 b 1.5 c"),
    (GREATER, ["ZADD z 1 a 5 b", "ZADD z LT 2 a 4 b"], "ZADD z 1 a 4 b"),
    (GREATER, ["ZADD z 1 a", "ZADD z XX GT 2 a 1 none"], "ZADD z 2 a"),
    (GREATER, ["ZADD z 1 a", "ZADD z GT INCR 0.5 a"], "ZADD z 1.5 a"),
    (STORED, ["ZADD z 1 a 2 b", "ZRANGESTORE d z 0 0"], "RESTORE d 0 <blob> REPLACE ABSTTL"),
    (STORED, ["SET d x EX 100", "ZADD z 1 a", "ZRANGESTORE d z 0 -1"], "RESTORE d 0 <blob> REPLACE ABSTTL"),
    (STORED, ["SET d x", "ZRANGESTORE d none 0 -1"], "DEL d"),
    (STORED, ["ZADD z 1 a 2 b", "ZADD y 1 b", "ZDIFFSTORE d 2 z y"], "RESTORE d 0 <blob> REPLACE ABSTTL"),
    (STORED, ["ZADD z 1 a", "ZDIFFSTORE z 2 z z"], "DEL z"),
    (STORED, ["GEOADD g 15 37 a", "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 9 km STOREDIST"],
     "RESTORE d 0 <blob> REPLACE ABSTTL"),
    (STORED, ["SET a 1", "COPY a b"], "RESTORE b 0 <blob> REPLACE ABSTTL"),
    (STORED, ["HSET a f 1", "PEXPIREAT a 99999999999999", "SET b 1", "COPY a b REPLACE"],
     "RESTORE b 99999999999999 <blob> REPLACE ABSTTL"),
    (STORED, ["XADD a 1-1 f v", "XGROUP CREATE a g 0", "COPY a b DB 1"],
     "SELECT 1|RESTORE b 0 <blob> REPLACE ABSTTL"),
    (MOVED, ["RPUSH l a b c", "LMOVE l m RIGHT LEFT"], "RPOPLPUSH l m"),
    (MOVED, ["RPUSH l a b c", "LMOVE l m LEFT RIGHT"], "MULTI|RPUSH m a|LPOP l|EXEC"),
    (MOVED, ["RPUSH l a b c", "LMOVE l m LEFT LEFT"], "MULTI|LPUSH m a|LPOP l|EXEC"),
    (MOVED, ["RPUSH l a b c", "LMOVE l m RIGHT RIGHT"], "MULTI|RPUSH m c|RPOP l|EXEC"),
    (MOVED, ["RPUSH l a b c", "LMOVE l l LEFT RIGHT"], "MULTI|RPUSH l a|LPOP l|EXEC"),
    (MOVED, ["RPUSH l a b c", "LMOVE l l LEFT LEFT"], "MULTI|LPUSH l a|LPOP l|EXEC"),
    (MOVED, ["RPUSH l a", "PEXPIREAT l 99999999999999", "LMOVE l l LEFT RIGHT"],
     "MULTI|RPUSH l a|LPOP l|EXEC"),
    (MOVED, ["RPUSH l a b c", "BLMOVE l m RIGHT LEFT 1"], "RPOPLPUSH l m"),
    (MOVED, ["RPUSH l 12 b c", "BLMOVE l m LEFT RIGHT 1"], "MULTI|RPUSH m 12|LPOP l|EXEC"),
    (POPPED, ["RPUSH l a b c d", "LPOP l 3"], "LTRIM l 3 -1"),
    (POPPED, ["RPUSH l a b c d", "RPOP l 3"], "LTRIM l 0 -4"),
    (POPPED, ["RPUSH l a b c d", "LPOP l 9"], "LTRIM l 4 -1"),
    (POPPED, ["RPUSH l a b c d", "RPOP l 9"], "LTRIM l 0 -5"),
    (POPPED, ["RPUSH l a b c d", "LPOP l 1"], "LTRIM l 1 -1"),
    (MINID, ["XADD x 4-1 a b", "XADD x 6-1 a b", "XADD x NOMKSTREAM MINID 5 7-1 a b"],
     "XADD x MAXLEN = 2 7-1 a b"),
    (MINID, ["XADD x 4-1 a b", "XADD x 6-1 a b", "XTRIM x MINID 5"], "XTRIM x MAXLEN = 1"),
    (MINID, ["XADD x 6-1 a b", "XADD x NOMKSTREAM 7-1 a b"], "XADD x 7-1 a b"),
    ("MAXLEN is always said to be exact", ["XADD x 6-1 a b", "XADD x MAXLEN 1 * a b"],
     "XADD x MAXLEN = 1 <ms>-0 a b"),
    ("MAXLEN is always said to be exact", ["XADD x 6-1 a b", "XADD x 7-1 a b", "XTRIM x MAXLEN 1"],
     "XTRIM x MAXLEN = 1"),
    ("ENTRIESREAD is of 7.0", ["XADD x 6-1 a b", "XGROUP CREATE x g 0 ENTRIESREAD 0"], "XGROUP CREATE x g 0"),
    (CONSUMER, ["XGROUP CREATE x g 0 MKSTREAM", "XGROUP CREATECONSUMER x g c"],
     "XREADGROUP GROUP g c STREAMS x 0"),
    (CONSUMER, ["XADD x 6-1 a b", "XGROUP CREATE x g 0", "XREADGROUP GROUP g c NOACK STREAMS x >"],
     "MULTI|XREADGROUP GROUP g c STREAMS x 0|XGROUP SETID x g 6-1|EXEC"),
    ("so that the replica has the consumer too", ["XGROUP CREATE x g 0 MKSTREAM", "XREADGROUP GROUP g c STREAMS x 0"],
     "XREADGROUP GROUP g c STREAMS x 0"),
    (NO_CHANGE, ["SETBIT s 3 1", "SETBIT s 3 1"], "SETBIT s 3 1"),
    (NO_CHANGE, ["SET s a", "BITFIELD s INCRBY u8 0 0"], "BITFIELD s INCRBY u8 0 0"),
    (NO_CHANGE, ["XGROUP CREATE x g 0 MKSTREAM", "XGROUP DELCONSUMER x g none"], "XGROUP DELCONSUMER x g none"),
    (FRAMED, ["MULTI", "SET a 1", "EXEC"], "MULTI|SET a 1|EXEC"),
    (FRAMED, ["MULTI", "GET a", "SELECT 4", "SET a 1", "SELECT 0", "EXEC"], "SELECT 4|MULTI|SET a 1|EXEC"),
    (FRAMED, ["MULTI", "PUBLISH c m", "EXEC"], "MULTI|PUBLISH c m|EXEC"),
    (FRAMED, ["MULTI", "EXPIRE none 1", "SET a 1", "LPUSH a x", "EXEC"], "MULTI|SET a 1|EXEC"),
    (FRAMED, [("EVAL", "return redis.call('set', KEYS[1], 'v')", 1, "k")], "MULTI|SET k v|EXEC"),
    (FRAMED, [("EVAL", "redis.call('set', KEYS[1], 'v'); error('x')", 1, "k")], "MULTI|SET k v|EXEC"),
    (FRAMED, [("EVAL", "redis.call('select', 5); redis.call('set', 'k', 1)", 0)], "SELECT 5|MULTI|SET k 1|EXEC"),
    (FRAMED, [("EVAL", "redis.call('xadd', 'x', '*', 'a', 'b')", 0)], "MULTI|XADD x <ms>-0 a b|EXEC"),
    (FRAMED, [("EVAL", "redis.call('publish', 'c', 'm')", 0)], "MULTI|PUBLISH c m|EXEC"),
    (FRAMED, [("EVAL", "redis.call('flushall')", 0)], "MULTI|FLUSHALL|EXEC"),
    (SCRIPTS, [("SCRIPT", "LOAD", "return")], "SCRIPT LOAD return"),
    (SCRIPTS, ["SCRIPT FLUSH"], "SCRIPT FLUSH"),
    (SCRIPTS, ["SCRIPT FLUSH SYNC"], "SCRIPT FLUSH"),
    (ALONE, ["DEBUG SET-ACTIVE-EXPIRE 0", "SET e 1", "PEXPIRE e 1", "DEAD", "INCR e"], "DEL e|INCR e"),
    (ALONE, ["DEBUG SET-ACTIVE-EXPIRE 0", "SET e 1", "PEXPIRE e 1", "DEAD", "SETNX e 2"], "DEL e|SETNX e 2"),
    ("SET doesn't look for what it replaces",
     ["DEBUG SET-ACTIVE-EXPIRE 0", "SET e 1", "PEXPIRE e 1", "DEAD", "SET e 2"], "SET e 2"),
]

# A client that waits, what another does, on its behalf too.
BLOCKED = {
    "BLPOP": ("BLPOP l 5", ["RPUSH l a b c"]),
    "BRPOP": ("BRPOP l 5", ["LPUSH l a"]),
    "BRPOPLPUSH": ("BRPOPLPUSH l d 5", ["RPUSH l a"]),
    "BZPOPMIN": ("BZPOPMIN z 5", ["ZADD z 1 a"]),
    "BZPOPMAX": ("BZPOPMAX z 5", ["ZADD z 1 a 2 b"]),
    "by a transaction": ("BLPOP l 5", ["MULTI", "RPUSH l a", "SET x 1", "EXEC"]),
    "by a script": ("BLPOP l 5", [("EVAL", "redis.call('rpush', 'l', 'a'); redis.call('set', 'x', 1)", 0)]),
    "not by what comes and goes": ("BLPOP l 5", ["MULTI", "RPUSH l a", "DEL l", "EXEC", "RPUSH l b"]),
    "by a name": ("BLPOP l 5", ["RPUSH m a", "RENAME m l"]),
    "by a sort": ("BLPOP l 5", ["RPUSH m 3 1 2", "SORT m STORE l"]),
    "by a swap of databases": ("BLPOP l 5", ["SELECT 1", "RPUSH l a", "SELECT 0", "SWAPDB 0 1"]),
    "in the db of the one who waits": ("BLPOP l 5", ["SELECT 3", "RPUSH l a", "SELECT 0", "RPUSH l b"]),
    "where the target holds something else": ("BRPOPLPUSH l d 5", ["SET d v", "RPUSH l a"]),
    "a consumer": ("XREADGROUP GROUP g c BLOCK 5000 STREAMS x >", ["XADD x 9999999999998-1 a b"]),
}


class Side:
    """A server, a client of it, and what its stream holds."""

    def __init__(self, server):
        self.server = server
        ask(server, "?", -1)
        self.tap, self.client = Tap(server), server.client()

    def do(self, command):
        words = arguments_of(command)
        if words[0] == "DEAD":
            # No event tells that a key which nobody looks for is past its time.
            return time.sleep(0.005)
        if words[0] == "DUMPED":
            payload = self.client.call("DUMP", "a")
            words = (*words[1:4], payload, *words[4:])
        return self.client.call_or_error(*words)

    def words(self):
        return [normal(words) for words in self.tap.more(offset(self.server)) if words != [b"PING"]]

    def reset(self):
        for command in ("DISCARD", "DEBUG SET-ACTIVE-EXPIRE 1", "SELECT 0", "FLUSHALL", "SCRIPT FLUSH"):
            self.do(command)
        self.words()


def normal(words):
    """A command as one line: times and dumps by name, a word that isn't plain as `_`."""
    texts = [words[0].decode().upper()]
    for word in words[1:]:
        text = word.decode("latin-1")
        # Two entries of one millisecond differ in what follows it; which do is chance.
        text = re.sub(r"^1\d{12}-\d+$", "<ms>-0", text)
        text = re.sub(r"^1\d{12}$", "<ms>", text)
        if words[0].upper() == b"RESTORE" and word is words[3]:
            text = "<blob>"
        elif not re.fullmatch(r"[!-~]+", text):
            text = "_"
        texts.append(text)
    return " ".join(texts)


def is_known(line):
    name, _, rest = line.partition(" ")
    form = KNOWN.get(name)
    rest = rest.replace("<ms>", "1700000000000").replace("<blob>", "_")
    return form is not None and re.fullmatch(form, rest, re.I) is not None


@pytest.fixture(scope="module")
def sides(shared_farm):
    quiet = DISK | {"repl-ping-replica-period": "3600"}
    ours, theirs = (Side(shared_farm.start(kind, quiet)) for kind in ("redwing", "redis"))
    ours.replicas = [shared_farm.start(kind, quiet) for kind in ("redis", "redwing")]
    for replica in ours.replicas:
        replicate(replica, ours.server)
    wait_link_up(*ours.replicas)
    return ours, theirs


@pytest.fixture(autouse=True)
def _fresh(sides):
    for side in sides:
        side.reset()


def check(sides, ours, theirs):
    unknown = [line for line in ours if not is_known(line)]
    assert not unknown, f"6.0.7 would refuse {unknown}"
    assert_same(sides[0].server, *sides[0].replicas)
    return ours, theirs


@pytest.mark.parametrize("row", EQUAL.values(), ids=EQUAL.keys())
def test_the_words_are_those_of_redis(sides, row):
    for side in sides:
        for command in row:
            side.do(command)
    ours, theirs = check(sides, *(side.words() for side in sides))
    assert ours == theirs


@pytest.mark.parametrize("reason, row, expected", DIFFERENT,
                         ids=[" ".join(map(str, arguments_of(row[-1]))) for _, row, _ in DIFFERENT])
def test_the_words_differ_for_a_reason(sides, reason, row, expected):
    framed = "EXEC" in row
    for side in sides:
        for command in row if framed else row[:-1]:
            side.do(command)
        if not framed:
            side.words()
            side.do(row[-1])
    ours, theirs = check(sides, *(side.words() for side in sides))
    assert ours == expected.split("|"), reason
    assert ours != theirs, "no difference: the row belongs into EQUAL"


@pytest.mark.parametrize("waiting, commands", BLOCKED.values(), ids=BLOCKED.keys())
def test_the_words_of_a_wait_are_those_of_redis(sides, waiting, commands):
    results = []
    for side in sides:
        side.do("XGROUP CREATE x g $ MKSTREAM")
        side.words()
        with side.server.client() as client:
            client.send(encode(*shlex.split(waiting)))
            eventually(lambda: side.server.info("clients")["blocked_clients"] == "1")
            for command in commands:
                side.do(command)
            client.read()
        results.append(side.words())
    ours, theirs = check(sides, *results)
    assert framed_or_not(ours) == framed_or_not(theirs)


def framed_or_not(lines):
    """FRAMED is not what these rows are about."""
    return [line for line in lines if line not in ("MULTI", "EXEC")]


def test_a_consumer_without_pending_entries_is_on_the_replicas(sides):
    ours = sides[0]
    for command in ("XADD x 5-1 a b", "XGROUP CREATE x g 0", "XGROUP CREATECONSUMER x g made",
                    "XREADGROUP GROUP g eager NOACK STREAMS x >", "XREADGROUP GROUP g late STREAMS x 0"):
        ours.do(command)
    assert_same(ours.server, *ours.replicas)

    def names(server):
        return sorted(one[1] for one in server.call("XINFO", "CONSUMERS", "x", "g"))
    assert names(ours.server) == [b"eager", b"late", b"made"]
    for replica in ours.replicas:
        assert names(replica) == names(ours.server), replica


def test_a_dump_of_a_later_version_goes_in_one_that_6_0_reads(sides):
    """7.0 writes RDB version 10, with encodings that 6.0 doesn't know."""
    ours, theirs = sides
    theirs.do("HSET h f v g w")
    payload = theirs.client.call("DUMP", "h")
    assert payload[-10:-8] == b"\x0a\x00"
    assert ours.client.call("RESTORE", "h", "0", payload) == b"OK"
    commands = ours.tap.more(offset(ours.server))
    assert commands[-1][0] == b"RESTORE" and commands[-1][3][-10:-8] == b"\x09\x00"
    assert_same(ours.server, *ours.replicas)
    assert ours.replicas[0].call("HGETALL", "h") == [b"f", b"v", b"g", b"w"]
