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


def main():
    arguments = options()
    for name, port in (("PORT", arguments.port), ("REPLICA_PORT", arguments.replica_port)):
        taken_by = port_fault(port)
        if taken_by:
            print(f"run: port {port} {taken_by}; choose another: make run {name}=7000",
                  file=sys.stderr)
            return 1
    if arguments.check_ports:
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Farm() as farm:
        try:
            demo(farm, arguments)
        except KeyboardInterrupt:
            pass
        except NotReady as fault:
            print(f"run: {fault}", file=sys.stderr)
            return 1
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("ending the replica and the master")
        for server in reversed(farm.servers):
            if server.alive():
                server.stop()
    say("both ended cleanly")
    return 0


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=REDWING, help="the server's binary")
    parser.add_argument("--port", type=int, default=6379)
    parser.add_argument("--replica-port", type=int, default=6380)
    parser.add_argument("--megabytes", type=int, default=256, help="size of the sample's bulk")
    parser.add_argument("--check-ports", action="store_true", help="only see whether both are free")
    parser.add_argument("--once", action="store_true", help="end after the sync, without waiting")
    return parser.parse_args()


def port_fault(port):
    """Why a server could not listen there; None when it could."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return "is reserved for root"
        except OSError:
            return "is taken"
        except OverflowError:
            return "is no port"
    return None


def demo(farm, arguments):
    binary = os.path.abspath(arguments.server)
    # Ctrl-C in a terminal reaches the whole group: the servers shall end by our word alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    master = farm.start("master", port=arguments.port, binary=binary)
    replica = farm.start("replica", port=arguments.replica_port, binary=binary)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    say(f"master on {master.port}, replica on {replica.port}  ({binary})")

    with master.client() as client, replica.client() as other:
        fill(client, arguments.megabytes)
        watch_sync(client, other, master.port)
        compare(client, other)
    if not arguments.once:
        explain(master.port, replica.port)
        while master.alive() and replica.alive():
            time.sleep(0.2)
        print("run: a server ended by itself; its log:\n" + farm.logs(), file=sys.stderr)


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
    """REPLICAOF, then a line a moment until the replica is online at the master."""
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
    if phase in ("snapshot", "transfer"):
        details += at_master_end(at_master)
    return phase, details


def at_master_end(at_master):
    """The master's view of its replica, without the address; Redwing adds progress fields."""
    fields = dict(part.partition("=")[::2] for part in at_master.get("slave0", "").split(","))
    shown = [f"{name} {value}" for name, value in fields.items()
             if name not in ("", "ip", "port", "offset", "lag")]
    return f"  [master: {', '.join(shown)}]" if shown else ""


def phase_and_progress(at_master, at_replica, rate):
    if at_replica.get("master_link_status") == "up":
        line = at_master.get("slave0", "")
        if "state=online" in line:
            return "online", f"offset {at_master.get('master_repl_offset')} on both ends"
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
            return "snapshot", "the master writes it"
        return "transfer", progress(read, total, rate.add(read))
    if "state=wait_bgsave" in at_master.get("slave0", ""):
        return "snapshot", "the master writes it"
    return "handshake", ""


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
