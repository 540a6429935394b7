# SPDX-License-Identifier: BSD-3-Clause
"""What commands on strings and keys do besides replying: keyspace events equal to a stock Redis's, and a
stream that leaves a stock Redis replica, and a Redwing one, with the same data set and the same expiries."""


import pytest

import test_hyperloglog
import test_keys
import test_strings
from lab import sync
from lab.resp import encode
from lab.servers import eventually
from pair import arguments_of
from test_collection_effects import MARK, messages_until_mark

ROWS = {f"{module.__name__[5:]}: {title}": row
        for module in (test_strings, test_keys, test_hyperloglog) for title, row in module.ROWS.items()}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_events(pair, row):
    pair.config("notify-keyspace-events", "KEA")
    pair.each("PSUBSCRIBE __key*__:*", connection=1)
    for command in row:
        if arguments_of(command)[0] in ("MULTI", "EXEC"):
            continue
        pair.each(command)
        pair.each(("PUBLISH", MARK, ""))
        ours, theirs = (messages_until_mark(client) for client in pair.clients(1))
        assert ours == theirs, command


@pytest.mark.parametrize("kind", ["redis", "redwing"])
def test_replicas_get_the_same(farm, kind):
    master = farm.redwing()
    replica = farm.start(kind)
    sync.replicate(replica, master)
    sync.wait_link_up(replica)
    client = master.client()
    rows = [arguments_of(command) for row in ROWS.values() for command in row
            if not isinstance(command, dict)]
    for requests in [rows] + [test_strings.random_strings(seed, 1500) for seed in range(3)]:
        client.send(b"".join(encode(*request) for request in requests))
        for _ in requests:
            client.read_raw()
        client.call_or_error("SELECT", 0)
        sync.assert_same(master, replica)
        for key in client.call("KEYS", "k*"):
            assert client.call("PEXPIRETIME", key) == replica.call("PEXPIRETIME", key), key


def test_dead_keys_leave_the_replica_by_a_del(farm):
    master, replica = farm.redwing(), farm.redis()
    sync.replicate(replica, master)
    sync.wait_link_up(replica)
    for n in range(200):
        master.call("SET", f"k{n}", n, "PX", 1 + n)
    eventually(lambda: replica.call("DBSIZE") == 0)
    sync.assert_same(master, replica)


POLICIES = ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu",
            "volatile-random", "volatile-ttl"]


@pytest.mark.parametrize("policy", POLICIES)
def test_eviction_keeps_to_the_limit_and_reaches_the_replica(farm, policy):
    master, replica = farm.redwing({"maxmemory-policy": policy}), farm.redis()
    sync.replicate(replica, master)
    sync.wait_link_up(replica)
    client = master.client()
    requests = [("SETEX", f"k{n}", 1000 + n, "x" * 500) for n in range(20000)]
    client.send(b"".join(encode(*request) for request in requests))
    for _ in requests:
        client.read_raw()
    # What the replica still has to get isn't the data's, and maxmemory doesn't count it.
    eventually(lambda: int(master.info("memory")["mem_not_counted_for_evict"]) < 300_000)
    used = int(master.info("memory")["used_memory"])
    client.call("CONFIG", "SET", "maxmemory", used - 5_000_000)
    client.call("SETEX", "last", 1000, "one")
    assert int(master.info("memory")["used_memory"]) <= used - 5_000_000 + 1_000_000
    assert int(master.info("stats")["evicted_keys"]) > 5000
    sync.assert_same(master, replica)


def test_without_a_policy_writes_are_refused(farm):
    server = farm.redwing({"maxmemory": "100kb"})
    error = server.client().call_or_error("SET", "k", "v")
    assert str(error) == "OOM command not allowed when used memory > 'maxmemory'."
    assert server.call("GET", "k") is None
    assert server.call("DEL", "k") == 0
