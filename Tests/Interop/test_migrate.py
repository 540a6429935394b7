# SPDX-License-Identifier: BSD-3-Clause
"""MIGRATE between Redwing and a stock Redis, both ways: data, options, errors, and what replicas see."""

import socket
import time

import pytest

from lab import sync
from lab.data import fill_all_types
from lab.resp import ReplyError
from lab.servers import eventually, free_port

WAYS = [("redwing", "redis"), ("redis", "redwing"), ("redwing", "redwing")]


@pytest.fixture(scope="module", params=WAYS, ids=["->".join(way) for way in WAYS])
def ends(request, shared_farm):
    return tuple(shared_farm.start(kind) for kind in request.param)


@pytest.fixture
def clients(ends):
    with ends[0].client() as one, ends[1].client() as two:
        one.call("FLUSHALL")
        two.call("FLUSHALL")
        yield one, two


def migrate(clients, ends, key, *more, db=0, timeout=5000):
    return clients[0].call_or_error("MIGRATE", "127.0.0.1", ends[1].port, key, db, timeout, *more)


def test_every_type_moves(ends, clients):
    source, target = clients
    fill_all_types(source, n=200, databases=(0,))
    before = source.call("DEBUG", "DIGEST")
    keys = source.call("KEYS", "*")
    assert migrate(clients, ends, "", "KEYS", *keys) == b"OK"
    assert source.call("DBSIZE") == 0
    assert target.call("DEBUG", "DIGEST") == before


def test_options(ends, clients):
    source, target = clients
    source.pipeline([("MSET", "a", 1, "b", 2), ("SET", "ttl", "v", "PX", 100000)])
    assert migrate(clients, ends, "none") == b"NOKEY"
    assert migrate(clients, ends, "a", "COPY") == b"OK"
    assert source.call("GET", "a") == target.call("GET", "a") == b"1"
    refused = migrate(clients, ends, "a")
    assert str(refused) == "ERR Target instance replied with error: BUSYKEY Target key name already exists."
    assert source.call("GET", "a") == b"1"
    source.call("SET", "a", "newer")
    assert migrate(clients, ends, "a", "REPLACE") == b"OK"
    assert (source.call("GET", "a"), target.call("GET", "a")) == (None, b"newer")
    assert migrate(clients, ends, "ttl", db=3) == b"OK"
    target.call("SELECT", 3)
    assert 0 < target.call("PTTL", "ttl") <= 100000
    # Of several, those that are taken go, the others stay.
    target.call("SELECT", 0)
    target.call("SET", "y", "there")
    source.call("MSET", "x", 1, "y", 2, "z", 3)
    assert "BUSYKEY" in str(migrate(clients, ends, "", "KEYS", "x", "y", "z", "none"))
    assert source.call("KEYS", "[xyz]") == [b"y"]
    assert target.call("MGET", "x", "y", "z") == [b"1", b"there", b"3"]


def test_passwords(ends, clients):
    source, target = clients
    source.call("MSET", "a", 1, "b", 2, "c", 3)
    target.call("CONFIG", "SET", "requirepass", "secret")
    try:
        # A connection that is kept from before is let in as it was.
        target.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert "NOAUTH" in str(migrate(clients, ends, "a"))
        assert "WRONGPASS" in str(migrate(clients, ends, "a", "AUTH", "wrong"))
        assert migrate(clients, ends, "a", "AUTH", "secret") == b"OK"
        assert migrate(clients, ends, "b", "REPLACE", "AUTH2", "default", "secret") == b"OK"
    finally:
        target.call("CONFIG", "SET", "requirepass", "")
    assert target.call("MGET", "a", "b") == [b"1", b"2"]


def test_a_kept_connection_that_was_closed_is_made_anew(ends, clients):
    source, target = clients
    for i in range(3):
        source.call("SET", f"k{i}", i)
        assert migrate(clients, ends, f"k{i}") == b"OK"
        target.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert target.call("DBSIZE") == 3


def test_errors_are_those_of_redis(pair):
    for command in ("MIGRATE h 1 k 0", "MIGRATE 127.0.0.1 1 k x 100", "MIGRATE 127.0.0.1 1 k 0 x",
                    "MIGRATE 127.0.0.1 1 k 0 100 NONSENSE", "MIGRATE 127.0.0.1 1 k 0 100 AUTH",
                    "MIGRATE 127.0.0.1 1 k 0 100 AUTH2 u", "MIGRATE 127.0.0.1 1 k 0 100 KEYS a",
                    ("MIGRATE", "127.0.0.1", 1, "", 0, 100, "KEYS"), "MIGRATE 127.0.0.1 1 missing 0 100",
                    "SET k v", "MIGRATE 127.0.0.1 1 k 0 100", "MIGRATE 127.0.0.1 x k 0 100", "GET k",
                    "COMMAND GETKEYS MIGRATE 127.0.0.1 1 k 0 100",
                    ("COMMAND", "GETKEYS", "MIGRATE", "h", 1, "", 0, 100, "COPY", "KEYS", "a", "b")):
        pair.call(command)


def test_a_target_that_never_answers_ends_by_the_timeout(farm):
    source = farm.redwing()
    source.call("SET", "k", "v")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", free_port()))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(ReplyError, match="IOERR error or timeout reading to target instance"):
            source.call("MIGRATE", "127.0.0.1", silent.getsockname()[1], "k", 0, 200)
        assert 0.15 < time.monotonic() - began < 5
    assert source.call("GET", "k") == b"v"


def test_replicas_and_the_aof_see_deletions(farm):
    master, target = farm.redwing({"appendonly": "yes"}), farm.redis()
    replica = farm.redis()
    sync.replicate(replica, master)
    sync.wait_link_up(replica)
    with master.client() as client:
        client.pipeline([("MSET", "a", 1, "b", 2, "stays", 3), ("MULTI",),
                         ("MIGRATE", "127.0.0.1", target.port, "", 0, 1000, "KEYS", "a", "b"), ("EXEC",)])
        client.call("EVAL", "return redis.call('MIGRATE', '127.0.0.1', ARGV[1], KEYS[1], 0, 1000, 'COPY')",
                    1, "stays", target.port)
    assert target.call("DBSIZE") == 3
    sync.assert_same(master, replica)
    assert replica.call("KEYS", "*") == [b"stays"]
    assert replica.info("commandstats").get("cmdstat_migrate") is None
    master.restart()
    eventually(lambda: master.call("KEYS", "*") == [b"stays"])
