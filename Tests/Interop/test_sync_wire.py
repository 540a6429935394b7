# SPDX-License-Identifier: BSD-3-Clause
"""Full syncs seen byte by byte from the replica's end of the link: who shares a snapshot and who gets the
next one, what each is told, who is dropped and who isn't, and what it costs a master to wait."""

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.resp import encode
from lab.servers import eventually
from lab.sync import replicate, sync_counts, wait_link_up
from links import DISK, RawReplica, children, cpu_seconds, fill_bulk, syncs

DISKLESS = {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0"}
# The child takes a second and a half for what `some` writes.
SLOWLY = {"rdb-key-save-delay": "1000"}
WRITE = encode("SELECT", 0) + encode("SET", "in", "between")


PING = encode("PING")


def some(master, keys=1500):
    with master.client() as client:
        client.pipeline([("SET", f"k{i}", os.urandom(100)) for i in range(keys)])


def replica(farm, master, *capabilities, **more):
    return farm.own(RawReplica(master, *capabilities, **more))


def write_in(stream):
    """What comes of the stream, PINGs apart, up to where the write is complete."""
    while len(stream.pending.replace(PING, b"")) < len(WRITE):
        stream.more()
    return stream.pending.replace(PING, b"")


def forks(master):
    return master.log().count("Background saving started")


# Who shares what.

def test_a_running_disk_snapshot_is_shared_with_its_offset(farm):
    master = farm.redwing(DISK | SLOWLY)
    some(master)
    first = replica(farm, master, "eof", "psync2")
    identity, position = first.granted()
    master.call("SET", "in", "between")
    second = replica(farm, master, "eof", "psync2")
    assert second.granted() == (identity, position)
    assert "Waiting for end of BGSAVE for SYNC" in master.log()
    assert first.body() == second.body() and forks(master) == 1
    # What was written after the snapshot began comes to both, from the same byte on.
    assert write_in(first) == write_in(second) == WRITE


def test_one_that_can_do_less_gets_the_next_snapshot_at_once(farm):
    master = farm.redwing(DISK | SLOWLY)
    some(master)
    first = replica(farm, master, "eof", "psync2")
    identity, position = first.granted()
    master.call("SET", "in", "between")
    second = replica(farm, master)
    eventually(lambda: "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC"
               in master.log())
    first.body()
    same, later = second.granted()
    assert same == identity and (later - position - len(WRITE)) % len(PING) == 0 and later > position
    assert second.body()[1] is None and forks(master) == 2
    log = master.log()
    ended = log.index("Background saving terminated with success")
    assert log.index("Starting BGSAVE for SYNC with target: disk", ended) > ended


def test_the_least_capable_one_decides_for_the_disk(farm):
    master = farm.redwing(DISKLESS | {"repl-diskless-sync-delay": "60", "repl-diskless-sync-max-replicas": "2"})
    some(master, 100)
    able = replica(farm, master, "eof", "psync2")
    eventually(lambda: "Delay next BGSAVE for diskless SYNC" in master.log())
    unable = replica(farm, master, "psync2")
    assert able.granted() == unable.granted()
    assert able.body() == unable.body() and forks(master) == 1
    assert "Starting BGSAVE for SYNC with target: disk" in master.log()


def test_an_old_sync_client_among_others(farm):
    """It gets the file without a line before it, then the stream, and owes no ACK."""
    master = farm.redwing(DISK | SLOWLY)
    some(master)
    old = replica(farm, master, old=True)
    eventually(lambda: forks(master) == 1)
    new = replica(farm, master, "eof", "psync2")
    new.granted()
    master.call("SET", "in", "between")
    assert old.body() == new.body() and forks(master) == 1
    assert write_in(old) == write_in(new) == WRITE


def test_a_disk_child_that_is_killed_lets_both_go_who_wait_for_it(farm):
    master = farm.redwing(DISK | SLOWLY)
    some(master)
    waiting = [replica(farm, master, "eof", "psync2") for _ in range(2)]
    for one in waiting:
        one.granted()
    child, = children(master)
    os.kill(child, signal.SIGKILL)
    assert all(one.is_closed() for one in waiting)
    assert master.log().count("SYNC failed. BGSAVE child returned an error") == 2
    again = replica(farm, master, "eof", "psync2")
    again.granted()
    assert again.body()[0].startswith(b"REDIS")


@pytest.mark.parametrize("kind", ["redwing", "redis"])
@pytest.mark.parametrize("options", [DISK, DISKLESS], ids=["disk", "diskless"])
def test_one_that_wants_no_stream_is_let_go_behind_the_snapshot(farm, kind, options):
    master = farm.start(kind, options)
    some(master, 100)
    only = replica(farm, master, "eof", "psync2", rdb_only=True)
    only.granted()
    assert only.body()[0].startswith(b"REDIS")
    assert only.is_closed()
    assert "RDB transfer completed, rdb only replica (127.0.0.1:<unknown-replica-port>) should be " \
        "disconnected asap" in master.log()


def test_a_start_that_fails_is_told_to_all_who_wait(farm):
    """Those as well whose turn had not come: no replica is left, and each asks again."""
    master = farm.redwing(DISKLESS | {"repl-diskless-sync-delay": "3", "repl-spool": "disk",
                                      "repl-max-concurrent-syncs": "1"})
    some(master, 100)
    # In a directory that is no more, no spool can be made.
    gone = tempfile.mkdtemp()
    master.call("CONFIG", "SET", "dir", gone)
    waiting = [replica(farm, master, "eof", "psync2") for _ in range(3)]
    eventually(lambda: len(syncs(master)) == 3)
    os.rmdir(gone)
    for one in waiting:
        assert one.line() == b"-ERR BGSAVE failed, replication can't continue"
        assert one.is_closed()
    assert master.log().count("BGSAVE for replication failed") == 1
    assert master.info("replication")["connected_slaves"] == "0"
    assert master.call("CLIENT", "LIST", "TYPE", "replica") == b""


# Who is dropped.

@pytest.mark.parametrize("spool", ["no", "memory"])
def test_only_the_one_that_takes_nothing_is_dropped(farm, spool):
    master = farm.redwing(DISKLESS | {"repl-diskless-sync-delay": "1", "repl-spool": spool,
                                      "repl-timeout": "2", "rdbcompression": "no"})
    fill_bulk(master, 16)
    stuck = replica(farm, master, "eof", "psync2", port=1111, buffer=1 << 16)
    healthy = farm.redwing()
    replicate(healthy, master)
    assert stuck.granted()
    wait_link_up(healthy)
    eventually(lambda: "Disconnecting timedout replica (full sync): 127.0.0.1:1111" in master.log())
    assert master.log().count("Disconnecting timedout replica") == 1
    assert sync_counts(master)["sync_full"] == 2


@pytest.mark.parametrize("spool", ["no", "memory"])
def test_nobody_is_dropped_because_the_child_is_silent(farm, spool):
    master = farm.redwing(DISKLESS | SLOWLY | {"repl-spool": spool, "repl-timeout": "2",
                                               "rdbcompression": "no"})
    fill_bulk(master, 16)
    healthy = farm.redwing()
    replicate(healthy, master)
    eventually(lambda: any(int(one.get("bytes", 0)) > 1 << 20 for one in syncs(master).values()))
    child, = children(master)
    os.kill(child, signal.SIGSTOP)
    began = int(master.info("server")["uptime_in_seconds"])
    eventually(lambda: int(master.info("server")["uptime_in_seconds"]) >= began + 5)
    os.kill(child, signal.SIGCONT)
    wait_link_up(healthy)
    assert sync_counts(master)["sync_full"] == 1 and "timedout" not in master.log()


# What waiting costs.

def is_cheap(server, seconds=2):
    """Below 15 % of a CPU, debug builds and the cron included; a loop that spins takes all of it."""
    began, spent = int(server.info("server")["uptime_in_seconds"]), cpu_seconds(server)
    eventually(lambda: int(server.info("server")["uptime_in_seconds"]) > began + seconds, interval=0.5)
    return cpu_seconds(server) - spent < 0.3


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("spool", ["no", "memory"])
def test_a_stalled_replica_costs_no_cpu(farm, spool, replicas):
    """While the child waits for room, and when it has ended; and then the rest of it is right."""
    master = farm.redwing(DISKLESS | {"repl-diskless-sync-delay": "1", "repl-spool": spool,
                                      "repl-spool-size": "4mb", "rdbcompression": "no"})
    fill_bulk(master, 14)
    stalled = [replica(farm, master, "eof", "psync2", buffer=1 << 16) for _ in range(replicas)]
    for one in stalled:
        one.granted()
    assert is_cheap(master)
    assert len(children(master)) == 1
    bodies = [bytearray() for _ in range(replicas)]

    def child_has_ended():
        for i, one in enumerate(stalled):
            bodies[i] += one.take(64 << 10)
        return not children(master)
    eventually(child_has_ended, 90, interval=0)
    assert is_cheap(master)

    def rest(one, body):
        body += one.pending
        while not body.endswith(body[5:45]):
            data = one.socket.recv(1 << 18)
            assert data, "the master closed the link"
            body += data
        return bytes(body)
    # Side by side: in step, one that isn't read would hold up the other.
    with ThreadPoolExecutor() as pool:
        bodies = list(pool.map(rest, stalled, bodies))
    for body in bodies:
        assert body.startswith(b"$EOF:") and body[47:52] == b"REDIS" and len(body) > 14 << 20
        assert body.count(body[5:45]) == 2 and body == bodies[0]


# What becomes of the child.

@pytest.mark.parametrize("save, is_ended", [("", True), ("3600 1000000", False)], ids=["no saves", "saves"])
def test_a_disk_child_without_replicas_is_of_use_to_save_points_only(farm, save, is_ended):
    master = farm.redwing(DISK | SLOWLY | {"save": save})
    some(master, 3000)
    one = replica(farm, master, "eof", "psync2")
    one.granted()
    one.close()
    eventually(lambda: not children(master), 40)
    log = master.log()
    line = "BGSAVE for SYNC, last replica dropped and no save points, killing fork child."
    assert (line in log) == is_ended and "Diskless" not in log
    assert ("Background saving terminated by signal 10" in log) == is_ended
    assert ("Background saving terminated with success" in log) != is_ended


# What INFO tells.

def is_honest(fields):
    """In the middle of it: percent, rate and time left are known and agree with the bytes."""
    done, total = int(fields["bytes"]), int(fields["total"])
    if total <= 0 or not 0.05 < done / total < 0.95 or int(fields["rate"]) == 0:
        return False
    assert abs(float(fields["perc"]) - 100 * done / total) < 0.02
    assert abs(int(fields["eta"]) - (total - done) / int(fields["rate"])) <= 1
    return True


@pytest.mark.parametrize("options, phase, estimated", [
    (DISK, "snapshot", "1"), (DISKLESS | {"repl-spool": "memory"}, "streaming", "1"),
    (DISKLESS | {"repl-spool": "no"}, "streaming", "1")], ids=["disk", "spool", "pipe"])
def test_info_knows_how_far_the_child_is(farm, options, phase, estimated):
    master = farm.redwing(options | SLOWLY | {"rdbcompression": "no"})
    fill_bulk(master, 24)
    follower = farm.redwing({"repl-diskless-load": "swapdb"})
    follower.call("SET", "not", "empty")
    replicate(follower, master)

    def seen():
        found = syncs(master).get("slave0_sync", {})
        return found.get("phase") == phase and is_honest(found) and found
    found = eventually(seen, interval=0.005)
    assert found["estimated"] == estimated
    # The snapshot is 24 MiB and a little: what is reckoned from the keys comes near.
    assert 20 << 20 < int(found["total"]) < 30 << 20
    if options is not DISK:
        def seen_by_the_replica():
            info = follower.info("replication")
            fields = {name: info.get(f"master_sync_{field}", "0") for name, field in (
                ("bytes", "read_bytes"), ("total", "total_bytes"), ("perc", "perc"),
                ("rate", "rate_bytes_per_sec"), ("eta", "eta_seconds"))}
            return is_honest(fields) and info
        info = eventually(seen_by_the_replica, interval=0.005)
        assert info["master_sync_phase"] == "parsing" and info["master_sync_total_is_estimate"] == "1"
    wait_link_up(follower)


def test_the_time_of_the_snapshot_is_no_time_of_the_transfer(farm):
    """A second and a half for the file, then 2 MB in as long: the rate is that of the transfer."""
    master = farm.redwing(DISK | SLOWLY | {"rdbcompression": "no"})
    fill_bulk(master, 24)
    slow = replica(farm, master, "eof", "psync2", buffer=1 << 16)
    slow.granted()
    slow.line()
    fields = eventually(lambda: (found := syncs(master)["slave0_sync"])["phase"] == "sending" and found)
    assert fields["estimated"] == "0" and int(fields["total"]) > 24 << 20
    # What the socket holds went at once.
    assert int(fields["rate"]) > int(fields["bytes"]), fields
