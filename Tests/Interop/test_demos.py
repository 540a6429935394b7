# SPDX-License-Identifier: BSD-3-Clause
"""What README invites people to run works: `make run`, `make demo-sentinel`, `make help`."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

import demo_sentinel
from lab.resp import Client
from lab.servers import REDIS, REDWING, eventually, free_port

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DEMO = os.path.join(ROOT, "scripts", "demo.py")


def demo(*arguments, **more):
    return subprocess.run([sys.executable, DEMO, "--server", REDWING, "--megabytes", "20", *arguments],
                          capture_output=True, text=True, timeout=100, **more)


def test_the_demo_shows_a_sync_and_both_digests():
    done = demo("--once", "--port", str(free_port()), "--replica-port", str(free_port()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same on the replica" in done.stdout
    assert "online" in done.stdout and "both ended cleanly" in done.stdout
    ends = re.search(r"online +offset (\d+) on the master, (\d+) on the replica", done.stdout)
    assert ends and ends[1] == ends[2], done.stdout


def test_ctrl_c_ends_both_servers():
    ports = free_port(), free_port()
    with subprocess.Popen(
            [sys.executable, DEMO, "--server", REDWING, "--megabytes", "5", "--port", str(ports[0]),
             "--replica-port", str(ports[1])], stdout=subprocess.PIPE, text=True) as process:
        try:
            while "Ctrl-C" not in (line := process.stdout.readline()):
                assert line, "the demo ended early"
            process.send_signal(signal.SIGINT)
            assert "both ended cleanly" in process.stdout.read()
            assert process.wait(20) == 0
        finally:
            process.kill()
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("option, name", [("--port", "PORT"), ("--replica-port", "REPLICA_PORT")])
def test_a_taken_port_is_said_clearly(option, name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = "--replica-port" if option == "--port" else "--port"
        done = demo("--once", option, str(port), other, str(free_port()))
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr and f"{name}=" in done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["--port", "abc"], "run: PORT=abc is no port: give a number from 1 to 65535"),
    (["--replica-port", "70000"], "run: REPLICA_PORT=70000 is no port"),
    (["--port", "7000", "--replica-port", "7000"], "run: PORT and REPLICA_PORT are both 7000"),
], ids=["no number", "too large", "one for both"])
def test_ports_that_can_not_be(arguments, said):
    done = demo("--once", *arguments)
    assert done.returncode == 1 and done.stderr.startswith(said) and done.stderr.count("\n") == 1


@pytest.mark.parametrize("moment, name", [("sample data set", "master"), ("Ctrl-C", "replica")])
def test_a_server_that_ends_by_itself_is_told_with_its_log(moment, name):
    """Be it in the middle of the sync or long behind it."""
    ports = {"master": free_port(), "replica": free_port()}
    with subprocess.Popen(
            [sys.executable, DEMO, "--server", REDWING, "--megabytes", "60", "--port",
             str(ports["master"]), "--replica-port", str(ports["replica"])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while moment not in (line := process.stdout.readline()):
                assert line, "the demo ended early"
            with Client(ports[name]) as client:
                os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
            said = process.communicate(timeout=30)[1]
        finally:
            process.kill()
    assert process.returncode == 1 and "Traceback" not in said
    assert f"run: a server ended by itself, <{name} {ports[name]}>; its log:" in said
    assert "Ready to accept connections" in said


@pytest.mark.parametrize("third", [REDWING, REDIS], ids=["redwing", "mixed"])
def test_sentinels_promote_a_replica_and_nothing_confirmed_is_lost(farm, third):
    binary = os.path.abspath(REDWING)
    demo_sentinel.demo(farm, [binary, binary, third])


def test_make_lists_its_targets():
    done = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    for target in ("help", "deps", "build", "run", "test", "bench", "install", "profile", "asan",
                   "demo-sentinel", "docs", "format", "lint", "clean"):
        assert f"  {target} " in done.stdout, target


def test_make_deps_with_nothing_to_do_says_so():
    def run():
        return subprocess.run([os.path.join(ROOT, "scripts", "deps.sh")], capture_output=True,
                              text=True, timeout=60)
    done = eventually(run, 60)
    assert done.returncode == 0 and "are there" in done.stdout
