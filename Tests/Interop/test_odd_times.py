# SPDX-License-Identifier: BSD-3-Clause
"""Saving, ending and reloading when it doesn't suit: while the data set loads, while a child works,
with a disk that refuses. What is on disk is never replaced by less."""

import os
import signal

import pytest

from lab.resp import ReplyError, encode
from lab.servers import eventually

SLOW_LOAD = {"key-load-delay": 20000}


def files(server):
    """Names and bytes of what a start would load, and of anything that lies beside it."""
    found = {}
    for name in sorted(os.listdir(server.directory)):
        if not name.endswith((".log", ".pid")):
            with open(os.path.join(server.directory, name), "rb") as file:
                found[name] = file.read()
    return found


def loading(farm, kind):
    """A server in the middle of a slow load, a save point set, and its files as they were before."""
    options = {"save": "1 1"} if kind == "rdb" else {"appendonly": "yes", "save": "1 1"}
    server = farm.redwing({**options, "save": ""})
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 20000)
        if kind == "rdb":
            client.call("SAVE")
        else:
            client.call("BGREWRITEAOF")
            eventually(lambda: client.info("persistence")["aof_rewrite_in_progress"] == "0")
    server.stop()
    server.options.update({**options, **SLOW_LOAD})
    before = files(server)
    server.start(wait=False)
    server.wait_ready(loading_is_fine=True)
    assert server.info("persistence")["loading"] == "1"
    return server, before


# The end while loading

ENDS = {
    "SHUTDOWN": ["SHUTDOWN"], "SHUTDOWN SAVE": ["SHUTDOWN", "SAVE"],
    "SHUTDOWN NOSAVE": ["SHUTDOWN", "NOSAVE"], "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT,
}


@pytest.mark.parametrize("kind", ["rdb", "aof"])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_the_end_while_loading_leaves_the_files(farm, kind, end):
    server, before = loading(farm, kind)
    if isinstance(end, list):
        with server.client() as client:
            client.send(encode(*end))
            assert server.process.wait(20) == 0, server.log_tail()
    else:
        server.process.send_signal(end)
        assert server.process.wait(20) == 0, server.log_tail()
    assert files(server) == before
    server.options["key-load-delay"] = 0
    server.start()
    assert server.call("DBSIZE") == 20000


# What replaces data, while loading


@pytest.mark.parametrize("kind", ["rdb", "aof"])
def test_what_makes_data_is_refused_while_loading(farm, kind):
    server, before = loading(farm, kind)
    with server.client() as client:
        for words in (["DEBUG", "RELOAD"], ["DEBUG", "RELOAD", "NOSAVE"], ["DEBUG", "LOADAOF"],
                      ["DEBUG", "POPULATE", 5], ["SAVE"], ["BGSAVE"], ["BGREWRITEAOF"]):
            assert str(client.call_or_error(*words)).startswith("LOADING "), words
        assert client.call("DEBUG", "DIGEST") == b"0" * 40
    assert files(server) == before


@pytest.mark.parametrize("words", [
    b"DEBUG LOADAOF", b"DEBUG RELOAD", b"SAVE", b"BGSAVE", b"BGREWRITEAOF"])
def test_an_aof_that_saves_or_loads(farm, words):
    """Nothing writes such a file; one that has it must not end the server, nor make a file of a half."""
    server = farm.make("redwing", {"appendonly": "yes"})
    parts = words.split()
    command = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts)
    key = b"*3\r\n$3\r\nSET\r\n$1\r\n%b\r\n$1\r\nv\r\n"
    with open(os.path.join(server.directory, "appendonly.aof"), "wb") as file:
        file.write(key % b"a" + command + key % b"b")
    server.start()
    assert server.call("MGET", "a", "b") == [b"v", b"v"]
    assert not os.path.exists(server.dump_path())


# The pid file


def test_a_failed_start_leaves_the_pid_file_of_the_one_that_runs(farm):
    server = farm.make("redwing")
    path = os.path.join(server.directory, "server.pid")
    server.options["pidfile"] = path
    server.start()

    def pid():
        with open(path) as file:
            return int(file.read())

    assert pid() == server.process.pid
    for options in ({}, {"port": 0}):
        other = farm.make("redwing", {"pidfile": path, **options}, port=server.port)
        other.options["port"] = options.get("port", server.port)
        other.start(wait=False)
        assert other.process.wait(20) == 1
        assert pid() == server.process.pid
    server.stop()
    assert not os.path.exists(path)


# Saves that fail


def refuse_saves(server, client):
    """From now on no snapshot can take its place: there is a folder that isn't empty."""
    os.makedirs(os.path.join(server.directory, "taken.rdb", "full"), exist_ok=True)
    client.call("CONFIG", "SET", "dbfilename", "taken.rdb")


def failed_background_save(client):
    client.call("BGSAVE")
    eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0")


