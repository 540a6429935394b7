# SPDX-License-Identifier: BSD-3-Clause
"""Part one (issue 2): load, save, full sync, memory a key, fork pause, copy-on-write, what trying to
compress costs, CRC64.

Each server saves and loads its own file, and syncs to a replica of its own make. The two take turns
on each data set, so that the machine is the same for both.
"""

import os
import re
import statistics
import subprocess
import time

from lab.servers import Farm, eventually

# Keys at scale 1, and the bars on the ratios.
DATA_SETS = {"small": 5_000_000, "mixed": 1_000_000, "large": 60_000}
SYNC_BAR = {"small": 0.3, "mixed": 0.3, "large": 0.15}
WAYS = {"disk": ("no", "disabled"), "diskless": ("yes", "disabled"), "parsed": ("yes", "on-empty-db")}
# Random values by their size: what can't be compressed may cost a tenth more with rdbcompression.
NOISE = {64: 2_000_000, 16384: 30_000}
NOISE_TURNS = 24
HERE = os.path.dirname(os.path.abspath(__file__))


def run(report, gen, arguments):
    for name, keys in DATA_SETS.items():
        if arguments.only in name:
            keys = max(1000, int(keys * arguments.scale))
            both = {kind: measure(kind, gen, name, keys, arguments.repeat)
                    for kind in ("redis", "redwing")}
            compare(report, name, both["redis"], both["redwing"])
    if arguments.only in "rdbcompression":
        for size, keys in NOISE.items():
            compression(report, gen, size, max(1000, int(keys * arguments.scale)))
    if arguments.only in "crc64":
        crc64(report)


def compare(report, name, redis, redwing):
    def row(measure, unit, bar=None, ceiling=None):
        report.add(name, measure, unit, redis[measure], redwing[measure], bar=bar, ceiling=ceiling)

    row("fill", "s")
    row("used_memory a key", "bytes", 0.75 if name == "small" else None)
    row("resident memory a key", "bytes", 0.75 if name == "small" else None)
    row("save", "s", 0.2)
    row("background save", "s")
    row("file", "MB")
    row("load", "s", 0.35)
    for way in WAYS:
        row(f"full sync, {way}", "s", SYNC_BAR[name])
    row("fork pause", "us", 0.1)
    row("copy-on-write at rest", "KiB")
    row("dirtied at rest by the child", "%", ceiling=1)
    row("dirtied at rest by the parent", "%", ceiling=1)


