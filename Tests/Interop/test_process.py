# SPDX-License-Identifier: BSD-3-Clause
"""The process as its operator meets it: addresses it listens on, who may come in, how it goes to the
background, what it writes to its log, also when it crashes."""

import os
import re
import signal
import socket

import pytest

from lab.resp import Client, Closed
from lab.servers import REDWING, eventually, free_port


# Addresses


def listens(host, port):
    try:
        with Client(port, host=host, timeout=20) as client:
            return client.call("PING") == b"PONG"
    except ConnectionRefusedError:
        return False


def bound(farm, *addresses):
    server = farm.make("redwing")
    if addresses:
        server.options["bind"] = addresses
    else:
        del server.options["bind"]
    server.start(wait=False)
    return server


@pytest.mark.parametrize("addresses, four, six", [
    ((), True, True), (("*",), True, False), (("::*",), False, True), (("*", "-::*"), True, True),
    (("127.0.0.1",), True, False), (("::1",), False, True), (("127.0.0.1", "-::1"), True, True),
    (("127.0.0.1", "-192.0.2.1"), True, False), (("0.0.0.0",), True, False), (("::",), False, True)])
def test_addresses_of_both_families(farm, addresses, four, six):
    server = bound(farm, *addresses)
    eventually(lambda: "Ready to accept connections" in server.log())
    assert (listens("127.0.0.1", server.port), listens("::1", server.port)) == (four, six)
    # What may be missing isn't worth a line.
    assert "192.0.2.1" not in server.log()
    shown = " ".join(addresses).encode()
    host = "127.0.0.1" if four else "::1"
    with Client(server.port, host=host) as client:
        assert client.call("CONFIG", "GET", "bind") == [b"bind", shown]


def test_an_address_that_isnt_there(farm):
    server = bound(farm, "192.0.2.1")
    assert server.process.wait(20) == 1
    assert f"Could not create server TCP listening socket 192.0.2.1:{server.port}: bind:" in server.log()
    # One of several is enough in 6.0, and is told of.
    server = bound(farm, "127.0.0.1", "192.0.2.1")
    eventually(lambda: "Ready to accept connections" in server.log())
    assert f"Could not create server TCP listening socket 192.0.2.1:{server.port}: bind:" in server.log()


