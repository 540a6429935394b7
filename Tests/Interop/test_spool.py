# SPDX-License-Identifier: BSD-3-Clause
"""A full sync to many: slow replicas, stuck ones, late ones; how many at once; who waits where."""

import time

import pytest

from lab.proxy import Proxy
from lab.servers import eventually
from lab.sync import assert_same, replicate, sync_counts, wait_link_up, wait_offsets_equal, wait_online
from links import fill_bulk, syncs

SPOOL = {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "1"}


@pytest.mark.parametrize("spool", ["memory", "disk"])
def test_slow_and_stuck_replicas_keep_nobody_waiting(farm, spool):
    master = farm.redwing(SPOOL | {"repl-spool": spool, "repl-timeout": "10"})
    fill_bulk(master, 24)
    slow, stuck = farm.own(Proxy(master.port)), farm.own(Proxy(master.port))
    slow.throttle(1 << 20)
    stuck.throttle(1 << 16)
    fast = [farm.redwing() for _ in range(4)]
    behind, hung = farm.redwing(), farm.redwing()
    for replica in fast:
        replicate(replica, master)
    replicate(behind, slow)
    replicate(hung, stuck)
    eventually(lambda: len(syncs(master)) == 6)
    # In the middle of its snapshot.
    eventually(lambda: stuck.bytes_down > 50_000)
    stuck.silence()
    wait_link_up(*fast)
    # Neither the slow one's end nor the stuck one's was waited for.
    assert "Disconnecting timedout replica" not in master.log()
    assert behind.info("replication")["master_link_status"] == "down"
    assert_same(master, *fast)
    slow.throttle(8 << 20)
    wait_link_up(behind)
    assert_same(master, behind)
    eventually(lambda: "Disconnecting timedout replica (full sync)" in master.log())
    stuck.throttle(None)
    stuck.resume()
    wait_link_up(hung, timeout=30)
    assert_same(master, hung)


def test_a_late_replica_joins_from_the_beginning(farm):
    master = farm.redwing(SPOOL | {"repl-diskless-sync-delay": "0", "rdb-key-save-delay": "1000"})
    fill_bulk(master, 16)
    with master.client() as client:
        first, second = farm.redwing(), farm.redwing()
        replicate(first, master)
        eventually(lambda: any(int(sync["bytes"]) > 8 << 20 for sync in syncs(master).values()))
        client.call("SET", "in:between", "1")
        replicate(second, master)
        assert_same(master, first, second)
    assert sync_counts(master)["sync_full"] == 2
    assert master.log().count("Background RDB transfer started") == 1
    assert "Joining the running snapshot from its beginning" in master.log()


def test_so_many_at_once_and_the_rest_in_a_queue(farm):
    master = farm.redwing(SPOOL | {"repl-max-concurrent-syncs": "1", "repl-diskless-sync-delay": "0"})
    fill_bulk(master, 8)
    slow = farm.own(Proxy(master.port))
    slow.throttle(1 << 19)
    replicas = [farm.redwing() for _ in range(3)]
    for count, replica in enumerate(replicas, 1):
        replicate(replica, slow)
        eventually(lambda: len(syncs(master)) == count)
    eventually(lambda: sorted(sync["place"] for sync in syncs(master).values()
                              if sync["phase"] == "queued") == ["1", "2"])
    slow.throttle(4 << 20)
    wait_link_up(*replicas, timeout=40)
    assert_same(master, *replicas)


def test_sub_replicas_hear_of_a_master_that_lost_its_own(farm):
    disk = {"repl-diskless-sync": "no"}
    top, middle, bottom = farm.redwing(disk), farm.redwing(disk), farm.redwing(disk | {"repl-timeout": "3"})
    replicate(middle, top)
    wait_link_up(middle)
    replicate(bottom, middle)
    wait_link_up(bottom)
    with top.client() as client:
        client.call("SET", "a", "1")
    wait_offsets_equal(top, middle, bottom)
    top.kill()
    deadline = time.monotonic() + 7
    while time.monotonic() < deadline:
        assert bottom.info("replication")["master_link_status"] == "up"
        time.sleep(0.2)
    middle.call("REPLICAOF", "NO", "ONE")
    middle.call("SET", "b", "2")
    assert_same(middle, bottom)
    assert sync_counts(middle)["sync_full"] == 1


def test_a_silent_master_is_left_and_continued(farm):
    master = farm.redwing({"repl-diskless-sync": "no"})
    link = farm.own(Proxy(master.port))
    replica = farm.redwing({"repl-timeout": "2"})
    replicate(replica, link)
    wait_link_up(replica)
    master.call("CONFIG", "SET", "repl-ping-replica-period", "1")
    link.silence()
    eventually(lambda: "MASTER timeout: no data nor PING received..." in replica.log())
    master.call("SET", "a", "1")
    link.resume()
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 1
    wait_online(master, 1)


def test_without_a_spool_the_pipe_goes_to_all_in_step(farm):
    master = farm.redwing(SPOOL | {"repl-spool": "no", "repl-timeout": "3"})
    fill_bulk(master, 16)
    slow, stuck = farm.own(Proxy(master.port)), farm.own(Proxy(master.port))
    slow.throttle(8 << 20)
    replicas = [farm.redwing(), farm.redis(), farm.redwing({"repl-diskless-load": "swapdb"})]
    replicate(replicas[0], slow)
    replicate(replicas[1], master)
    replicate(replicas[2], stuck)
    eventually(lambda: len(syncs(master)) == 3)
    stuck.silence()
    wait_link_up(*replicas[:2], timeout=30)
    assert_same(master, *replicas[:2])
    stuck.resume()
    wait_link_up(replicas[2], timeout=30)
    assert_same(master, *replicas)
