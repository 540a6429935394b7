# SPDX-License-Identifier: BSD-3-Clause
"""A full sync over a loopback of 200 Mbit/s, to be run in a network namespace of its own (unshare -n): prints the
bytes that the master sent, then its log."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "scripts"))

from lab.servers import Farm  # noqa: E402
from lab.sync import assert_same, replicate, wait_link_up  # noqa: E402

COMPRESSIBLE = b"all work and no play makes a dull data set. " * 40


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with Farm() as farm:
        master = farm.redwing({"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0",
                               "loglevel": "verbose"})
        replica = farm.redwing({"repl-diskless-load": "on-empty-db"})
        with master.client() as client:
            for first in range(0, 80_000, 10_000):
                client.pipeline([("SET", f"key:{i}", b"%d " % i + COMPRESSIBLE)
                                 for i in range(first, first + 10_000)])
        subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "200mbit", "burst", "256kb",
                        "latency", "50ms"], check=True)
        replicate(replica, master)
        wait_link_up(replica, timeout=120)
        assert_same(master, replica)
        print(master.info("stats")["total_net_repl_output_bytes"])
        print(master.log())


if __name__ == "__main__":
    main()
