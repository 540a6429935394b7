# SPDX-License-Identifier: BSD-3-Clause
"""A small RESP client that hands out both: values, and the exact bytes of each reply.

Client libraries turn errors into exceptions and floats into numbers; a test that compares two
servers byte for byte needs what came over the wire.
"""

import socket


class ReplyError(Exception):
    """An error reply; its text is what stood after the `-`."""


class Closed(ConnectionError):
    """The server closed the connection."""


def encode(*arguments):
    """One request as a multibulk."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = to_bytes(argument)
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def to_bytes(argument):
    if isinstance(argument, bytes):
        return argument
    if isinstance(argument, float):
        return repr(argument).encode()
    return str(argument).encode()


class Client:
    """One blocking connection. `call` gives values, `call_raw` the reply's bytes."""

    def __init__(self, port=None, host="127.0.0.1", timeout=30.0, path=None):
        if path is not None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection((host, port), timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = bytearray()
        self.at = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def call(self, *arguments):
        """The reply as a value; raises ReplyError for an error reply."""
        value = self.call_or_error(*arguments)
        if isinstance(value, ReplyError):
            raise value
        return value

    def call_or_error(self, *arguments):
        self.send(encode(*arguments))
        return self.read()

    def call_raw(self, *arguments):
        self.send(encode(*arguments))
        return self.read_raw()

    def pipeline(self, requests):
        """All requests at once, then all values; error replies stay in the list as ReplyError."""
        requests = list(requests)
        self.send(b"".join(encode(*request) for request in requests))
        return [self.read() for _ in requests]

    def read(self):
        return parse(self.read_raw())

    def read_raw(self):
        """The exact bytes of the next reply, nested ones included."""
        start = self.at
        self._skip()
        raw = bytes(self.pending[start:self.at])
        if self.at > 1 << 16 or self.at == len(self.pending):
            del self.pending[:self.at]
            self.at = 0
        return raw

    def _skip(self):
        """Moves `at` behind one reply, iteratively: replies may nest deeply."""
        left = 1
        while left:
            left -= 1
            line = self._line()
            kind, rest = line[:1], line[1:]
            if kind in b"$=!":
                length = int(rest)
                if length >= 0:
                    self._need(length + 2)
                    self.at += length + 2
            elif kind in b"*~>":
                left += max(int(rest), 0)
            elif kind in b"%|":
                # An attribute stands before the reply it belongs to.
                left += 2 * int(rest) + (1 if kind == b"|" else 0)
            elif kind not in b"+-:_,#(":
                raise ValueError(f"not a reply: {bytes(line)!r}")

    def _line(self):
        while True:
            end = self.pending.find(b"\r\n", self.at)
            if end >= 0:
                line = bytes(self.pending[self.at:end])
                self.at = end + 2
                return line
            self._receive()

    def _need(self, count):
        while len(self.pending) - self.at < count:
            self._receive()

    def _receive(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise Closed(f"closed by the server, unread: {bytes(self.pending[self.at:])!r}")
        self.pending += data

    def info(self, section="everything"):
        """INFO as a dict of text; lines without a colon are dropped."""
        text = self.call("INFO", section)
        if isinstance(text, tuple):
            text = text[1]
        return parse_info(text.decode("utf-8", "replace"))


def parse_info(text):
    fields = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            fields[name] = value
    return fields


def parse(raw):
    value, end = _parse(raw, 0)
    assert end == len(raw), raw
    return value


def _parse(raw, at):
    end = raw.index(b"\r\n", at)
    kind, rest = raw[at:at + 1], raw[at + 1:end]
    at = end + 2
    if kind == b"+":
        return rest, at
    if kind == b"-":
        return ReplyError(rest.decode("utf-8", "replace")), at
    if kind == b":":
        return int(rest), at
    if kind in b"$=!":
        length = int(rest)
        if length < 0:
            return None, at
        return raw[at:at + length], at + length + 2
    if kind in b"*~>":
        if int(rest) < 0:
            return None, at
        values = []
        for _ in range(int(rest)):
            value, at = _parse(raw, at)
            values.append(value)
        return values, at
    if kind in b"%|":
        pairs = {}
        for _ in range(int(rest)):
            key, at = _parse(raw, at)
            value, at = _parse(raw, at)
            pairs[key if not isinstance(key, list) else tuple(key)] = value
        return pairs if kind == b"%" else _parse(raw, at)[0], at
    if kind == b"_":
        return None, at
    if kind == b",":
        return float(rest), at
    if kind == b"#":
        return rest == b"t", at
    if kind == b"(":
        return int(rest), at
    raise ValueError(f"not a reply: {raw[at:at + 40]!r}")
