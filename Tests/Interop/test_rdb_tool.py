# SPDX-License-Identifier: BSD-3-Clause
"""redwing-rdb on the files of real servers: what it prints, its containers beside the standard tools,
and what it says of a damaged file. It is .build/release/redwing-rdb or $REDWING_RDB."""

import json
import os
import subprocess

import pytest

from links import rdb_of

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TOOL = os.environ.get("REDWING_RDB", os.path.join(ROOT, ".build", "release", "redwing-rdb"))
FIXTURES = [os.path.join(ROOT, "Tests", "Fixtures", name)
            for name in ("redis-6.0.7.rdb", "redis-7.0.15.rdb")]


def run(*arguments, code=0):
    done = subprocess.run([TOOL, *arguments], capture_output=True)
    assert done.returncode == code, done.stderr.decode()
    return done.stderr.decode() if code else done.stdout.decode()


def read(path):
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("path", FIXTURES)
def test_json_is_what_the_server_held(path):
    told = json.loads(run("print", "--json", path))
    held = json.loads(read(path.replace(".rdb", ".json")))
    assert told["rdb_version"] == held["rdb_version"]
    assert told["dbs"] == held["dbs"]


@pytest.mark.parametrize("path", FIXTURES)
def test_check_counts_and_print_has_a_line_a_key(path):
    assert "checksum right" in run("check", path)
    held = json.loads(read(path.replace(".rdb", ".json")))
    lines = [line for line in run("print", path).splitlines() if line.startswith("db=")]
    assert len(lines) == sum(len(db) for db in held["dbs"].values())


@pytest.mark.parametrize("container, opener", [("lz4", ["lz4", "-dc"]), ("gzip", ["gunzip", "-c"]),
                                               ("none", ["cat"])])
def test_containers_open_with_the_standard_tools(container, opener, tmp_path):
    packed, back = tmp_path / "packed", tmp_path / "back"
    run("convert", FIXTURES[0], packed, "--container", container)
    assert f"container {container}" in run("check", packed)
    with open(packed, "rb") as file:
        assert subprocess.run(opener, stdin=file, capture_output=True).stdout == read(FIXTURES[0])
    run("convert", packed, back, "--container", "none")
    assert read(back) == read(FIXTURES[0])


def test_what_6_0_cant_hold_is_noted_or_refused(tmp_path):
    path = tmp_path / "functions.rdb"
    path.write_bytes(rdb_of(b"\xf5\x0e#!lua name=lib\xfe\x00\x00\x01k\x01v", 11))
    for command in ("check", "print"):
        assert "skipped function library '#!lua name=lib'" in run(command, path)
        assert "a function library (at byte 10)" in run(command, path, "--unsupported", "refuse", code=1)


def test_a_damaged_file_is_named_and_not_converted(tmp_path):
    cut, damaged, target = tmp_path / "cut.rdb", tmp_path / "damaged.rdb", tmp_path / "target"
    whole = read(FIXTURES[1])
    cut.write_bytes(whole[:5000])
    damaged.write_bytes(whole[:-9] + b"\xff" + b"12345678")
    target.write_bytes(b"what was there")
    assert "at byte 5000" in run("check", cut, code=1)
    assert "checksum is" in run("check", damaged, code=1)
    for path in (cut, damaged):
        run("convert", path, target, "--container", "lz4", code=1)
        assert target.read_bytes() == b"what was there"
    assert sorted(os.listdir(tmp_path)) == ["cut.rdb", "damaged.rdb", "target"]