def own_address():
    """An address of this machine that isn't the loopback's, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found = probe.getsockname()[0]
        except OSError:
            return None
    return None if found.startswith("127.") else found


@pytest.mark.parametrize("addresses, refused", [((), True), (("*", "-::*"), True), (("0.0.0.0",), False)])
def test_protected_mode(farm, addresses, refused):
    host = own_address()
    if host is None:
        pytest.skip("this machine has no address besides the loopback's")
    server = bound(farm, *addresses)
    eventually(lambda: "Ready to accept connections" in server.log())
    with Client(server.port, host=host) as client:
        if refused:
            assert str(client.read()).startswith("DENIED Redis is running in protected mode because")
            with pytest.raises((Closed, ConnectionError)):
                client.call("PING")
        else:
            assert client.call("PING") == b"PONG"
    with server.client() as client:
        client.call("CONFIG", "SET", "protected-mode", "no")
        assert listens(host, server.port)
        client.call("CONFIG", "SET", "protected-mode", "yes")
        client.call("CONFIG", "SET", "requirepass", "x")
    with Client(server.port, host=host) as client:
        assert str(client.call_or_error("PING")) == ("NOAUTH Authentication required.")


# Clients


def test_idle_clients_are_closed(farm):
    server = farm.redwing({"timeout": 1, "loglevel": "verbose"})
    with server.client() as idle, server.client() as waiting, server.client() as listening:
        waiting.send(b"BLPOP q 0\r\n")
        listening.call("SUBSCRIBE", "c")
        idle.call("PING")
        with pytest.raises((Closed, ConnectionError)):
            idle.read()
        # Those that wait for something aren't idle.
        with server.client() as other:
            other.call("RPUSH", "q", "x")
            assert other.call("PUBLISH", "c", "m") == 1
        assert waiting.read() == [b"q", b"x"]
    assert "Closing idle client" in server.log()


def test_more_clients_than_allowed(farm):
    server = farm.redwing({"maxclients": 3})

    def served():
        client = farm.own(server.client())
        return client.call("PING") == b"PONG" and client
    clients = [eventually(served) for _ in range(3)]
    with server.client() as late:
        assert str(late.read()) == "ERR max number of clients reached"
        with pytest.raises((Closed, ConnectionError)):
            late.read()
    assert int(clients[0].info("stats")["rejected_connections"]) >= 1
    clients[0].call("CONFIG", "SET", "maxclients", 4)
    with server.client() as late:
        assert late.call("PING") == b"PONG"


# Logs


def test_a_log_is_rotated_by_a_rename(farm):
    server = farm.make("redwing")
    path = os.path.join(server.directory, "server.txt")
    server.options["logfile"] = path
    server.start()
    os.rename(path, path + ".1")
    with server.client() as client:
        client.call("DEBUG", "LOG", "behind the rename")
    with open(path) as file:
        assert "DEBUG LOG: behind the rename" in file.read()
    with open(path + ".1") as file:
        text = file.read()
        assert "Ready to accept connections" in text and "DEBUG LOG" not in text


def test_lines_of_redis(farm):
    server = farm.make("redwing", {"loglevel": "verbose", "hz": 100})
    server.options["unixsocket"] = path = os.path.join(server.directory, "socket")
    server.start()
    with server.client() as client, Client(path=path) as local:
        local.call("PING")
        client.call("SELECT", 3)
        client.call("SET", "a", 1)
        client.call("SET", "b", 1, "EX", 1000)
        client.call("SAVE")
        log = eventually(lambda: (text := server.log()) and "bytes in use" in text and "DB 3" in text and text)
        assert re.search(r" - DB 3: 2 keys \(1 volatile\) in \d+ slots HT\.\n", log)
        assert re.search(r" - \d+ clients connected \(0 replicas\), \d+ bytes in use\n", log)
        assert f" - Accepted connection to {path}\n" in log
        client.call("DEBUG", "POPULATE", 20000)
        # Pages that are written to while the child has them are what it costs.
        client.call("CONFIG", "SET", "rdb-key-save-delay", 10)
        client.call("BGSAVE")
        for i in range(2000):
            client.call("SET", f"key:{i}", "x" * 100)
        client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0", 60)
    assert re.search(r" \* RDB: \d+ MB of memory used by copy-on-write\n", server.log())
    server.restart()
    log = server.log()
    assert " * Loading RDB produced by version 6.0.7\n" in log
    assert re.search(r" \* RDB age \d+ seconds\n", log)
    assert re.search(r" \* RDB memory usage when created \d+\.\d\d Mb\n", log)


def test_what_a_load_takes_is_foretold(farm):
    server = farm.redwing()
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 20000)
        client.call("SAVE")
    server.stop()
    server.options["key-load-delay"] = 10000
    server.start(wait=False)
    server.wait_ready(loading_is_fine=True)
    eventually(lambda: int(server.info("persistence")["loading_rdb_used_mem"]) > 1000000)


@pytest.mark.parametrize("how", ["file", "output"])
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP,
                                    signal.SIGABRT])
def test_a_crash_leaves_a_line(farm, number, how):
    server = farm.make("redwing")
    path = server.log_path
    if how == "file":
        server.options["logfile"] = path = os.path.join(server.directory, "server.txt")
    server.start()
    server.process.send_signal(number)
    assert server.process.wait(20) == -number
    with open(path) as file:
        log = file.read()
    line = rf"\n{server.process.pid}:signal-handler \(\d+\) Redwing \S+ crashed by signal: {number}, sent by pid: {os.getpid()}\n"
    assert re.search(line, log), log
    # The calls on the way there.
    assert len(re.findall(r"\[0x[0-9a-f]+\]\n", log)) > 3


def test_a_crash_is_silent_when_that_is_asked_for(farm):
    server = farm.redwing({"crash-log-enabled": "no"})
    server.process.send_signal(signal.SIGSEGV)
    assert server.process.wait(20) == -signal.SIGSEGV
    assert "crashed" not in server.log()


# The background


class Daemon:
    """Nobody's child: ended with the farm, should the test not come to its end."""

    def __init__(self, pid):
        self.pid = pid

    def close(self):
        os.kill(self.pid, signal.SIGKILL)


