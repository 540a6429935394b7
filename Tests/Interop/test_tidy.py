# SPDX-License-Identifier: BSD-3-Clause
"""Rules that a compiler doesn't check, read off the tree; each message names the way out."""

import os
import re
import subprocess
from fnmatch import fnmatch

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TEXT = (".swift", ".c", ".h", ".py", ".sh", ".md", ".yml", ".mk", ".txt", "Makefile", ".modulemap")
CODE = (".swift", ".c", ".h", ".py", ".sh", "Makefile")
LONGEST = 600

# Where raw memory, libwing, Lua, TLS and system calls are wrapped; everything else goes through
# Address, Bytes, Span. A path that ends in a slash stands for all below it, * for any text. A file
# joins only if it wraps something new of the system or of the C core.
FENCE = [
    "Sources/Memory/",
    "Sources/Configuration/File.swift",
    "Sources/Keyspace/Entry+String.swift",
    "Sources/Keyspace/Heap.swift",
    "Sources/Keyspace/Listpack.swift",
    "Sources/Keyspace/PackedPairs.swift",
    "Sources/Keyspace/*RDB*.swift",
    "Sources/Keyspace/ParallelSnapshot.swift",
    "Sources/Keyspace/SnapshotLoader.swift",
    "Sources/Redwing/Commands/Saving.swift",
    "Sources/Redwing/Core/ClientReference.swift",
    "Sources/Redwing/Core/EventLoop.swift",
    "Sources/Redwing/Core/Mailbox.swift",
    "Sources/Redwing/Core/Server+Shutdown.swift",
    "Sources/Redwing/Core/SystemCalls.swift",
    "Sources/Redwing/Logging/LogSink.swift",
    "Sources/Redwing/Net/",
    "Sources/Redwing/Persistence/",
    "Sources/Redwing/Process/",
    "Sources/Redwing/Replication/TransferCalls.swift",
    "Sources/Redwing/Scripting/",
    "Sources/Redwing/TLS/",
    "Sources/Replication/StreamBuffer.swift",
    "Sources/redwing-rdb/Input.swift",
    "Sources/redwing-rdb/Output.swift",
]


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=ROOT,
                            capture_output=True)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
    else:
        # An unpacked archive: everything but what is built.
        names = [os.path.relpath(os.path.join(at, name), ROOT)
                 for at, _, files in os.walk(ROOT) for name in files
                 if not re.search(r"/\.(build|venv|git)", at)]
    return sorted(name for name in names if name and os.path.isfile(os.path.join(ROOT, name)))


FILES = tracked()


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def lines_of(pattern, names, keep=lambda line: True):
    """`file:line: text` of each line that matches, comments left out."""
    found = []
    for name in names:
        for number, line in enumerate(read(name).splitlines(), 1):
            code = re.sub(r"(^|\s)//.*", "", line)
            if re.search(pattern, code) and keep(code):
                found.append(f"{name}:{number}: {line.strip()}")
    return found


def swift(prefix="Sources/"):
    return [name for name in FILES if name.endswith(".swift") and name.startswith(prefix)]


@pytest.mark.parametrize("pattern, instead", [
    (r"\btry!", "throw a typed error, or `try?` with a reason"),
    (r"\bfatalError\(", "an error reply, a dropped link, or `assertionFailure` in debug builds"),
    (r"\bpreconditionFailure\(", "an error reply or a dropped link: a peer must not end the server"),
    (r"\bas!", "`as?` with an answer for nil"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "do it, or say in CHANGELOG.md what is missing"),
])
def test_sources_are_free_of(pattern, instead):
    found = lines_of(pattern, swift())
    assert not found, f"use {instead}:\n" + "\n".join(found)


def test_unsafe_is_inside_the_fence():
    names = [name for name in swift()
             if not any(fnmatch(name, one + "*" if one.endswith("/") else one) for one in FENCE)]
    found = lines_of(r"(^|[\s(=])unsafe\s", names)
    assert not found, "wrap it in a file of the fence (FENCE in this test):\n" + "\n".join(found)


def test_files_are_short_enough_to_read():
    found = [f"{name}: {count} lines" for name in FILES if name.endswith(CODE)
             and (count := read(name).count("\n")) > LONGEST]
    assert not found, f"more than {LONGEST} lines; split by idea:\n" + "\n".join(found)


def test_the_licence_stands_first():
    found = []
    for name in FILES:
        if name.endswith(CODE) and os.path.getsize(os.path.join(ROOT, name)):
            head = read(name).splitlines()[:2]
            # A script's #! and the tools version of Package.swift have to be the first line.
            if not any("SPDX-License-Identifier: BSD-3-Clause" in line for line in head):
                found.append(name)
    assert not found, "begin with SPDX-License-Identifier: BSD-3-Clause:\n" + "\n".join(found)


