# SPDX-License-Identifier: BSD-3-Clause
"""A snapshot that goes to disk is read while it arrives, by a replica that holds nothing: what shows
from outside, and what becomes of it when the rest is damaged, cut off or not wanted any more."""

import os

import pytest

from lab.servers import eventually
from lab.sync import replicate, wait_link_up
from links import DISK, FakeMaster, rdb_of, refused, threads

KEYS = b"".join(b"\x00\x06key%03d\x05value" % i for i in range(500))
RDB = rdb_of(b"\xfe\x00" + KEYS)
HALF = len(RDB) // 2
MARK = b"m" * 40
HEADERS = {"size": b"$%d\r\n" % len(RDB), "mark": b"$EOF:" + MARK + b"\r\n"}
# Behind each kind of body.
TAILS = {"size": b"", "mark": MARK}


def begin(farm, how, body=RDB[:HALF], *more, keys=0):
    """A replica that has got the beginning of a transfer; `more` are the answers to later PSYNCs."""
    first = b"+FULLRESYNC %s 7\r\n" % FakeMaster.IDENTITY.encode() + HEADERS[how] + body
    fake = farm.own(FakeMaster(first, *more))
    replica = farm.redwing(DISK)
    for i in range(keys):
        replica.call("SET", f"mine:{i}", i)
    replica.quiet = threads(replica)
    replicate(replica, fake)
    eventually(lambda: received(replica) >= len(body) or len(fake.requests) > 1)
    return fake, replica


def received(replica):
    return int(replica.info("replication").get("master_sync_read_bytes", 0))


def loads(replica):
    info = replica.info("persistence")
    return info["loading"], info["async_loading"]


def leftovers(server):
    return [name for name in os.listdir(server.directory) if name.startswith("temp-")]


@pytest.mark.parametrize("how", HEADERS)
def test_an_empty_replica_reads_what_arrives(farm, how):
    fake, replica = begin(farm, how)
    eventually(lambda: loads(replica) == ("0", "1"))
    assert replica.call("DBSIZE") == 0 and "Loading DB in memory" not in replica.log()
    # Nothing is forked beside a loader.
    assert refused(replica.call, "BGSAVE") is not None and replica.call("PING") == b"PONG"
    fake.say(RDB[HALF:] + TAILS[how])
    wait_link_up(replica)
    assert replica.call("DBSIZE") == 500 and replica.call("GET", "key499") == b"value"
    assert loads(replica) == ("0", "0")
    eventually(lambda: os.path.exists(replica.dump_path()))
    with open(replica.dump_path(), "rb") as file:
        assert file.read() == RDB
    eventually(lambda: threads(replica) == replica.quiet)


@pytest.mark.parametrize("how", HEADERS)
def test_a_replica_with_data_waits_for_the_whole(farm, how):
    fake, replica = begin(farm, how, keys=3)
    assert loads(replica) == ("0", "0") and replica.call("DBSIZE") == 3
    fake.say(RDB[HALF:] + TAILS[how])
    wait_link_up(replica)
    assert replica.call("DBSIZE") == 500


@pytest.mark.parametrize("how", HEADERS)
def test_damage_is_found_before_the_rest_comes(farm, how):
    """The transfer ends there: no gigabyte more is fetched of what can't be loaded."""
    damaged = RDB[:HALF].replace(b"\x00\x06key100", b"\xf0\x06key100")
    fake, replica = begin(farm, how, damaged, FakeMaster.full(RDB))
    eventually(lambda: "Failed trying to load the MASTER synchronization DB from disk" in replica.log())
    wait_link_up(replica)
    assert replica.call("DBSIZE") == 500 and len(fake.requests) == 2
    eventually(lambda: not leftovers(replica))


@pytest.mark.parametrize("how", HEADERS)
def test_a_transfer_that_is_cut_leaves_nothing(farm, how):
    fake, replica = begin(farm, how, RDB[:HALF], FakeMaster.full(RDB))
    fake.hang_up()
    wait_link_up(replica)
    assert replica.call("DBSIZE") == 500
    eventually(lambda: threads(replica) == replica.quiet and not leftovers(replica))


@pytest.mark.parametrize("how", HEADERS)
def test_a_change_of_mind_while_it_arrives(farm, how):
    fake, replica = begin(farm, how)
    replica.call("REPLICAOF", "NO", "ONE")
    eventually(lambda: threads(replica) == replica.quiet and not leftovers(replica))
    assert loads(replica) == ("0", "0")
    replica.call("SET", "a", "1")
    assert replica.call("DBSIZE") == 1 and replica.call("BGSAVE")


@pytest.mark.parametrize("how, surplus", [("size", b""), ("mark", b"xyz")])
def test_what_follows_the_snapshot_is_no_part_of_it(farm, how, surplus):
    """A byte more than the RDB, within what was announced: the stream would begin at a wrong place."""
    if how == "size":
        first = FakeMaster.full(RDB[:HALF], 7, length=len(RDB) + 3)
        rest = RDB[HALF:] + b"xyz"
        fake = farm.own(FakeMaster(first, FakeMaster.full(RDB)))
        replica = farm.redwing(DISK)
        replicate(replica, fake)
        eventually(lambda: received(replica) >= HALF)
    else:
        fake, replica = begin(farm, how, RDB[:HALF], FakeMaster.full(RDB))
        rest = RDB[HALF:] + surplus + MARK
    fake.say(rest)
    eventually(lambda: "the transfer holds 3 bytes more than its RDB" in replica.log())
    wait_link_up(replica)
    assert replica.call("DBSIZE") == 500


@pytest.mark.parametrize("how", HEADERS)
def test_a_shutdown_while_it_arrives(farm, how):
    fake, replica = begin(farm, how)
    eventually(lambda: loads(replica) == ("0", "1"))
    replica.stop()
    assert not leftovers(replica) and not os.path.exists(replica.dump_path())
