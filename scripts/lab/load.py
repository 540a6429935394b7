# SPDX-License-Identifier: BSD-3-Clause
"""A load that goes on over the death of its server, and knows which of its writes are safe."""

import threading

from .resp import Client, ReplyError
from .servers import eventually


class ConfirmedWrites:
    """Writes to `master` on a thread of its own until that is gone, and keeps what `replicas` of its
    replicas have confirmed by WAIT. Nobody may lose these: see `missing`."""

    def __init__(self, master, replicas=1):
        self.master, self.replicas, self.confirmed = master, replicas, []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        number = 0
        try:
            with Client(self.master.port) as client:
                while True:
                    number += 1
                    client.call("SET", f"confirmed:{number}", number)
                    if client.call("WAIT", self.replicas, "1000") >= self.replicas:
                        self.confirmed.append(number)
        except (OSError, ReplyError):
            pass

    def reach(self, count, timeout=20.0):
        """Waits until so many writes are confirmed."""
        eventually(lambda: len(self.confirmed) >= count, timeout,
                   message=lambda: f"{len(self.confirmed)} of {count} writes confirmed")

    def ended(self, timeout=10.0):
        """How many were confirmed, once the master is gone."""
        self.thread.join(timeout)
        assert not self.thread.is_alive(), f"{self.master} still takes writes"
        return len(self.confirmed)

    def missing(self, server):
        """The confirmed writes that `server` doesn't have, or has with another value."""
        values = []
        with server.client() as client:
            for first in range(0, len(self.confirmed), 500):
                values += client.pipeline(
                    ("GET", f"confirmed:{n}") for n in self.confirmed[first:first + 500])
        return [n for n, value in zip(self.confirmed, values) if value != b"%d" % n]
