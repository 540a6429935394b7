# SPDX-License-Identifier: BSD-3-Clause
"""Starting and ending servers: Redwing, stock Redis, sentinels.

Each server gets a free loopback port and a directory of its own. Readiness is an answered PING, not
a pause; the end is by the process's own id. `Farm` owns what a test or a demo started.
"""

import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .resp import Client, ReplyError

REDWING = os.environ.get(
    "REDWING_SERVER",
    os.path.join(os.path.dirname(__file__), "..", "..", ".build", "release", "redwing-server"))
REDIS = os.environ.get("REDIS_SERVER", "/usr/bin/redis-server")


class NotReady(AssertionError):
    """A server ended, or didn't answer in time; the text has the end of its log."""


def eventually(predicate, timeout=30.0, interval=0.02, message=None):
    """The first true value of `predicate`; AssertionError after `timeout` seconds. The patience costs
    nothing where all is well, and on a loaded machine ten seconds may be too few."""
    deadline = time.monotonic() + timeout
    fault = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            fault = None
        except (OSError, ReplyError, ValueError, KeyError) as error:
            fault = error
        if time.monotonic() > deadline:
            what = message() if callable(message) else message or "condition not met"
            raise AssertionError(f"{what} within {timeout} s" + (f" ({fault!r})" if fault else ""))
        time.sleep(interval)


# Below what the kernel gives to outgoing connections (from 32768 on), which would else take a port
# before its server starts, or while it restarts; a cluster bus may add 10000.
PORTS, BLOCK = range(10240, 22528), 512
_block = None


