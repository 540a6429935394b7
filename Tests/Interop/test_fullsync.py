# SPDX-License-Identifier: BSD-3-Clause
"""Full sync, Redwing and stock Redis in both roles: every way to send, every way to receive.

The digests are equal after it, with writes before, during and after; the cases where something
breaks in the middle are in test_fullsync_faults.py.
"""

import os
import threading
import time

import pytest

from lab.data import fill_all_types, write_some
from lab.proxy import Proxy
from lab.resp import Client, ReplyError
from lab.servers import eventually
from lab.sync import assert_same, digest, replicate, sync_counts, wait_link_up, wait_online

SEND = ["disk", "diskless"]
RECEIVE = ["disabled", "on-empty-db", "swapdb"]
ROLES = [("redwing", "redis"), ("redis", "redwing"), ("redwing", "redwing")]


def sending(how):
    """Directives of a master that sends so."""
    return {"repl-diskless-sync": "yes" if how == "diskless" else "no",
            "repl-diskless-sync-delay": "0"}


class Writer:
    """Writes without pause on a connection of its own until told to stop."""

    def __init__(self, server, prefix="live"):
        self.server, self.prefix = server, prefix
        self.rounds, self.fault = 0, None
        self.going = True
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def _run(self):
        try:
            with Client(self.server.port) as client:
                while self.going:
                    write_some(client, self.prefix, n=50, seed=self.rounds)
                    self.rounds += 1
                    time.sleep(0.002)
        except (OSError, AssertionError) as fault:
            self.fault = fault

    def __exit__(self, *_):
        self.going = False
        self.thread.join(30)
        assert not self.thread.is_alive(), f"a write on {self.server} is stuck"
        # Why a write failed is more telling than what comes of it.
        if self.fault:
            raise AssertionError(f"a write on {self.server} failed: {self.fault!r}")


@pytest.mark.parametrize("receive", RECEIVE)
@pytest.mark.parametrize("send", SEND)
@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_every_way_of_a_full_sync(farm, roles, send, receive):
    master = farm.start(roles[0], sending(send))
    replica = farm.start(roles[1], {"repl-diskless-load": receive})
    with master.client() as client:
        fill_all_types(client, n=1200, seed=3)
        before = sync_counts(master)["sync_full"]
        with Writer(master) as writer:
            replicate(replica, master)
            wait_link_up(replica)
            wait_online(master, 1)
            eventually(lambda: writer.rounds > 20)
        write_some(client, "after", n=200)
        assert_same(master, replica)
        assert sync_counts(master)["sync_full"] == before + 1
    assert replica.call("DBSIZE") > 0


@pytest.mark.parametrize("receive", ["disabled", "swapdb"])
@pytest.mark.parametrize("roles", ROLES[1:], ids="->".join)
def test_the_replicas_own_data_give_way(farm, roles, receive):
    master = farm.start(roles[0], sending("disk"))
    replica = farm.start(roles[1], {"repl-diskless-load": receive})
    with replica.client() as client:
        fill_all_types(client, n=200, seed=99)
        client.call("SET", "only:mine", "x")
    with master.client() as client:
        fill_all_types(client, n=200, seed=3)
    replicate(replica, master)
    assert_same(master, replica)
    assert replica.call("EXISTS", "only:mine") == 0


@pytest.mark.parametrize("send", SEND)
@pytest.mark.parametrize("count", [3, 10])
def test_several_replicas_at_once(farm, count, send):
    options = sending(send) | {"repl-diskless-sync-delay": "1"}
    master = farm.redwing(options)
    ways = [RECEIVE[i % 3] for i in range(count)]
    replicas = [farm.redwing({"repl-diskless-load": way}) for way in ways]
    with master.client() as client:
        fill_all_types(client, n=1000, seed=4)
    for replica in replicas:
        replicate(replica, master)
    with Writer(master):
        wait_online(master, count, timeout=60)
    assert_same(master, *replicas)
    # They share snapshots; how many depends on who comes when, but never one each.
    assert sync_counts(master)["sync_full"] == count


@pytest.mark.parametrize("send", SEND)
def test_redis_and_redwing_replicas_side_by_side(farm, send):
    master = farm.redwing(sending(send) | {"repl-diskless-sync-delay": "1"})
    replicas = [farm.start(kind) for kind in ("redis", "redwing", "redis")]
    with master.client() as client:
        fill_all_types(client, n=500, seed=4)
        for replica in replicas:
            replicate(replica, master)
        assert_same(master, *replicas)
        write_some(client, "later", n=300)
        assert_same(master, *replicas)


def test_a_password_and_a_user_are_asked_for(farm):
    master = farm.redis({"requirepass": "secret"})
    replica = farm.redwing({"masterauth": "secret"})
    with master.client() as client:
        client.call("AUTH", "secret")
        fill_all_types(client, n=100)
        replicate(replica, master)
        wait_link_up(replica)
        assert digest(replica) == digest(master, client)


