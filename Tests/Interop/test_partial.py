# SPDX-License-Identifier: BSD-3-Clause
"""Partial resync: after cuts, restarts and promotions replicas go on from where they stood.

Redwing and stock Redis in mixed roles; after each story the counters of the master say that nothing
was copied twice, and offsets and digests are equal.
"""

import time

import pytest

from lab.data import fill_all_types, write_some
from lab.servers import eventually
from lab.sync import (assert_same, replicate, sync_counts, wait_link_up, wait_offsets_equal,
                      wait_online)

ROLES = [("redwing", "redis"), ("redis", "redwing"), ("redwing", "redwing")]
DISK = {"repl-diskless-sync": "no"}


def saves_at_its_end(server):
    server.call("CONFIG", "SET", "save", "3600 1000000")


def a_pair(farm, roles, master_options=DISK, replica_options=DISK, keys=300):
    master = farm.start(roles[0], master_options)
    replica = farm.start(roles[1], replica_options)
    with master.client() as client:
        fill_all_types(client, n=keys, seed=5)
    replicate(replica, master)
    assert_same(master, replica)
    return master, replica


@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_a_cut_link_is_continued(farm, roles):
    master, replica = a_pair(farm, roles)
    for turn in range(3):
        with master.client() as client:
            client.call("CLIENT", "KILL", "TYPE", "replica")
            write_some(client, f"cut{turn}", n=100, seed=turn)
        assert_same(master, replica)
    counts = sync_counts(master)
    assert counts["sync_full"] == 1 and counts["sync_partial_ok"] == 3


@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_a_link_cut_by_the_replica_is_continued(farm, roles):
    master, replica = a_pair(farm, roles)
    replica.call("CLIENT", "KILL", "TYPE", "master")
    with master.client() as client:
        write_some(client, "after", n=100)
    assert_same(master, replica)
    counts = sync_counts(master)
    assert counts["sync_full"] == 1 and counts["sync_partial_ok"] == 1


@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_too_long_away_is_a_full_sync(farm, roles):
    options = DISK | {"repl-backlog-size": "16384"}
    master, replica = a_pair(farm, roles, options)
    replica.call("REPLICAOF", "127.0.0.1", "1")
    with master.client() as client:
        write_some(client, "much", n=3000)
    replicate(replica, master)
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 2
    if roles[0] == "redwing":
        assert "for lack of backlog" in master.log()


@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_a_restarted_replica_is_continued(farm, roles):
    master, replica = a_pair(farm, roles)
    saves_at_its_end(replica)
    replica.options["replicaof"] = ("127.0.0.1", master.port)
    replica.stop()
    with master.client() as client:
        write_some(client, "meanwhile", n=100)
    replica.start()
    assert_same(master, replica)
    counts = sync_counts(master)
    assert counts["sync_full"] == 1 and counts["sync_partial_ok"] == 1


@pytest.mark.parametrize("roles", ROLES[:1] + ROLES[2:], ids="->".join)
def test_the_replica_of_a_restarted_master_is_continued(farm, roles):
    master, replica = a_pair(farm, roles)
    saves_at_its_end(master)
    with master.client() as client:
        write_some(client, "last", n=100)
    master.restart()
    assert_same(master, replica)
    with master.client() as client:
        write_some(client, "again", n=100)
    assert_same(master, replica)
    counts = sync_counts(master)
    assert counts["sync_full"] == 0 and counts["sync_partial_ok"] == 1


def test_what_expires_while_a_master_restarts_is_deleted_on_its_replica(farm):
    master, replica = a_pair(farm, ("redwing", "redis"))
    saves_at_its_end(master)
    assert_same(master, replica)
    keys = master.call("DBSIZE")
    dead_at = time.time() + 3
    master.call("SET", "short", "x", "PXAT", int(dead_at * 1000))
    wait_offsets_equal(master, replica)
    master.stop()
    eventually(lambda: time.time() > dead_at)
    master.start()
    wait_link_up(replica)
    # Both hold the dead key at first; digests would race with its end.
    eventually(lambda: master.call("DBSIZE") == replica.call("DBSIZE") == keys)
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 0


