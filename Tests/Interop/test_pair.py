# SPDX-License-Identifier: BSD-3-Clause
"""The harness that compares two servers must itself tell equal from different."""

import pytest

from pair import Pair, normal_error, rule_for

UNKNOWN_6 = b"-ERR unknown command `foo`, with args beginning with: `a`, `b`, \r\n"
UNKNOWN_7 = b"-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"


@pytest.mark.parametrize("six, seven", [
    (UNKNOWN_6, UNKNOWN_7),
    (b"-ERR unknown command `foo`, with args beginning with: \r\n",
     b"-ERR unknown command 'foo', with args beginning with: \r\n"),
    (b"-ERR invalid expire time in set\r\n", b"-ERR invalid expire time in 'set' command\r\n"),
])
def test_texts_that_only_versions_word_differently_are_equal(six, seven):
    assert normal_error(six) == normal_error(seven)


@pytest.mark.parametrize("one, two", [
    (UNKNOWN_6, UNKNOWN_7.replace(b"'a'", b"'c'")),
    (b"-ERR value is not an integer or out of range\r\n", b"-ERR value is not a valid float\r\n"),
    (b"-WRONGTYPE x\r\n", b"-ERR x\r\n"),
])
def test_other_errors_stay_different(one, two):
    assert normal_error(one) != normal_error(two)


@pytest.mark.parametrize("arguments, one, two, equal", [
    (("GET", "k"), b"$1\r\na\r\n", b"$1\r\nb\r\n", False),
    (("SMEMBERS", "k"), b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:2\r\n:1\r\n", True),
    (("LRANGE", "k", 0, -1), b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:2\r\n:1\r\n", False),
    (("HGETALL", "k"), b"*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", b"*4\r\n:3\r\n:4\r\n:1\r\n:2\r\n", True),
    (("HGETALL", "k"), b"*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", b"*4\r\n:3\r\n:2\r\n:1\r\n:4\r\n", False),
    (("SPOP", "k"), b"$1\r\na\r\n", b"$2\r\nbb\r\n", True),
    (("SPOP", "k"), b"$1\r\na\r\n", b"$-1\r\n", False),
    (("OBJECT", "ENCODING", "k"), b"$7\r\nziplist\r\n", b"$8\r\nlistpack\r\n", True),
    (("TTL", "k"), b":100\r\n", b":99\r\n", True),
    (("TTL", "k"), b":-1\r\n", b":-2\r\n", False),
    (("EXEC",), b"*2\r\n+OK\r\n" + UNKNOWN_6, b"*2\r\n+OK\r\n" + UNKNOWN_7, True),
    (("EXEC",), b"*2\r\n+OK\r\n" + UNKNOWN_6, b"*2\r\n:1\r\n" + UNKNOWN_7, False),
])
def test_a_reply_is_compared_as_its_command_asks(arguments, one, two, equal):
    nobody = Pair.__new__(Pair)
    nobody.history = []
    if equal:
        nobody._compare(arguments, one, two, None)
    else:
        with pytest.raises(AssertionError):
            nobody._compare(arguments, one, two, None)


def test_rules_ignore_the_case_of_a_command():
    assert rule_for((b"smembers", b"k")) == rule_for(("SMEMBERS", "k")) == "set"


def test_both_servers_answer(pair):
    pair.run(["PING", "SET k v", "GET k", ("SET", b"\x00", b"\xff\r\n"), "NOSUCH a b", "GET", "DEL k"])
    pair.raw(b"PING\r\nECHO \"a b\"\r\n", replies=2)
    pair.random([("SET", f"k{i}", i) for i in range(500)] + [("GET", f"k{i}") for i in range(600)])
    pair.digest()


def test_a_difference_in_the_data_is_found(pair):
    pair.call("SET k v")
    pair.ours.call("SET", "k", "other")
    with pytest.raises(AssertionError, match="b'k'"):
        pair.digest()
