# SPDX-License-Identifier: BSD-3-Clause
"""Our side as a replica against masters whose every byte a test decides: offsets beyond reason, slow
transfers of few large values, changes of mind, bytes behind the snapshot, claims of sizes, and what is
left behind when it ends early."""

import contextlib
import gzip
import os
import signal
import socket
import time

import pytest

from lab.data import fill_all_types
from lab.resp import Closed, ReplyError
from lab.servers import eventually
from lab.sync import assert_same, offset, replicate, sync_counts, wait_link_up
from links import (DISK, FakeMaster, huge_claims, peak_memory, rdb_of, refused, snapshot, threads)

RECEIVE = ["disabled", "on-empty-db", "swapdb"]
MARK = b"m" * 40
ASKED = b"*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n"


@pytest.fixture(scope="module")
def rdb(shared_farm):
    """700 keys of all types in 300 KB, which don't compress."""
    server = shared_farm.redwing()
    with server.client() as client:
        fill_all_types(client, n=300, seed=4, databases=(0,))
        client.pipeline([("SET", f"large:{i}", os.urandom(1000)) for i in range(250)])
    return snapshot(server)


def follow(farm, *answers, **options):
    fake = farm.own(FakeMaster(*answers))
    replica = farm.redwing({name.replace("_", "-"): value for name, value in options.items()})
    replicate(replica, fake)
    return fake, replica


def full(header, body):
    return b"+FULLRESYNC %s 100\r\n" % FakeMaster.IDENTITY.encode() + header + body


def marked(body, mark=MARK):
    return full(b"$EOF:" + mark + b"\r\n", body)


