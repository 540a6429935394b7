# SPDX-License-Identifier: BSD-3-Clause
"""What replicas that are behind cost a master, where it says so, and that it is not taken for data: keys
are not evicted, nor writes refused, for memory that goes by itself when the replicas have caught up."""

import re
import socket

import pytest

from lab.resp import encode
from lab.servers import eventually
from links import DISK

VALUE = "y" * 10000
MB = 1 << 20


class Deaf:
    """A replica that takes its snapshot and then nothing more; it gives signs of life if asked."""

    def __init__(self, server):
        self.socket = socket.socket()
        # The kernel's buffers are to hold little of what is not read.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", server.port))
        self.socket.sendall(encode("PSYNC", "?", "-1"))
        data = b""
        while not (size := re.search(rb"\$(\d+)\r\nREDIS", data)) \
                or len(data) < size.end() - 5 + int(size[1]):
            data += self.socket.recv(1 << 16)
        eventually(lambda: "state=online" in server.info("replication").get("slave0", ""))

    def acknowledge(self, position=1):
        self.socket.sendall(encode("REPLCONF", "ACK", position))

    def close(self):
        self.socket.close()


def fill(server, keys=3000):
    with server.client() as client:
        client.pipeline(("SET", f"key:{n}", "x" * 1000) for n in range(keys))


def write(server, megabytes):
    """Overwrites the same few keys: the data set stays as big as it is. The errors."""
    with server.client() as client:
        replies = [one for _ in range(megabytes * 5)
                   for one in client.pipeline(("SET", f"hot:{n % 10}", VALUE) for n in range(20))]
    return [one for one in replies if one != b"OK"]


def memory(server):
    return {name: int(value) for name, value in server.info("memory").items() if value.isdigit()}


def slow_replica(farm, server):
    farm.own(Deaf(server))


def slow_rewrite(farm, server):
    """Until the child is done, which will take its time, the rewrite's buffer grows."""
    server.call("BGREWRITEAOF")
    eventually(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "1")


HOLDERS = {
    "a replica": (slow_replica, {"client-output-buffer-limit": ("replica", "0", "0", "0")}),
    "the AOF's rewrite": (slow_rewrite, {
        "appendonly": "yes", "appendfsync": "no", "rdb-key-save-delay": "100000"}),
}


@pytest.mark.parametrize("policy", ["allkeys-random", "noeviction"])
@pytest.mark.parametrize("hold, options", HOLDERS.values(), ids=HOLDERS.keys())
def test_what_is_held_for_others_is_not_data(farm, hold, options, policy):
    server = farm.redwing(DISK | options | {
        "maxmemory": "20mb", "maxmemory-policy": policy, "repl-backlog-size": "1mb"})
    fill(server)
    hold(farm, server)
    assert write(server, 30) == []
    held = memory(server)
    assert held["used_memory"] > 25 * MB, held
    assert held["mem_not_counted_for_evict"] > 20 * MB, held
    assert server.info("stats")["evicted_keys"] == "0"
    assert server.call("DBSIZE") == 3010


def test_a_replica_that_is_behind_is_told_of_by_name(farm):
    server = farm.redwing(DISK | {
        "repl-backlog-size": "1mb", "client-output-buffer-limit": ("replica", "0", "0", "0")})
    deaf = farm.own(Deaf(server))
    write(server, 12)
    held = memory(server)
    assert held["mem_replication_backlog"] == MB
    assert 7 * MB < held["mem_clients_slaves"] < 14 * MB, held
    assert held["mem_total_replication_buffers"] == held["mem_replication_backlog"] + (
        held["mem_not_counted_for_evict"]), held
    with server.client() as client:
        stats = client.call("MEMORY", "STATS")
        stats = dict(zip(stats[::2], stats[1::2]))
        assert stats[b"replication.backlog"] == MB and stats[b"clients.slaves"] > 7 * MB
        line = next(line for line in client.call("CLIENT", "LIST").decode().splitlines()
                    if "flags=S" in line)
    fields = dict(field.split("=", 1) for field in line.split())
    assert int(fields["omem"]) > 7 * MB and int(fields["oll"]) > 100, line
    deaf.close()
    # What it was behind with is given back, and said to be.
    eventually(lambda: memory(server)["mem_clients_slaves"] == 0)
    assert memory(server)["mem_total_replication_buffers"] < 2 * MB


def test_the_hard_limit_is_the_limit(farm):
    server = farm.redwing(DISK | {
        "repl-backlog-size": "1mb", "client-output-buffer-limit": ("replica", "8mb", "0", "0")})
    farm.own(Deaf(server))
    base = memory(server)["used_memory"]
    highest = 0
    while "scheduled to be closed ASAP" not in server.log():
        assert write(server, 1) == []
        highest = max(highest, memory(server)["mem_total_replication_buffers"])
        assert highest < 10 * MB, highest
    line = next(line for line in server.log().splitlines() if "scheduled to be closed ASAP" in line)
    assert int(re.search(r"omem=(\d+)", line)[1]) > 7 * MB, line
    eventually(lambda: memory(server)["used_memory"] < base + 4 * MB)


@pytest.mark.parametrize("signs", [False, True], ids=["silent", "acknowledging"])
def test_the_soft_limit_holds_when_nobody_writes(farm, signs):
    server = farm.redwing(DISK | {
        "repl-backlog-size": "1mb", "client-output-buffer-limit": ("replica", "200mb", "2mb", "1")})
    deaf = farm.own(Deaf(server))
    write(server, 12)

    def dropped():
        try:
            if signs:
                deaf.acknowledge()
        except ConnectionError:
            pass
        return server.info("replication")["connected_slaves"] == "0"
    eventually(dropped, interval=0.2)
    assert "for overcoming of output buffer limits." in server.log()


def test_the_backlog_has_its_new_size_at_once(farm):
    server = farm.redwing(DISK | {"repl-backlog-size": "8mb"})
    Deaf(server).close()
    write(server, 6)
    for size, most in (("1mb", 1.3 * MB), ("16mb", 1.3 * MB), ("20kb", 0.3 * MB)):
        with server.client() as client:
            # In one go: no cron comes between.
            client.send(encode("CONFIG", "SET", "repl-backlog-size", size)
                        + encode("INFO", "replication") + encode("INFO", "memory"))
            assert client.read() == b"OK"
            replication, used = client.read().decode(), client.read().decode()
        expected = {"1mb": MB, "16mb": 16 * MB, "20kb": 20 << 10}[size]
        assert f"repl_backlog_size:{expected}\r\n" in replication
        assert int(re.search(r"mem_total_replication_buffers:(\d+)", used)[1]) < most