def test_no_traces_of_a_machine():
    """Paths of somebody's machine and hosts of package registries don't belong into the project."""
    pattern = r"/home/\w|/Users/\w|/root/|/work/|/tmp/h/|https?://(pypi|proxy\.|[\w.-]*registry)"
    found = []
    for name in FILES:
        if name.endswith(TEXT) and name != "Tests/Interop/test_tidy.py":
            for number, line in enumerate(read(name).splitlines(), 1):
                if re.search(pattern, line):
                    found.append(f"{name}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def test_text_is_clean():
    """LF, no trailing blanks, a newline at the end: what .editorconfig says."""
    found = []
    for name in FILES:
        if name.endswith(CODE):
            with open(os.path.join(ROOT, name), "rb") as file:
                data = file.read()
            if b"\r\n" in data.replace(b"\\r\\n", b"") or re.search(rb"[ \t]\n", data):
                found.append(f"{name}: CR or trailing blanks")
            if data and not data.endswith(b"\n"):
                found.append(f"{name}: no newline at the end")
    assert not found, "`make format`, or an editor that reads .editorconfig:\n" + "\n".join(found)


def headers():
    return [name for name in FILES if name.startswith("CSources/Wing/include/wing/") and name.endswith(".h")]


def test_each_function_of_libwing_has_its_contract():
    """A comment above each prototype; Threads and Fork in each header that has functions."""
    found = []
    for name in headers():
        text = read(name)
        prototypes = list(re.finditer(r"(?m)^(?!typedef)[a-z][\w *]*\n?[ *]*\b(wing_\w+)\(", text))
        found += [f"{name}: {one[1]} has no comment of its own" for one in prototypes
                  if not text[:one.start()].rstrip().endswith("*/")]
        found += [f"{name}: doesn't say {word}" for word in ("Threads", "Fork")
                  if prototypes and not re.search(rf"\b{word}:?\s", text)]
    assert headers() and not found, "units, ownership, errors, threads, fork:\n" + "\n".join(found)


def test_the_headers_examples_compile():
    """What a header shows as code stands in examples_test.c, which the C tests build and run."""
    def plain(line):
        return re.sub(r"\s+", " ", re.sub(r"//.*|/\*.*\*/", "", line)).strip()

    compiled = {plain(line) for line in read("Tests/WingTests/examples_test.c").splitlines()}
    found = []
    for name in headers():
        top = read(name).split("/**", 1)[1].split("*/", 1)[0]
        for block in re.findall(r"(?m)(?:^ \*     .*\n)+", top):
            if re.search(r"(?m);(\s*//.*)?$", block):
                lines = [line[2:] for line in block.splitlines()]
                found += [f"{name}: {line.strip()}" for line in lines
                          if plain(line) and plain(line) not in compiled]
    assert not found, "not in Tests/WingTests/examples_test.c:\n" + "\n".join(found)


# What tests and scripts start, and the Debian package that has it; "" stands for what every Debian has
# or Swift brings.
PROGRAMS = {
    "cat": "", "cc": "gcc", "gcc": "gcc", "git": "git", "gunzip": "", "lz4": "lz4", "make": "make",
    "openssl": "openssl", "perl": "libredis-perl", "python3": "python3", "redis-benchmark": "redis-tools",
    "redis-check-aof": "redis-tools", "redis-check-rdb": "redis-tools", "redis-cli": "redis-tools",
    "redis-sentinel": "redis-sentinel", "redis-server": "redis-server", "swift": "", "gzip": "",
    "ip": "iproute2", "tc": "iproute2", "unshare": "", "c++": "g++", "pkg-config": "pkg-config", "nm": "gcc", "objcopy": "gcc", "readelf": "gcc",
}


def test_make_deps_installs_what_is_started():
    packages = re.search(r"(?ms)^packages=\((.*?)^\)", read("scripts/deps.sh"))[1]
    packages = set(re.sub(r"#.*", "", packages).split())
    started = {}
    for name in FILES:
        if name.endswith(".py"):
            for word in re.findall(r"\bsubprocess\.\w+\(\s*\[\s*\"([^\"\s]+)\"", read(name)):
                started.setdefault(os.path.basename(word), name)
    unknown = [f"{program} ({name})" for program, name in started.items() if program not in PROGRAMS]
    assert not unknown, "say in PROGRAMS which package has: " + ", ".join(unknown)
    missing = {package for package in PROGRAMS.values() if package} - packages
    assert not missing, f"scripts/deps.sh doesn't install {missing}"
