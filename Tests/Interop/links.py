# SPDX-License-Identifier: BSD-3-Clause
"""What stories about replication links need: a steady writer, a tap on a stream, a master of our own.

`Tap` is a replica that only listens: it holds the exact bytes that a node sends. `RawReplica` asks for a
full sync and reads of it what a test wants. `FakeMaster` is a master whose every byte a test decides.
"""

import os
import random
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
        eventually(lambda: self.rounds >= goal or self.fault)

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


class RawReplica:
    """Asks for a full sync, by PSYNC or the old SYNC; `port` is the name it gives itself."""

    def __init__(self, master, *capabilities, old=False, port=None, buffer=None, rdb_only=False):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", master.port))
        self.pending = b""
        words = [("capa", one) for one in capabilities]
        if port:
            words.append(("listening-port", port))
        if rdb_only:
            words.append(("rdb-only", 1))
        for pair in words:
            self.socket.sendall(encode("REPLCONF", *pair))
            assert self.line() == b"+OK"
        self.socket.sendall(b"SYNC\r\n" if old else encode("PSYNC", "?", -1))

    def more(self, most=1 << 18):
        data = self.socket.recv(most)
        if not data:
            raise EOFError(self.pending[-200:])
        self.pending += data

    def line(self):
        """The next line; the newlines that keep the link alive are skipped."""
        while True:
            self.pending = self.pending.lstrip(b"\n")
            if b"\r\n" in self.pending:
                line, self.pending = self.pending.split(b"\r\n", 1)
                return line
            self.more()

    def granted(self):
        """The id and the offset of `+FULLRESYNC`."""
        word, identity, position = self.line().split()
        assert word == b"+FULLRESYNC"
        return identity, int(position)

    def take(self, count):
        parts, have = [self.pending[:count]], min(count, len(self.pending))
        self.pending = self.pending[count:]
        while have < count:
            data = self.socket.recv(min(1 << 18, count - have))
            if not data:
                raise EOFError(f"{have} of {count} bytes")
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def body(self):
        """The snapshot behind its `$` line, and the mark's text where it has one."""
        line = self.line()
        assert line.startswith(b"$"), line
        if not line.startswith(b"$EOF:"):
            return self.take(int(line[1:])), None
        mark = line[5:]
        while mark not in self.pending[-100:]:
            self.more()
        data, self.pending = self.pending.split(mark, 1)
        return data, mark

    def acknowledge(self, position):
        self.socket.sendall(encode("REPLCONF", "ACK", position))

    def is_closed(self):
        """Reads on to the master's end of the link, which must come."""
        try:
            while self.socket.recv(1 << 18):
                pass
        except ConnectionResetError:
            pass
        return True

    def close(self):
        self.socket.close()


def fill_bulk(server, megabytes, size=16384):
    """So many MB in values that don't compress."""
    source, each = random.Random(7), (1 << 20) // size
    with server.client() as client:
        for start in range(0, megabytes * each, each):
            client.pipeline([("SET", f"big:{start + i}", source.randbytes(size)) for i in range(each)])


def syncs(master):
    """How far each full sync is, as INFO tells it."""
    return {name: dict(part.split("=") for part in value.split(","))
            for name, value in master.info("replication").items() if name.endswith("_sync")}


def spool_bytes(master):
    """What the unlinked files that the master holds open take, in memory or on disk."""
    held, at = 0, f"/proc/{master.process.pid}/fd"
    for name in os.listdir(at):
        try:
            target = os.readlink(f"{at}/{name}")
            if target.startswith("/memfd:") or target.endswith("(deleted)"):
                held += os.stat(f"{at}/{name}").st_blocks * 512
        except OSError:
            pass
    return held


def children(server):
    pid = server.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(one) for one in file.read().split()]


def cpu_seconds(server):
    """CPU time of the process, which a loaded machine doesn't change."""
    with open(f"/proc/{server.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
