# SPDX-License-Identifier: BSD-3-Clause
"""What a replica does with keys: the guard against an empty master, expired keys, writes of its own; and
when a master gives its history up."""

import pytest

from lab.data import fill_all_types
from lab.proxy import Proxy
from lab.servers import eventually
from lab.sync import (assert_same, digest, offset, replicate, sync_counts, wait_link_up,
                      wait_offsets_equal)
from links import DISK, FakeMaster, Tap, Writer, ask, rdb_of, refused

GUARD = "replica-empty-master-guard"


def guarded(farm, value, keys=20, load="disabled"):
    replica = farm.redwing(DISK | {GUARD: value, "repl-diskless-load": load})
    with replica.client() as client:
        client.pipeline([("SET", f"mine:{i}", i) for i in range(keys)])
    return replica


def refusal(replica):
    return replica.info("replication")["replica_empty_master_guard_refused"]


@pytest.mark.parametrize("load", ["disabled", "swapdb"])
@pytest.mark.parametrize("kind", ["redis", "redwing"])
def test_an_empty_master_is_refused_until_it_is_forced(farm, kind, load):
    replica, empty = guarded(farm, "yes", load=load), farm.start(kind, DISK)
    before = digest(replica)
    replicate(replica, empty)
    eventually(lambda: refusal(replica) == "1")
    assert "ours holds 20 keys: kept it (replica-empty-master-guard)" in replica.log()
    # It serves what it has, and goes on to ask.
    assert digest(replica) == before and replica.call("GET", "mine:3") == b"3"
    assert replica.info("replication")["master_link_status"] == "down"
    eventually(lambda: replica.log().count("kept it (replica-empty-master-guard)") >= 2)
    assert digest(replica) == before
    assert replica.call("REPLICAOF", "127.0.0.1", str(empty.port), "FORCE") == b"OK"
    assert_same(empty, replica)
    assert replica.call("DBSIZE") == 0 and refusal(replica) == "0"


def test_the_guard_off_or_a_master_with_keys_ends_the_refusal(farm):
    first, second = guarded(farm, "yes"), guarded(farm, "1")
    empty = farm.redwing(DISK)
    for replica in (first, second):
        replicate(replica, empty)
        eventually(lambda: refusal(replica) == "1")
    first.call("CONFIG", "SET", GUARD, "no")
    wait_link_up(first)
    assert first.call("DBSIZE") == 0
    eventually(lambda: second.call("DBSIZE") == 20)
    empty.call("SET", "now", "there")
    assert_same(empty, second)
    assert second.call("KEYS", "*") == [b"now"]


def test_the_guard_counts_keys(farm):
    replica, empty = guarded(farm, "21"), farm.redwing(DISK)
    assert replica.call("CONFIG", "GET", GUARD) == [GUARD.encode(), b"21"]
    replicate(replica, empty)
    wait_link_up(replica)
    assert replica.call("DBSIZE") == 0


def test_the_guard_lets_a_master_empty_itself(farm):
    """FLUSHALL is of the same history, in the stream as well as in a full sync that is due because the
    backlog has moved on."""
    master, replica = farm.redwing(DISK | {"repl-backlog-size": "16kb"}), guarded(farm, "yes", keys=0)
    proxy = farm.own(Proxy(master.port))
    master.call("SET", "a", "1")
    replicate(replica, proxy)
    wait_link_up(replica)
    master.call("FLUSHALL")
    assert_same(master, replica)
    assert replica.call("DBSIZE") == 0
    master.call("SET", "b", "1")
    assert_same(master, replica)
    proxy.refuse()
    proxy.cut()
    with master.client() as client:
        client.pipeline([("SET", "b", "x" * 1000)] * 100 + [("FLUSHALL",)])
    proxy.refuse(False)
    assert_same(master, replica)
    assert replica.call("DBSIZE") == 0 and sync_counts(master)["sync_full"] == 2
    assert refusal(replica) == "0"


def test_another_history_under_our_own_id_is_refused(farm):
    """A master that is behind what it has sent before has lost data, whatever it calls itself."""
    empty = rdb_of(b"")
    fake = farm.own(FakeMaster(FakeMaster.full(rdb_of(b"\xfe\x00\x00\x01k\x01v"), 1000), FakeMaster.full(empty, 999)))
    replica = guarded(farm, "yes", keys=0)
    replicate(replica, fake)
    wait_link_up(replica)
    fake.hang_up()
    eventually(lambda: refusal(replica) == "1")
    assert replica.call("GET", "k") == b"v"


def test_a_refused_master_is_asked_more_and_more_rarely(farm):
    """Each time it makes a snapshot for nothing."""
    fake = farm.own(FakeMaster(FakeMaster.full(rdb_of(b""), 1)))
    replica = guarded(farm, "yes")
    replicate(replica, fake)
    eventually(lambda: len(fake.visited_at) == 4, 20)
    gaps = [b - a for a, b in zip(fake.visited_at, fake.visited_at[1:])]
    assert all(gap > 0.95 * 2**i for i, gap in enumerate(gaps)), gaps


def test_promotion_after_a_refusal_keeps_the_data(farm):
    replica, empty = guarded(farm, "yes"), farm.redwing(DISK)
    replicate(replica, empty)
    eventually(lambda: refusal(replica) == "1")
    replica.call("REPLICAOF", "NO", "ONE")
    assert replica.call("DBSIZE") == 20
    replicate(empty, replica)
    assert_same(replica, empty)


# Expiry.