def stalled(rdb):
    """A transfer that stands still in its middle."""
    return FakeMaster.full(rdb[:len(rdb) // 2], 100, len(rdb))


def phase(replica):
    return replica.info("replication").get("master_sync_phase")


# Offsets.

@pytest.mark.parametrize("position", [2**63 - 1, 2**63 - 8, 2**62 + 1, -1, -2**63])
def test_an_offset_beyond_reason_is_refused(farm, rdb, position):
    fake, replica = follow(farm, FakeMaster.full(rdb, position), FakeMaster.full(rdb, 100))
    wait_link_up(replica)
    assert len(fake.requests) == 2 and offset(replica) == 100
    assert f"wrong +FULLRESYNC syntax. The line was '+FULLRESYNC {FakeMaster.IDENTITY} {position}'" in replica.log()


def test_the_largest_offset_has_room_for_a_stream(farm, rdb):
    fake, replica = follow(farm, FakeMaster.full(rdb, 2**62), b"+CONTINUE\r\n")
    wait_link_up(replica)
    fake.say(b"*1\r\n$4\r\nPING\r\n" * 3)
    eventually(lambda: offset(replica) == 2**62 + 42)
    fake.hang_up()
    wait_link_up(replica)
    assert fake.requests[1] == (FakeMaster.IDENTITY, 2**62 + 43)


# Slow transfers.

@pytest.mark.parametrize("receive", RECEIVE[1:])
@pytest.mark.parametrize("count, size", [(30, 40_000), (1, 10_000_000)], ids=["many large", "one huge"])
def test_a_slow_transfer_of_large_values_is_not_given_up(farm, count, size, receive):
    """Each piece is a sign of life, whether a key came with it or not; INFO tells of it at once."""
    keys = b"".join(b"\x00\x04k%03d" % i + b"\x80" + size.to_bytes(4, "big") + os.urandom(size)
                    for i in range(count))
    rdb = rdb_of(b"\xfe\x00" + keys)
    fake, replica = follow(farm, full(b"$%d\r\n" % len(rdb), b""), repl_diskless_load=receive, repl_timeout="3")
    eventually(lambda: phase(replica) == "parsing")
    step = len(rdb) // 25 + 1
    for at in range(0, len(rdb), step):
        time.sleep(0.2)
        fake.say(rdb[at:at + step])
        if at // step == 12:
            eventually(lambda: int(replica.info("replication")["master_sync_read_bytes"]) > at)
    wait_link_up(replica)
    assert len(fake.requests) == 1 and replica.call("DBSIZE") == count
    assert int(replica.info("stats")["total_net_input_bytes"]) >= len(rdb)


# Changes of mind.

@pytest.mark.parametrize("receive", RECEIVE)
def test_a_change_of_mind_ends_the_transfer(farm, rdb, receive):
    """The old master sees the end at once, no thread is left, and what the old master goes on to say harms nobody."""
    fake, replica = follow(farm, stalled(rdb), repl_diskless_load=receive)
    parsing = receive != "disabled"
    count = threads(replica)
    for turn in range(1, 7):
        if turn > 1:
            replicate(replica, fake)
        eventually(lambda: phase(replica) == ("parsing" if parsing else "receiving")
                   and int(replica.info("replication")["master_sync_read_bytes"]) > 0)
        if turn == 1:
            count = threads(replica)
        assert (refused(replica.call, "GET", "k") or "").startswith("LOADING") == (receive == "on-empty-db")
        assert replica.call("REPLICAOF", "NO", "ONE") == b"OK"
        eventually(lambda: fake.ended == turn)
    assert replica.call("SET", "k", "v") == b"OK"
    eventually(lambda: threads(replica) < count + (not parsing))
    replica.call("DEL", "k")
    other = farm.redwing(DISK)
    other.call("SET", "from", "other")
    replicate(replica, fake)
    eventually(lambda: phase(replica) in ("parsing", "receiving"))
    old = fake.peer
    replicate(replica, other)
    wait_link_up(replica)
    with other.client() as client:
        for i in range(20):
            try:
                old.sendall(rdb[len(rdb) // 2:][i * 1000:(i + 1) * 1000])
            except OSError:
                pass
            client.call("INCR", "count")
    assert_same(other, replica)
    assert sync_counts(other)["sync_full"] == 1 and fake.ended == 7
    assert not [name for name in os.listdir(replica.directory) if name.startswith("temp-")]


@pytest.mark.parametrize("order", ["REPLICAOF", "SLAVEOF"])
@pytest.mark.parametrize("receive", RECEIVE[:2])
def test_a_change_of_mind_while_keys_are_built(farm, rdb, receive, order):
    """The link's load ends with the link; a start-up load is nobody's to end."""
    fake, replica = follow(farm, FakeMaster.full(rdb, 100), repl_diskless_load=receive, key_load_delay="100000")
    wanted = "loading" if receive == "disabled" else "parsing"
    eventually(lambda: phase(replica) == wanted)
    assert refused(replica.call, "DBSIZE").startswith("LOADING")
    assert replica.call(order, "NO", "ONE") == b"OK"
    assert replica.call("DBSIZE") == 0
    eventually(lambda: fake.ended == 1)

    starting = farm.make("redwing", {"key-load-delay": "100000"})
    with open(starting.dump_path(), "wb") as file:
        file.write(rdb)
    starting.start(wait=False)
    starting.wait_ready(loading_is_fine=True)
    assert refused(starting.call, order, "NO", "ONE").startswith("LOADING")


# What follows the snapshot.

def surplus(n):
    return f"the transfer holds {n} more than its RDB (at byte "


# What follows +FULLRESYNC, from the RDB, and what the log then says.
NOT_A_TRANSFER = {
    "a command within the length": (lambda rdb: full(b"$%d\r\n" % (len(rdb) + len(ASKED)), rdb + ASKED), surplus("30 bytes")),
    "a byte too many": (lambda rdb: full(b"$%d\r\n" % (len(rdb) + 1), rdb + b"\n"), surplus("1 byte")),
    "too short": (lambda rdb: full(b"$%d\r\n" % (len(rdb) - 5), rdb), "where 5 more bytes were due"),
    "another mark": (lambda rdb: marked(rdb + b"x" * 40), None),
    "no bytes": (lambda rdb: full(b"$0\r\n", rdb), "'$0' announces no transfer (expected $<bytes> or $EOF:<40 characters>)"),
    "a sign": (lambda rdb: full(b"$+%d\r\n" % len(rdb), rdb), "announces no transfer"),
    "a mark of 41": (lambda rdb: marked(rdb + MARK, MARK + b"z"), "announces no transfer"),
    "gzip": (lambda rdb: full(b"$%d\r\n" % len(gzip.compress(rdb)), gzip.compress(rdb)), "not an RDB file: it starts with '\\x1f\\x8b"),
    "another version": (lambda rdb: full(b"$%d\r\n" % len(rdb), b"REDIS0099" + rdb[9:]), "RDB version 99, can read 1 to 12"),
    "a wrong checksum": (lambda rdb: full(b"$%d\r\n" % len(rdb), rdb[:-1] + bytes([rdb[-1] ^ 1])), "checksum is"),
}


@pytest.mark.parametrize("receive", ["disabled", "swapdb"])
@pytest.mark.parametrize("row", NOT_A_TRANSFER)
def test_what_is_not_exactly_one_snapshot_is_refused(farm, rdb, row, receive):
    make, text = NOT_A_TRANSFER[row]
    fake = farm.own(FakeMaster(make(rdb), FakeMaster.full(rdb, 100)))
    replica = farm.redwing({"repl-diskless-load": receive, "repl-timeout": "3"})
    replica.call("SET", "mine", "1")
    replicate(replica, fake)
    eventually(lambda: len(fake.requests) == 2)
    wait_link_up(replica)
    assert replica.call("EXISTS", "evil", "mine") == 0
    if text is None:
        text = "not followed by its EOF mark" if receive == "swapdb" else "Timeout receiving bulk data"
    assert text in replica.log()


def test_what_comes_with_the_mark_is_never_lost(farm, rdb):
    """A master must wait for our ACK there. From one that doesn't we take the snapshot again, or all."""
    fake, replica = follow(farm, marked(rdb + MARK + ASKED), FakeMaster.full(rdb, 100), repl_diskless_load="swapdb")
    wait_link_up(replica)
    if len(fake.requests) == 1:
        eventually(lambda: replica.call("GET", "evil") == b"1")
    else:
        assert surplus("30 bytes") in replica.log()


@pytest.mark.parametrize("receive", ["disabled", "swapdb"])
@pytest.mark.parametrize("header", [b"\n\n\r\n$%d\r\n", b"$%d\n", b"$EOF:" + MARK + b"\r\n"], ids=["newlines", "lf", "mark"])
def test_snapshots_as_masters_send_them(farm, rdb, header, receive):
    is_marked = b"EOF" in header
    body = rdb + MARK if is_marked else rdb
    fake, replica = follow(farm, full(header if is_marked else header % len(rdb), body), repl_diskless_load=receive)
    wait_link_up(replica)
    fake.say(ASKED)
    eventually(lambda: replica.call("GET", "evil") == b"1")
    assert offset(replica) == 130 and len(fake.requests) == 1


# Claims.

@pytest.mark.parametrize("receive, answer", [
    ("disabled", lambda rdb: FakeMaster.full(rdb)), ("swapdb", lambda rdb: FakeMaster.full(rdb[:-9], length=1 << 40)),
    ("swapdb", lambda rdb: marked(rdb[:-9]))], ids=["file", "length", "mark"])
def test_claims_of_keys_reserve_little(farm, receive, answer):
    fake, replica = follow(farm, answer(rdb_of(huge_claims())), repl_diskless_load=receive)
    before = peak_memory(replica)
    if receive == "disabled":
        wait_link_up(replica)
    else:
        eventually(lambda: phase(replica) == "parsing"
                   and int(replica.info("replication")["master_sync_read_bytes"]) > 300)
    assert peak_memory(replica) - before < 200 << 20


# Peers that are no masters, and ends.

def greeting(farm, said):
    """A port that says this to each visitor and then nothing more."""
    def talk(peer):
        with peer, contextlib.suppress(OSError):  # the visitor may have left first
            peer.sendall(said)
            peer.shutdown(socket.SHUT_WR)
            peer.recv(100)
    fake = farm.own(FakeMaster(b""))
    fake._talk = talk
    return fake


@pytest.mark.parametrize("said, logged", [
    (b"HTTP/1.1 400 Bad Request\r\n", "Error reply to PING from master: 'HTTP/1.1 400 Bad Request' (expected +PONG"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "Error reply to PING from master: 'SSH-2.0-OpenSSH_9.2' (expected +PONG"),
    (b"J\0\0\0\n8.0.33\0", "Error reply to PING from master: 'J\\x00\\x00\\x00' (expected +PONG"),
    (b"-\x1b[31mred\xff\r\n", "Error reply to PING from master: '-\\x1b[31mred\\xff' (expected +PONG"),
    (b"x" * 1000 + b"\n", "Error reply to PING from master: '" + "x" * 256 + "...' (expected +PONG"),
    (b"+PON", "connection closed by the master behind '+PON', which is no line"),
    (b"", "connection closed by the master"),
], ids=["http", "ssh", "mysql", "escapes", "long", "half a line", "nothing"])
def test_what_is_no_master_is_named_in_the_log(farm, said, logged):
    fake = greeting(farm, said)
    replica = farm.redwing()
    replicate(replica, fake)
    eventually(lambda: logged in replica.log())
    assert "\x1b" not in replica.log() and "doesn't end" not in replica.log()
    info = replica.info("replication")
    assert info["master_link_down_since_seconds"] == "-1"


@pytest.mark.parametrize("how", ["SIGTERM", "SHUTDOWN"])
@pytest.mark.parametrize("where", ["receiving", "loading"])
def test_an_end_leaves_no_part_of_a_transfer(farm, rdb, where, how):
    answer = stalled(rdb) if where == "receiving" else FakeMaster.full(rdb)
    fake, replica = follow(farm, answer, key_load_delay="100000", save="3600 1")
    eventually(lambda: phase(replica) == where)
    assert [name for name in os.listdir(replica.directory) if name.startswith("temp-")]
    if how == "SIGTERM":
        os.kill(replica.process.pid, signal.SIGTERM)
    else:
        with pytest.raises((Closed, OSError, ReplyError)):
            replica.call("SHUTDOWN", "NOSAVE")
    assert replica.process.wait(30) == 0
    # While another data set is loaded, the old one isn't saved.
    left = {"dump.rdb"} if (where, how) == ("receiving", "SIGTERM") else set()
    assert {name for name in os.listdir(replica.directory) if name.endswith(".rdb")} == left


def cpu_seconds(server):
    with open(f"/proc/{server.process.pid}/stat") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_a_master_that_leaves_during_the_load_costs_nothing(farm):
    """Its hang-up is no event without end, and it is asked to go on afterwards."""
    rdb = rdb_of(b"\xfe\x00" + b"".join(b"\x00\x04%04d\x01v" % i for i in range(400)))
    fake, replica = follow(farm, FakeMaster.full(rdb, 100), b"+CONTINUE\r\n", key_load_delay="5000")
    eventually(lambda: phase(replica) == "loading")
    fake.hang_up()
    before, since = cpu_seconds(replica), time.monotonic()
    eventually(lambda: len(fake.requests) == 2, interval=0.1)
    assert cpu_seconds(replica) - before < 0.5 * (time.monotonic() - since)
    assert fake.requests[1] == (FakeMaster.IDENTITY, 101)
    wait_link_up(replica)
    assert replica.call("DBSIZE") == 400


def test_attempts_grow_rarer(farm, rdb):
    """1 s, 2 s, 4 s behind transfers that failed, and at once behind an order."""
    fake, replica = follow(farm, full(b"$9\r\n", b"not a rdb"))
    eventually(lambda: len(fake.visited_at) == 4, 20)
    gaps = [b - a for a, b in zip(fake.visited_at, fake.visited_at[1:])]
    assert all(gap > 0.95 * 2**i for i, gap in enumerate(gaps)), gaps
    replica.call("REPLICAOF", "NO", "ONE")
    replicate(replica, fake)
    eventually(lambda: len(fake.visited_at) == 5, 7)
