# SPDX-License-Identifier: BSD-3-Clause
"""Snapshots that come from elsewhere, loaded at the start: positions beyond reason, claims of sizes, what 6.0
can't hold, what is empty, and files with a tail or in a container that is cut."""

import gzip
import os
import subprocess

import pytest

from lab.servers import eventually
from lab.sync import replicate, wait_link_up
from links import FakeMaster, huge_claims, peak_memory, rdb_aux, rdb_of, refused
from test_bad_input import signed

KEY = b"\x00\x01k\x01v"
MODULE = b"\x81" + bytes.fromhex("45e2c6cb1d1d2c01")
EXPIRING = (b"\x18\x01h" + (1700000000000).to_bytes(8, "little") + b"\x02" + b"\x05\x01f\x01v" + b"\x00\x01g\x01w")
# What 6.0 has no place for, and the line that says so.
UNSUPPORTED = {
    "function": (b"\xf5\x0e#!lua name=lib", "a function library", "skipped function library '#!lua name=lib'"),
    "module data": (b"\xf7" + MODULE + b"\x02\x02\x00", "data of module", "skipped data of module"),
    "module key": (b"\x07\x01m" + MODULE + b"\x00", "key 'm' is a value of module", "skipped key 'm', a value of module"),
    "field expiry": (b"\xfe\x00" + EXPIRING, "hash 'h' has fields that expire", "hash 'h': dropped the expiry of 1 fields"),
}


def prepare(farm, data, options=None, name="dump.rdb"):
    server = farm.make("redwing", options)
    with open(os.path.join(server.directory, name), "wb") as file:
        file.write(data)
    return server


def refuses(server):
    """The log of a start that must fail and leave the file alone."""
    with open(server.dump_path(), "rb") as file:
        before = file.read()
    server.start(wait=False)
    assert server.process.wait(20) == 1
    with open(server.dump_path(), "rb") as file:
        assert file.read() == before
    return server.log()


# Positions.

def positioned(position):
    return (rdb_aux(b"repl-stream-db", b"0") + rdb_aux(b"repl-id", b"a" * 40)
            + rdb_aux(b"repl-offset", b"%d" % position) + b"\xfe\x00" + KEY)


@pytest.mark.parametrize("follows", [False, True], ids=["master", "replica"])
@pytest.mark.parametrize("position, good", [(2**63 - 1, False), (2**63 - 2, False), (2**62 + 1, False),
                                            (2**62, True), (1000, True)])
def test_a_position_beyond_reason_is_no_position(farm, position, good, follows):
    fake = farm.own(FakeMaster(b"+CONTINUE\r\n" if good else FakeMaster.full(rdb_of(b"\xfe\x00" + KEY), 5)))
    server = prepare(farm, rdb_of(positioned(position)), {"replicaof": ("127.0.0.1", fake.port)} if follows else None)
    server.start()
    eventually(lambda: server.call("GET", "k") == b"v")
    assert ("which can't be: it is served without a history" in server.log()) != good
    if follows:
        wait_link_up(server)
        assert fake.requests == [("a" * 40, position + 1) if good else ("?", -1)]
    else:
        replica = farm.redwing()
        replicate(replica, server)
        wait_link_up(replica)
        server.call("SET", "a", "1")
        assert server.info("replication")["second_repl_offset"] == (str(position + 1) if good else "-1")


@pytest.mark.parametrize("position, good", [(2**63 - 1, False), (2**62 + 1, False), (2**62, True)])
def test_a_record_of_the_aof_beyond_reason_is_no_position(farm, position, good):
    text = b"repl %s %d 0 0" % (b"a" * 40, position)
    aof = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (len(text), text)
    server = prepare(farm, aof, {"appendonly": "yes"}, "appendonly.aof")
    server.start()
    assert server.call("GET", "k") == b"v"
    assert server.info("replication")["second_repl_offset"] == (str(position + 1) if good else "-1")
    assert ("it is served without a history" in server.log()) != good
    server.call("SET", "a", "1")
    server.restart()
    assert server.call("GET", "a") == b"1"


# Claims.

def test_claims_of_keys_reserve_little(farm):
    server = prepare(farm, rdb_of(huge_claims() + KEY))
    server.start()
    assert peak_memory(server) < 200 << 20
    server.call("SELECT", "15")
    with server.client() as client:
        client.call("SELECT", "15")
        assert client.call("GET", "k") == b"v"


# What 6.0 can't hold.

