# SPDX-License-Identifier: BSD-3-Clause
"""Bad networks under a stream of writes: delay, loss, half-open links, slow readers and readers that
stopped. The master's memory stays bounded, its other clients are served, nobody is copied needlessly."""

import threading
import time

import pytest

from lab.proxy import Proxy
from lab.resp import Client, encode
from lab.servers import eventually
from lab.sync import assert_same, replicate, sync_counts, wait_link_up, wait_online
from links import DISK, ROLES, Writer, wait_partial

VALUE = b"x" * 1000


class Flood:
    """Writes as fast as the server takes them, in a pipeline, until told to stop."""

    def __init__(self, server, keys=5000):
        self.server, self.keys = server, keys
        self.going, self.written, self.fault = True, 0, None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        batch = 100
        try:
            with Client(self.server.port) as client:
                while self.going:
                    first = self.written % self.keys
                    client.send(b"".join(encode("SET", f"flood:{first + i}", VALUE) for i in range(batch)))
                    for _ in range(batch):
                        client.read_raw()
                    self.written += batch
        except OSError as fault:
            self.fault = fault

    def __enter__(self):
        self.thread.start()
        return self

    def until(self, megabytes):
        eventually(lambda: self.written * len(VALUE) >= int(megabytes) << 20 or self.fault, 60)

    def __exit__(self, *_):
        self.going = False
        self.thread.join(30)
        assert not self.fault, self.fault


class Bystander:
    """A client that reads all the time; its worst waits say whether others are served."""

    def __init__(self, server):
        self.server, self.going, self.waits = server, True, []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with Client(self.server.port) as client:
            while self.going:
                start = time.monotonic()
                client.call("GET", "flood:1")
                self.waits.append(time.monotonic() - start)
                time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.thread.join(10)

    def worst(self):
        return max(self.waits)


def used(server):
    return int(server.info("memory")["used_memory"])


def start(farm, options=None, kinds=("redwing", "redwing", "redwing")):
    """A master with a replica beside the bad network, and one behind it."""
    nodes = [farm.start(kind, DISK | (options or {})) for kind in kinds]
    master, near, far = nodes
    with master.client() as client:
        for first in range(0, 5000, 500):
            client.pipeline([("SET", f"flood:{first + i}", VALUE) for i in range(500)])
    proxy = farm.own(Proxy(master.port))
    replicate(near, master)
    replicate(far, proxy)
    wait_link_up(near, far)
    wait_online(master, 2)
    return master, near, far, proxy


@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_a_delayed_link_is_only_late(farm, roles):
    master, near, far, proxy = start(farm, kinds=(roles[0], "redwing", roles[1]))
    proxy.delay_s = 0.1
    with Writer(master) as writer:
        writer.advance(20)
    with master.client() as client:
        began = time.monotonic()
        client.call("SET", "a", "1")
        assert client.call("WAIT", "2", "10000") == 2
        assert time.monotonic() - began >= 0.2
    assert_same(master, near, far)
    assert sync_counts(master)["sync_full"] == 2


@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_a_stalled_link_goes_on_where_it_stopped(farm, roles):
    """Loss, as TCP shows it: nothing for a while, then everything."""
    master, near, far, proxy = start(farm, kinds=(roles[0], "redwing", roles[1]))
    with Writer(master) as writer:
        for _ in range(4):
            proxy.silence()
            writer.advance(5)
            proxy.resume()
            writer.advance(5)
    assert_same(master, near, far)
    assert proxy.connections == 1
    assert sync_counts(master) == {"sync_full": 2, "sync_partial_ok": 0,
                                   "sync_partial_err": sync_counts(master)["sync_partial_err"]}


def test_a_half_open_link_is_left_by_both_and_continued(farm):
    master, near, far, proxy = start(farm, {"repl-timeout": "2", "repl-ping-replica-period": "1"})
    proxy.silence()
    with Writer(master):
        eventually(lambda: "Disconnecting timedout replica (streaming sync)" in master.log())
        eventually(lambda: "MASTER timeout: no data nor PING received..." in far.log())
        proxy.cut()
        proxy.resume()
        wait_partial(master, 1)
    assert_same(master, near, far)
    assert sync_counts(master)["sync_full"] == 2


@pytest.mark.parametrize("how", ["slow", "stopped", "process"])
def test_a_reader_that_lags_costs_no_more_than_its_limit(farm, how):
    """Slow, silent behind a living link, or a stopped process: dropped at the limit by name."""
    master, near, far, proxy = start(farm, {
        "client-output-buffer-limit": ("replica", "24mb", "0", "0"), "repl-backlog-size": "1mb"})
    base = used(master)
    if how == "slow":
        proxy.throttle(200_000)
    elif how == "stopped":
        proxy.silence()
    else:
        far.pause()
    highest = 0
    with Flood(master) as flood, Bystander(master) as bystander:
        def dropped():
            nonlocal highest
            highest = max(highest, used(master))
            return "scheduled to be closed ASAP for overcoming of output buffer limits." in master.log()
        eventually(dropped, 60, interval=0.05)
        flood.until((flood.written * len(VALUE) >> 20) + 10)
        # The replica beside it may be late for a moment, as one of many processes.
        eventually(lambda: used(master) < base + (8 << 20))
    # Beside the limit: the backlog, replies, and what comes between two looks of ours.
    assert highest < base + (24 << 20) + (16 << 20), highest - base
    # Nobody stands still for a replica's sake; how long waits are is for bench_stream.py to say.
    assert bystander.worst() < 5
    if how == "process":
        far.resume()
    proxy.throttle(None)
    proxy.cut()
    proxy.resume()
    assert_same(master, near, far)
    assert sync_counts(near)["sync_full"] == 0


def test_the_stream_is_held_once_for_all_who_lag(farm):
    """Six stopped replicas cost what one costs."""
    options = {"client-output-buffer-limit": ("replica", "0", "0", "0"), "repl-backlog-size": "1mb"}
    master = farm.redwing(DISK | options)
    replicas = [farm.redwing(DISK) for _ in range(6)]
    for replica in replicas:
        replicate(replica, master)
    wait_link_up(*replicas)
    wait_online(master, 6)
    with master.client() as client:
        for first in range(0, 5000, 500):
            client.pipeline([("SET", f"flood:{first + i}", VALUE) for i in range(500)])
    for replica in replicas:
        replica.pause()
    base = used(master)
    with Flood(master) as flood:
        flood.until(30)
    held = used(master) - base
    assert held < (30 << 20) * 1.6, held
    for replica in replicas:
        replica.resume()
    assert_same(master, *replicas)
    eventually(lambda: used(master) < base + (6 << 20))
    assert sync_counts(master)["sync_full"] == 6