def test_a_replica_with_the_wrong_password_says_so_and_gets_in_later(farm):
    master = farm.redwing({"requirepass": "secret"})
    replica = farm.redwing({"masterauth": "wrong"})
    replicate(replica, master)
    eventually(lambda: "Unable to AUTH to MASTER" in replica.log())
    replica.call("CONFIG", "SET", "masterauth", "secret")
    wait_link_up(replica)


@pytest.mark.parametrize("kind", ["redwing", "redis"])
def test_expiries_arrive_and_the_master_decides_on_them(farm, kind):
    master, replica = farm.redwing(), farm.start(kind)
    with master.client() as one, replica.client() as two:
        one.call("SET", "soon", "x", "PX", 1500)
        one.call("SET", "late", "x", "EX", 1000)
        replicate(replica, master)
        wait_link_up(replica)
        assert 990 <= two.call("TTL", "late") <= 1000
        one.call("SET", "streamed", "x", "PX", 1200)
        assert two.call("TTL", "late") > 0
        eventually(lambda: one.call("EXISTS", "soon", "streamed") == 0)
        # Gone by a DEL in the stream, not only hidden.
        eventually(lambda: two.call("DBSIZE") == 1)
    assert_same(master, replica)


def test_a_replica_refuses_writes_and_serves_reads(farm):
    master, replica = farm.redis(), farm.redwing()
    master.call("SET", "k", "v")
    replicate(replica, master)
    wait_link_up(replica)
    with replica.client() as client:
        assert client.call("GET", "k") == b"v"
        reply = client.call_or_error("SET", "k", "w")
        assert str(reply) == "READONLY You can't write against a read only replica."


def test_stale_data_is_served_or_not_as_configured(farm):
    master, replica = farm.redwing(), farm.redwing()
    master.call("SET", "k", "v")
    replicate(replica, master)
    wait_link_up(replica)
    master.kill()
    eventually(lambda: replica.info("replication")["master_link_status"] == "down")
    assert replica.call("GET", "k") == b"v"
    replica.call("CONFIG", "SET", "replica-serve-stale-data", "no")
    with pytest.raises(ReplyError, match="MASTERDOWN Link with MASTER is down and "
                                         "replica-serve-stale-data is set to 'no'."):
        replica.call("GET", "k")


def test_promotion_makes_a_master_that_takes_writes(farm):
    master, replica = farm.redis(), farm.redwing()
    master.call("SET", "k", "v")
    replicate(replica, master)
    wait_link_up(replica)
    replica.call("REPLICAOF", "NO", "ONE")
    with replica.client() as client:
        assert client.call("ROLE")[0] == b"master"
        assert client.call("SET", "k", "w") == b"OK"
    # And the old master can follow it.
    replicate(master, replica)
    assert_same(replica, master)


def test_a_restarted_replica_with_replicaof_in_its_arguments(farm):
    master = farm.redwing()
    master.call("SET", "k", "v")
    replica = farm.redwing({"replicaof": ("127.0.0.1", master.port)})
    wait_link_up(replica)
    replica.restart(crash=True)
    wait_link_up(replica)
    assert_same(master, replica)


def test_keys_beyond_the_first_database_and_swapdb(farm):
    master, replica = farm.redwing(), farm.redis()
    replicate(replica, master)
    wait_link_up(replica)
    with master.client() as client:
        for database in (0, 3, 11, 15, 0):
            client.call("SELECT", database)
            client.call("SET", "here", database)
        client.call("SWAPDB", 3, 11)
        client.call("MOVE", "here", 7)
    assert_same(master, replica)


def test_info_tells_the_progress_of_a_sync(farm):
    """Fields of 6.0.7 and 7.0, watched through a slow link."""
    master, replica = farm.redwing(sending("disk")), farm.redwing()
    with master.client() as client:
        for i in range(300):
            client.call("SET", f"k{i}", os.urandom(8000))
    proxy = farm.own(Proxy(master.port))
    proxy.throttle(2_000_000)
    replicate(replica, proxy)
    seen = []

    def done():
        info = replica.info("replication")
        if info["master_sync_in_progress"] == "1":
            seen.append(info)
        return info["master_link_status"] == "up"
    eventually(done)
    reading = [one for one in seen if int(one.get("master_sync_read_bytes", 0)) > 0]
    assert reading, seen[:3]
    for one in reading:
        total, read = int(one["master_sync_total_bytes"]), int(one["master_sync_read_bytes"])
        assert 0 < read <= total and int(one["master_sync_left_bytes"]) == total - read
        assert abs(float(one["master_sync_perc"]) - 100 * read / total) < 1
