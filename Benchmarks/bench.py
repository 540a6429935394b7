#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`make bench`: Redwing beside a stock redis-server, in one run, on data it generates.

  bench.py sync       load, save, full sync, memory a key, fork pause, copy-on-write, CRC64
  bench.py stream     the replication stream: cost, catch-up, partial resync, latency, resync loop
  bench.py commands   each test of redis-benchmark: CPU a request and requests a second

Every number is a ratio to Redis's in the same run; where an issue set a bar, it stands beside it.
Results go to Benchmarks/results as a table, JSON and a chart. --scale 0.02 is a smoke test. A run of
a part of the data sets (--only) is reported as such.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "scripts")]

import bench_commands  # noqa: E402
import bench_stream  # noqa: E402
import bench_sync  # noqa: E402
from lab.servers import REDIS, REDWING  # noqa: E402
from report import Report  # noqa: E402

PARTS = {"sync": bench_sync, "stream": bench_stream, "commands": bench_commands}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--scale", type=float, default=1.0, help="size of everything, 1 = the issues'")
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    parser.add_argument("--repeat", type=int, default=2,
                        help="take the best of so many; commands: see ROUNDS there")
    parser.add_argument("--dir", default=None, help="where servers write; default: memory if it has room")
    parser.add_argument("--results", default=os.path.join(HERE, "results"))
    arguments = parser.parse_args()
    os.environ["TMPDIR"] = arguments.dir or roomy_directory(arguments.scale)
    gen = build_generator()
    report = Report(arguments.part, about(arguments))
    try:
        PARTS[arguments.part].run(report, gen, arguments)
    finally:
        if report.rows:
            report.write(arguments.results)
            print(report.table())
    return 0


def roomy_directory(scale):
    """Memory, so that the disk of the machine isn't what is compared; a disk when memory is short."""
    need = scale * 6e9
    if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > need:
        return "/dev/shm"
    return os.environ.get("TMPDIR", "/var/tmp")


def build_generator():
    out = os.path.join(HERE, "..", ".build", "bench")
    os.makedirs(out, exist_ok=True)
    gen = os.path.join(out, "gen")
    subprocess.run(["cc", "-O2", "-o", gen, os.path.join(HERE, "gen.c")], check=True)
    return gen


def about(arguments):
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    peer = subprocess.run([REDIS, "--version"], capture_output=True, text=True).stdout.split()
    return {
        "scale": arguments.scale, "only": arguments.only, "best_of": arguments.repeat,
        "cpu": f"{len(models)} x {models[0]}" if models else platform.machine(),
        "kernel": platform.release(), "peer": " ".join(peer[:3]),
        "server": "stock Redis (self-test)" if "redis" in os.path.basename(REDWING) else "Redwing",
        "files_in": os.environ["TMPDIR"],
    }


if __name__ == "__main__":
    sys.exit(main())
