# SPDX-License-Identifier: BSD-3-Clause
"""From a request to its reply: what is refused and when, what a refusal does to a transaction, which replies
are held back, and how long a client may be told to wait. Beside a stock Redis wherever the two agree."""

import random

import pytest

from lab.resp import ReplyError, encode
from lab.servers import eventually
from lab.sync import replicate, wait_link_up, wait_offsets_equal, wait_online
from links import DISK, refused
from pair import arguments_of

HUGE = 2 ** 63 - 1


# How long to wait.

@pytest.mark.parametrize("time", ["inf", "-inf", "nan", "1e20", "1e300", "1e400", "-1", HUGE, HUGE + 1, "9.3e15"])
@pytest.mark.parametrize("command", ["BLPOP none", "BRPOP none", "BRPOPLPUSH none to", "BLMOVE none to LEFT LEFT",
                                     "BZPOPMIN none", "BZPOPMAX none"])
def test_a_time_that_cant_be_waited(pair, command, time):
    assert isinstance(pair.call(f"{command} {time}"), ReplyError)


WAITS = [f"BLPOP none {HUGE // 10_000}", f"BZPOPMIN none {HUGE // 10_000}", f"WAIT 1 {HUGE}", f"WAIT {HUGE} {HUGE}",
         f"XREAD BLOCK {HUGE} STREAMS x $", f"XREADGROUP GROUP g c BLOCK {HUGE} STREAMS x >"]


@pytest.mark.parametrize("command", WAITS)
def test_a_time_beyond_the_end_of_time(pair, command):
    """Redis waits, so to speak, for ever; it may not be the server's end."""
    pair.call("XGROUP CREATE x g $ MKSTREAM")
    with pair.ours.client() as client:
        client.send(encode(*arguments_of(command)))
        eventually(lambda: pair.ours.info("clients")["blocked_clients"] == "1")
    eventually(lambda: pair.ours.info("clients")["blocked_clients"] == "0")
    assert pair.ours.alive()


def test_a_failover_without_an_end(farm):
    master, replica = farm.redwing(DISK), farm.redwing(DISK)
    replicate(replica, master)
    wait_online(master, 1)
    assert master.call("FAILOVER", "TIMEOUT", HUGE) == b"OK"
    eventually(lambda: replica.info("replication")["role"] == "master")
    assert master.alive()