@pytest.mark.parametrize("kinds", [("redwing", "redwing", "redis"), ("redis", "redwing", "redwing"),
                                   ("redwing", "redis", "redwing")], ids="-".join)
def test_a_promoted_replica_continues_its_sibling(farm, kinds):
    master = farm.start(kinds[0], DISK)
    heir, sibling = farm.start(kinds[1], DISK), farm.start(kinds[2], DISK)
    with master.client() as client:
        fill_all_types(client, n=200, seed=5)
        replicate(heir, master)
        replicate(sibling, master)
        write_some(client, "shared", n=100)
        assert_same(master, heir, sibling)
    heir.call("REPLICAOF", "NO", "ONE")
    replicate(sibling, heir)
    replicate(master, heir)
    with heir.client() as client:
        write_some(client, "new", n=100)
    assert_same(heir, sibling, master)
    counts = sync_counts(heir)
    assert counts["sync_full"] == 0 and counts["sync_partial_ok"] == 2


def test_a_demoted_master_that_went_on_is_copied(farm):
    master, replica = a_pair(farm, ("redwing", "redwing"))
    replica.call("REPLICAOF", "NO", "ONE")
    with master.client() as client:
        write_some(client, "mine", n=20)
    with replica.client() as client:
        write_some(client, "yours", n=10)
    replicate(master, replica)
    assert_same(replica, master)
    assert sync_counts(replica)["sync_full"] == 1


CHAINS = [("redis", "redwing", "redis", "redwing"), ("redwing", "redwing", "redwing"),
          ("redwing", "redis", "redwing"), ("redis", "redwing", "redis")]


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
def test_a_chain_has_one_stream(farm, kinds):
    nodes = [farm.start(kind, DISK) for kind in kinds]
    with nodes[0].client() as client:
        fill_all_types(client, n=200, seed=5)
        for upper, lower in zip(nodes, nodes[1:]):
            replicate(lower, upper)
            wait_link_up(lower)
        client.call("MULTI")
        client.call("SET", "tx:1", "a")
        client.call("SELECT", "3")
        client.call("SET", "tx:2", "b")
        client.call("EXEC")
        client.call("SELECT", "0")
        write_some(client, "down", n=200)
        assert_same(nodes[0], *nodes[1:])
        assert len({node.info("replication")["master_replid"] for node in nodes}) == 1
        for node in nodes[1:]:
            node.call("CLIENT", "KILL", "TYPE", "master")
            write_some(client, "cut", n=50)
            assert_same(nodes[0], *nodes[1:])
    assert sum(sync_counts(node)["sync_full"] for node in nodes) == len(nodes) - 1


@pytest.mark.parametrize("kinds", [("redwing", "redwing", "redis"), ("redwing", "redwing", "redwing"),
                                   ("redis", "redwing", "redwing")], ids="-".join)
def test_the_middle_of_a_chain_is_promoted(farm, kinds):
    top, middle, bottom = (farm.start(kind, DISK) for kind in kinds)
    with top.client() as client:
        fill_all_types(client, n=200, seed=5)
        replicate(middle, top)
        wait_link_up(middle)
        replicate(bottom, middle)
        write_some(client, "down", n=100)
        assert_same(top, middle, bottom)
    middle.call("REPLICAOF", "NO", "ONE")
    with middle.client() as client:
        write_some(client, "own", n=50)
        assert_same(middle, bottom)
    replicate(top, middle)
    assert_same(middle, bottom, top)
    assert sync_counts(middle)["sync_full"] == 1


