# SPDX-License-Identifier: BSD-3-Clause
"""Lines of the first issue that no other file shows: what is left behind by saves that are cut off, the
container of files on disk and full syncs, a start that can't be, an end that is insisted on."""

import glob
import os
import signal
import socket
import subprocess
import tempfile

import pytest

from lab.servers import eventually, free_port
from lab.sync import assert_same, replicate, wait_link_up
from links import children


def temporary(server):
    return glob.glob(os.path.join(server.directory, "temp-*.rdb"))


def slow_save(server, command="BGSAVE"):
    """A BGSAVE that takes seconds; returns its child."""
    server.call("DEBUG", "POPULATE", "100000", "key", "50")
    server.call("CONFIG", "SET", "rdb-key-save-delay", "100")
    server.call(command)
    eventually(lambda: children(server) and temporary(server))
    return children(server)[0]


@pytest.mark.parametrize("container", ["lz4", "gzip"])
@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.parametrize("kind", ["redis", "redwing"])
def test_the_container_of_files_is_not_for_replicas(farm, container, diskless, kind):
    master = farm.redwing({
        "rdb-container": container, "repl-diskless-sync": diskless, "repl-diskless-sync-delay": "0"})
    master.call("DEBUG", "POPULATE", "1000")
    replica = farm.start(kind, {})
    replicate(replica, master)
    wait_link_up(replica)
    assert_same(master, replica)
    # A save of its own is packed again.
    master.call("SAVE")
    magic = {"lz4": b"\x04\x22\x4d\x18", "gzip": b"\x1f\x8b"}[container]
    with open(master.dump_path(), "rb") as file:
        assert file.read(len(magic)) == magic


@pytest.mark.parametrize("number, status", [(signal.SIGUSR1, "ok"), (signal.SIGKILL, "err")])
def test_a_child_that_is_ended_leaves_no_file(farm, number, status):
    server = farm.redwing({"save": "900 1"})
    os.kill(slow_save(server), number)
    eventually(lambda: not children(server))
    eventually(lambda: server.info()["rdb_bgsave_in_progress"] in ("0", 0))
    assert server.info()["rdb_last_bgsave_status"] == status
    assert temporary(server) == []
    assert f"Background saving terminated by signal {int(number)}" in server.log()


def test_an_end_during_a_bgsave_leaves_no_file(farm):
    server = farm.redwing()
    slow_save(server)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert temporary(server) == []
    assert "There is a child saving an .rdb. Killing it!" in server.log()


def test_a_second_sigint_ends_the_last_save(farm):
    server = farm.redwing({"save": "900 1"})
    server.call("DEBUG", "POPULATE", "200000", "key", "50")
    server.call("CONFIG", "SET", "rdb-key-save-delay", "100")
    server.process.send_signal(signal.SIGINT)
    eventually(lambda: temporary(server))
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 1
    assert temporary(server) == [] and not os.path.exists(server.dump_path())
    assert "You insist... exiting now." in server.log()


def start_in_vain(farm, *arguments):
    server = farm.make("redwing")
    done = subprocess.run(
        [server.binary, "--dir", server.directory, *map(str, arguments)],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    return done.stdout


def test_no_address_to_listen_on_is_no_start(farm):
    assert "Configured to not listen anywhere, exiting." in start_in_vain(farm, "--port", 0)


def test_a_taken_port_and_a_name_that_is_none_are_named(farm):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        log = start_in_vain(farm, "--port", port)
    assert f"Could not create server TCP listening socket *:{port}: bind: Address already in use" in log
    log = start_in_vain(farm, "--port", free_port(), "--bind", "not..a..host")
    assert "Name or service not known" in log or "name resolution" in log


def test_a_unix_socket_alone_is_enough(farm):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "s")
        server = farm.make("redwing", {"port": "0", "unixsocket": path, "unixsocketperm": "700"})
        server.start(wait=False)
        with socket.socket(socket.AF_UNIX) as client:
            eventually(lambda: client.connect_ex(path) == 0)
            assert os.stat(path).st_mode & 0o777 == 0o700
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert not os.path.exists(path)


def test_fork_refused_is_an_error_and_a_log_line(farm):
    if os.getuid() != 0:
        pytest.skip("only root starts a server as a user who may have one process")
    resource = pytest.importorskip("resource")

    def one_process():
        os.setgid(54321)
        os.setuid(54321)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        port = free_port()
        binary = farm.make("redwing").binary
        log = os.path.join(directory, "log")
        process = subprocess.Popen(
            [binary, "--port", str(port), "--dir", directory, "--logfile", log],
            preexec_fn=one_process)
        try:
            def ask(line):
                with socket.create_connection(("127.0.0.1", port), 30) as client:
                    client.sendall(line + b"\r\n")
                    return client.recv(1000)

            def up():
                try:
                    return ask(b"PING") == b"+PONG\r\n"
                except OSError:
                    return False

            eventually(up)
            assert ask(b"BGSAVE") == b"-ERR\r\n"
            assert ask(b"BGREWRITEAOF").startswith(b"-ERR Can't execute an AOF background rewriting.")
            assert ask(b"PSYNC ? -1") == b"-ERR BGSAVE failed, replication can't continue\r\n"
            assert ask(b"PING") == b"+PONG\r\n"
            with open(log) as file:
                assert "Can't save in background: fork: Resource temporarily unavailable" in file.read()
        finally:
            process.terminate()
            process.wait(30)
