# SPDX-License-Identifier: BSD-3-Clause
"""A TCP proxy that does to a link what networks do: delay, cut, corrupt, throttle, go silent.

"Down" is what flows from the target (a master) to whoever connected (its replica), "up" the other
way. Settings apply at once to all connections; `corrupt_at` and `cut_after` count the bytes down of
one connection from its start and fire once.
"""

import socket
import threading
import time

CHUNK = 1 << 16


class Proxy:
    def __init__(self, target_port, target_host="127.0.0.1"):
        self.target = (target_host, target_port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.delay_s = 0.0
        self.rate_down = None
        self.refusing = False
        self.corrupt_at = None
        self.cut_after = None
        self.bytes_down = 0
        self.bytes_up = 0
        self.connections = 0
        self.corrupted = 0
        self.cuts = 0
        self.flowing = threading.Event()
        self.flowing.set()
        self.lock = threading.Lock()
        self.pairs = set()
        self.open = True
        threading.Thread(target=self._accept, daemon=True).start()

    # What a test does to the link.

    def cut(self):
        """Closes every connection through the proxy, now."""
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            self._close(pair)
        self.cuts += len(pairs)

    def silence(self):
        """Half-open: connections stay, nothing flows in either direction."""
        self.flowing.clear()

    def resume(self):
        self.flowing.set()

    def throttle(self, bytes_per_second):
        """Limits what flows down; None lifts the limit."""
        self.rate_down = bytes_per_second

    def refuse(self, yes=True):
        """New connections are closed as soon as they are made."""
        self.refusing = yes

    def close(self):
        self.open = False
        self.flowing.set()
        # shutdown wakes the accept; close alone doesn't on Linux.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.cut()

    # How it works.

    def _accept(self):
        while self.open:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                near.close()
                continue
            try:
                far = socket.create_connection(self.target, timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Small buffers: what a test has seen pass is what the replica got, give or take little.
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
            self.connections += 1
            pair = (near, far)
            with self.lock:
                self.pairs.add(pair)
            threading.Thread(target=self._pump, args=(pair, far, near, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(pair, near, far, False), daemon=True).start()

    def _pump(self, pair, source, sink, down):
        passed = 0
        try:
            while True:
                size = CHUNK
                if down and self.rate_down:
                    size = max(1, min(CHUNK, int(self.rate_down * 0.05)))
                data = source.recv(size)
                if not data:
                    break
                self.flowing.wait()
                if self.delay_s:
                    time.sleep(self.delay_s)
                if down:
                    data, over = self._damage(data, passed)
                    passed += len(data)
                    self.bytes_down += len(data)
                    sink.sendall(data)
                    if over:
                        self.cuts += 1
                        break
                    if self.rate_down:
                        time.sleep(len(data) / self.rate_down)
                else:
                    self.bytes_up += len(data)
                    sink.sendall(data)
        except OSError:
            pass
        with self.lock:
            self.pairs.discard(pair)
        self._close(pair)

    def _damage(self, data, passed):
        """The data as it shall go on, and whether the connection ends behind it."""
        at = self.corrupt_at
        if at is not None and passed <= at < passed + len(data):
            self.corrupt_at = None
            self.corrupted += 1
            place = at - passed
            data = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1:]
        end = self.cut_after
        if end is not None and passed + len(data) >= end:
            self.cut_after = None
            return data[:max(0, end - passed)], True
        return data, False

    @staticmethod
    def _close(pair):
        for one in pair:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
