# SPDX-License-Identifier: BSD-3-Clause
"""Whether a full sync is compressed: never for a link that has room, always where the link is what limits it."""

import os
import subprocess
import sys

import pytest

from lab.sync import assert_same, replicate
from links import RawReplica

SPOOL = {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0"}
TEXT = b"the same words again and again, " * 20
NARROW = "The link limits the full sync: compressing from here on"


def fill(server, keys):
    with server.client() as client:
        client.pipeline([("SET", f"key:{i}", TEXT) for i in range(keys)])


def network_can_be_narrowed():
    """A namespace of its own and tc's token bucket: root, and a kernel that has both."""
    command = "ip link set lo up && tc qdisc add dev lo root tbf rate 200mbit burst 256kb latency 50ms"
    try:
        return subprocess.run(["unshare", "-n", "sh", "-c", command], stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("keys", [500, 20_000])
def test_a_link_with_room_gets_plain_strings(farm, keys):
    """In one thread and in several."""
    master = farm.redwing(SPOOL)
    fill(master, keys)
    replica = farm.own(RawReplica(master, "eof", "psync2"))
    replica.granted()
    assert replica.body()[0].count(TEXT) == keys


def test_a_file_is_compressed_as_configured(farm):
    master = farm.redwing(SPOOL | {"repl-diskless-sync": "no"})
    fill(master, 500)
    replica = farm.own(RawReplica(master, "eof", "psync2"))
    replica.granted()
    assert TEXT not in replica.body()[0]


def test_a_replica_that_reads_slowly_gets_plain_strings(farm):
    """Its window is shut: to decompress would make it slower still."""
    master = farm.redwing(SPOOL | {"loglevel": "verbose"})
    other = farm.redwing({"repl-diskless-load": "on-empty-db", "key-load-delay": "20"})
    fill(master, 60_000)
    replicate(other, master)
    assert_same(master, other)
    assert NARROW not in master.log()


@pytest.mark.skipif(not network_can_be_narrowed(), reason="needs network namespaces and tc's tbf")
def test_a_narrow_link_gets_compressed_strings():
    """140 MB in values that shrink to a twentieth: what was sent before it was noticed is plain."""
    script = os.path.join(os.path.dirname(__file__), "narrow_link.py")
    done = subprocess.run(["unshare", "-n", sys.executable, script], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    size, _, log = done.stdout.partition("\n")
    assert NARROW in log
    assert int(size) < 90_000_000