def test_a_daemon(farm):
    server = farm.make("redwing", {"daemonize": "yes"})
    directory = server.directory
    server.options.update({"pidfile": f"{directory}/pid", "logfile": f"{directory}/log"})
    server.start(wait=False)
    assert server.process.wait(20) == 0
    farm.own(Daemon(daemon(server)))
    with open(f"/proc/{daemon(server)}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    # A session of its own, on no terminal.
    assert fields[3] == str(daemon(server)) and fields[4] == "0"
    with server.client() as client:
        assert int(client.info("server")["process_id"]) == daemon(server)
    os.kill(daemon(server), signal.SIGTERM)
    eventually(lambda: not os.path.exists(f"{directory}/pid"))
    with open(f"{directory}/log") as file:
        assert "bye bye" in file.read()


def daemon(server):
    def pid():
        with open(server.options["pidfile"]) as file:
            return int(file.read())
    return eventually(pid)


def test_a_daemon_that_cant_start_says_why(farm):
    taken = farm.redwing()
    server = farm.make("redwing", {"daemonize": "yes", "port": taken.port})
    directory = server.directory
    server.options.update({"pidfile": f"{directory}/pid", "logfile": f"{directory}/log"})
    server.start(wait=False)
    assert server.process.wait(20) == 0

    def log():
        with open(f"{directory}/log") as file:
            return file.read()
    eventually(lambda: "Address already in use" in log())
    assert not os.path.exists(f"{directory}/pid")
    server.options.update({"port": free_port(), "rename-command": ("NOSUCH", "x")})
    server.start(wait=False)
    eventually(lambda: "No such command in rename-command\nIn the command line." in log())


# Processors


def child_of(server):
    with open(f"/proc/{server.process.pid}/task/{server.process.pid}/children") as file:
        return int(file.read().split()[0])


def slice_of(pid):
    """The turns, in ns, that the scheduler has for a process; None where it doesn't tell."""
    with open(f"/proc/{pid}/sched") as file:
        return next((int(line.split(":")[1]) for line in file if line.startswith("se.slice")), None)


# Linux 6.6 tells the slices, 6.12 lets them be asked for.
ASKABLE = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2]) >= (6, 12)


@pytest.mark.skipif(not ASKABLE or not os.path.exists("/proc/self/sched") or slice_of("self") is None,
                    reason="the scheduler takes no wishes, or doesn't tell its slices")
def test_main_thread_and_snapshot_take_short_turns(farm):
    server = farm.redwing({"rdb-key-save-delay": 100000})
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 100)
        client.call("BGSAVE")
        assert slice_of(server.process.pid) == slice_of(child_of(server)) == 100_000


def test_processors_are_those_of_the_lists(farm):
    allowed = sorted(os.sched_getaffinity(0))
    first, last = allowed[0], allowed[-1]
    server = farm.redwing({"server_cpulist": f"{first}", "bgsave_cpulist": f"{last}-{last}:1",
                           "rdb-key-save-delay": 100000})
    assert os.sched_getaffinity(server.process.pid) == {first}
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 100)
        client.call("BGSAVE")
        eventually(lambda: os.sched_getaffinity(child_of(server)) == {last})
    broken = farm.redwing({"server_cpulist": "0-x"})
    assert "Can't use the CPUs '0-x': Invalid argument" in broken.log()


def test_quit_is_no_crash(farm):
    server = farm.redwing()
    server.process.send_signal(signal.SIGQUIT)
    assert server.process.wait(20) == -signal.SIGQUIT
    assert "ignal" not in server.log()


# Addresses of memory


def test_a_limit_on_addresses(farm):
    """`ulimit -v`: no 1 TiB can be reserved, and FLUSHALL makes a data set beside the old one."""
    server = farm.make("redwing", binary="/bin/sh",
                       arguments=["-c", 'ulimit -v 3000000; exec "$0" "$@"', REDWING])
    server.start()
    with server.client() as client:
        for _ in range(20):
            client.call("DEBUG", "POPULATE", 10000)
            assert client.call("FLUSHALL") == b"OK"
        client.call("DEBUG", "POPULATE", 1000)
        client.call("DEBUG", "RELOAD")
        assert client.call("DBSIZE") == 1000
