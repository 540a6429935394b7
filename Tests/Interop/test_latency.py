# SPDX-License-Identifier: BSD-3-Clause
"""A disk that is slow, or fails, when a test says so (disk.c, preloaded): the latency monitor's events,
what LATENCY DOCTOR advises, and an fsync that failed."""

import os
import signal
import subprocess

import pytest

from lab.resp import ReplyError
from lab.servers import eventually

HERE = os.path.dirname(__file__)


class Disk:
    def __init__(self, directory):
        self.library = os.path.join(directory, "disk.so")
        self.path = os.path.join(directory, "says")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", self.library,
                        os.path.join(HERE, "disk.c")], check=True)
        self.says("")

    def says(self, what):
        with open(self.path + ".new", "w") as file:
            file.write(what)
        os.rename(self.path + ".new", self.path)


@pytest.fixture
def disk(farm, monkeypatch):
    one = Disk(farm.directory())
    monkeypatch.setenv("LD_PRELOAD", one.library)
    monkeypatch.setenv("DISK_SAYS", one.path)
    return one


def events(client):
    return {row[0].decode() for row in client.call("LATENCY", "LATEST")}


AOF = {"appendonly": "yes", "latency-monitor-threshold": 1, "auto-aof-rewrite-percentage": 0}


def test_a_slow_fsync_and_what_is_advised(farm, disk):
    server = farm.redwing({**AOF, "appendfsync": "always"})
    with server.client() as client:
        client.call("LATENCY", "RESET")
        disk.says("sync slow")
        client.call("SET", "k", "v")
        assert "aof-fsync-always" in events(client)
        report = client.call("LATENCY", "DOCTOR").decode()
        assert "aof-fsync-always: 1 latency spikes (average " in report
        assert "- Your fsync policy is set to 'always'." in report
        # While the monitor is off nothing is noted.
        client.call("CONFIG", "SET", "latency-monitor-threshold", 0)
        client.call("LATENCY", "RESET")
        client.call("SET", "k", "w")
        assert events(client) == set()
        disk.says("")


def test_a_slow_write_alone_and_beside_others(farm, disk):
    server = farm.redwing({**AOF, "appendfsync": "no", "rdb-key-save-delay": 100000})
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 1000)
        client.call("LATENCY", "RESET")
        disk.says("write slow")
        client.call("SET", "k", "v")
        assert events(client) >= {"aof-write", "aof-write-alone"}
        assert "aof-write-active-child" not in events(client)
        report = client.call("LATENCY", "DOCTOR").decode()
        assert "- It is strongly advised to use local disks for persistence" in report
        assert "no-appendfsync-on-rewrite" not in report
        client.call("BGSAVE")
        client.call("SET", "k", "w")
        assert "aof-write-active-child" in events(client)
        assert "no-appendfsync-on-rewrite" in client.call("LATENCY", "DOCTOR").decode()
        # A rewrite's last part is the main thread's.
        with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children") as file:
            os.kill(int(file.read()), signal.SIGUSR1)
        eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0")
        client.call("CONFIG", "SET", "rdb-key-save-delay", 1000)
        client.call("BGREWRITEAOF")
        client.call("SET", "k", "x")
        eventually(lambda: "aof-rewrite-diff-write" in events(client))
        assert "- Latency during the AOF atomic rename operation" in client.call("LATENCY", "DOCTOR").decode()
        disk.says("")


def test_big_values_that_go(farm):
    server = farm.redwing({"latency-monitor-threshold": 1})
    with server.client() as client:
        client.call("LATENCY", "RESET")
        for i in range(0, 300000, 1000):
            client.call("SADD", "s", *(f"m{n}" for n in range(i, i + 1000)))
        client.call("PEXPIRE", "s", 1)
        eventually(lambda: client.call("EXISTS", "s") == 0)
        assert "expire-del" in events(client)
        for i in range(0, 300000, 1000):
            client.call("SADD", "s", *(f"m{n}" for n in range(i, i + 1000)))
        client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
        client.call("CONFIG", "SET", "maxmemory", 1)
        eventually(lambda: client.call_or_error("SET", "a", 1) and client.call("DBSIZE") <= 1)
        client.call("CONFIG", "SET", "maxmemory", 0)
        assert events(client) >= {"eviction-del", "eviction-cycle"}
        report = client.call("LATENCY", "DOCTOR").decode()
        assert "- Deleting, expiring or evicting (because of maxmemory policy) large objects" in report
        assert "- Sudden changes to the 'maxmemory' setting via 'CONFIG SET'" in report


def test_a_failed_fsync_refuses_writes_until_one_succeeds(farm, disk):
    server = farm.redwing({"appendonly": "yes", "appendfsync": "everysec"})
    with server.client() as client:
        client.call("SET", "k", "v")
        disk.says("sync fail")
        with pytest.raises(ReplyError, match="MISCONF Errors writing to the AOF file: Input/output error"):
            for _ in range(100000):
                client.call("SET", "k", "w")
        assert client.info("persistence")["aof_last_write_status"] == "err"
        assert client.call("GET", "k") == b"w"
        assert "Fail to fsync the AOF file: Input/output error" in server.log()
        disk.says("")
        eventually(lambda: client.call("SET", "k", "x") == b"OK")
        assert client.info("persistence")["aof_last_write_status"] == "ok"


def test_a_failed_fsync_ends_a_server_that_promised_always(farm, disk):
    server = farm.redwing({"appendonly": "yes", "appendfsync": "always"})
    with server.client() as client:
        client.call("SET", "k", "v")
        disk.says("sync fail")
        with pytest.raises(OSError):
            client.call("SET", "k", "w")
    assert server.process.wait(20) == 1
    assert ("Can't persist AOF for fsync error when the AOF fsync policy is 'always': Input/output error. "
            "Exiting..." in server.log())
