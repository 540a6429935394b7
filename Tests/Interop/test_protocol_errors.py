# SPDX-License-Identifier: BSD-3-Clause
"""What isn't a request: each input goes to Redwing and to a stock Redis, and what comes back, to the
closed connection, is the same. Where 7.0 says it otherwise than 6.0.7 the row has both."""

import socket

import pytest

# Behind each input comes a request whose answer ends the wait, where the connection is still open.
END = b"*2\r\n$4\r\nECHO\r\n$3\r\nEND\r\n"
ANSWER = b"$3\r\nEND\r\n"

SAME = {
    "count is no number": b"*x\r\n", "count is empty": b"*\r\n", "count is a sign": b"*-\r\n",
    "count below zero": b"*-5\r\nPING\r\n", "count zero": b"*0\r\nPING\r\n",
    "count beyond 64 bits": b"*99999999999999999999\r\n", "count beyond 32 bits": b"*2147483648\r\n",
    "count with a zero before": b"*02\r\n$4\r\nECHO\r\n$1\r\na\r\n",
    "count minus zero": b"*-0\r\n",
    "no dollar": b"*1\r\nPING\r\n", "no dollar, a control": b"*1\r\n\x01\r\n",
    "no dollar, a byte that is no text": b"*1\r\n\xff\r\n",
    "no dollar, a line end": b"*1\r\n\r\n\r\n", "size is no number": b"*1\r\n$x\r\n",
    "size below zero": b"*1\r\n$-1\r\n", "size too big": b"*1\r\n$536870913\r\n",
    "size with a plus": b"*1\r\n$+4\r\nPING\r\n", "size with a zero before": b"*1\r\n$04\r\nPING\r\n",
    "size with a blank": b"*1\r\n$ 4\r\nPING\r\n", "more than the size": b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
    "count without an end": b"*" + b"1" * 70000, "size without an end": b"*1\r\n$" + b"1" * 70000,
    "line without an end": b"A" * 100000, "open quote": b'SET "a\r\n', "text behind a quote": b'SET "a"b c\r\n',
    "text behind a single quote": b"SET 'a'b c\r\n", "quotes": b'SET "a\\x41" \'b c\'\r\nGET aA\r\n',
    "a line end of one byte": b"PING\n", "a quote in a word": b'ECHO a"b"\r\n',
    "an open quote in a word": b'ECHO a"b c\r\n', "a long line": b"ECHO " + b"a" * 60000 + b"\r\n",
    "POST": b"POST / HTTP/1.1\r\n", "Host:": b"Host: x\r\n",
    "empty lines": b"\r\n\r\n\r\nPING\r\n", "two CR": b"PING\r\r\n", "tabs": b"\tPING\t\r\n",
    "wrong arity": b"GET\r\n", "QUIT": b"QUIT\r\nPING\r\n", "QUIT with words": b"quit a b c\r\n",
    "HELLO 4": b"HELLO 4\r\n", "HELLO AUTH": b"HELLO 3 AUTH a\r\n", "HELLO FOO": b"HELLO 3 FOO\r\n",
    "HELLO SETNAME": b'HELLO 2 SETNAME "a b"\r\n',
}

# 6.0.7's quotation marks are ` and its list ends in a comma; 7.0 cuts at a zero byte.
UNKNOWN = {
    b"*3\r\n$3\r\nfoo\r\n$1\r\na\r\n$2\r\n\r\n\r\n":
        b"-ERR unknown command `foo`, with args beginning with: `a`, `  `, \r\n",
    b"*2\r\n$3\r\nf\x00o\r\n$3\r\n\xff\x00a\r\n":
        b"-ERR unknown command `f\x00o`, with args beginning with: `\xff\x00a`, \r\n",
    b"foo " + b"a" * 200 + b" b c\r\n":
        b"-ERR unknown command `foo`, with args beginning with: `" + b"a" * 128 + b"`, \r\n",
    b"B" * 300 + b" x\r\n":
        b"-ERR unknown command `" + b"B" * 128 + b"`, with args beginning with: `x`, \r\n",
    b"*1\r\n$0\r\n\r\n": b"-ERR unknown command ``, with args beginning with: \r\n",
    b"*2\r\n$6\r\nCLIENT\r\n$2\r\n\xfe\xff\r\n":
        b"-ERR Unknown subcommand or wrong number of arguments for '\xfe\xff'. Try CLIENT HELP.\r\n",
    # 6.0 has room for 1024 * 1024 words.
    b"*1048577\r\n": b"-ERR Protocol error: invalid multibulk length\r\n",
}


def answer(server, sent):
    """All that comes back, the END's answer left out; `closed` when the connection went."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        closed = False
        try:
            link.sendall(sent + END)
        except ConnectionError:
            closed = True
        found = b""
        while not found.endswith(ANSWER):
            try:
                got = link.recv(1 << 16)
            except ConnectionResetError:
                got = b""
            if not got:
                return found, True
            found += got
        return found[:-len(ANSWER)], closed


@pytest.mark.parametrize("sent", SAME.values(), ids=SAME.keys())
def test_what_isnt_a_request(pair, sent):
    ours, theirs = answer(pair.ours, sent), answer(pair.theirs, sent)
    # Input that is still on its way when the connection closes may take the error with it.
    if b"" in (ours[0], theirs[0]) and len(sent) > 60000:
        assert ours[1] == theirs[1]
    else:
        assert ours == theirs


@pytest.mark.parametrize("sent", UNKNOWN, ids=range(len(UNKNOWN)))
def test_what_6_0_says_of_unknown_commands(pair, sent):
    found, closed = answer(pair.ours, sent)
    assert found == UNKNOWN[sent] and closed == (sent[:2] == b"*1" and b"$" not in sent)


def test_requests_byte_by_byte(pair):
    sent = (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n" b'"GET" k\r\n' b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
    with socket.create_connection(("127.0.0.1", pair.ours.port), timeout=20) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            link.sendall(bytes([byte]))
        found = b""
        while found.count(b"hello") < 2 or not found.endswith(b"\r\n"):
            found += link.recv(1 << 16)
        assert found == b"+OK\r\n$5\r\nhello\r\n$5\r\nhello\r\n"
