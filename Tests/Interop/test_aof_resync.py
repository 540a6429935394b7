# SPDX-License-Identifier: BSD-3-Clause
"""A master or replica that restarts from its append only file, also after a crash, is continued by a
partial resync; and never one that shouldn't be."""

import os
import time

import pytest

from aof import AOF, Appender, content, fill, path, written
from lab.servers import eventually
from lab.sync import (assert_same, digest, replicate, sync_counts, wait_link_up,
                      wait_offsets_equal)


@pytest.fixture
def couple(farm):
    """A master and its replica, both with an AOF, in sync; no RDB is ever saved."""
    options = {**AOF, "repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1}
    master, replica = farm.redwing(options), farm.redwing(options)
    replicate(replica, master)
    replica.options["replicaof"] = ("127.0.0.1", master.port)
    wait_link_up(replica)
    eventually(lambda: replica.info("persistence")["aof_rewrites"] != "0")
    with master.client() as client:
        fill(client)
        for i in range(20):
            client.call("PUBLISH", "channel", i)
        client.call("SELECT", 3)
        client.call("RPUSH", "l", 1)
    wait_offsets_equal(master, replica)
    written(master)
    written(replica)
    return master, replica


@pytest.mark.parametrize("crash", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize("rewrite", [False, True], ids=["tail", "rewritten"])
def test_a_replica_is_continued(couple, crash, rewrite):
    master, replica = couple
    if rewrite:
        replica.call("BGREWRITEAOF")
        eventually(lambda: replica.info("persistence")["aof_rewrites"] == "2")
    written(replica)
    full = sync_counts(master)["sync_full"]
    replica.kill() if crash else replica.stop()
    with master.client() as client:
        client.call("SELECT", 3)
        client.call("RPUSH", "l", 2)
        fill(client, seed=9)
    replica.start()
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == full
    assert replica.call("DEBUG", "DIGEST") == master.call("DEBUG", "DIGEST")


@pytest.mark.parametrize("crash", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_master_goes_on_with_its_replicas(couple, crash, preamble):
    master, replica = couple
    master.call("CONFIG", "SET", "aof-use-rdb-preamble", preamble)
    master.options["aof-use-rdb-preamble"] = preamble
    master.call("BGREWRITEAOF")
    eventually(lambda: master.info("persistence")["aof_rewrites"] == "1")
    with master.client() as client:
        client.call("SELECT", 7)
        client.call("RPUSH", "l", 1)
        client.call("PUBLISH", "channel", "last")
    wait_offsets_equal(master, replica)
    written(master)
    expected = digest(master)
    master.kill() if crash else master.stop()
    master.start()
    assert digest(master) == expected
    wait_link_up(replica)
    assert sync_counts(master)["sync_full"] == 0, master.log_tail()
    fill(master.client(), seed=4)
    assert_same(master, replica)
    # And once more: the file's position goes on under the new id.
    written(master)
    master.kill()
    master.start()
    wait_link_up(replica)
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 0, master.log_tail()


def test_kills_under_load_never_end_in_a_difference(couple):
    master, replica = couple
    for turn in range(4):
        appender = Appender(master)
        eventually(lambda: appender.count() > 20)
        time.sleep(0.3 + 0.2 * turn)
        victim = (master, replica)[turn % 2]
        victim.kill()
        appender.stop() if victim is master else None
        victim.start()
        appender.stop()
        assert_same(master, replica)


def test_a_torn_batch_takes_a_replica_back_to_where_it_was(couple):
    master, replica = couple
    written(replica)
    full = sync_counts(master)["sync_full"]
    replica.kill()
    data = content(replica)
    # In the middle of the last batch that has a command: its record and what follows go.
    place = data.rindex(b"RPUSH")
    os.truncate(path(replica), place + 3)
    replica.start()
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == full
    assert "!!! Truncating the AOF at offset" in replica.log()


def test_what_another_server_appended_is_kept_and_ends_the_position(couple):
    master, replica = couple
    written(master)
    master.kill()
    with open(path(master), "ab") as file:
        file.write(b"*3\r\n$5\r\nRPUSH\r\n$7\r\nforeign\r\n$1\r\n1\r\n")
    master.start()
    assert any(master.call("EXISTS", "foreign") or client_exists(master, n) for n in range(16))
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 1


def client_exists(server, database):
    with server.client() as client:
        client.call("SELECT", database)
        return client.call("EXISTS", "foreign")


def test_a_crash_behind_a_full_sync_keeps_old_data_with_the_old_position(farm):
    """Until the new file is made, the old one must not claim the new master's position."""
    options = {**AOF, "repl-diskless-sync-delay": 0}
    one, two, replica = farm.redwing(), farm.redwing(), farm.redwing(options)
    fill(one.client())
    fill(two.client(), seed=2)
    replicate(replica, one)
    replica.options["replicaof"] = ("127.0.0.1", two.port)
    assert_same(one, replica)
    eventually(lambda: replica.info("persistence")["aof_rewrites"] == "1")
    replica.call("CONFIG", "SET", "rdb-key-save-delay", 20000)
    replicate(replica, two)
    wait_link_up(replica)
    eventually(lambda: replica.info("persistence")["aof_rewrite_in_progress"] == "1")
    assert replica.info("persistence")["aof_rewrites"] == "1"
    replica.kill()
    replica.start()
    assert_same(two, replica)
    assert sync_counts(two)["sync_full"] == 2
