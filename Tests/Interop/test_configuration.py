# SPDX-License-Identifier: BSD-3-Clause
"""redis.conf through the binary: what is refused and how it is told, defaults beside a stock Redis,
CONFIG REWRITE and what a restart makes of it, the stock file of 7.0."""

import os
import re
import subprocess

import pytest

from lab.resp import Client, ReplyError
from lab.servers import REDWING, free_port

SOURCES = os.path.join(os.path.dirname(__file__), "..", "..", "Sources")


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(text.encode() if isinstance(text, str) else text)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read()


# What is refused

REFUSED = {
    "nonsense yes": "Bad directive or wrong number of arguments",
    "port x": "argument couldn't be parsed into an integer",
    "rename-command NOSUCH x": "No such command in rename-command",
    "rename-command GET set": "Target command name already exists",
    "rename-command GET": "Bad directive or wrong number of arguments",
    "user": "Bad directive or wrong number of arguments",
    "user joe on +nosuch":
        "Error in user declaration '+nosuch': Unknown command or category name in ACL",
    'user "j e" on': "Spaces not allowed in ACL usernames",
    "activedefrag yes":
        "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified "
        "Jemalloc like the one shipped by default with the Redis source distribution",
    "cluster-enabled yes": "this server has no cluster mode",
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_bad_line_is_told_with_its_place(farm, line):
    path = write(farm.directory(), "redis.conf", f"# mine\nport {free_port()}\n{line}\n")
    done = subprocess.run([REDWING, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    expected = (f"\n*** FATAL CONFIG FILE ERROR (Redis 6.0.7) ***\nReading the configuration file, "
                f"at line 3\n>>> '{line}'\n{REFUSED[line]}\nIn {path}. Expected: ")
    assert expected in done.stderr, done.stderr + done.stdout


def test_a_folder_is_no_configuration(farm):
    directory = farm.directory()
    done = subprocess.run([REDWING, directory], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f"Fatal error, can't open config file '{directory}': Is a directory\n\n"


# Defaults

# What a stock 7.0 has otherwise, and why: its value, ours.
OTHERWISE = {
    "acl-pubsub-default": ("resetchannels", "allchannels"),  # 6.0 knows no rules for channels
    "bind": ("* -::*", ""),                                  # the same addresses
    "repl-diskless-sync": ("yes", "no"),                     # 6.0.7's default
    "enable-debug-command": ("no", "yes"),                   # 6.0.7 knows none of these
    "enable-protected-configs": ("no", "yes"),
}
FIXED = {"bind", "port", "tls-port"}  # 7.0 can change them
OURS = {
    "rdb-container", "rdb-unsupported", "repl-max-concurrent-syncs", "repl-spool", "repl-spool-size",
    "replica-empty-master-guard", "set-max-listpack-entries", "set-max-listpack-value",
    # of 6.0 to 6.2, and hidden in 7.0
    "gopher-enabled", "key-load-delay", "loading-process-events-interval-bytes",
    "lua-replicate-commands", "rdb-key-save-delay", "watchdog-period",
}


def every(client):
    found = client.call("CONFIG", "GET", "*")
    return {name.decode(): value.decode() for name, value in zip(found[::2], found[1::2])}


def test_defaults_and_what_may_change_are_those_of_redis(farm):
    ours, theirs = farm.make("redwing"), farm.make("redis")
    for server in (ours, theirs):
        server.options = {"port": server.port, "save": "", "dir": server.directory}
        server.start()
    with ours.client() as us, theirs.client() as them:
        mine, stock = every(us), every(them)
        assert set(stock) - set(mine) == set()
        assert set(mine) - set(stock) == OURS
        for name in sorted(stock):
            if name in ("port", "dir"):
                continue
            expected = OTHERWISE.get(name, (mine[name], stock[name]))
            assert (stock[name], mine[name]) == (expected if name in OTHERWISE else (stock[name],) * 2), name
        for name in sorted(set(stock) - FIXED):
            own = us.call_or_error("CONFIG", "SET", name, mine[name])
            other = them.call_or_error("CONFIG", "SET", name, stock[name])
            fixed = "immutable" in str(other)
            assert ("Unsupported CONFIG parameter" in str(own)) == fixed, name
            guarded = "protected config" in str(other)
            assert fixed or guarded or not isinstance(own, ReplyError), (name, own)


# What has no effect


def directives():
    """name → (the property it sets, whether it is marked as inert), off the table."""
    found = {}
    for name in ("Directives.swift", "Directives+Data.swift"):
        with open(os.path.join(SOURCES, "Configuration", name)) as file:
            text = file.read()
        rows = re.split(r"\n        (?=\.)", text)
        for row in rows:
            match = re.match(r'\.\w+\(\s*"([^"]+)",\s*\\\.(\w+)', row)
            if match:
                end = row.split("\n    ]")[0]
                found[match[1]] = (match[2], end.rstrip().endswith(".inert,"))
    return found


def test_what_nothing_reads_is_marked():
    """A directive that is taken and does nothing must say so: `.inert` in its table."""
    code = ""
    for folder, _, names in os.walk(SOURCES):
        if not folder.endswith("/Configuration"):
            for name in names:
                if name.endswith(".swift"):
                    with open(os.path.join(folder, name)) as file:
                        code += file.read()
    table = directives()
    assert len(table) > 150
    for name, (setting, inert) in table.items():
        read_somewhere = re.search(rf"\.{setting}\b", code) is not None
        assert read_somewhere != inert, f"{name}: read={read_somewhere}, marked inert={inert}"


def test_what_is_marked_is_in_the_documentation():
    with open(os.path.join(SOURCES, "..", "docs", "directives.md")) as file:
        rows = [line for line in file if line.startswith("| `")]
    named = {name for line in rows for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])}
    marked = {name for name, (_, inert) in directives().items() if inert}
    assert named == marked | {"latency-tracking-info-percentiles"}


def test_what_has_no_effect_says_so(farm):
    server = farm.redwing({"io-threads": 4, "gopher-enabled": "no"})
    with server.client() as client:
        client.call("CONFIG", "SET", "activerehashing", "no")
        client.call("CONFIG", "SET", "timeout", 100)
        text = str(client.call_or_error("CONFIG", "SET", "activedefrag", "yes"))
        assert "Active defragmentation cannot be enabled" in text
        assert client.call("CONFIG", "GET", "activedefrag") == [b"activedefrag", b"no"]
    log = server.log()
    assert "These directives have no effect in this server: io-threads\n" in log
    assert "CONFIG SET: the directive activerehashing has no effect in this server." in log
    assert log.count("no effect") == 2


# Who may do what is dangerous


@pytest.mark.parametrize("value, tcp, unix", [("no", False, False), ("local", True, True), ("yes", True, True)])
def test_debug_and_protected_settings_can_be_forbidden(farm, value, tcp, unix):
    server = farm.make("redwing", {"enable-debug-command": value, "enable-protected-configs": value})
    server.options["unixsocket"] = path = os.path.join(server.directory, "socket")
    server.start()
    for client, allowed in ((server.client(), tcp), (Client(path=path), unix)):
        with client:
            debug = client.call_or_error("DEBUG", "OBJECT", "k")
            text = str(debug)
            assert text.startswith("ERR DEBUG command not allowed." if not allowed else "ERR no such key")
            setting = client.call_or_error("CONFIG", "SET", "dbfilename", "x.rdb")
            assert isinstance(setting, ReplyError) != allowed
            assert allowed or "can't set protected config" in str(setting)


@pytest.mark.parametrize("value", ["allchannels", "resetchannels"])
def test_channels_of_new_users(farm, value):
    server = farm.redwing({"acl-pubsub-default": value})
    with server.client() as client:
        client.call("ACL", "SETUSER", "joe", "on", "nopass", "~*", "+@all")
        client.call("ACL", "SETUSER", "all", "on", "nopass", "~*", "+@all", "&*")
        assert client.call("PUBLISH", "c", "m") == 0
        lists = client.call("ACL", "LIST")
        client.call("AUTH", "joe", "x")
        reply = client.call_or_error("PUBLISH", "c", "m")
        assert isinstance(reply, ReplyError) == (value == "resetchannels")
        client.call("AUTH", "all", "x")
        assert client.call("PUBLISH", "c", "m") == 0
    assert (b"user joe on nopass ~* resetchannels +@all" in lists) == (value == "resetchannels")


# The stock file


def test_the_stock_configuration_of_7_0(farm):
    directory = farm.directory()
    text = read("/etc/redis/redis.conf").decode()
    port = free_port()
    for old, new in (("/run/redis/redis-server.pid", f"{directory}/pid"), ("port 6379", f"port {port}"),
                     ("/var/log/redis/redis-server.log", f"{directory}/log"),
                     ("/var/lib/redis", directory), ("daemonize yes", "daemonize no")):
        assert old in text
        text = text.replace(old, new)
    server = farm.make("redwing", directory=directory, port=port,
                       arguments=[write(directory, "redis.conf", text)])
    server.options = {}
    server.start()
    assert server.call("PING") == b"PONG"
    assert "no effect" not in read(f"{directory}/log").decode()
    assert server.call("CONFIG", "GET", "bind") == [b"bind", b"127.0.0.1 -::1"]
    with server.client() as client:
        client.call("CONFIG", "REWRITE")
    # Nothing changed, so nothing is written; but `save` has no line there and another value than a
    # server without a file.
    kept = read(f"{directory}/redis.conf").decode()
    assert kept.startswith(text.rstrip("\n"))
    assert set(kept[len(text):].split("\n")) <= {"", "# Generated by CONFIG REWRITE", 'save ""', "user default on nopass ~* +@all"}


# CONFIG REWRITE


def with_file(farm, text, **more):
    directory = farm.directory()
    path = write(directory, "redis.conf", text)
    server = farm.make("redwing", directory=directory, arguments=[path], **more)
    server.options = {"port": server.port, "dir": directory}
    return server, path


def test_a_restart_finds_what_was_rewritten(farm):
    server, path = with_file(
        farm, 'include included.conf\nslave-priority 7\nrename-command FLUSHALL ""\n'
        'client-output-buffer-limit slave 1gb 0 0\nsave 900 1\n')
    write(server.directory, "included.conf", "maxmemory 100mb\nhz 20\n")
    server.start()
    with server.client() as client:
        for name, value in (("masterauth", b"\x00\xff \"quoted\" '"), ("hz", 50), ("save", "5 6 7 8"),
                            ("notify-keyspace-events", "KEA"), ("maxmemory", 12345),
                            ("client-output-buffer-limit", "pubsub 5mb 1mb 3"),
                            ("oom-score-adj-values", "1 2 3"), ("dbfilename", "a b.rdb")):
            client.call("CONFIG", "SET", name, value)
        client.call("ACL", "SETUSER", "joe", "on", b">\x00\xfe", "~a*", "&c?", "+@read", "-get", "+debug|digest")
        client.call("ACL", "SETUSER", b"\xfename", "off", "nopass", b"~\xff\"'x")
        client.call("CONFIG", "REWRITE")
        settings, users = client.call("CONFIG", "GET", "*"), client.call("ACL", "LIST")
    first = read(path)
    assert first.startswith(b"include included.conf\nslave-priority 7\nrename-command FLUSHALL \"\"\n"
                            b"client-output-buffer-limit slave 1gb 0 0\nsave 5 6\n")
    # The classes that nobody touched have no line.
    assert b"limit normal" not in first and first.count(b"client-output-buffer-limit") == 2
    assert first.count(b"hz 50") == 1
    server.stop()
    server.options = {}
    server.start()
    with server.client() as client:
        assert client.call("CONFIG", "GET", "*") == settings
        assert client.call("ACL", "LIST") == users
        client.call("CONFIG", "REWRITE")
    assert read(path) == first


def test_a_link_stays_one(farm):
    server, path = with_file(farm, "hz 20\n")
    real = os.path.join(farm.directory(), "real.conf")
    os.rename(path, real)
    os.symlink(real, path)
    os.chmod(real, 0o640)
    if os.getuid() == 0:
        os.chown(real, 12345, 12346)
    before = os.stat(real)
    server.start()
    with server.client() as client:
        client.call("CONFIG", "SET", "hz", 30)
        client.call("CONFIG", "REWRITE")
    assert os.path.islink(path) and read(real).startswith(b"hz 30\n")
    found = os.stat(real)
    assert (found.st_mode, found.st_uid, found.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert os.listdir(os.path.dirname(real)) == ["real.conf"]


def test_a_file_that_cant_be_read_is_not_written(farm):
    server, path = with_file(farm, "hz 20\n")
    server.start()
    os.rename(path, path + ".old")
    os.mkdir(path)
    with server.client() as client:
        text = str(client.call_or_error("CONFIG", "REWRITE"))
        assert text == "ERR Rewriting config file: Is a directory"
    assert os.path.isdir(path)
