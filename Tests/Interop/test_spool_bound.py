# SPDX-License-Identifier: BSD-3-Clause
"""repl-spool-size: what the spool holds at most, who pays for it, and that nothing is left behind."""

import os

import pytest

from lab.proxy import Proxy
from lab.resp import ReplyError
from lab.servers import eventually
from lab.sync import assert_same, replicate, sync_counts, wait_link_up
from links import RawReplica, children, fill_bulk, spool_bytes, syncs

MB = 1 << 20
SPOOL = {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "1", "rdbcompression": "no"}


def held_until_up(master, replicas, limit):
    """Waits for the links; the most that the spool was seen to hold meanwhile."""
    most = 0

    def all_up():
        nonlocal most
        most = max(most, spool_bytes(master))
        assert int(master.info("replication")["repl_spool_bytes"]) <= limit
        return all(one.info("replication")["master_link_status"] == "up" for one in replicas)
    eventually(all_up, 60, interval=0.005)
    return most


@pytest.mark.parametrize("megabytes", [4, 16, 24])
def test_replicas_of_one_speed_are_all_served(farm, megabytes):
    master = farm.redwing(SPOOL | {"repl-spool-size": f"{megabytes}mb"})
    fill_bulk(master, 60)
    replicas = [farm.redwing() for _ in range(5)]
    for replica in replicas:
        replicate(replica, master)
    assert held_until_up(master, replicas, megabytes * MB) <= megabytes * MB
    assert_same(master, *replicas)
    assert sync_counts(master)["sync_full"] == 5 and "dropping" not in master.log(), master.log_tail()


@pytest.mark.parametrize("spool", ["memory", "disk"])
def test_one_slow_replica_alone_makes_the_child_wait(farm, spool):
    master = farm.redwing(SPOOL | {"repl-spool": spool, "repl-spool-size": "4mb"})
    fill_bulk(master, 24)
    slow = farm.own(Proxy(master.port))
    slow.throttle(8 * MB)
    replica = farm.redwing()
    replicate(replica, slow)
    eventually(lambda: int(master.info("replication")["repl_spool_bytes"]) > 2 * MB, interval=0.005)
    assert 0 < held_until_up(master, [replica], 4 * MB) <= 4 * MB
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 1
    eventually(lambda: spool_bytes(master) == 0)
    info = master.info("replication")
    assert info["repl_spool_bytes"] == "0" and info["repl_spool_size"] == str(4 * MB)


def test_at_the_bound_the_slowest_is_dropped_by_name(farm):
    master = farm.redwing(SPOOL | {"repl-spool-size": "8mb", "repl-diskless-sync-delay": "60",
                                   "repl-diskless-sync-max-replicas": "2"})
    fill_bulk(master, 40)
    slow = farm.own(Proxy(master.port))
    slow.throttle(1 * MB)
    fast, behind = farm.redwing(), farm.redwing()
    replicate(fast, master)
    replicate(behind, slow)
    wait_link_up(fast, timeout=20)
    assert_same(master, fast)
    eventually(lambda: "dropping the slowest replica 127.0.0.1:%d" % behind.port in master.log())
    # It comes alone now: nobody is to be waited for.
    master.call("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    slow.throttle(None)
    wait_link_up(behind, timeout=30)
    assert_same(master, behind)


def test_a_size_that_no_hole_fits_into_is_refused(farm):
    master = farm.redwing(SPOOL)
    with master.client() as client, pytest.raises(ReplyError):
        client.call("CONFIG", "SET", "repl-spool-size", "1mb")


def test_a_child_that_waits_for_room_ends_with_its_master(farm):
    master = farm.redwing(SPOOL | {"repl-spool-size": "4mb", "repl-diskless-sync-delay": "0"})
    fill_bulk(master, 24)
    farm.own(RawReplica(master, "eof", buffer=1 << 16))
    eventually(lambda: int(master.info("replication")["repl_spool_bytes"]) == 4 * MB)
    child, = children(master)
    assert syncs(master)["slave0_sync"]["phase"] == "streaming"
    master.kill()
    eventually(lambda: not os.path.exists(f"/proc/{child}") or is_zombie(child))


def is_zombie(pid):
    """Ended; whether somebody reaps it is a matter of who is its parent now."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "Z"
