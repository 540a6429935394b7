# SPDX-License-Identifier: BSD-3-Clause
"""The append only file: what is acknowledged is there after a crash, rewrites lose nothing, damaged
files are treated as Redis treats them, stock Redis reads ours and we read its."""

import os
import resource
import shutil
import signal
import threading
import time

import pytest

from aof import AOF, Appender, check, content, fill, path, written
from lab.resp import Client, ReplyError
from lab.servers import NotReady, eventually
from lab.sync import assert_same, digest, replicate, wait_link_up

TRUNCATED = "Unexpected end of file reading the append only file. You can: 1) Make a backup"


def fails_to_start(server):
    """The server refuses its file with exit code 1 and leaves it as it was."""
    before = content(server)
    server.start(wait=False)
    assert server.process.wait(20) == 1, server.log_tail()
    assert content(server) == before
    return server.log()


# What is acknowledged is there


@pytest.mark.parametrize("policy, lag", [("always", 0), ("everysec", 2.5), ("no", 2.5)])
def test_acknowledged_writes_survive_a_kill(farm, policy, lag):
    server = farm.redwing({**AOF, "appendfsync": policy})
    appender = Appender(server)
    time.sleep(1.2)
    with server.client() as client:
        client.call("BGREWRITEAOF")
    time.sleep(2.5)
    eventually(lambda: appender.count() > 20)
    server.kill()
    appender.stop()
    server.start()
    check(server)
    found = server.call("LRANGE", "log", 0, -1)
    assert found == [b"%d" % i for i in range(len(found))]
    # What a write of the file holds up isn't acknowledged: the last one that was is the end.
    assert appender.count(appender.acknowledged[-1][0] - lag) <= len(found) <= appender.count() + 1
    assert len(found) > 20


def test_rewrites_under_load_lose_nothing(farm):
    server = farm.redwing({**AOF, "auto-aof-rewrite-percentage": 0})
    with server.client() as client:
        fill(client, 3000)
    stop = threading.Event()

    def load(seed):
        with Client(server.port) as client:
            while not stop.is_set():
                fill(client, 200, seed)
                seed += 10
    threads = [threading.Thread(target=load, args=(seed,), daemon=True) for seed in (2, 3)]
    for thread in threads:
        thread.start()
    with server.client() as client:
        for preamble in ("yes", "no", "yes"):
            client.call("CONFIG", "SET", "aof-use-rdb-preamble", preamble)
            before = int(client.info("persistence")["aof_rewrites"])
            client.call("BGREWRITEAOF")
            eventually(lambda: int(client.info("persistence")["aof_rewrites"]) == before + 1)
            goal = int(client.info("stats")["total_commands_processed"]) + 1000
            eventually(lambda: int(client.info("stats")["total_commands_processed"]) >= goal)
    stop.set()
    for thread in threads:
        thread.join()
    expected = digest(server)
    server.stop()
    check(server)
    server.start()
    assert digest(server) == expected
    assert [name for name in os.listdir(server.directory) if name.startswith("temp")] == []


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_stock_redis_loads_ours(farm, preamble):
    server = farm.redwing({**AOF, "aof-use-rdb-preamble": preamble})
    other = farm.redwing()
    replicate(other, server)
    wait_link_up(other)
    with server.client() as client:
        fill(client)
        client.call("BGREWRITEAOF")
        eventually(lambda: client.info("persistence")["aof_rewrites"] == "1")
        fill(client, seed=2)
    expected = digest(server)
    server.stop()
    check(server)
    assert b"ECHO" in content(server)
    stock = farm.make("redis", AOF)
    shutil.copy(path(server), path(stock))
    stock.start()
    assert digest(stock) == expected


def test_we_load_what_stock_redis_wrote(farm):
    stock = farm.redis(AOF)
    with stock.client() as client:
        fill(client)
        client.call("BGREWRITEAOF")
        eventually(lambda: client.info("persistence")["aof_rewrite_in_progress"] == "0")
        fill(client, seed=2)
    expected = digest(stock)
    stock.stop()
    # Redis 7 keeps in two files what Redis 6 writes into one.
    parts = os.path.join(stock.directory, "appendonlydir")
    names = sorted(name for name in os.listdir(parts) if "manifest" not in name)
    assert len(names) == 2 and "base.rdb" in names[0]
    server = farm.make("redwing", AOF)
    with open(path(server), "wb") as file:
        for name in names:
            with open(os.path.join(parts, name), "rb") as part:
                file.write(part.read())
    server.start()
    assert digest(server) == expected


# Damage


def test_a_truncated_file_loses_its_last_command_only(farm):
    server = farm.redwing(AOF)
    with server.client() as client:
        for i in range(100):
            client.call("RPUSH", "l", i)
    server.stop()
    whole = content(server)
    for cut in (1, 7, 20):
        with open(path(server), "wb") as file:
            file.write(whole[:-cut])
        server.start()
        assert server.call("LLEN", "l") == 99
        log = server.log()
        assert "!!! Warning: short read while loading the AOF file !!!" in log
        assert "AOF loaded anyway because aof-load-truncated is enabled" in log
        server.call("RPUSH", "l", "more")
        server.stop()
        check(server)
        server.start()
        assert server.call("LLEN", "l") == 100
        server.stop()


