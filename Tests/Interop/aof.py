# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the append only file share."""

import os
import random
import subprocess
import threading
import time

from lab.resp import Client, ReplyError
from lab.servers import eventually

AOF = {"appendonly": "yes"}


def path(server):
    return os.path.join(server.directory, "appendonly.aof")


def content(server):
    with open(path(server), "rb") as file:
        return file.read()


def written(server):
    """Nothing waits to be written; a running fsync may hold a write back for two seconds."""
    eventually(lambda: server.info("persistence")["aof_buffer_length"] == "0")


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
