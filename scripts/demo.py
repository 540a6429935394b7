#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`make run`: a master and a replica on this machine, and the full sync between them as it happens.

Starts both servers, fills the master with a sample data set of all types, makes the replica copy
it, shows phase, bytes, percent, rate and time left from both ends' INFO, then waits for Ctrl-C and
ends both. Python's standard library only.
"""

import argparse
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab.data import fill_all_types  # noqa: E402
from lab.resp import Client, ReplyError  # noqa: E402
from lab.servers import REDWING, Farm, NotReady  # noqa: E402


class EndedByItself(Exception):
    """A server that nobody told to is gone."""


def main():
    arguments = options()
    ports = {"PORT": arguments.port, "REPLICA_PORT": arguments.replica_port}
    fault = ports_fault(ports)
    if fault:
        print(f"run: {fault}", file=sys.stderr)
        return 1
    if arguments.check_ports:
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    status = 0
    with Farm() as farm:
        try:
            demo(farm, arguments)
        except KeyboardInterrupt:
            pass
        except NotReady as fault:
            print(f"run: {fault}", file=sys.stderr)
            return 1
        except EndedByItself:
            for server in farm.servers:
                if not server.alive():
                    print(f"run: a server ended by itself, {server}; its log:\n{server.log_tail()}",
                          file=sys.stderr)
            status = 1
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("ending the replica and the master")
        for server in reversed(farm.servers):
            if server.alive():
                server.stop()
    if status == 0:
        say("both ended cleanly")
    return status


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=REDWING, help="the server's binary")
    parser.add_argument("--port", default="6379")
    parser.add_argument("--replica-port", default="6380")
    parser.add_argument("--megabytes", type=int, default=256, help="size of the sample's bulk")
    parser.add_argument("--check-ports", action="store_true", help="only see whether both are free")
    parser.add_argument("--once", action="store_true", help="end after the sync, without waiting")
    return parser.parse_args()


def ports_fault(ports):
    """What is wrong with the ports, by the names of make's variables; None when both will do."""
    for name, port in ports.items():
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            return f"{name}={port} is no port: give a number from 1 to 65535"
    first, second = ports
    if int(ports[first]) == int(ports[second]):
        return (f"{first} and {second} are both {ports[first]}: the master and the replica need one "
                f"each, such as make run {first}=7000 {second}=7001")
    for name, port in ports.items():
        reason = taken_by(int(port))
        if reason:
            return f"port {port} {reason}; choose another: make run {name}=7000"
    return None


def taken_by(port):
    """Why a server could not listen there; None when it could."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return "is reserved for root"
        except OSError:
            return "is taken"
    return None


def demo(farm, arguments):
    binary = os.path.abspath(arguments.server)
    # Ctrl-C in a terminal reaches the whole group: the servers shall end by our word alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    master = farm.start("master", port=int(arguments.port), binary=binary)
    replica = farm.start("replica", port=int(arguments.replica_port), binary=binary)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    say(f"master on {master.port}, replica on {replica.port}  ({binary})")

    try:
        with master.client() as client, replica.client() as other:
            fill(client, arguments.megabytes)
            watch_sync(client, other, master.port)
            compare(client, other)
    except OSError as fault:
        # The connection ends a moment before the process.
        await_end((master, replica), 2.0)
        raise EndedByItself from fault
    if not arguments.once:
        explain(master.port, replica.port)
        await_end((master, replica))
        raise EndedByItself


def await_end(servers, seconds=float("inf")):
    """Waits until one of the servers has ended."""
    deadline = time.monotonic() + seconds
    while all(server.alive() for server in servers) and time.monotonic() < deadline:
        time.sleep(0.1)


def fill(client, megabytes):
    began = time.monotonic()
    fill_all_types(client, n=2000, seed=1)
    block = os.urandom(8192)
    count = megabytes * 128
    for start in range(0, count, 256):
        client.pipeline([("SET", f"bulk:{i}", block) for i in range(start, min(start + 256, count))])
    info = client.info()
    keys = [f"{name} {value.split(',')[0]}" for name, value in info.items()
            if name.startswith("db") and name[2:].isdigit()]
    say(f"sample data set: all types, {'; '.join(keys)}; {info['used_memory_human']} in memory,"
        f" made in {time.monotonic() - began:.1f} s")


def watch_sync(master, replica, port):
    """REPLICAOF, then a line a moment until the replica is online and both ends stand at one offset."""
    say("replica: REPLICAOF the master")
    began = time.monotonic()
    replica.call("REPLICAOF", "127.0.0.1", port)
    shown, printed_at = None, 0.0
    rate = Rate()
    while True:
        at_master, at_replica = master.info("replication"), ask(replica)
        phase, details = describe(at_master, at_replica, rate, phase_before=shown)
        now = time.monotonic()
        line = f"{now - began:6.2f} s  {phase:<11} {details}"
        if sys.stdout.isatty():
            # One line that moves, and a new one for each phase.
            new_line = "\n" if shown not in (None, phase) else ""
            print(f"{new_line}\r\033[K{line}", end="\n" if phase == "online" else "", flush=True)
        elif phase != shown or now - printed_at >= 0.5:
            print(line, flush=True)
            printed_at = now
        shown = phase
        if phase == "online":
            return
        time.sleep(0.02)


class Rate:
    """Bytes a second, over the last second or so."""

    def __init__(self):
        self.points = []

    def add(self, count):
        now = time.monotonic()
        self.points = [point for point in self.points if now - point[0] < 1.0] + [(now, count)]
        first = self.points[0]
        return (count - first[1]) / (now - first[0]) if now - first[0] > 0.01 else 0.0


def ask(client):
    """The replica's INFO; while it loads it may answer -LOADING to other commands, INFO is served."""
    try:
        return client.info("replication") | client.info("persistence")
    except ReplyError:
        return {}


