# SPDX-License-Identifier: BSD-3-Clause
"""What stories about replication links need: a steady writer, a tap on a stream, a master of our own.

`Tap` is a replica that only listens: it holds the exact bytes that a node sends. `FakeMaster` is a
master whose every byte a test decides.
"""

import os
import re
import socket
import threading
import time

from lab.data import write_some
from lab.resp import Client, ReplyError, encode
from lab.servers import eventually
from lab.sync import offset

# The backlog holds what a writer writes in the second until a replica asks again.
DISK = {"repl-diskless-sync": "no", "repl-backlog-size": "4mb"}
ROLES = [("redwing", "redis"), ("redis", "redwing"), ("redwing", "redwing")]


class Writer:
    """Writes without pause on a connection of its own until told to stop, or, with `until_refused`,
    until the server is gone or takes no writes any more."""

    def __init__(self, server, prefix="live", until_refused=False):
        self.server, self.prefix, self.until_refused = server, prefix, until_refused
        self.rounds, self.fault = 0, None
        self.going = True
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.advance()
        return self

    def advance(self, rounds=3):
        """Waits until so many more rounds are written."""
        goal = self.rounds + rounds
        eventually(lambda: self.rounds >= goal or self.fault, 20)

    def _run(self):
        try:
            with Client(self.server.port) as client:
                while self.going:
                    write_some(client, self.prefix, n=50, seed=self.rounds)
                    self.rounds += 1
                    time.sleep(0.01)
        except (OSError, AssertionError) as fault:
            self.fault = fault

    def __exit__(self, *_):
        self.going = False
        self.thread.join(20)
        assert not self.thread.is_alive(), f"a write on {self.server} is stuck"
        # Why a write failed is more telling than what comes of it.
        if self.fault and not self.until_refused:
            raise AssertionError(f"a write on {self.server} failed: {self.fault!r}")


class Tap:
    """Listens to a node's stream from where that stands now."""

    def __init__(self, node):
        self.start = offset(node)
        self.told = 0
        self.client = Client(node.port)
        self.data = bytearray()
        self.client.call("REPLCONF", "capa", "psync2")
        # Older ids are good as well, but this one every node of a chain has.
        reply = self.psync(node.info("replication")["master_replid"], self.start + 1)
        assert reply.startswith(b"+CONTINUE"), reply

    def psync(self, identity, position):
        self.client.send(encode("PSYNC", identity, position))
        return self.client._line()

    def until(self, end, timeout=20.0):
        """What the stream holds up to offset `end`."""
        self.client.socket.settimeout(timeout)
        self.data += self.client.pending[self.client.at:]
        self.client.pending.clear()
        self.client.at = 0
        while len(self.data) < end - self.start:
            more = self.client.socket.recv(1 << 16)
            assert more, "the node closed the link"
            self.data += more
        return bytes(self.data[:end - self.start])

    def commands(self, end):
        """The same as lists of words."""
        return commands_in(self.until(end))

    def more(self, end):
        """Those that came since it was last asked for more."""
        fresh = self.until(end)[self.told:]
        self.told += len(fresh)
        return commands_in(fresh)

    def acknowledge(self, position):
        self.client.send(encode("REPLCONF", "ACK", position))

    def close(self):
        self.client.close()


def commands_in(data):
    """A piece of a stream as lists of words."""
    at, found = 0, []
    while at < len(data):
        line = data.index(b"\r\n", at)
        count, at, words = int(data[at + 1:line]), line + 2, []
        for _ in range(count):
            line = data.index(b"\r\n", at)
            size = int(data[at + 1:line])
            words.append(data[line + 2:line + 2 + size])
            at = line + 2 + size + 2
        found.append(words)
    return found


def ask(server, identity, position, *more):
    """The line that answers a PSYNC; what follows is thrown away."""
    with server.client() as client:
        client.call("REPLCONF", "capa", "eof", "capa", "psync2")
        client.send(encode("PSYNC", identity, position, *more))
        while not (line := client._line().lstrip(b"\n")):
            pass
        return line


class FakeMaster:
    """Answers the handshake as a master does; `answers` say, in turn, what each PSYNC gets (the last
    one for ever): bytes, sent as they are. Then `say` sends more, and `heard` holds what came."""

    IDENTITY = "c" * 40

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests, self.acks, self.heard = [], [], bytearray()
        self.visited_at = []
        self.ended = 0
        self.peer = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @classmethod
    def full(cls, rdb, position=0, length=None):
        size = len(rdb) if length is None else length
        return b"+FULLRESYNC %s %d\r\n$%d\r\n" % (cls.IDENTITY.encode(), position, size) + rdb

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.visited_at.append(time.monotonic())
            self.peer = peer
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer):
        try:
            while data := peer.recv(1 << 16):
                self.heard += data
                self.acks += [int(one) for one in re.findall(rb"\r\nACK\r\n\$\d+\r\n(\d+)\r\n", data)]
                if found := re.search(rb"PSYNC\r\n\$\d+\r\n([^\r]+)\r\n\$\d+\r\n([^\r]+)\r\n", data):
                    self.requests.append((found[1].decode(), int(found[2])))
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                    peer.sendall(answer)
                elif b"PING" in data:
                    peer.sendall(b"+PONG\r\n")
                elif b"ACK" not in data:
                    peer.sendall(b"+OK\r\n" * len(re.findall(rb"\*\d+\r\n", data)))
        except OSError:
            pass
        self.ended += 1

    def say(self, data):
        self.peer.sendall(data)

    def hang_up(self):
        self.peer.shutdown(socket.SHUT_RDWR)
        self.peer.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        if self.peer:
            self.peer.close()


def rdb_of(body, version=9):
    """An RDB of these items, without a checksum."""
    return b"REDIS%04d" % version + body + b"\xff" + bytes(8)


def rdb_aux(name, value):
    return b"\xfa" + bytes([len(name)]) + name + bytes([len(value)]) + value


def huge_claims():
    """The beginning of an RDB that asks for 2^40 keys in each of 16 databases."""
    claim = b"\x81" + (1 << 40).to_bytes(8, "big")
    return b"".join(b"\xfe" + bytes([db]) + b"\xfb" + claim * 2 for db in range(16))


def peak_memory(server):
    """The most that the process has held, in bytes."""
    with open(f"/proc/{server.process.pid}/status") as file:
        return 1024 * int(next(line.split()[1] for line in file if line.startswith("VmHWM")))


def threads(server):
    return len(os.listdir(f"/proc/{server.process.pid}/task"))


def snapshot(server):
    """The bytes of an RDB of what a server holds."""
    server.call("SAVE")
    with open(server.dump_path(), "rb") as file:
        return file.read()


def wait_partial(master, count, timeout=20.0):
    """The master has continued `count` replicas."""
    def continued():
        return int(master.info("stats")["sync_partial_ok"]) >= count
    eventually(continued, timeout, message=lambda: f"{master}: {master.info('stats')}")


def refused(function, *arguments):
    """The text of the error that a call gives, else None."""
    try:
        function(*arguments)
    except ReplyError as error:
        return str(error)
    return None