def test_a_truncated_file_is_refused_when_that_is_asked_for(farm):
    server = farm.redwing({**AOF, "aof-load-truncated": "no"})
    server.call("RPUSH", "l", 1)
    server.stop()
    os.truncate(path(server), len(content(server)) - 3)
    assert TRUNCATED in fails_to_start(server)


def test_half_a_transaction_is_nothing(farm):
    server = farm.redwing(AOF)
    with server.client() as client:
        client.call("RPUSH", "l", 0)
        client.call("MULTI")
        for i in range(3):
            client.call("RPUSH", "l", i)
        client.call("EXEC")
    server.stop()
    whole = content(server)
    for keep in (whole.rindex(b"*1\r\n$4\r\nEXEC"), len(whole) - 1, whole.index(b"MULTI") + 20):
        with open(path(server), "wb") as file:
            file.write(whole[:keep])
        server.start()
        assert server.call("LLEN", "l") == 1
        server.stop()
    assert "Revert incomplete MULTI/EXEC transaction from AOF file" in server.log()


@pytest.mark.parametrize("damage", ["star", "dollar", "number", "command", "preamble"])
def test_a_damaged_file_is_refused_and_stays(farm, damage):
    server = farm.redwing(AOF)
    with server.client() as client:
        fill(client)
        client.call("BGREWRITEAOF")
        eventually(lambda: client.info("persistence")["aof_rewrites"] == "1")
        for i in range(100):
            client.call("RPUSH", "l", i)
    server.stop()
    whole = bytearray(content(server))
    place = whole.index(b"RPUSH\r\n$1\r\nl\r\n$2\r\n50")
    start = whole.rindex(b"*", 0, place)
    if damage == "star":
        whole[start] = ord("x")
    elif damage == "dollar":
        whole[whole.index(b"$", start)] = ord("+")
    elif damage == "number":
        whole[start + 1] = ord("z")
    elif damage == "command":
        whole[place:place + 5] = b"RPOSH"
    else:
        whole[200] ^= 0xFF
    with open(path(server), "wb") as file:
        file.write(whole)
    log = fails_to_start(server)
    expected = {"command": "Unknown command 'RPOSH' reading the append only file",
                "preamble": "Error reading the RDB preamble of the AOF file, AOF loading aborted"}
    assert expected.get(damage, "Bad file format reading the append only file") in log
    if damage == "star":
        assert f"at byte {start}" in log


# Disk full


def limit_files(server, size):
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_refuses_writes_until_there_is_room(farm):
    server = farm.redwing(AOF)
    with server.client() as client:
        fill(client)
        written(server)
        limit_files(server, len(content(server)) + 4000)
        with pytest.raises(ReplyError, match="MISCONF Errors writing to the AOF file: File too large"):
            # A running fsync may hold the write back for 2 s.
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                client.call("RPUSH", "l", "x" * 100)
        assert client.info("persistence")["aof_last_write_status"] == "err"
        assert client.call("LLEN", "l") > 0
        limit_files(server, resource.RLIM_INFINITY)
        eventually(lambda: client.info("persistence")["aof_last_write_status"] == "ok")
        client.call("RPUSH", "l", "again")
    log = server.log()
    assert "Short write while writing to the AOF file" in log or "Error writing to the AOF file" in log
    assert "AOF write error looks solved, Redis can write again." in log
    expected = digest(server)
    server.stop()
    check(server)
    server.start()
    assert digest(server) == expected


def test_a_full_disk_ends_a_server_that_promised_always(farm):
    server = farm.redwing({**AOF, "appendfsync": "always"})
    appender = None
    with server.client() as client:
        client.call("RPUSH", "log2", 1)
        written(server)
        limit_files(server, len(content(server)) + 20000)
        appender = Appender(server)
        assert server.process.wait(60) == 1
    appender.stop()
    assert ("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."
            in server.log())
    server.start()
    check(server)
    found = server.call("LRANGE", "log", 0, -1)
    assert found == [b"%d" % i for i in range(len(found))]
    assert len(found) >= appender.count()


def test_a_failed_rewrite_leaves_the_old_file(farm):
    server = farm.redwing(AOF)
    with server.client() as client:
        fill(client, 1000)
        client.call("RPUSH", "l", *[os.urandom(100).hex() for _ in range(3000)])
        limit_files(server, 10000)
        client.call("BGREWRITEAOF")
        eventually(lambda: client.info("persistence")["aof_last_bgrewrite_status"] == "err")
        limit_files(server, resource.RLIM_INFINITY)
    expected = digest(server)
    server.stop()
    server.start()
    assert digest(server) == expected
    assert [name for name in os.listdir(server.directory) if name.startswith("temp")] == []


# On and off


