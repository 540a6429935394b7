# SPDX-License-Identifier: BSD-3-Clause
"""The append only file: what is acknowledged is there after a crash, rewrites lose nothing, damaged
files are treated as Redis treats them, stock Redis reads ours and we read its, and a restart from it is
continued by a partial resync."""

import os
import random
import resource
import shutil
import signal
import subprocess
import threading
import time

import pytest

from lab.resp import Client, ReplyError
from lab.servers import NotReady, eventually
from lab.sync import (assert_same, digest, replicate, sync_counts, wait_link_up,
                      wait_offsets_equal)

AOF = {"appendonly": "yes"}
TRUNCATED = "Unexpected end of file reading the append only file. You can: 1) Make a backup"


def path(server):
    return os.path.join(server.directory, "appendonly.aof")


def content(server):
    with open(path(server), "rb") as file:
        return file.read()


def check(server):
    """Debian's redis-check-aof finds nothing wrong."""
    done = subprocess.run(["redis-check-aof", path(server)], capture_output=True, text=True)
    assert done.returncode == 0 and "is valid" in done.stdout, done.stdout + done.stderr


def fill(client, n=300, seed=1):
    """Collections of every size, in two databases, some with an expiry."""
    source = random.Random(seed)
    requests = []
    for database in (0, 5):
        requests.append(("SELECT", database))
        for i in range(n):
            kind = source.randrange(4)
            key = f"{'lshz'[kind]}:{source.randrange(n)}"
            value = source.randbytes(source.randrange(1, 80))
            if kind == 0:
                requests.append(("RPUSH", key, value, i))
            elif kind == 1:
                requests.append(("SADD", key, value, i))
            elif kind == 2:
                requests.append(("HSET", key, f"f{i % 40}", value))
            else:
                requests.append(("ZADD", key, repr(source.random() * 1000), f"m{i % 60}"))
        requests.append(("RPUSH", "big", *[f"element {i}" for i in range(3000)]))
        requests.append(("MULTI",))
        requests.append(("SADD", "in", seed))
        requests.append(("RPUSH", "transaction", seed))
        requests.append(("EXEC",))
    requests.append(("SELECT", 0))
    for request, reply in zip(requests, client.pipeline(requests)):
        assert not isinstance(reply, ReplyError), (request, reply)


def fails_to_start(server):
    """The server refuses its file with exit code 1 and leaves it as it was."""
    before = content(server)
    server.start(wait=False)
    assert server.process.wait(20) == 1, server.log_tail()
    assert content(server) == before
    return server.log()


class Appender:
    """Appends 0, 1, 2, … to the list `log`; knows how many were acknowledged, and when."""

    def __init__(self, server):
        self.server, self.acknowledged = server, [(time.monotonic(), 0)]
        self.going = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            with Client(self.server.port) as client:
                n = 0
                while self.going:
                    client.call("RPUSH", "log", n)
                    n += 1
                    self.acknowledged.append((time.monotonic(), n))
        except OSError:
            pass

    def stop(self):
        self.going = False
        self.thread.join(10)

    def count(self, before=None):
        return max((n for at, n in self.acknowledged if before is None or at <= before), default=0)


# What is acknowledged is there


@pytest.mark.parametrize("policy, lag", [("always", 0), ("everysec", 2.5), ("no", 2.5)])
def test_acknowledged_writes_survive_a_kill(farm, policy, lag):
    server = farm.redwing({**AOF, "appendfsync": policy})
    appender = Appender(server)
    time.sleep(1.2)
    with server.client() as client:
        client.call("BGREWRITEAOF")
    time.sleep(2.5)
    killed_at = time.monotonic()
    server.kill()
    appender.stop()
    server.start()
    check(server)
    found = server.call("LRANGE", "log", 0, -1)
    assert found == [b"%d" % i for i in range(len(found))]
    assert appender.count(killed_at - lag) <= len(found) <= appender.count() + 1
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
            eventually(lambda: int(client.info("persistence")["aof_rewrites"]) == before + 1, 30)
            time.sleep(0.3)
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


# Restarts are continued by a partial resync