@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_cant_be_held_is_skipped_or_refused_as_configured(farm, what):
    item, refusal, note = UNSUPPORTED[what]
    data = rdb_of(item + b"\xfe\x00" + KEY, 12)
    skipping = prepare(farm, data)
    skipping.start()
    assert skipping.call("CONFIG", "GET", "rdb-unsupported") == [b"rdb-unsupported", b"skip"]
    assert skipping.call("GET", "k") == b"v" and note in skipping.log()
    refusing = prepare(farm, data, {"rdb-unsupported": "refuse"})
    assert refusal in refuses(refusing)
    # A sync, a DEBUG RELOAD and an AOF's preamble are loads as well.
    fake = farm.own(FakeMaster(FakeMaster.full(data, 1)))
    replica = farm.redwing()
    assert replica.call("CONFIG", "SET", "rdb-unsupported", "refuse") == b"OK"
    replica.call("SET", "mine", "1")
    replicate(replica, fake)
    eventually(lambda: refusal in replica.log())
    assert replica.call("GET", "mine") == b"1"
    skipping.call("CONFIG", "SET", "rdb-unsupported", "refuse")
    with open(skipping.dump_path(), "wb") as file:
        file.write(data)
    assert refused(skipping.call, "DEBUG", "RELOAD", "NOSAVE") and f"DEBUG RELOAD failed: {refusal}" in skipping.log()
    with_aof = prepare(farm, data, {"appendonly": "yes", "rdb-unsupported": "refuse"}, "appendonly.aof")
    with_aof.start(wait=False)
    assert with_aof.process.wait(20) == 1 and refusal in with_aof.log()


@pytest.mark.parametrize("payload", [EXPIRING[:1] + EXPIRING[3:], b"\x07" + MODULE + b"\x00", b"\x02\x00", b"\x01\x00"],
                         ids=["field expiry", "module", "empty set", "empty list"])
def test_restore_takes_nothing_by_halves(shared_farm, payload):
    server = shared_farm.redwing()
    reply = refused(server.call, "RESTORE", "r", 0, signed(payload + (9).to_bytes(2, "little")))
    assert reply == "ERR Bad data format"
    assert server.call("EXISTS", "r") == 0


def test_notes_are_few_however_many_things_were_skipped(farm):
    skipped = b"\xf4\x05\x01\x00" * 50_000 + b"".join(b"\x07\x01m" + MODULE + b"\x00" for _ in range(12))
    server = prepare(farm, rdb_of(skipped + b"\xfe\x00" + KEY, 12))
    server.start()
    log = server.log()
    assert log.count("skipped sizes of slot 5: 1 keys") == 10 and "… and 49990 more sizes of slots" in log
    assert log.count("skipped key 'm', a value of module") == 10 and "… and 2 more values of modules" in log
    # The lines stand before what ended a load as well.
    failing = prepare(farm, rdb_of(skipped, 12)[:-20])
    assert "… and 49990 more sizes of slots" in refuses(failing)


@pytest.mark.parametrize("item", [b"\x01\x01e\x00", b"\x02\x01e\x00", b"\x03\x01e\x00", b"\x04\x01e\x00", b"\x05\x01e\x00",
                                  b"\x0e\x01e\x00", b"\x0b\x01e\x08" + b"\x02\0\0\0\0\0\0\0",
                                  b"\x0d\x01e\x0b" + b"\x0b\0\0\0\x0a\0\0\0\0\0\xff"],
                         ids=["list", "set", "zset", "hash", "zset 2", "quicklist", "intset", "packed hash"])
def test_an_empty_collection_is_left_out(farm, item):
    server = prepare(farm, rdb_of(b"\xfe\x00" + item + KEY))
    server.start()
    assert server.call("KEYS", "*") == [b"k"]
    assert "rdbLoad skipping empty key: e" in server.log()


# Tails and containers.

def test_a_tail_is_ignored_with_a_warning(farm):
    data = rdb_of(b"\xfe\x00" + KEY)
    server = prepare(farm, data + b"junk")
    server.start()
    assert server.call("GET", "k") == b"v"
    assert f"dump.rdb: bytes follow the RDB (at byte {len(data)}), ignored" in server.log()
    clean = prepare(farm, data)
    clean.start()
    assert "bytes follow" not in clean.log()


@pytest.mark.parametrize("name", ["gzip", "lz4"])
def test_a_container_that_is_damaged_is_named_with_both_places(farm, name):
    plain = rdb_of(b"\xfe\x00" + b"".join(b"\x00\x05k%04d" % i + b"\x40\x64" + os.urandom(100) for i in range(3000)))
    packed = gzip.compress(plain) if name == "gzip" else subprocess.run(
        ["lz4", "-c"], input=plain, capture_output=True, check=True).stdout
    cut = packed[:len(packed) // 2]
    log = refuses(prepare(farm, cut))
    assert f"the {name} container ends early (byte {len(cut)} of the file, byte " in log and "of the RDB)" in log
    # gzip: a block of no type; lz4: the checksum of the frame's head.
    at = 10 if name == "gzip" else 6
    damaged = packed[:at] + bytes([packed[at] ^ 0xFF | 7]) + packed[at + 1:]
    assert f"the {name} container is damaged: " in refuses(prepare(farm, damaged))
    whole = prepare(farm, packed)
    whole.start()
    assert whole.call("DBSIZE") == 3000 and "ignored" not in whole.log()
