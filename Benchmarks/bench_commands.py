# SPDX-License-Identifier: BSD-3-Clause
"""Part two (issue 4): each test of redis-benchmark, one by one, with and without a pipeline.

CPU a request is the server's own, user and system, all its threads; requests a second depend on the
load generator too, which shares the machine. A turn's numbers scatter by more than what lies between
some of them and their bars, and the machine is faster or slower for minutes at a time. So both servers
take short turns side by side, all tests have one before any has its next, which spreads each over the
whole run, and a ratio is the median of those of the pairs.

A generator of one thread can't keep Redwing busy: it then pays for falling asleep and waking up, which
Redis, busy all the time, doesn't. Both are measured: as redis-benchmark comes, and ("busy") with a
generator of two threads, which neither server waits for. Then only CPU is told: such a generator ends
on a beat of 250 ms, too coarse for a rate of turns this short.
"""

import csv
import statistics
import subprocess
import sys
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
# Rounds for each repeat that was asked for; together they make its number of requests.
ROUNDS = 6
# What there must be to read or to pop, made outside of the measurement.
MAKERS = {"get": "set", "lpop": "lpush", "rpop": "lpush", "spop": "sadd", "zpopmin": "zadd"}


def run(report, gen, arguments):
    rounds = report.about["rounds"] = ROUNDS * report.about.pop("best_of")
    report.about["ratios"] = "medians of each round's own"
    jobs = [(load, test) for load in LOADS for test in TESTS if arguments.only in test]
    turns = {job: [] for job in jobs}
    with Farm() as farm:
        servers = {kind: farm.start(kind) for kind in ("redis", "redwing")}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for load, test in jobs:
                count = requests_of(load, test, arguments.scale) // ROUNDS
                # Who goes first changes from round to round.
                order = sorted(servers, reverse=number % 2 == 0)
                turns[load, test].append({kind: measure(servers[kind], test, load, count)
                                          for kind in order})
        for server in servers.values():
            server.call("FLUSHALL")
    for (load, test), pairs in turns.items():
        subject, _, bar, other_bar = LOADS[load]
        redis, redwing, ratio = medians(pairs, 0)
        report.add(subject, f"{test} CPU a request", "us", redis, redwing,
                   bar=bar if test in BARRED else other_bar, ratio=ratio)
        if load[1] == 1:
            redis, redwing, ratio = medians(pairs, 1)
            report.add(subject, f"{test} requests a second", "1/s", redis, redwing, ratio=ratio)


def requests_of(load, test, scale):
    count = max(2000, int(LOADS[load][1] * scale))
    return max(1000, count // 20) if test.startswith("lrange") else count


def medians(pairs, index):
    """Redis's number, Redwing's, and their ratio: of all pairs of turns."""
    both = [(pair["redis"][index], pair["redwing"][index]) for pair in pairs]
    columns = [*zip(*both), [redwing / redis for redis, redwing in both]]
    return tuple(map(statistics.median, columns))


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