@pytest.fixture
def couple(farm):
    """A master and its replica, both with an AOF, in sync; no RDB is ever saved."""
    options = {**AOF, "repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1}
    master, replica = farm.redwing(options), farm.redwing(options)
    replicate(replica, master)
    replica.options["replicaof"] = ("127.0.0.1", master.port)
    wait_link_up(replica)
    eventually(lambda: replica.info("persistence")["aof_rewrites"] != "0")
    with master.client() as client:
        fill(client)
        for i in range(20):
            client.call("PUBLISH", "channel", i)
        client.call("SELECT", 3)
        client.call("RPUSH", "l", 1)
    wait_offsets_equal(master, replica)
    # Behind the write that waits for an fsync.
    time.sleep(1.2)
    return master, replica


def whole(server):
    """Nothing waits to be written."""
    eventually(lambda: server.info("persistence")["aof_buffer_length"] == "0")


@pytest.mark.parametrize("crash", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize("rewrite", [False, True], ids=["tail", "rewritten"])
def test_a_replica_is_continued(couple, crash, rewrite):
    master, replica = couple
    if rewrite:
        replica.call("BGREWRITEAOF")
        eventually(lambda: replica.info("persistence")["aof_rewrites"] == "2")
    whole(replica)
    full = sync_counts(master)["sync_full"]
    replica.kill() if crash else replica.stop()
    with master.client() as client:
        client.call("SELECT", 3)
        client.call("RPUSH", "l", 2)
        fill(client, seed=9)
    replica.start()
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == full
    assert replica.call("DEBUG", "DIGEST") == master.call("DEBUG", "DIGEST")


@pytest.mark.parametrize("crash", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_master_goes_on_with_its_replicas(couple, crash, preamble):
    master, replica = couple
    master.call("CONFIG", "SET", "aof-use-rdb-preamble", preamble)
    master.options["aof-use-rdb-preamble"] = preamble
    master.call("BGREWRITEAOF")
    eventually(lambda: master.info("persistence")["aof_rewrites"] == "1")
    with master.client() as client:
        client.call("SELECT", 7)
        client.call("RPUSH", "l", 1)
        client.call("PUBLISH", "channel", "last")
    wait_offsets_equal(master, replica)
    whole(master)
    expected = digest(master)
    master.kill() if crash else master.stop()
    master.start()
    assert digest(master) == expected
    wait_link_up(replica)
    assert sync_counts(master)["sync_full"] == 0, master.log_tail()
    fill(master.client(), seed=4)
    assert_same(master, replica)
    # And once more: the file's position goes on under the new id.
    whole(master)
    master.kill()
    master.start()
    wait_link_up(replica)
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 0, master.log_tail()


def test_kills_under_load_never_end_in_a_difference(couple):
    master, replica = couple
    for turn in range(4):
        appender = Appender(master)
        time.sleep(0.3 + 0.2 * turn)
        victim = (master, replica)[turn % 2]
        victim.kill()
        appender.stop() if victim is master else None
        victim.start()
        appender.stop()
        assert_same(master, replica)


def test_a_torn_batch_takes_a_replica_back_to_where_it_was(couple):
    master, replica = couple
    whole(replica)
    full = sync_counts(master)["sync_full"]
    replica.kill()
    data = content(replica)
    # In the middle of the last batch that has a command: its record and what follows go.
    place = data.rindex(b"RPUSH")
    os.truncate(path(replica), place + 3)
    replica.start()
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == full
    assert "!!! Truncating the AOF at offset" in replica.log()


def test_what_another_server_appended_is_kept_and_ends_the_position(couple):
    master, replica = couple
    whole(master)
    master.kill()
    with open(path(master), "ab") as file:
        file.write(b"*3\r\n$5\r\nRPUSH\r\n$7\r\nforeign\r\n$1\r\n1\r\n")
    master.start()
    assert any(master.call("EXISTS", "foreign") or client_exists(master, n) for n in range(16))
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 1


def client_exists(server, database):
    with server.client() as client:
        client.call("SELECT", database)
        return client.call("EXISTS", "foreign")


# Disk full


def limit_files(server, size):
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_refuses_writes_until_there_is_room(farm):
    server = farm.redwing(AOF)
    with server.client() as client:
        fill(client)
        limit_files(server, len(content(server)) + 4000)
        with pytest.raises(ReplyError, match="MISCONF Errors writing to the AOF file: File too large"):
            # A running fsync may hold the write back for 2 s.
            deadline = time.monotonic() + 10
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
        limit_files(server, len(content(server)) + 20000)
        appender = Appender(server)
        assert server.process.wait(20) == 1
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
        eventually(lambda: client.info("persistence")["aof_rewrites"] == "1", 30)


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
    assert server.process.wait(10) == 0
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
    time.sleep(0.2)
    replica.kill()
    replica.start()
    assert digest(replica) == expected


def test_nonsense_in_place_of_a_file(farm):
    server = farm.make("redwing", AOF)
    os.makedirs(path(server))
    with pytest.raises(NotReady):
        server.start()
    assert "Can't open the append-only file" in server.log()


def test_a_crash_behind_a_full_sync_keeps_old_data_with_the_old_position(farm):
    """Until the new file is made, the old one must not claim the new master's position."""
    options = {**AOF, "repl-diskless-sync-delay": 0}
    one, two, replica = farm.redwing(), farm.redwing(), farm.redwing(options)
    fill(one.client())
    fill(two.client(), seed=2)
    replicate(replica, one)
    replica.options["replicaof"] = ("127.0.0.1", two.port)
    assert_same(one, replica)
    eventually(lambda: replica.info("persistence")["aof_rewrites"] == "1")
    replica.call("CONFIG", "SET", "rdb-key-save-delay", 20000)
    replicate(replica, two)
    wait_link_up(replica)
    time.sleep(0.3)
    assert replica.info("persistence")["aof_rewrites"] == "1"
    replica.kill()
    replica.start()
    assert_same(two, replica)
    assert sync_counts(two)["sync_full"] == 2


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