def test_the_backlog_is_given_up_with_its_history(farm):
    master, replica = a_pair(farm, ("redwing", "redwing"), DISK | {"repl-backlog-ttl": "1"})
    before = master.info("replication")["master_replid"]
    replica.call("REPLICAOF", "NO", "ONE")
    eventually(lambda: master.info("replication")["repl_backlog_active"] == "0")
    info = master.info("replication")
    assert info["master_replid"] != before and set(info["master_replid2"]) == {"0"}
    assert "Replication backlog freed after 1 seconds without connected replicas." in master.log()
    replicate(replica, master)
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 2


def test_replicas_keep_an_expired_key_until_their_master_says_so(farm):
    master, replica = a_pair(farm, ("redwing", "redwing"))
    with master.client() as client, replica.client() as reader:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        keys = reader.call("DBSIZE")
        client.call("SET", "short", "x", "PX", "100")
        wait_offsets_equal(master, replica)
        eventually(lambda: reader.call("GET", "short") is None)
        assert reader.call("DBSIZE") == keys + 1
        assert client.call("GET", "short") is None
        wait_offsets_equal(master, replica)
        assert_same(master, replica)


def test_wait_counts_acknowledgements(farm):
    master, replica = a_pair(farm, ("redwing", "redis"))
    with master.client() as client:
        # A replica that were not asked would answer once a second, so the best of four were no quicker.
        spent = []
        for number in range(4):
            client.call("SET", "a", number)
            start = time.monotonic()
            assert client.call("WAIT", "1", "5000") == 1
            spent.append(time.monotonic() - start)
        assert min(spent[1:]) < 0.5, spent
        assert client.call("WAIT", "2", "100") == 1
        replica.pause()
        client.call("SET", "a", "2")
        assert client.call("WAIT", "1", "200") == 0
        replica.resume()
        assert client.call("WAIT", "1", "5000") == 1


@pytest.mark.parametrize("kinds", [("redwing", "redis"), ("redis", "redwing"), ("redwing", "redwing")],
                         ids="->".join)
def test_failover_hands_over_without_a_copy(farm, kinds):
    master, replica = a_pair(farm, kinds)
    with master.client() as client:
        write_some(client, "before", n=50)
        client.call("FAILOVER", "TO", "127.0.0.1", str(replica.port), "TIMEOUT", "5000")
    eventually(lambda: replica.info("replication")["role"] == "master")
    eventually(lambda: master.info("replication")["role"] == "slave")
    with replica.client() as client:
        write_some(client, "after", n=50)
    assert_same(replica, master)
    assert sync_counts(replica)["sync_full"] == 0


def test_too_few_good_replicas_refuse_writes(farm):
    master, replica = a_pair(farm, ("redwing", "redwing"))
    with master.client() as client:
        client.call("CONFIG", "SET", "min-replicas-to-write", "1")
        client.call("CONFIG", "SET", "min-replicas-max-lag", "2")
        eventually(lambda: client.call_or_error("SET", "a", "1") in ("OK", b"OK"))
        replica.pause()
        eventually(lambda: "NOREPLICAS" in str(client.call_or_error("SET", "a", "2")))
        replica.resume()
        eventually(lambda: client.call_or_error("SET", "a", "3") in ("OK", b"OK"))


def test_an_empty_master_is_guarded_against(farm):
    replica = farm.redwing(DISK | {"replica-empty-master-guard": "yes"})
    with replica.client() as client:
        fill_all_types(client, n=50, seed=1)
        held = client.call("DBSIZE")
    empty = farm.redwing(DISK)
    replicate(replica, empty)
    eventually(lambda: "replica-empty-master-guard" in replica.log())
    assert replica.call("DBSIZE") == held
    replica.call("REPLICAOF", "127.0.0.1", str(empty.port), "FORCE")
    wait_link_up(replica)
    assert replica.call("DBSIZE") == 0


def test_a_lone_replica_is_dropped_when_silent(farm):
    master, replica = a_pair(farm, ("redwing", "redwing"), DISK | {"repl-timeout": "2"}, keys=10)
    replica.pause()
    eventually(lambda: "Disconnecting timedout replica (streaming sync)" in master.log())
    replica.resume()
    wait_online(master, 1)
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 1