def test_turned_on_and_off_while_serving(farm):
    server = farm.redwing()
    with server.client() as client:
        fill(client)
        assert client.info("persistence")["aof_enabled"] == "0"
        client.call("CONFIG", "SET", "appendonly", "yes")
        fill(client, seed=2)
        eventually(lambda: client.info("persistence")["aof_rewrites"] == "1")
        fill(client, seed=3)
        info = client.info("persistence")
        assert info["aof_enabled"] == "1"
        assert int(info["aof_current_size"]) >= int(info["aof_base_size"]) > 0
        expected = digest(server)
        client.call("CONFIG", "SET", "appendonly", "no")
        client.call("RPUSH", "unseen", 1)
        assert client.info("persistence")["aof_enabled"] == "0"
    check(server)
    server.kill()
    server.options.update(AOF)
    server.start()
    assert digest(server) == expected


def test_debug_loadaof(farm):
    server = farm.redwing(AOF)
    with server.client() as client:
        fill(client)
        expected = digest(server)
        client.call("DEBUG", "LOADAOF")
        assert digest(server) == expected
        client.call("BGREWRITEAOF")
        eventually(lambda: client.info("persistence")["aof_rewrites"] == "1")
        client.call("RPUSH", "l", 1)
        expected = digest(server)
        client.call("DEBUG", "LOADAOF")
        assert digest(server) == expected


def test_growth_starts_a_rewrite(farm):
    server = farm.redwing({**AOF, "auto-aof-rewrite-percentage": 100,
                           "auto-aof-rewrite-min-size": 20000})
    with server.client() as client:
        for i in range(2000):
            client.call("HSET", "h", "f", i)
        eventually(lambda: client.info("persistence")["aof_rewrites"] != "0")
        eventually(lambda: client.info("persistence")["aof_rewrite_in_progress"] == "0")
    assert "Starting automatic rewriting of AOF on" in server.log()
    assert len(content(server)) < 60000


def test_a_rewrite_waits_for_a_save(farm):
    server = farm.redwing({**AOF, "rdb-key-save-delay": 2000})
    with server.client() as client:
        fill(client)
        client.call("BGSAVE")
        assert client.call("BGREWRITEAOF") in ("Background append only file rewriting scheduled",
                                               b"Background append only file rewriting scheduled")
        assert client.info("persistence")["aof_rewrite_scheduled"] == "1"
        client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        eventually(lambda: client.info("persistence")["aof_rewrites"] == "1")


def test_clients_are_told_of_the_loading(farm):
    server = farm.redwing(AOF)
    with server.client() as client:
        for _ in range(20):
            fill(client, 3000)
    expected = digest(server)
    server.stop()
    server.start(wait=False)
    server.wait_ready(loading_is_fine=True)
    seen = []
    with server.client() as client:
        while True:
            reply = client.call_or_error("LLEN", "big")
            if not isinstance(reply, ReplyError):
                break
            seen.append(str(reply))
    assert all(text.startswith("LOADING") for text in seen)
    assert digest(server) == expected


def test_sigterm_flushes_all(farm):
    server = farm.redwing({**AOF, "appendfsync": "no"})
    with server.client() as client:
        fill(client)
    expected = digest(server)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert "Calling fsync() on the AOF file." in server.log()
    server.start()
    assert digest(server) == expected


def test_a_full_sync_begins_the_file_anew(farm):
    options = {**AOF, "repl-diskless-sync-delay": 0}
    master, replica = farm.redwing(), farm.redwing(options)
    with replica.client() as client:
        client.call("RPUSH", "old", 1)
    with master.client() as client:
        fill(client)
    replicate(replica, master)
    assert_same(master, replica)
    eventually(lambda: replica.info("persistence")["aof_rewrites"] == "1")
    fill(master.client(), seed=8)
    assert_same(master, replica)
    expected = digest(replica)
    written(replica)
    replica.kill()
    replica.start()
    assert digest(replica) == expected


def test_nonsense_in_place_of_a_file(farm):
    server = farm.make("redwing", AOF)
    os.makedirs(path(server))
    with pytest.raises(NotReady):
        server.start()
    assert "Can't open the append-only file" in server.log()


def test_a_rewrite_asked_for_in_a_transaction_waits_for_its_end(farm):
    server = farm.redwing(AOF)
    with server.client() as client:
        fill(client)
        client.pipeline([("MULTI",), ("RPUSH", "l", 1), ("BGREWRITEAOF",), ("RPUSH", "l", 2), ("EXEC",)])
        eventually(lambda: client.info("persistence")["aof_rewrites"] == "1")
        client.call("RPUSH", "l", 3)
    expected = digest(server)
    server.stop()
    check(server)
    server.start()
    assert digest(server) == expected


def test_what_changes_no_data_is_not_in_the_file(farm):
    """SAVE and DEBUG set the count of changes back, which is no change."""
    server = farm.redwing(AOF)
    with server.client() as client:
        client.call("RPUSH", "l", 1)
        client.call("SAVE")
        client.call("RPUSH", "l", 2)
        client.call("DEBUG", "RELOAD")
        client.call("RPUSH", "l", 3)
        client.call("DEBUG", "LOADAOF")
    server.stop()
    data = content(server)
    assert data.count(b"RPUSH") == 3 and b"SAVE" not in data and b"DEBUG" not in data