@pytest.mark.parametrize("time", [HUGE, HUGE - 1, HUGE // 1000 * 999])
def test_a_pause_beyond_the_end_of_time(farm, time):
    server = farm.redwing()
    reply = server.client().call_or_error("CLIENT", "PAUSE", time, "WRITE")
    if time > HUGE - 10_000:
        assert str(reply) == "ERR timeout is out of range"
    else:
        assert reply == b"OK" and server.call("CLIENT", "UNPAUSE") == b"OK"
    assert server.call("SET", "a", "1") == b"OK"


def test_keys_that_live_to_the_end_of_time(farm):
    """Their lives don't add up in 64 bits: the mean time to live must not ask for that."""
    with farm.redwing().client() as client:
        for key in ("a", "b", "c"):
            client.call("SET", key, "v", "PXAT", HUGE)
        assert client.call("EXPIRETIME", "a") == HUGE // 1000 + 1 and client.call("TTL", "b") > HUGE // 2000
        client.call("SET", "soon", "v", "PX", 1)
        eventually(lambda: client.call("DBSIZE") == 3)


# Pauses.

def held(server, *request):
    """A client whose request waits."""
    client = server.client()
    client.send(encode(*request))
    eventually(lambda: b"flags=b" in line_of(server, client))
    return client


def line_of(server, client):
    port = client.socket.getsockname()[1]
    return next(line for line in server.call("CLIENT", "LIST").split(b"\n") if b"addr=127.0.0.1:%d " % port in line)


def test_errors_dont_wait_for_the_end_of_a_pause(pair):
    pair.call("CLIENT PAUSE 100000 WRITE")
    for row in ("SET a", "NONSENSE a b", "GET", "EXEC", "DISCARD", "GET a", "MULTI", "EXEC"):
        pair.second(row)
    client = held(pair.ours, "SET", "a", "1")
    pair.call("CLIENT UNPAUSE")
    assert client.read() == b"OK"


@pytest.mark.parametrize("request_", ["SET a 1", "PUBLISH c m", "EVAL 'return 1' 0", "PFCOUNT h", "XREADGROUP GROUP g c STREAMS x >"])
def test_what_may_write_waits(farm, request_):
    server = farm.redwing()
    server.call("CLIENT", "PAUSE", 100000, "WRITE")
    client = held(server, *arguments_of(request_))
    server.call("CLIENT", "UNPAUSE")
    client.read()


def test_a_pause_keeps_the_data_set_as_it_is(farm):
    master, replica = farm.redwing(DISK), farm.redwing(DISK)
    replicate(replica, master)
    wait_online(master, 1)
    with master.client() as client:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        client.pipeline([("SET", f"dead:{i}", "v", "PX", 1) for i in range(5)])
        eventually(lambda: client.call("PTTL", "dead:4") == -2)
        client.call("CLIENT", "PAUSE", 100000, "WRITE")
        keys = client.call("DBSIZE")
        assert client.call("GET", "dead:0") is None and client.call("TTL", "dead:1") == -2
        assert client.call("EXISTS", "dead:2") == 0 and client.call("TYPE", "dead:3") == b"none"
        wait_offsets_equal(master, replica)
        assert client.call("DBSIZE") == replica.call("DBSIZE") == keys
        client.call("CLIENT", "UNPAUSE")
        assert client.call("GET", "dead:0") is None
        eventually(lambda: client.call("DBSIZE") == replica.call("DBSIZE") == keys - 1)


def test_nothing_is_evicted_under_a_pause(farm):
    """Nor refused for want of memory: who would write waits."""
    server = farm.redwing({"maxmemory-policy": "allkeys-random"})
    with server.client() as client:
        client.pipeline([("SET", f"k:{i}", "v" * 1000) for i in range(20)])
        client.call("CLIENT", "PAUSE", 100000, "WRITE")
        used = int(server.info("memory")["used_memory"])
        client.call("CONFIG", "SET", "maxmemory", used - 10_000)
        writer = held(server, "SET", "a", 1)
        assert client.call("DBSIZE") == 20
        client.call("CLIENT", "UNPAUSE")
        assert writer.read() == b"OK" and client.call("DBSIZE") < 21


def test_a_users_pause_and_a_failovers_are_two(farm):
    from test_failover import deaf
    master = farm.redwing(DISK)
    replica, _ = deaf(farm, master)
    with master.client() as client:
        client.call("SET", "missing", "there")
        assert client.call("FAILOVER") == b"OK"
        client.call("CLIENT", "UNPAUSE")
        writer = held(master, "SET", "a", 1)
        # The user's goes on behind the failover's.
        client.call("CLIENT", "PAUSE", 100000, "WRITE")
        assert client.call("FAILOVER", "ABORT") == b"OK"
        reader = held(master, "SET", "b", 1)
        client.call("CLIENT", "UNPAUSE")
    assert writer.read() == reader.read() == b"OK"


def test_a_master_that_hands_over_refuses_writes(farm):
    """It is a replica already: it says so instead of holding the writer."""
    from test_failover import deaf
    master = farm.redwing(DISK)
    replica, proxy = deaf(farm, master)
    with master.client() as client:
        client.call("SET", "missing", "there")
        client.call("FAILOVER", "TO", "127.0.0.1", replica.port, "FORCE", "TIMEOUT", 100)
        replica.kill()
        eventually(lambda: master.info("replication")["master_failover_state"] == "failover-in-progress")
        assert refused(client.call, "SET", "a", 1).startswith("READONLY")
        assert client.call("FAILOVER", "ABORT") == b"OK"
        assert client.call("SET", "a", 1) == b"OK"


# What a refusal does to a transaction.

REFUSALS = {
    "memory": ("maxmemory", 1), "too few replicas": ("min-replicas-to-write", 1),
}


@pytest.mark.parametrize("directive, value", REFUSALS.values(), ids=REFUSALS.keys())
def test_an_exec_that_is_refused_ends_the_transaction(pair, directive, value):
    pair.config(directive, 0)
    for command in ("SET a 1", "MULTI", "SET a 2"):
        pair.call(command)
    pair.each(f"CONFIG SET {directive} {value}", connection=1)
    for command in ("EXEC", "PING", "DISCARD", "EXEC", "GET a", "MULTI", "EXEC x", "DISCARD"):
        pair.call(command)


def test_an_exec_on_what_became_a_replica(pair):
    pair.call("MULTI")
    pair.call("SET a 2")
    pair.each("REPLICAOF 127.0.0.1 1", connection=1)
    for command in ("EXEC", "PING", "DISCARD"):
        pair.call(command)
    pair.each("REPLICAOF NO ONE", connection=1)


def test_what_is_queued_while_memory_is_short(pair):
    pair.config("maxmemory", 1)
    for command in ("MULTI", "GET x", "PING", "WATCH a", "MULTI", "DISCARD", "MULTI", "EXEC", "MULTI", "PING", "EXEC",
                    "WATCH a", "PUBLISH a b", "XREAD STREAMS a 0", "GET x", "SET x 1"):
        pair.call(command)


# CLIENT REPLY. All in one go; the number is that of the replies that come.

SILENCE = [
    (4, ["PING", "ECHO x", "CLIENT REPLY SKIP", "PING", "ECHO y", "ECHO z"]),
    (4, ["ECHO a", "ECHO b", "CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "ECHO z"]),
    (4, ["CLIENT REPLY SKIP", "MULTI", "ECHO a", "EXEC", "ECHO b", "ECHO z"]),
    (2, ["CLIENT REPLY SKIP", "NONSENSE", "ECHO b", "ECHO z"]),
    (2, ["CLIENT REPLY SKIP", "GET", "ECHO b", "ECHO z"]),
    (2, ["CLIENT REPLY SKIP", "BLPOP none 0.01", "ECHO a", "ECHO z"]),
    (2, ["CLIENT REPLY OFF", "NONSENSE", "GET", "ECHO q", "CLIENT REPLY ON", "ECHO z"]),
    (3, ["ECHO a", "CLIENT REPLY SKIP", "EVAL \"return 1\" 0", "ECHO b", "ECHO z"]),
    (4, ["MULTI", "ECHO a", "EXEC", "CLIENT REPLY SKIP", "ECHO b", "ECHO z"]),
]


@pytest.mark.parametrize("count, row", SILENCE, ids=lambda one: " ".join(one) if isinstance(one, list) else str(one))
def test_a_reply_that_is_owed_comes(pair, count, row):
    data = b"".join(encode(*arguments_of(command)) for command in row)
    assert pair.raw(data, replies=count)[-1] == b"z"


def test_a_silent_client_that_quits_is_let_go(farm):
    server = farm.redwing()
    for words in ("SKIP", "OFF"):
        with server.client() as client:
            client.send(encode("CLIENT", "REPLY", words) + encode("QUIT"))
            assert client.socket.recv(100) == b""


# Transactions and waiting clients as calls.

def test_a_queue_costs_little_more_than_its_bytes(farm):
    server = farm.redwing()
    with server.client() as client:
        before = int(server.info("memory")["used_memory"])
        client.call("MULTI")
        for i in range(400):
            client.call("SET", f"key:{i}", "v" * 100_000)
        queued = 400 * 100_040
        assert int(server.info("memory")["used_memory"]) - before < 1.6 * queued
        assert int(server.info("memory")["mem_clients_normal"]) > queued
        assert client.call("EXEC") == [b"OK"] * 400
    assert server.call("STRLEN", "key:399") == 100_000


def test_inline_requests_are_queued_alike(farm):
    with farm.redwing().client() as client:
        client.send(b"MULTI\r\nSET k \"a b\\r\\n\"\r\nGET k\r\n\r\nEXEC\r\n")
        assert [client.read() for _ in range(4)] == [b"OK", b"QUEUED", b"QUEUED", [b"OK", b"a b\r\n"]]


def test_a_waiting_client_made_one_call(pair):
    pair.send("MONITOR", connection=2)
    pair.receive(connection=2)
    pair.each("CONFIG RESETSTAT")
    pair.send("BLPOP q 0", connection=1)
    pair.blocked(1)
    for command in ("SET q string", "DEL q", "RPUSH q x"):
        pair.call(command)
    pair.receive(connection=1)
    for server in (pair.ours, pair.theirs):
        assert server.info("commandstats")["cmdstat_blpop"].startswith("calls=1,")
    # What monitors saw: BLPOP once.
    ours = pair.clients(2)[0]
    pair.call("ECHO end")
    seen = b""
    while b'"end"' not in seen:
        seen += ours.socket.recv(1 << 16)
    assert (bytes(ours.pending[ours.at:]) + seen).count(b'"BLPOP"') <= 1


# Keys that are dead, and what counts as a look.

LOOKS = """GET k|GET none|LRANGE none 0 -1|EXISTS k none|TTL k|TTL none|PTTL k|PTTL none|TYPE k|TYPE none|
OBJECT ENCODING k|OBJECT ENCODING none|OBJECT IDLETIME k|DUMP k|TOUCH k none|STRLEN k|SISMEMBER none a|
SUNION none none2|MGET k none|GETSET k v|GETSET new v|HGET none f|SORT none|ZRANGE none 0 -1|BITCOUNT k|GETRANGE k 0 1|
SET k v|INCR n|APPEND k x|RENAME k kk|PERSIST k|EXPIRE k 100|LPOP none|DEL none|LPUSH l 1|SETNX k 1|SCAN 0|
DEBUG OBJECT k|MEMORY USAGE k|PFCOUNT none|GEODIST none a b|SCARD none|XLEN none|XRANGE none - +|SUBSTR k 0 1|
GETBIT k 1|BITPOS k 1|LLEN none|HLEN none|HGETALL none|ZSCORE none a|ZCARD none|SMEMBERS none|SSCAN none 0|
SRANDMEMBER none|SINTER none none|SDIFF k2 none|LINDEX none 0|LPOS none a|HMGET none a|HEXISTS none a|GETEX k|GETDEL k""".replace(
    "\n", "").split("|")


@pytest.mark.parametrize("command", LOOKS)
def test_hits_and_misses(pair, command):
    pair.run(["SET k v"])
    pair.each("CONFIG RESETSTAT")
    pair.each(command)
    both = [[server.info("stats")[name] for name in ("keyspace_hits", "keyspace_misses")]
            for server in (pair.ours, pair.theirs)]
    assert both[0] == both[1]


WRITES = """INCR k|INCRBYFLOAT k 1|APPEND k x|SETRANGE k 0 x|SETBIT k 1 1|GETSET k x|SET k x KEEPTTL|SETNX k x|LPUSH k x|
LPUSHX k x|SADD k x|ZADD k 1 x|ZINCRBY k 1 x|HSET k f x|HINCRBY k f 1|HSETNX k f x|XADD k 1-1 a b|PFADD k x|
BITFIELD k SET u8 0 1|PERSIST k|EXPIRE k 100|GETDEL k|SET k x NX|SET k x XX|MSETNX k x|RENAME k new|
COPY k new2|GEOADD k 1 1 x|GETEX k PERSIST|RPOPLPUSH k l|SMOVE k s x|EVAL "return redis.call('INCR', KEYS[1])" 1 k""".replace(
    "\n", "").split("|")


def test_a_writable_replicas_writes_dont_go_into_dead_keys(farm):
    """Who writes to a key that is logically gone gets a key of his own, not its last milliseconds."""
    master = farm.redwing(DISK)
    replicas = [farm.start(kind, {"replica-read-only": "no"}) for kind in ("redwing", "redis")]
    for replica in replicas:
        replicate(replica, master)
    wait_link_up(*replicas)
    wait_online(master, 2)
    with master.client() as client, replicas[0].client() as ours, replicas[1].client() as theirs:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        for number, command in enumerate(WRITES):
            key = f"k{number}"
            client.call("SET", key, 5, "PX", 1)
            wait_offsets_equal(master, *replicas)
            eventually(lambda: ours.call("PTTL", key) == theirs.call("PTTL", key) == -2)
            request = [word if word != "k" else key for word in arguments_of(command)]
            both = [(one.call_or_error(*request), one.call("EXISTS", key), one.call("PTTL", key) > 0)
                    for one in (ours, theirs)]
            assert repr(both[0]) == repr(both[1]), command
        # The master's own goes where it has gone there.
        client.call("SET", "mine", 5, "PX", 1)
        # Before it has come there, it looks as if it were dead.
        wait_offsets_equal(master, *replicas)
        eventually(lambda: ours.call("PTTL", "mine") == -2)
        client.call("INCR", "mine")
        wait_offsets_equal(master, *replicas)
        assert ours.call("GET", "mine") == b"1"


# Names.

def test_renamed_commands_are_what_they_were(farm):
    server = farm.redwing({"rename-command": [("PUBLISH", "tell"), ("EXEC", "go"), ("SET", "put"), ("GET", "")]})
    with server.client() as client:
        assert client.call("PUT", "a", "1") == b"OK"
        assert client.call("COMMAND", "INFO", "put")[0][0] == b"set"
        assert refused(client.call, "PUT", "a") == "ERR wrong number of arguments for 'set' command"
        assert refused(client.call, "GET", "a").startswith("ERR unknown command `GET`")
        assert server.info("commandstats")["cmdstat_set"].startswith("calls=1,")
        client.call("MULTI")
        client.call("PUT", "a", "2")
        server.call("CLIENT", "PAUSE", 100000, "WRITE")
        client.send(encode("GO"))
        teller = held(server, "TELL", "channel", "message")
        assert b"flags=xb" in line_of(server, client)
        server.call("CLIENT", "UNPAUSE")
        assert client.read() == [b"OK"] and teller.read() == 0
        client.call("MULTI")
        client.call("PUT", "a", "3")
        server.call("CONFIG", "SET", "min-replicas-to-write", 1)
        assert refused(client.call, "GO").startswith("EXECABORT Transaction discarded because of: NOREPLICAS")


def test_a_new_name_is_found_however_it_is_written(farm):
    hidden, accented = "b840fc02" * 16, "\u00c9cho"
    for kind in ("redis", "redwing"):
        server = getattr(farm, kind)({"rename-command": [("CONFIG", hidden), ("ECHO", accented)]})
        assert server.call(hidden.upper(), "GET", "port")[0] == b"port", kind
        assert server.call("\u00c9CHO", "a") == b"a", kind
        assert refused(server.call, "\u00e9cho", "a").startswith("ERR unknown command"), kind


def test_an_own_aof_is_read_whatever_echo_is_called(farm):
    server = farm.redwing({"appendonly": "yes", "rename-command": ("ECHO", "")})
    master = farm.redwing(DISK)
    replicate(server, master)
    wait_link_up(server)
    master.call("SET", "a", "1")
    wait_offsets_equal(master, server)
    eventually(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0")
    server.stop()
    server.start()
    assert server.call("GET", "a") == b"1"


def test_quit_is_for_clients(farm):
    server = farm.redwing()
    assert "not allowed from script" in refused(server.call, "EVAL", "return redis.call('quit')", 0)
    assert server.call("QUIT") == b"OK"


# Passwords, memory.

def test_who_came_without_a_password_is_out_when_there_is_one_again(pair):
    pair.call("CONFIG SET requirepass secret")
    pair.second("PING")
    pair.call("CONFIG SET requirepass ''")
    pair.second("PING")
    pair.call("CONFIG SET requirepass other")
    pair.second("PING")
    pair.call("PING")
    pair.call("CONFIG SET requirepass ''")


def test_a_lazy_eviction_takes_no_more_than_it_must(farm):
    server = farm.redwing({"lazyfree-lazy-eviction": "yes", "maxmemory-policy": "allkeys-random"})
    with server.client() as client:
        members = [f"member:{i}" for i in range(5000)]
        client.pipeline([("SADD", f"set:{i}", *members) for i in range(40)])
        used = int(server.info("memory")["used_memory"])
        client.call("CONFIG", "SET", "maxmemory", used - 100_000)
        assert client.call("SET", "a", "1") == b"OK"
        assert client.call("DBSIZE") > 33


def test_access_bits_follow_the_policy(farm):
    with farm.redwing().client() as client:
        client.call("SET", "a", "1")
        dump = client.call("DUMP", "a")
        for policy in ("noeviction", "allkeys-lru", "allkeys-random", "volatile-ttl"):
            client.call("CONFIG", "SET", "maxmemory-policy", policy)
            client.call("RESTORE", policy, 0, dump, "IDLETIME", 77)
            assert 77 <= client.call("OBJECT", "IDLETIME", policy) < 90
        client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        client.call("SET", "new", "1")
        assert client.call("OBJECT", "FREQ", "new") == 5
        client.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        client.call("SET", "newer", "1")
        assert client.call("OBJECT", "IDLETIME", "newer") < 10


# Pipelines: what later requests will need is fetched ahead, from tables large enough for that.

def test_long_pipelines_over_large_tables(pair):
    """Keys, members and words that the fetching ahead guesses right and wrong; all replies as Redis's."""
    count = 5000
    pair.random([("SET", f"key:{i}", f"value {i}") for i in range(count)])
    pair.random([("HSET", "hash", f"field:{i}", i) for i in range(count)])
    pair.random([("SADD", "set", f"member:{i}") for i in range(count)])
    pair.random([("ZADD", "zset", i % 7, f"member:{i}") for i in range(count)])
    requests = []
    for i in range(0, 2 * count, 3):
        requests += [
            ("GET", f"key:{i}"), ("HGET", "hash", f"field:{i}"), ("SISMEMBER", "set", f"member:{i}"),
            ("ZSCORE", "zset", f"member:{i}"), ("ZADD", "zset", i % 5, f"member:{i}"), ("PING",),
            ("HSET", "hash", f"field:{i}", "x", "", ""), ("SREM", "set", f"member:{i - 1}"),
            ("DEL", f"key:{i - 2}", ""), ("HSET", f"key:{i}", "a", "b"), ("GET", ""), ("ECHO", "hash"),
            ("ZINCRBY", "zset", 1, f"member:{i}"), ("APPEND", f"key:{i % 100}", "+"), ("NOSUCH", "hash", "x"),
        ]
    pair.random(requests)
    # Blocked, closed and in a transaction in the middle of what was looked at.
    pair.random([("MULTI",), ("HDEL", "hash", "field:1"), ("GET", "key:1"), ("DEL", "hash"), ("EXEC",),
                 ("HGET", "hash", "field:2"), ("SELECT", "1"), ("GET", "key:2"), ("SELECT", "0"),
                 ("FLUSHALL",), ("GET", "key:3"), ("HGET", "hash", "field:3")])


# A pipeline whose requests ask for one key, one after the other: its entry is remembered, and everything that may
# happen to it must be seen by the next request.

ONE_KEY = ["SET k {text}", "SET k 12", "APPEND k {text}", "INCR k", "GETSET k {text}", "SETRANGE k 300 x", "GET k",
           "STRLEN k", "DEL k", "UNLINK k", "GETDEL k", "EXPIRE k 100", "PERSIST k", "PEXPIREAT k 1", "TTL k",
           "RENAME k other", "RENAME other k", "COPY k other REPLACE", "COPY other k REPLACE", "MOVE k 1", "SWAPDB 0 1",
           "SELECT 1", "SELECT 0", "FLUSHDB", "FLUSHALL", "LPUSH k {text}", "RPUSH k a b c", "LPOP k", "RPOP k",
           "SADD k {text}", "SADD k 1 2 3", "SREM k 1 2 3", "HSET k f {text}", "HDEL k f", "ZADD k 1 {text}",
           "ZREM k {text}", "TYPE k", "EXISTS k", "MULTI", "EXEC", "EVAL return(redis.call('del',KEYS[1])) 1 k",
           "EVAL return(redis.call('set',KEYS[1],'by-script')) 1 k", "OBJECT ENCODING k", "DEBUG RELOAD",
           "SORT k ALPHA STORE k", "SINTERSTORE k k", "LMOVE k k LEFT RIGHT", "PFADD k {text}"]


@pytest.mark.parametrize("seed", range(4))
def test_one_key_all_along_a_pipeline(pair, seed):
    source = random.Random(seed)
    texts = ["x" * 3, "y" * 40, "z" * 300, "7"]
    for _ in range(60):
        pair.random(source.choice(ONE_KEY).format(text=source.choice(texts)) for _ in range(24))
        pair.random(["DISCARD", "SELECT 0"])
    pair.digest()
