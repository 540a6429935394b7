# SPDX-License-Identifier: BSD-3-Clause
"""The C around the Lua interpreter under sanitizers, fed random replies, documents and formats."""

import glob
import os
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The programs of Tests/LuaTests by name."""
    folder = tmp_path_factory.mktemp("lua")
    for name in ("fuzz_lua", "compare_patterns"):
        subprocess.run(
            ["cc", "-g", "-O1", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
             "-D_GNU_SOURCE", f"-I{ROOT}/CSources/Lua/include", f"{ROOT}/Tests/LuaTests/{name}.c",
             *glob.glob(f"{ROOT}/CSources/Lua/*.c"), "-llua5.1", "-lm", "-o", str(folder / name)], check=True)
    return folder


def run(program, seed, rounds):
    # One static string of the made-up server stays allocated at the end.
    done = subprocess.run([str(program), str(seed), str(rounds)], capture_output=True, timeout=300,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    text = done.stderr[-4000:].decode("latin-1")
    assert done.returncode == 0, f"seed {seed}: {done.returncode}\n{text}"


@pytest.mark.parametrize("seed", range(1, 5))
def test_no_bytes_break_it(programs, seed):
    run(programs / "fuzz_lua", seed, 1000)


@pytest.mark.parametrize("seed", range(1, 5))
def test_patterns_match_what_luas_own_match(programs, seed):
    run(programs / "compare_patterns", seed, 10000)
