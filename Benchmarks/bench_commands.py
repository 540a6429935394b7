# SPDX-License-Identifier: BSD-3-Clause
"""Part two (issue 4): each test of redis-benchmark, one by one, with and without a pipeline.

CPU a request is the server's own, user and system, all its threads; requests a second depend on the
load generator too, which shares the machine. A turn's numbers scatter by more than what lies between
some of them and their bars, and the best of a few turns would compare two strokes of luck: so both are
medians of many short turns that the servers take in alternation.

A generator of one thread can't keep Redwing busy: it then pays for falling asleep and waking up, which
Redis, busy all the time, doesn't. Both are measured: as redis-benchmark comes, and ("busy") with a
generator of two threads, which neither server waits for. Then only CPU is told: such a generator ends
on a beat of 250 ms, too coarse for a rate of turns this short.
"""

import csv
import statistics
import subprocess
import time

from lab.servers import Farm

TESTS = ["ping_inline", "ping_mbulk", "set", "get", "incr", "lpush", "rpush", "lpop", "rpop", "sadd",
         "hset", "spop", "zadd", "zpopmin", "lrange_100", "lrange_300", "lrange_500", "lrange_600",
         "mset"]
BARRED = {"get", "set", "incr", "lpush", "lpop", "sadd", "hset", "zadd", "mset"}
# Pipeline depth, threads of the generator → subject, requests at scale 1, bar of the nine, of all others.
LOADS = {
    (1, 1): ("P1", 200_000, 0.9, 1.0), (16, 1): ("P16", 2_000_000, 0.55, 1.0),
    (1, 2): ("P1 busy", 200_000, 0.9, 1.0), (16, 2): ("P16 busy", 2_000_000, 0.55, 1.0),
}
# Turns for each repeat that was asked for; together they make its number of requests.
TURNS = 3
# What there must be to read or to pop, made outside of the measurement.
MAKERS = {"get": "set", "lpop": "lpush", "rpop": "lpush", "spop": "sadd", "zpopmin": "zadd"}


def run(report, gen, arguments):
    turns = report.about["medians_of"] = TURNS * report.about.pop("best_of")
    with Farm() as farm:
        servers = {kind: farm.start(kind) for kind in ("redis", "redwing")}
        for load, (subject, requests, bar, other_bar) in LOADS.items():
            for test in TESTS:
                if arguments.only not in test:
                    continue
                count = max(2000, int(requests * arguments.scale))
                if test.startswith("lrange"):
                    count = max(1000, count // 20)
                both = medians(servers, test, load, count // TURNS, turns)
                report.add(subject, f"{test} CPU a request", "us", both["redis"][0],
                           both["redwing"][0], bar if test in BARRED else other_bar)
                if load[1] == 1:
                    report.add(subject, f"{test} requests a second", "1/s", both["redis"][1],
                               both["redwing"][1])
        for server in servers.values():
            server.call("FLUSHALL")


def medians(servers, test, load, count, turns):
    """CPU time and rate of each server; who goes first changes from turn to turn."""
    runs = {kind: [] for kind in servers}
    for turn in range(turns):
        for kind in sorted(servers, reverse=turn % 2 == 0):
            runs[kind].append(measure(servers[kind], test, load, count))
    return {kind: tuple(map(statistics.median, zip(*several))) for kind, several in runs.items()}


def measure(server, test, load, count):
    server.call("FLUSHALL")
    if test in MAKERS:
        benchmark(server, MAKERS[test], (16, 1), count)
    before = cpu_s(server)
    done, rate = benchmark(server, test, load, count)
    return (cpu_s(server) - before) * 1e6 / done, rate


def benchmark(server, test, load, count):
    depth, threads = load
    words = ["redis-benchmark", "-p", str(server.port), "-t", test, "-n", str(count), "-c", "50",
             "-P", str(depth), "-r", "100000", "--csv"]
    if threads > 1:
        words += ["--threads", str(threads)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    rows = [row for row in csv.reader(done.stdout.splitlines()) if len(row) > 1 and row[0] != "test"]
    # lrange fills its list first, by an lpush of as many.
    return count * len(rows), float(rows[-1][1])


def cpu_s(server):
    """CPU seconds of the process, threads that have ended included: its CPU clock (clock_getcpuclockid)."""
    return time.clock_gettime(~server.process.pid << 3 | 2)