def free_port():
    """A port that nobody listens on, nor is about to: each process has a block of ports of its own."""
    global _block
    if _block is None:
        _block = _claimed_block()
    while True:
        port = next(_block[1])
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _claimed_block():
    """A block's ports in turn, and its claim: a name that only one process can have, while it lives."""
    blocks = PORTS[::BLOCK]
    for first in random.sample(blocks, len(blocks)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0redwing-ports-{first}")
        except OSError:
            claim.close()
            continue
        return claim, itertools.cycle(range(first, first + BLOCK))
    raise AssertionError("every block of ports is taken")


class Server:
    """One server process. `kind` is 'redwing' or 'redis'; options are directive → value."""

    def __init__(self, kind, directory, port=None, binary=None, options=None, arguments=()):
        self.kind = kind
        self.binary = binary or (REDIS if kind == "redis" else REDWING)
        self.directory = directory
        self.port = port or free_port()
        self.options = {
            "port": self.port, "bind": "127.0.0.1", "dir": directory, "save": "", "daemonize": "no",
        }
        # The stand-in for Redwing may be a stock Redis 7, which guards DEBUG and `dir` by directives.
        if os.path.basename(self.binary).startswith("redis"):
            self.options["enable-debug-command"] = "yes"
            self.options["enable-protected-configs"] = "yes"
        self.options.update(options or {})
        self.arguments = list(arguments)
        self.process = None
        self.log_path = os.path.join(directory, f"{kind}-{self.port}.log")
        os.makedirs(directory, exist_ok=True)

    def __repr__(self):
        return f"<{self.kind} {self.port}>"

    def command(self):
        line = [self.binary, *self.arguments]
        for name, value in self.options.items():
            for one in value if isinstance(value, list) else [value]:
                parts = one if isinstance(one, tuple) else (one,)
                if name == "save" or len(parts) == 1 and str(parts[0]) == "":
                    line += [f"--{name}", str(parts[0])]
                else:
                    line += [f"--{name}", *map(str, parts)]
        return line

    def start(self, wait=True, timeout=30.0):
        if not os.path.exists(self.binary):
            raise NotReady(f"{self.binary} is missing: `make build` makes Redwing, `make deps` Redis")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                cwd=self.directory)
        if wait:
            self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=30.0, loading_is_fine=False):
        deadline = time.monotonic() + timeout
        while True:
            if self.process.poll() is not None:
                raise NotReady(f"{self} ended with {self.process.returncode}:\n{self.log_tail()}")
            try:
                with Client(self.port, timeout=5.0) as client:
                    reply = client.call_or_error("PING")
                text = str(reply)
                if not isinstance(reply, ReplyError) or text.startswith(("NOAUTH", "MASTERDOWN")):
                    return
                if loading_is_fine and text.startswith("LOADING"):
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise NotReady(f"{self} doesn't answer PING in {timeout} s:\n{self.log_tail()}")
            time.sleep(0.01)

    def client(self, **more):
        return Client(self.port, **more)

    def call(self, *arguments):
        with self.client() as client:
            return client.call(*arguments)

    def info(self, section="everything"):
        with self.client() as client:
            return client.info(section)

    def log(self):
        try:
            with open(self.log_path, "r", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        """The process is gone at once, as in a crash. Its snapshot child, if any, ends by itself."""
        if self.alive():
            self.process.kill()
            self.process.wait()

    def stop(self, timeout=30.0):
        """A clean end by SIGTERM; returns the exit status."""
        if self.alive():
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise NotReady(f"{self} doesn't end on SIGTERM in {timeout} s:\n{self.log_tail()}")
        return self.process.returncode if self.process else None

    def restart(self, crash=False, timeout=30.0):
        self.kill() if crash else self.stop()
        return self.start(timeout=timeout)

    def dump_path(self):
        return os.path.join(self.directory, str(self.options.get("dbfilename", "dump.rdb")))


class Farm:
    """Owns servers and their directories; `close` ends all and removes everything."""

    def __init__(self, keep=False):
        self.root = tempfile.mkdtemp(prefix="redwing-")
        self.keep = keep
        self.servers = []
        self.others = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def directory(self):
        return tempfile.mkdtemp(dir=self.root)

    def make(self, kind, options=None, **more):
        """A server that isn't started yet."""
        server = Server(kind, more.pop("directory", None) or self.directory(),
                        options=options, **more)
        self.servers.append(server)
        return server

    def start(self, kind, options=None, wait=True, **more):
        return self.make(kind, options, **more).start(wait=wait)

    def redwing(self, options=None, **more):
        return self.start("redwing", options, **more)

    def redis(self, options=None, **more):
        return self.start("redis", options, **more)

    def own(self, closable):
        """Anything with `close`, closed before the servers end."""
        self.others.append(closable)
        return closable

    def sentinel(self, master, name="mymaster", quorum=2, down_after=3000, failover_timeout=10000):
        """A stock sentinel that watches `master`. It PINGs once a second, a new master for the first time
        a second after the switch: with less than two seconds it may take the promoted one for dead, and
        promote another."""
        directory = self.directory()
        server = Server("redis", directory, arguments=[])
        path = os.path.join(directory, "sentinel.conf")
        with open(path, "w") as file:
            file.write(
                f"port {server.port}\nbind 127.0.0.1\ndir {directory}\n"
                f"sentinel monitor {name} 127.0.0.1 {master.port} {quorum}\n"
                f"sentinel down-after-milliseconds {name} {down_after}\n"
                f"sentinel failover-timeout {name} {failover_timeout}\n"
                f"sentinel parallel-syncs {name} 1\n")
        server.kind = "sentinel"
        server.options = {}
        server.arguments = [path, "--sentinel"]
        server.log_path = os.path.join(directory, "sentinel.log")
        self.servers.append(server)
        return server.start()

    def logs(self):
        return "".join(
            f"\n===== {server} {' '.join(server.command())}\n{server.log_tail(60)}\n"
            for server in self.servers)

    def close(self):
        for other in self.others:
            try:
                other.close()
            except OSError:
                pass
        for server in self.servers:
            if server.alive():
                server.process.send_signal(signal.SIGCONT)
                server.process.terminate()
        deadline = time.monotonic() + 3.0
        for server in self.servers:
            if server.process is None:
                continue
            try:
                server.process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                server.kill()
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)