@pytest.mark.parametrize("kinds", [("redwing", "redwing"), ("redis", "redwing")], ids="->".join)
def test_a_replica_hides_an_expired_key_and_leaves_it_to_the_master(farm, kinds):
    master, replica = farm.start(kinds[0], DISK), farm.redwing(DISK)
    replicate(replica, master)
    wait_link_up(replica)
    with master.client() as one, replica.client() as two:
        one.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        one.pipeline([("SET", "k", "v", "PX", "60"), ("HSET", "h", "f", "v"), ("PEXPIRE", "h", "60"),
                      ("SET", "stays", "v")])
        wait_offsets_equal(master, replica)
        eventually(lambda: two.call("GET", "k") is None and two.call("EXISTS", "h") == 0)
        assert two.call("TTL", "k") == -2 and two.call("TYPE", "h") == b"none"
        assert two.call("HGETALL", "h") == [] and two.call("MGET", "k", "stays") == [None, b"v"]
        assert two.call("KEYS", "*") == [b"stays"] and two.call("RANDOMKEY") == b"stays"
        assert two.call("DBSIZE") == 3
        tap = farm.own(Tap(replica))
        before = offset(master)
        assert one.call("GET", "k") is None
        eventually(lambda: two.call("DBSIZE") == 2)
        assert one.call("HLEN", "h") == 0
        eventually(lambda: two.call("DBSIZE") == 1)
        assert offset(master) > before
        words = [w for w in tap.commands(offset(master)) if w != [b"PING"]]
        assert [w[-1] for w in words if w[0] in (b"DEL", b"UNLINK")] == [b"k", b"h"]
    assert_same(master, replica)


def test_a_promoted_replica_deletes_what_is_expired(farm):
    master, replica, below = (farm.redwing(DISK) for _ in range(3))
    replicate(replica, master)
    wait_link_up(replica)
    replicate(below, replica)
    wait_link_up(below)
    master.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    with master.client() as client:
        client.pipeline([("SET", f"k{i}", "v", "PX", "80") for i in range(200)])
    wait_offsets_equal(master, replica, below)
    eventually(lambda: replica.call("GET", "k1") is None)
    assert replica.call("DBSIZE") == 200
    replica.call("REPLICAOF", "NO", "ONE")
    eventually(lambda: replica.call("DBSIZE") == 0)
    eventually(lambda: below.call("DBSIZE") == 0)
    assert_same(replica, below)
    assert int(replica.info("stats")["expired_keys"]) == 200


# Writes of its own.

def test_a_writable_replica_keeps_its_writes_to_itself(farm):
    top, middle, below = farm.redwing(DISK), farm.redwing(DISK), farm.redis(DISK)
    replicate(middle, top)
    wait_link_up(middle)
    replicate(below, middle)
    wait_link_up(below)
    top.call("SET", "a", "1")
    middle.call("CONFIG", "SET", "slave-read-only", "no")
    wait_offsets_equal(top, middle, below)
    before = offset(middle)
    with middle.client() as client:
        client.call("SET", "own", "1")
        client.call("SET", "own:short", "1", "PX", "50")
        client.call("DEL", "a")
        # A key of its own that expires is its own to delete.
        eventually(lambda: client.call("DBSIZE") == 1)
    assert offset(middle) == before or offset(middle) == offset(top)
    top.call("SET", "b", "2")
    wait_offsets_equal(top, middle, below)
    assert sorted(below.call("KEYS", "*")) == [b"a", b"b"]
    assert sorted(middle.call("KEYS", "*")) == [b"b", b"own"]
    assert digest(top) == digest(below)
    middle.call("CONFIG", "SET", "replica-read-only", "yes")
    assert "READONLY" in refused(middle.call, "SET", "x", "1")


# Giving a history up.

def test_a_released_backlog_takes_the_second_id_along(farm):
    """A promoted replica whose last sibling is gone: neither its own nor its master's id is good any
    more, for what it writes then is counted by nobody."""
    master, heir, sibling = (farm.redwing(DISK | {"repl-backlog-ttl": "1"}) for _ in range(3))
    for replica in (heir, sibling):
        replicate(replica, master)
        wait_link_up(replica)
    with master.client() as client:
        fill_all_types(client, n=50, seed=1)
    assert_same(master, heir, sibling)
    old = master.info("replication")["master_replid"]
    heir.call("REPLICAOF", "NO", "ONE")
    shifted = heir.info("replication")
    assert shifted["master_replid2"] == old
    eventually(lambda: heir.info("replication")["repl_backlog_active"] == "0")
    now = heir.info("replication")
    assert now["master_replid"] not in (old, shifted["master_replid"])
    assert now["master_replid2"] == "0" * 40 and now["second_repl_offset"] == "-1"
    heir.call("SET", "uncounted", "1")
    for identity in (old, shifted["master_replid"]):
        assert ask(heir, identity, int(shifted["second_repl_offset"])).startswith(b"+FULLRESYNC")
    replicate(sibling, heir)
    assert_same(heir, sibling)
    assert sync_counts(heir)["sync_partial_ok"] == 0


def test_a_replica_keeps_its_backlog_without_sub_replicas(farm):
    """It may be promoted any time, and then its siblings ask it."""
    master, replica, late = (farm.redwing(DISK | {"repl-backlog-ttl": "1"}) for _ in range(3))
    for one in (replica, late):
        replicate(one, master)
        wait_link_up(one)
    identity = replica.info("replication")["master_replid"]
    began = int(replica.info("server")["uptime_in_seconds"])
    with Writer(master):
        eventually(lambda: int(replica.info("server")["uptime_in_seconds"]) >= began + 3)
    assert_same(master, replica, late)
    info = replica.info("replication")
    assert info["repl_backlog_active"] == "1" and info["master_replid"] == identity
    replica.call("REPLICAOF", "NO", "ONE")
    replicate(late, replica)
    assert_same(replica, late)
    assert sync_counts(replica)["sync_full"] == 0
