# SPDX-License-Identifier: BSD-3-Clause
"""WAIT, too few good replicas, CLIENT PAUSE and FAILOVER: what a master promises about its replicas, and
how it hands its place over; in the words of Redis 6.2 and 7.0."""

import threading
import time

import pytest

from lab.proxy import Proxy
from lab.resp import encode
from lab.servers import eventually
from lab.sync import assert_same, offset, replicate, sync_counts, wait_link_up, wait_online
from links import DISK, Tap, refused, wait_partial
from pair import arguments_of


def pair(farm, kinds=("redwing", "redwing"), options=DISK):
    nodes = [farm.start(kind, options) for kind in kinds]
    for replica in nodes[1:]:
        replicate(replica, nodes[0])
    wait_link_up(*nodes[1:])
    wait_online(nodes[0], len(nodes) - 1)
    return nodes


def deaf(farm, master):
    """A replica whose link is half-open: it hears nothing, and nobody hears it."""
    proxy, replica = farm.own(Proxy(master.port)), farm.redwing(DISK)
    replicate(replica, proxy)
    wait_link_up(replica)
    wait_online(master, 1)
    proxy.silence()
    return replica, proxy


def test_wait_in_a_transaction_does_not_wait(farm):
    master = farm.redwing(DISK)
    deaf(farm, master)
    with master.client(timeout=20) as client:
        client.call("MULTI")
        client.call("SET", "a", "1")
        client.call("WAIT", "1", "0")
        client.call("INCR", "a")
        assert client.call("EXEC") == [b"OK", 0, 2]


def test_wait_says_after_its_time_how_many_there_are(farm):
    master, replica = pair(farm)
    deaf(farm, master)
    with master.client() as client:
        client.call("SET", "a", "1")
        assert client.call("WAIT", "1", "0") == 1
        start = time.monotonic()
        assert client.call("WAIT", "2", "300") == 1
        assert 0.25 < time.monotonic() - start < 3
        assert client.call("WAIT", "0", "0") >= 1
        assert refused(client.call, "WAIT", "1", "-1") == "ERR timeout is negative"
        assert refused(client.call, "WAIT", "1", "x") == "ERR timeout is not an integer or out of range"
        assert refused(client.call, "WAIT", "x", "1") == "ERR value is not an integer or out of range"
        assert "not allowed from script" in refused(
            client.call, "EVAL", "return redis.call('wait', 1, 1)", "0")
    assert replica.call("GET", "a") == b"1"


WRITES = {
    "nothing": ([], 1),
    "a read": (["GET a"], 1),
    "a write that changed nothing": (["DEL none"], 1),
    "a script that only read": (["EVAL \"return redis.call('get', 'a')\" 0"], 1),
    "a write": (["SET a 1"], 0),
    "a transaction": (["MULTI", "SET a 1", "GET a", "EXEC"], 0),
    "a script": (["EVAL \"return redis.call('set', 'a', '1')\" 0"], 0),
    "a script in a transaction": (["MULTI", "EVAL \"redis.call('set', 'a', '1')\" 0", "EXEC"], 0),
    "a command with another form for replicas": (["SADD s 1 2 3", "SPOP s"], 0),
    "a wait that was served": (["BLPOP list 5"], 0),
}


@pytest.mark.parametrize("commands, acknowledged", WRITES.values(), ids=WRITES.keys())
def test_wait_is_for_what_this_client_wrote(farm, commands, acknowledged):
    """Not for others' writes: whoever wrote nothing has nothing to wait for."""
    master = farm.redwing(DISK)
    deaf(farm, master)
    with master.client() as other, master.client() as client:
        other.call("SET", "a", "0")
        for command in commands:
            client.send(encode(*arguments_of(command)))
            if command.startswith("BLPOP"):
                eventually(lambda: master.info("clients")["blocked_clients"] == "1")
                other.call("RPUSH", "list", "x")
            client.read()
        # Nobody acknowledges any more: one answers at once, or never. 10 s are longer than a test's
        # patience would be if the answer had to wait for its time.
        began = time.monotonic()
        assert client.call("WAIT", "1", "10000" if acknowledged else "100") == acknowledged
        assert not acknowledged or time.monotonic() - began < 8