def measure(kind, gen, name, keys, repeat):
    """All numbers of one server on one data set."""
    with Farm() as farm:
        server = farm.start(kind, {"repl-diskless-sync-delay": "0", "maxmemory": "0"})
        # About what a server needs, its file and its replica's in the page cache: see gen touch.
        expected = keys * (16500 if name == "large" else 500)
        warm = lambda: subprocess.run([gen, "touch", str(64 + expected * 3 // 1048576)], check=True)
        warm()
        result = fill(server, gen, name, keys)
        with server.client(timeout=600) as client:
            warm()
            result["save"] = best(repeat, lambda: timed(lambda: client.call("SAVE")))
            result |= background_save(server, client, repeat)
            result["file"] = os.path.getsize(server.dump_path()) / 1e6
            for way, (diskless, load) in WAYS.items():
                client.call("CONFIG", "SET", "repl-diskless-sync", diskless)
                result[f"full sync, {way}"] = best(
                    repeat, lambda: full_sync(farm, kind, server, client, load, warm))
            server.call("SAVE")
        server.kill()
        result["load"] = best(repeat, lambda: load_time(server, warm))
    return result


def fill(server, gen, name, keys):
    with server.client() as client:
        empty = int(client.info("memory")["used_memory"])
        empty_resident = resident(server)
        took = timed(lambda: subprocess.run([gen, name, str(server.port), str(keys)], check=True))
        count = sum(int(value.split(",")[0].split("=")[1])
                    for field, value in client.info("keyspace").items() if field.startswith("db"))
        used = int(client.info("memory")["used_memory"])
    return {"fill": took, "used_memory a key": (used - empty) / count,
            "resident memory a key": (resident(server) - empty_resident) / count}


def resident(server):
    with open(f"/proc/{server.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def background_save(server, client, repeat):
    took, pause, copied, dirtied = [], [], [], []
    data = int(client.info("memory")["used_memory"])
    for _ in range(repeat):
        before, began = faults(server), time.monotonic()
        client.call("BGSAVE")
        eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0", 900, 0.005)
        took.append(time.monotonic() - began)
        pause.append(int(client.info("stats")["latest_fork_usec"]))
        copied.append(int(client.info("persistence")["rdb_last_cow_size"]))
        dirtied.append((faults(server) - before) * os.sysconf("SC_PAGE_SIZE"))
    return {"background save": min(took), "fork pause": min(pause),
            "copy-on-write at rest": min(copied) / 1024,
            "dirtied at rest by the child": min(copied) * 100 / data,
            "dirtied at rest by the parent": min(dirtied) * 100 / data}


def faults(server):
    """Page faults so far. While a child runs, each of its parent's is a page that the parent writes to
    and is given a copy of. (Its private pages would tell of those as well that the child gave up.)"""
    with open(f"/proc/{server.process.pid}/stat") as file:
        return int(file.read().rsplit(")", 1)[1].split()[7])


def full_sync(farm, kind, master, client, load, warm):
    """From REPLICAOF to a link that is up, into an empty replica."""
    replica = farm.start(kind, {"repl-diskless-load": load})
    with replica.client(timeout=600) as other:
        warm()
        began = time.monotonic()
        other.call("REPLICAOF", "127.0.0.1", master.port)
        eventually(lambda: other.info("replication")["master_link_status"] == "up", 900, 0.005)
        took = time.monotonic() - began
        keys = [one.call("DBSIZE") for one in (client, other)]
        assert keys[0] == keys[1], f"{replica} has {keys[1]} keys, its master {keys[0]}"
    replica.kill()
    farm.servers.remove(replica)
    if os.path.exists(replica.dump_path()):
        os.unlink(replica.dump_path())
    # The next one starts when the master knows that this one is gone and its child has ended.
    eventually(lambda: client.info("replication")["connected_slaves"] == "0", 60)
    eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0", 60)
    return took


def load_time(server, warm):
    """From the start of the process to its first PONG."""
    warm()
    took = timed(lambda: server.start(timeout=600))
    server.kill()
    return took


def compression(report, gen, size, keys):
    """Saves of random values with rdbcompression no and yes, in turns; Redwing alone.

    A tenth is less than what two saves of the same differ by here, and the least of each would compare
    two strokes of luck: so the medians of many turns, each choice first in every second one.
    """
    took = {"no": [], "yes": []}
    with Farm() as farm:
        server = farm.start("redwing", {"maxmemory": "0"})
        subprocess.run([gen, "large", str(server.port), str(keys), str(size)], check=True)
        with server.client(timeout=600) as client:
            for turn in range(NOISE_TURNS):
                for choice in ("no", "yes") if turn % 2 == 0 else ("yes", "no"):
                    # Both write into memory that the host has: a tenth is less than getting it costs.
                    subprocess.run([gen, "touch", str(64 + keys * size * 2 // 1048576)], check=True)
                    client.call("CONFIG", "SET", "rdbcompression", choice)
                    took[choice].append(timed(lambda: client.call("SAVE")))
    report.add("noise", f"save, {size} B, compression (redis column: no)", "s",
               statistics.median(took["no"]), statistics.median(took["yes"]), bar=1.1)


def crc64(report):
    """Redwing's kernels against its own slicing-by-8 table."""
    out = os.path.join(HERE, "..", ".build", "bench", "crc64_bench")
    wing = os.path.join(HERE, "..", "CSources", "Wing")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-I" + os.path.join(wing, "include"), "-o", out,
                    os.path.join(HERE, "wing", "crc64_bench.c"), os.path.join(wing, "crc64.c")],
                   check=True)
    text = subprocess.run([out], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^wing_crc64\s+([\d.]+) GB/s\s+([\d.]+) x table", text, re.M)
    rate, times = float(found[1]), float(found[2])
    report.add("crc64", "64 MiB (redis column: slicing-by-8)", "GB/s", rate / times, rate, floor=8)
    report.add("crc64", "times slicing-by-8", "x", None, times, floor=5)


def timed(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def best(repeat, action):
    return min(action() for _ in range(repeat))
