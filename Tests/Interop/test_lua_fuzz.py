# SPDX-License-Identifier: BSD-3-Clause
"""The C around the Lua interpreter under sanitizers, fed random replies, documents and formats."""

import glob
import os
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    binary = tmp_path_factory.mktemp("lua") / "fuzz_lua"
    subprocess.run(
        ["cc", "-g", "-O1", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
         "-D_GNU_SOURCE", f"-I{ROOT}/CSources/Lua/include", f"{ROOT}/Tests/LuaTests/fuzz_lua.c",
         *glob.glob(f"{ROOT}/CSources/Lua/*.c"), "-llua5.1", "-lm", "-o", str(binary)], check=True)
    return str(binary)


@pytest.mark.parametrize("seed", range(1, 5))
def test_no_bytes_break_it(fuzzer, seed):
    # One static string of the made-up server stays allocated at the end.
    done = subprocess.run([fuzzer, str(seed), "1000"], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 0, f"seed {seed}: {done.returncode}\n{done.stderr[-4000:]}"