def test_many_in_wait_are_served_by_one_acknowledgement(farm):
    master, _ = pair(farm, ("redwing", "redis"))
    tap = farm.own(Tap(master))
    clients = [master.client() for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(b"SET k%d v\r\nWAIT 1 5000\r\n" % number)
    for client in clients:
        assert client.read() == b"OK" and client.read() == 1
        client.close()
    asked = sum(words[:2] == [b"REPLCONF", b"GETACK"] for words in tap.commands(offset(master)))
    assert 1 <= asked <= 20


def test_a_demotion_ends_a_wait(farm):
    master, replica = pair(farm)
    deaf(farm, master)
    with master.client() as client:
        client.send(b"SET a 1\r\nWAIT 2 0\r\n")
        assert client.read() == b"OK"
        eventually(lambda: master.info("clients")["blocked_clients"] == "1")
        replicate(master, replica)
        assert "UNBLOCKED" in str(client.read()) or client.call_or_error("PING")


@pytest.mark.parametrize("kinds", [("redwing", "redis"), ("redwing", "redwing")], ids="->".join)
def test_min_replicas_refuse_writes_of_any_way(farm, kinds):
    master, replica = pair(farm, kinds, DISK)
    with master.client() as client:
        client.call("CONFIG", "SET", "min-replicas-to-write", "2")
        for write in (("SET", "a", "1"), ("EVAL", "return redis.call('set', 'a', '1')", "0")):
            assert "NOREPLICAS Not enough good replicas to write." in refused(client.call, *write)
        client.call("MULTI")
        assert refused(client.call, "SET", "a", "1").startswith("NOREPLICAS")
        assert refused(client.call, "EXEC").startswith("EXECABORT")
        assert client.call("GET", "a") is None
        assert master.info("replication")["min_slaves_good_slaves"] == "1"
        more = farm.redwing(DISK)
        replicate(more, master)
        wait_link_up(more)
        eventually(lambda: refused(client.call, "SET", "a", "1") is None)
        more.kill()
        eventually(lambda: refused(client.call, "SET", "a", "2") is not None)
        client.call("CONFIG", "SET", "min-slaves-to-write", "0")
        assert client.call("SET", "a", "3") == b"OK"
    assert_same(master, replica)


def test_a_pause_holds_the_stream_but_not_the_replicas(farm):
    """PAUSE WRITE: writes wait, expiry waits, ACKs and reads go on, a new replica gets its copy."""
    master, replica = pair(farm)
    with master.client() as admin, master.client() as writer:
        admin.call("SET", "short", "x", "PX", "50")
        admin.call("CLIENT", "PAUSE", "60000", "WRITE")
        writer.send(b"SET held 1\r\n")
        late = farm.redwing(DISK)
        replicate(late, master)
        wait_link_up(late)
        assert admin.call("GET", "held") is None and replica.call("GET", "held") is None
        admin.call("CLIENT", "UNPAUSE")
        assert writer.read() == b"OK"
        eventually(lambda: admin.call("EXISTS", "short") == 0)
    assert_same(master, replica, late)
    assert late.call("GET", "held") == b"1"


ERRORS = [
    (("FAILOVER", "ABORT"), "ERR No failover in progress."),
    (("FAILOVER", "TIMEOUT", "0"), "ERR FAILOVER timeout must be greater than 0"),
    (("FAILOVER", "TIMEOUT", "x"), "ERR value is not an integer or out of range"),
    (("FAILOVER", "TO", "127.0.0.1"), "ERR syntax error"),
    (("FAILOVER", "TO", "127.0.0.1", "1"), "ERR FAILOVER target HOST and PORT is not a replica."),
    (("FAILOVER", "FORCE"), "ERR FAILOVER with force option requires both a timeout and target HOST and IP."),
    (("FAILOVER", "ABORT", "TIMEOUT", "1"), "ERR syntax error"),
    (("FAILOVER", "NONSENSE"), "ERR syntax error"),
]


@pytest.mark.parametrize("kind", ["redwing", "redis"])
def test_what_failover_refuses(farm, kind):
    alone = farm.start(kind, DISK)
    assert refused(alone.call, "FAILOVER") == "ERR FAILOVER requires connected replicas."
    master, replica = pair(farm, (kind, "redwing"))
    for request, text in ERRORS:
        assert refused(master.call, *request) == text, request
    if kind == "redwing":
        assert refused(replica.call, "FAILOVER") == "ERR FAILOVER is not valid when server is a replica."
        mine = replica.info("replication")["master_replid"]
        assert "FAILOVER replid must match my replid." in refused(
            replica.call, "PSYNC", "e" * 40, "1", "FAILOVER")
        assert "PSYNC FAILOVER can't be sent to a master." in refused(
            master.call, "PSYNC", mine, "1", "FAILOVER")
    assert master.info("replication")["master_failover_state"] == "no-failover"


def start_failover(master, *more):
    """A writer that is held while the failover waits."""
    writer = master.client()
    with master.client() as client:
        client.call("SET", "before", "1")
        assert client.call("FAILOVER", *more) == b"OK"
        assert refused(client.call, "FAILOVER") == "ERR FAILOVER already in progress."
        assert "not allowed while failing over" in refused(client.call, "REPLICAOF", "NO", "ONE")
    assert master.info("replication")["master_failover_state"] == "waiting-for-sync"
    writer.send(b"SET held 1\r\n")
    return writer


def test_a_failover_that_nobody_can_take_is_aborted_by_its_timeout(farm):
    master = farm.redwing(DISK)
    replica, proxy = deaf(farm, master)
    writer = start_failover(master, "TIMEOUT", "3000")
    assert master.call("GET", "held") is None
    assert writer.read() == b"OK"
    assert "aborted: Replica never caught up before timeout" in master.log()
    assert master.info("replication")["master_failover_state"] == "no-failover"
    assert master.info("replication")["role"] == "master"
    proxy.resume()
    assert_same(master, replica)


def test_a_failover_is_aborted_by_hand(farm):
    master = farm.redwing(DISK)
    replica, proxy = deaf(farm, master)
    writer = start_failover(master, "TO", "127.0.0.1", replica.port)
    before = offset(master)
    # Nothing moves the stream while it must stand still: a PING would, each second.
    master.call("CONFIG", "SET", "repl-ping-replica-period", "1")
    began = int(master.info("server")["uptime_in_seconds"])
    eventually(lambda: int(master.info("server")["uptime_in_seconds"]) >= began + 2)
    assert b"PING" not in proxied(master, before)
    assert master.call("FAILOVER", "ABORT") == b"OK"
    assert writer.read() == b"OK"
    assert "aborted: Failover manually aborted" in master.log()
    proxy.resume()
    assert_same(master, replica)


def proxied(master, since):
    """The stream from `since` on, by asking for it."""
    from lab.resp import encode
    with master.client() as client:
        client.call("REPLCONF", "capa", "psync2")
        client.send(encode("PSYNC", master.info("replication")["master_replid"], since + 1))
        if not client._line().startswith(b"+CONTINUE"):
            return b""
        client.socket.settimeout(0.3)
        try:
            return bytes(client.pending[client.at:]) + client.socket.recv(1 << 16)
        except TimeoutError:
            return bytes(client.pending[client.at:])


def test_force_hands_over_without_what_is_missing(farm):
    master = farm.redwing(DISK)
    replica, proxy = deaf(farm, master)
    writer = start_failover(master, "TO", "127.0.0.1", replica.port, "FORCE", "TIMEOUT", "3000")
    assert "READONLY" in str(writer.read())
    proxy.cut()
    eventually(lambda: replica.info("replication")["role"] == "master")
    assert "time out exceeded, failing over." in master.log()
    # What the replica had not heard is gone: the new master's history holds.
    assert_same(replica, master)
    assert replica.call("EXISTS", "before") == 0


def test_a_target_that_is_gone_ends_a_failover(farm):
    """It dies while we wait for it; the master goes on."""
    master = farm.redwing(DISK)
    replica, proxy = deaf(farm, master)
    writer = start_failover(master, "TO", "127.0.0.1", replica.port, "TIMEOUT", "5000")
    replica.kill()
    proxy.cut()
    assert writer.read() == b"OK"
    assert master.info("replication")["role"] == "master"


@pytest.mark.parametrize("kinds", [("redwing", "redwing", "redis"), ("redwing", "redis", "redwing"),
                                   ("redis", "redwing", "redis")], ids="-".join)
def test_failover_to_any_takes_one_that_has_all(farm, kinds):
    master, *replicas = pair(farm, kinds)
    replicas_full = sync_counts(master)["sync_full"]
    master.call("SET", "a", "1")
    master.call("FAILOVER")
    heir = eventually(lambda: next((one for one in replicas
                                    if one.info("replication")["role"] == "master"), None))
    other = next(one for one in replicas if one is not heir)
    wait_partial(heir, 1)
    heir.call("SET", "b", "2")
    assert_same(heir, master, other)
    assert sync_counts(heir)["sync_full"] == 0 and sync_counts(master)["sync_full"] == replicas_full


def test_a_failover_there_and_back_under_wait(farm):
    """Each write that WAIT confirmed survives both."""
    one, two = pair(farm)
    confirmed, stop = [], threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            for node in (one, two):
                try:
                    with node.client(timeout=5) as client:
                        while not stop.is_set():
                            number += 1
                            client.call("SET", f"n:{number}", number)
                            if client.call("WAIT", 1, 500) >= 1:
                                confirmed.append(number)
                except Exception:  # noqa: BLE001 - whatever ends it, the other is tried
                    pass
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    for old, new in ((one, two), (two, one)):
        goal = len(confirmed) + 30
        eventually(lambda: len(confirmed) > goal)
        old.call("FAILOVER", "TIMEOUT", "10000")
        eventually(lambda: new.info("replication")["role"] == "master")
        wait_link_up(old)
    goal = len(confirmed) + 10
    eventually(lambda: len(confirmed) > goal)
    stop.set()
    thread.join(10)
    assert_same(one, two)
    with one.client() as client:
        values = client.pipeline([("GET", f"n:{number}") for number in confirmed])
    assert [int(value) for value in values] == confirmed