def describe(at_master, at_replica, rate, phase_before):
    """The phase of the sync and what is known about its progress."""
    phase, details = phase_and_progress(at_master, at_replica, rate)
    if phase != phase_before:
        rate.points.clear()
    if phase == "transfer":
        details += at_master_end(at_master)
    return phase, details


def sync_fields(at_master):
    """How far the sync is as a Redwing master tells it; a Redis has no such line."""
    return dict(part.partition("=")[::2] for part in at_master.get("slave0_sync", "").split(",") if part)


def at_master_end(at_master):
    fields = sync_fields(at_master)
    shown = [f"{name} {fields[name]}" for name in ("phase", "perc", "eta") if name in fields]
    return f"  [master: {', '.join(shown)}]" if shown else ""


def phase_and_progress(at_master, at_replica, rate):
    if at_replica.get("master_link_status") == "up":
        line = at_master.get("slave0", "")
        if "state=online" in line:
            ends = at_master.get("master_repl_offset"), at_replica.get("slave_repl_offset")
            text = "offset {} on the master, {} on the replica".format(*ends)
            return "online" if ends[0] == ends[1] else "finishing", text
        return "finishing", "waiting for the replica's first acknowledgement"
    if at_replica.get("loading") == "1" or at_replica.get("async_loading") == "1":
        total, done = (int(at_replica.get(f"loading_{name}_bytes", 0)) for name in ("total", "loaded"))
        return "loading", progress(done, total, rate.add(done))
    if at_replica.get("master_sync_in_progress") == "1":
        left = int(at_replica.get("master_sync_left_bytes", 0))
        read = int(at_replica.get("master_sync_read_bytes", 0))
        total = int(at_replica.get("master_sync_total_bytes", 0)) or (read + left if left > 0 else 0)
        if "state=online" in at_master.get("slave0", ""):
            return "finishing", "loaded, the stream begins"
        if read == 0:
            return "snapshot", snapshot_progress(at_master, rate)
        return "transfer", progress(read, total, rate.add(read))
    if "state=wait_bgsave" in at_master.get("slave0", ""):
        return "snapshot", snapshot_progress(at_master, rate)
    return "handshake", ""


def snapshot_progress(at_master, rate):
    """What the master's child has written, of the size that it will have about."""
    fields = sync_fields(at_master)
    done, total = int(fields.get("bytes", 0)), int(fields.get("total", 0))
    if fields.get("phase") != "snapshot" or done == 0:
        return "the master writes it"
    return "the master writes it: " + progress(done, total, rate.add(done))


def progress(done, total, rate):
    text = f"{size(done)} of {size(total)}  {100 * done / total:5.1f} %" if total > 0 else size(done)
    if rate > 0:
        text += f"  {size(rate)}/s"
        if total > 0:
            text += f"  {max(0, total - done) / rate:.1f} s left"
    return text


def size(count):
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"


def compare(master, replica):
    one, two = master.call("DEBUG", "DIGEST"), replica.call("DEBUG", "DIGEST")
    say(f"DEBUG DIGEST {one.decode()} on the master, "
        + ("the same on the replica" if one == two else f"BUT {two.decode()} on the replica"))


def explain(port, replica_port):
    print(f"""
Look around, in another terminal:
  redis-cli -p {port} set greeting hello         # a write on the master
  redis-cli -p {replica_port} get greeting              # is on the replica
  redis-cli -p {replica_port} info replication          # both ends of the link
  redis-cli -p {port} --scan --pattern 'big:*'   # one big value of each type
  redis-cli -p {replica_port} set x 1                   # a replica refuses writes
Ctrl-C ends both.""", flush=True)


def say(text):
    print(f"redwing: {text}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
