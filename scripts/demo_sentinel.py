#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`make demo-sentinel`: three stock sentinels watch a master with two replicas; the master is killed in
the middle of a load.

Shows who is promoted, how long writes were impossible, that every write confirmed by WAIT is there,
and how the old master comes back as a replica. Free ports, temporary directories, nothing left.
"""

import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab.load import ConfirmedWrites  # noqa: E402
from lab.resp import Client, ReplyError  # noqa: E402
from lab.servers import REDIS, REDWING, Farm, NotReady, eventually  # noqa: E402
from lab.sync import digest, replicate, wait_link_up, wait_offsets_equal, wait_online  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=REDWING, help="the servers' binary")
    parser.add_argument("--mixed", action="store_true", help="the second replica is a stock Redis")
    arguments = parser.parse_args()
    binary = os.path.abspath(arguments.server)
    with Farm() as farm:
        try:
            demo(farm, [binary, binary, REDIS if arguments.mixed else binary])
        except KeyboardInterrupt:
            say("interrupted; ending everything")
        except (NotReady, AssertionError) as fault:
            print(f"demo-sentinel: {fault}\n{farm.logs()}", file=sys.stderr)
            return 1
    return 0


def demo(farm, binaries):
    master, *replicas = [farm.start("node", binary=binary) for binary in binaries]
    for replica in replicas:
        replicate(replica, master)
    wait_link_up(*replicas)
    wait_online(master, 2)
    say(f"master {master.port}, replicas {', '.join(str(one.port) for one in replicas)}")
    sentinels = [farm.sentinel(master) for _ in range(3)]
    eventually(lambda: all(knows_all(one) for one in sentinels), 30)
    say(f"sentinels {', '.join(str(one.port) for one in sentinels)} know each other and the replicas")

    load = ConfirmedWrites(master, replicas=2)
    load.reach(200)
    say(f"killing the master {master.port} under a load of writes")
    master.kill()
    began = time.monotonic()
    say(f"{load.ended()} writes were confirmed by both replicas with WAIT")
    port = eventually(lambda: promoted(sentinels[0], master.port), 60)
    new = next(one for one in replicas if one.port == port)
    eventually(lambda: new.call("SET", "after", "failover") == b"OK", 30)
    say(f"{new.port} is promoted and takes writes after {time.monotonic() - began:.1f} s")

    lost = load.missing(new)
    say(f"confirmed writes that are missing: {len(lost)}")
    other = next(one for one in replicas if one is not new)
    eventually(lambda: other.info("replication").get("master_port") == str(new.port), 60)
    wait_link_up(other)
    say(f"{other.port} follows {new.port}")

    master.start()
    eventually(lambda: master.info("replication").get("master_port") == str(new.port), 60)
    wait_link_up(master)
    wait_offsets_equal(new, master, other)
    same = digest(new) == digest(master) == digest(other)
    say(f"{master.port} is back as a replica of {new.port}; digests {'equal' if same else 'DIFFER'}")
    if lost or not same:
        raise AssertionError(f"{len(lost)} confirmed writes lost, digests equal: {same}")


def knows_all(sentinel):
    with Client(sentinel.port) as client:
        flat = client.call("SENTINEL", "MASTER", "mymaster")
        about = dict(zip(flat[::2], flat[1::2]))
        return int(about[b"num-slaves"]) >= 2 and int(about[b"num-other-sentinels"]) >= 2


def promoted(sentinel, old_port):
    """The new master's port once the sentinel has switched, else None."""
    try:
        with Client(sentinel.port) as client:
            _, port = client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
            return int(port) if int(port) != old_port else None
    except ReplyError:
        return None


def say(text):
    print(f"demo-sentinel: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
