# SPDX-License-Identifier: BSD-3-Clause
"""RDB files that real servers wrote: loaded to exactly what their JSON says, saved again, and loaded
by a stock Redis with the same digest."""

import json
import os
import shutil
import socket
import subprocess

import pytest

from lab.data import fill_all_types
from lab.resp import ReplyError
from lab.servers import eventually
from lab.sync import digest

HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = [os.path.join(HERE, "..", "Fixtures"), os.path.join(HERE, "..", "..", "..", "shared",
                                                             "fixtures")]
NAMES = ["redis-6.0.7", "redis-7.0.15"]


def fixture_path(name):
    for place in PLACES:
        path = os.path.join(place, name)
        if os.path.exists(path):
            return path
    raise AssertionError(f"{name} is in neither of {PLACES}")


def expected(name):
    with open(fixture_path(name + ".json")) as file:
        return json.load(file)


def start_with(farm, kind, path, **options):
    """A server that loads a copy of the file at its start."""
    server = farm.make(kind, options)
    shutil.copyfile(path, server.dump_path())
    return server.start()


def value_of(client, kind, key):
    """A key's value in the JSON's form: hex text, lists sorted where the type has no order."""
    if kind == "string":
        return client.call("GET", key).hex()
    if kind == "list":
        return [one.hex() for one in client.call("LRANGE", key, 0, -1)]
    if kind == "set":
        return sorted(one.hex() for one in client.call("SMEMBERS", key))
    if kind == "hash":
        flat = client.call("HGETALL", key)
        return {flat[i].hex(): flat[i + 1].hex() for i in range(0, len(flat), 2)}
    if kind == "zset":
        flat = client.call("ZRANGE", key, 0, -1, "WITHSCORES")
        return {flat[i].hex(): float(flat[i + 1]) for i in range(0, len(flat), 2)}
    raise AssertionError(f"no reading of a {kind}")


def in_order(kind, value):
    """The JSON's value, made comparable to value_of."""
    if kind == "set":
        return sorted(value)
    if kind == "zset":
        pairs = value.items() if isinstance(value, dict) else value
        return {member: float(score) for member, score in pairs}
    return value


@pytest.fixture(scope="module", params=NAMES)
def loaded(request, shared_farm):
    return request.param, start_with(shared_farm, "redwing", fixture_path(request.param + ".rdb"))


def test_the_digest_is_the_one_of_the_server_that_wrote_it(loaded):
    name, server = loaded
    assert digest(server).decode() == expected(name)["digest"]


def test_each_key_has_the_value_that_the_json_says(loaded):
    name, server = loaded
    with server.client() as client:
        for database, keys in expected(name)["dbs"].items():
            client.call("SELECT", database)
            assert client.call("DBSIZE") == len(keys)
            for hex_key, entry in keys.items():
                key, kind = bytes.fromhex(hex_key), entry["type"]
                assert client.call("TYPE", key).decode() == kind, key
                check_expiry(client, key, entry["ttl_abs_ms"])
                if kind == "stream":
                    check_stream(client, key, entry["value"])
                else:
                    assert value_of(client, kind, key) == in_order(kind, entry["value"]), key