def test_writes_are_refused_after_a_failed_background_save(farm):
    server = farm.redwing({"save": "3600 1"})
    with server.client() as client:
        client.call("SET", "k", "v")
        refuse_saves(server, client)
        failed_background_save(client)
        info = client.info("persistence")
        assert info["rdb_last_bgsave_status"] == "err" and info["rdb_changes_since_last_save"] == "1"
        for words in (["SET", "k", "w"], ["PING"], ["DEL", "k"]):
            text = str(client.call_or_error(*words))
            assert text.startswith("MISCONF Redis is configured to save RDB snapshots, but it is"), text
        assert client.call("GET", "k") == b"v"
        text = str(client.call_or_error("EVAL", "return redis.call('set', 'k', 'w')", 0))
        assert "MISCONF" in text
        client.call("MULTI")
        assert str(client.call_or_error("SET", "k", "w")).startswith("MISCONF")
        assert str(client.call_or_error("EXEC")).startswith("EXECABORT")
        for name, value, back in (("stop-writes-on-bgsave-error", "no", "yes"),
                                  ("save", "", "3600 1")):
            client.call("CONFIG", "SET", name, value)
            assert client.call("PING") == b"PONG"
            client.call("CONFIG", "SET", name, back)
            assert isinstance(client.call_or_error("PING"), ReplyError)
        client.call("CONFIG", "SET", "dbfilename", "free.rdb")
        client.call("SAVE")
        assert client.call("SET", "k", "w") == b"OK"
        assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"
    log = server.log()
    assert "Error moving temp DB file temp-" in log
    assert f"on the final destination taken.rdb (in server root dir {server.directory})" in log
    assert "Background saving error" in log


def test_a_failed_save_is_told_to_who_asked_only(farm):
    server = farm.redwing({"save": "3600 1"})
    with server.client() as client:
        refuse_saves(server, client)
        with pytest.raises(ReplyError):
            client.call("SAVE")
        assert client.call("SET", "k", "v") == b"OK"
        assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"
        # Nor does it end a server that was told to save first.
        for words in (["SHUTDOWN"], ["SHUTDOWN", "SAVE"]):
            text = str(client.call_or_error(*words))
            assert text == "ERR Errors trying to SHUTDOWN. Check logs."
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: "errors trying to shut down the server" in server.log())
        assert client.call("SET", "k", "w") == b"OK"
        for words in (["SHUTDOWN", "x"], ["SHUTDOWN", "SAVE", "NOSAVE"], ["SHUTDOWN", "NOSAVE", "x"]):
            assert str(client.call_or_error(*words)) == "ERR syntax error"
        client.send(encode("SHUTDOWN", "NOSAVE"))
        assert server.process.wait(30) == 0


@pytest.mark.parametrize("wish, saved", [
    ("default", True), ("save", True), ("nosave", False), ("now", True), ("force", True)])
def test_what_a_signal_does_can_be_chosen(farm, wish, saved):
    server = farm.redwing({"save": "3600 1", "shutdown-on-sigterm": wish})
    with server.client() as client:
        client.call("SET", "k", "v")
    server.process.terminate()
    assert server.process.wait(30) == 0
    assert os.path.exists(server.dump_path()) == saved


# One save at a time


def test_saves_while_a_save_runs(farm):
    server = farm.redwing({"rdb-key-save-delay": 100000})
    busy = "ERR Background save already in progress"
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 1000)
        assert client.call("BGSAVE") == b"Background saving started"
        for words in (["BGSAVE"], ["BGSAVE", "SCHEDULE"], ["SAVE"]):
            assert str(client.call_or_error(*words)) == busy
        assert client.call("BGREWRITEAOF") == b"Background append only file rewriting scheduled"
        for words in (["BGSAVE", "x"], ["BGSAVE", "SCHEDULE", "x"]):
            assert str(client.call_or_error(*words)) == "ERR syntax error"
        child = children(server)[0]
        eventually(lambda: title(child) == f"redis-rdb-bgsave 127.0.0.1:{server.port}")
        os.kill(child, signal.SIGUSR1)
        eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0")
        # Ended on purpose: nothing failed.
        assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"
        eventually(lambda: client.info("persistence")["aof_rewrite_in_progress"] == "1")
        refused = str(client.call_or_error("BGSAVE"))
        assert refused.startswith("ERR An AOF log rewriting in progress: can't BGSAVE right now.")
        assert client.call("BGSAVE", "SCHEDULE") == b"Background saving scheduled"
        client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        os.kill(children(server)[0], signal.SIGUSR1)
        eventually(lambda: client.info("persistence")["rdb_saves"] == "1")
    assert os.path.exists(server.dump_path())


def title(pid):
    with open(f"/proc/{pid}/cmdline") as file:
        return file.read().rstrip("\0")


def children(server):
    def found():
        with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children") as file:
            return [int(word) for word in file.read().split()]
    return eventually(found)


def test_a_server_without_a_title_gives_none_to_its_child(farm):
    server = farm.redwing({"rdb-key-save-delay": 100000, "set-proc-title": "no"})
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 1000)
        client.call("BGSAVE")
        with open(f"/proc/{children(server)[0]}/cmdline") as file:
            assert file.read().split("\0")[:-1] == server.command()