def check_expiry(client, key, absolute_ms):
    left = client.call("PTTL", key)
    if absolute_ms is None:
        assert left == -1, key
    else:
        seconds, micros = client.call("TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        assert abs(now + left - absolute_ms) < 100, key


def check_stream(client, key, value):
    entries = client.call("XRANGE", key, "-", "+")
    got = [[one[0].decode(), [field.hex() for field in one[1]]] for one in entries]
    assert got == value["entries"], key
    about = as_dict(client.call("XINFO", "STREAM", key))
    assert about["last-generated-id"].decode() == value["last_id"], key
    groups = [as_dict(one) for one in client.call("XINFO", "GROUPS", key)]
    assert sorted(one["name"].decode() for one in groups) == sorted(
        one["name"] for one in value["groups"]), key
    for want in value["groups"]:
        have = next(one for one in groups if one["name"].decode() == want["name"])
        assert have["last-delivered-id"].decode() == want["last_id"], key
        names = [as_dict(one)["name"].decode()
                 for one in client.call("XINFO", "CONSUMERS", key, want["name"])]
        assert sorted(names) == sorted(want["consumers"]), key
        pending = client.call("XPENDING", key, want["name"], "-", "+", 1000)
        assert [[one[0].decode(), one[1].decode(), one[3]] for one in pending] == want["pel"], key


def as_dict(flat):
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


@pytest.mark.parametrize("container", ["none"])
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_what_we_save_a_stock_redis_loads_with_the_same_digest(loaded, farm, compression, container):
    name, server = loaded
    server.call("CONFIG", "SET", "rdbcompression", compression)
    server.call("SAVE")
    check_rdb(server.dump_path())
    assert digest(start_with(farm, "redis", server.dump_path())).decode() == expected(name)["digest"]


def check_rdb(path):
    done = subprocess.run(["redis-check-rdb", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "RDB looks OK" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("command", ["SAVE", "BGSAVE"])
def test_all_types_saved_by_us_are_loaded_by_a_stock_redis(farm, command):
    ours = farm.redwing()
    with ours.client() as client:
        fill_all_types(client, n=800, seed=5)
        save(client, command)
        before = digest(ours, client)
    check_rdb(ours.dump_path())
    assert digest(start_with(farm, "redis", ours.dump_path())) == before
    assert digest(start_with(farm, "redwing", ours.dump_path())) == before


def save(client, command):
    client.call(command)
    eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0")
    assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"


def test_all_types_saved_by_a_stock_redis_are_loaded_by_us(farm):
    theirs = farm.redis()
    with theirs.client() as client:
        fill_all_types(client, n=800, seed=6)
        client.call("SAVE")
        before = digest(theirs, client)
    assert digest(start_with(farm, "redwing", theirs.dump_path())) == before


def test_debug_reload_changes_nothing(farm):
    ours = farm.redwing()
    with ours.client() as client:
        fill_all_types(client, n=400, seed=8)
        before = digest(ours, client)
        assert client.call("DEBUG", "RELOAD") == b"OK"
        assert digest(ours, client) == before


def test_dump_and_restore_cross_the_servers(farm):
    """DUMP of one is RESTOREd by the other; a stock 7.0 reads ours, we read its listpacks."""
    ours, theirs = farm.redwing(), farm.redis()
    with ours.client() as one, theirs.client() as two:
        for source, target in ((one, two), (two, one)):
            source.call("FLUSHALL")
            target.call("FLUSHALL")
            fill_all_types(source, n=100, seed=9, databases=(0,))
            for key in source.call("KEYS", "*"):
                left = max(0, source.call("PTTL", key))
                packed = source.call("DUMP", key)
                # REPLACE so that the second direction may find the key.
                assert target.call("RESTORE", key, left, packed, "REPLACE") == b"OK", key
                assert (source.call("DEBUG", "DIGEST-VALUE", key)
                        == target.call("DEBUG", "DIGEST-VALUE", key)), key


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not an RDB"])
def test_a_damaged_file_is_refused_and_stays_untouched(farm, damage):
    with open(fixture_path("redis-6.0.7.rdb"), "rb") as file:
        data = file.read()
    if damage == "truncated":
        data = data[:len(data) // 2]
    elif damage == "flipped":
        middle = len(data) // 2
        data = data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1:]
    else:
        data = b"GIF89a" + data[6:]
    server = farm.make("redwing")
    with open(server.dump_path(), "wb") as file:
        file.write(data)
    server.start(wait=False)
    assert server.process.wait(20) == 1, server.log_tail()
    with open(server.dump_path(), "rb") as file:
        assert file.read() == data


def test_a_save_that_fails_leaves_the_old_file(farm):
    """The directory is gone when the child wants to write its temporary file."""
    server = farm.redwing()
    with server.client() as client:
        client.call("SET", "k", "v")
        client.call("SAVE")
        with open(server.dump_path(), "rb") as file:
            before = file.read()
        client.call("SET", "k", "w")
        hidden = os.path.join(server.directory, "hidden")
        os.mkdir(hidden)
        client.call("CONFIG", "SET", "dir", hidden)
        os.rmdir(hidden)
        assert isinstance(client.call_or_error("SAVE"), ReplyError)
        with open(server.dump_path(), "rb") as file:
            assert file.read() == before
        assert client.call("PING") == b"PONG"


KEY = b"\x00\x01k\x01v"


@pytest.mark.parametrize("policy, opcode", [("noeviction", None), ("volatile-ttl", None),
                                            ("allkeys-lru", 0xF8), ("allkeys-lfu", 0xF9)])
def test_what_eviction_knows_of_a_key_is_saved(farm, policy, opcode):
    """As a stock Redis has it between RESIZEDB and the key, and it is there again after a load."""
    before_key = {}
    for kind in ("redis", "redwing"):
        server = farm.start(kind, {"maxmemory-policy": policy})
        with server.client() as client:
            client.call("SET", "k", "v")
            client.call("SAVE")
            with open(server.dump_path(), "rb") as file:
                data = file.read()
            before_key[kind] = data[data.index(b"\xfb\x01\x00") + 3:data.index(KEY)]
            client.call("DEBUG", "RELOAD")
            if opcode == 0xF9:
                assert 1 <= client.call("OBJECT", "FREQ", "k") <= 6
            if opcode == 0xF8:
                assert client.call("OBJECT", "IDLETIME", "k") < 60
    for found in before_key.values():
        assert len(found) == (2 if opcode else 0) and found[:1] == bytes([opcode] if opcode else [])
    assert opcode != 0xF9 or before_key["redis"] == before_key["redwing"]


def test_scripts_come_behind_the_keys_for_a_replica_and_never_in_a_file(farm):
    server = farm.redwing()
    server.call("SET", "k", "v")
    server.call("SCRIPT", "LOAD", "return 1")
    server.call("SAVE")
    with open(server.dump_path(), "rb") as file:
        assert b"\x03lua" not in file.read()
    server.call("CONFIG", "SET", "repl-diskless-sync", "no")
    with socket.create_connection(("127.0.0.1", server.port), 20) as peer:
        peer.sendall(b"SYNC\r\n")
        stream = peer.makefile("rb")
        while (head := stream.readline()) == b"\n":
            pass
        data = stream.read(int(head[1:]))
    scripts = b"\xfa\x03lua\x08return 1"
    assert data[data.index(KEY):].startswith(KEY + scripts + b"\xff")
