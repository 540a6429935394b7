# SPDX-License-Identifier: BSD-3-Clause
"""Lists: every reply equal to a stock Redis's, by rows, by random sequences, and while waiting."""

import random

import pytest


ROWS = {
    "pushing at both ends": [
        "RPUSH l a b c", "LPUSH l 1 2 3", "LRANGE l 0 -1", "LLEN l", "OBJECT ENCODING l", "TYPE l",
        "LPUSHX l x y", "RPUSHX l z", "LPUSHX none x", "RPUSHX none x y", "EXISTS none",
        "LRANGE l 0 -1",
    ],
    "wrong types and arities": [
        "SET s x", "LPUSH s a", "RPUSHX s a", "LPOP s", "RPOP s 2", "LLEN s", "LINDEX s 0",
        "LSET s 0 x", "LINSERT s BEFORE a b", "LRANGE s 0 1", "LTRIM s 0 1", "LREM s 0 x",
        "LPOS s x", "LMOVE s d LEFT LEFT", "RPOPLPUSH s d", "BLPOP s 1", "BRPOPLPUSH s d 1",
        "BLMOVE s d LEFT LEFT 1", "LPUSH", "LPUSH l", "LPOP", "LPOP l 1 2", "LRANGE l 0",
        "LINSERT l BEFORE a", "RPUSH l a", "LMOVE l s LEFT LEFT", "RPOPLPUSH l s",
        "BRPOPLPUSH l s 1", "BLMOVE l s LEFT RIGHT 1", "LRANGE l 0 -1",
    ],
    "popping": [
        "RPUSH l a b c d e f", "LPOP l", "RPOP l", "LPOP l 2", "RPOP l 0", "LPOP l 0", "RPOP l 10",
        "EXISTS l", "LPOP l", "RPOP l", "LPOP l 1", "RPOP l 0", "RPUSH l x", "LPOP l -1", "LPOP l x",
        "RPOP l 9223372036854775808", "RPOP l 9223372036854775807", "EXISTS l", "LPOP l -1",
    ],
    "LINDEX and LSET": [
        "RPUSH l a 1 -5 70000 9223372036854775807", "LINDEX l 0", "LINDEX l -1", "LINDEX l 2",
        "LINDEX l 5", "LINDEX l -6", "LINDEX l x", "LINDEX none x", "LINDEX none 0", "LSET l 0 zz",
        "LSET l -1 12", "LSET l 5 x", "LSET l -6 x", "LSET l x x", "LSET none 0 x", "LSET none x x",
        "LRANGE l 0 -1", "LINDEX l 9223372036854775807", "LINDEX l -9223372036854775808",
    ],
    "LINSERT": [
        "RPUSH l a b a", "LINSERT l BEFORE a x", "LINSERT l AFTER a y", "LINSERT l after b 5",
        "LINSERT l before 5 01", "LINSERT l BEFORE nope x", "LINSERT none BEFORE a x",
        "LINSERT l MIDDLE a x", "LINSERT none MIDDLE a x", "LINSERT l AFTER 01 2", "LRANGE l 0 -1",
    ],
    "LRANGE": [
        "RPUSH l a b c d e", "LRANGE l 0 -1", "LRANGE l 1 3", "LRANGE l -2 -1", "LRANGE l -100 100",
        "LRANGE l 3 1", "LRANGE l 5 10", "LRANGE l -1 -2", "LRANGE l x 1", "LRANGE l 1 x",
        "LRANGE none 0 -1", "LRANGE none x 1", "LRANGE l -9223372036854775808 9223372036854775807",
    ],
    "LTRIM": [
        "RPUSH l a b c d e f", "LTRIM l 1 -2", "LRANGE l 0 -1", "LTRIM l 0 -1", "LTRIM l -2 100",
        "LRANGE l 0 -1", "LTRIM l 5 1", "EXISTS l", "LTRIM none 0 1", "LTRIM none x 1",
        "RPUSH l a", "LTRIM l 0 x", "LTRIM l 1 1", "EXISTS l",
    ],
    "LREM": [
        "RPUSH l a b a 1 a 01 1 a", "LREM l 1 a", "LRANGE l 0 -1", "LREM l -1 a", "LRANGE l 0 -1",
        "LREM l 0 1", "LRANGE l 0 -1", "LREM l 0 nope", "LREM l 0 a", "LREM l 10 01", "LREM l -2 b",
        "EXISTS l", "LREM none 0 a", "LREM none x a", "RPUSH l z z", "LREM l x z",
        "LREM l -9223372036854775807 z", "EXISTS l",
    ],
    "LPOS": [
        "RPUSH l a b c 1 2 3 c c", "LPOS l c", "LPOS l c RANK 2", "LPOS l c RANK -1",
        "LPOS l c COUNT 2", "LPOS l c COUNT 0", "LPOS l c RANK -1 COUNT 2", "LPOS l c RANK 2 COUNT 0",
        "LPOS l nope", "LPOS l nope COUNT 1", "LPOS none c", "LPOS none c COUNT 1", "LPOS l 1",
        "LPOS l 01", "LPOS l c MAXLEN 2", "LPOS l c MAXLEN 3", "LPOS l c COUNT 0 MAXLEN 7",
        "LPOS l c RANK -1 COUNT 0 MAXLEN 2", "LPOS l c RANK 4", "LPOS l c RANK -4 COUNT 1",
        "LPOS l c COUNT -1", "LPOS l c MAXLEN -1", "LPOS l c RANK x", "LPOS l c RANK 0", "LPOS l c RANK", "LPOS l c FOO 1",
        "LPOS l c COUNT 1 COUNT 0", "LPOS none c COUNT x", "LPOS l c MAXLEN 0",
    ],
    "moving": [
        "RPUSH a 1 2 3 4", "RPOPLPUSH a b", "RPOPLPUSH a b", "LRANGE b 0 -1", "RPOPLPUSH none b",
        "RPOPLPUSH a a", "LRANGE a 0 -1", "LMOVE a b LEFT RIGHT", "LMOVE a b right left",
        "EXISTS a", "LRANGE b 0 -1", "LMOVE b b LEFT RIGHT", "LRANGE b 0 -1", "LMOVE b b LEFT LEFT",
        "LMOVE b c UP LEFT", "LMOVE b c LEFT DOWN", "LMOVE none c UP LEFT", "LMOVE none c LEFT LEFT",
        "RPUSH one x", "RPOPLPUSH one one", "LRANGE one 0 -1", "RPOPLPUSH one two", "EXISTS one",
    ],
    "blocking commands that need not wait": [
        "RPUSH a 1 2 3", "BLPOP none a 0", "BRPOP a none 0.5", "BLPOP a a 0", "EXISTS a",
        "RPUSH a 1 2 3", "BRPOPLPUSH a b 0", "BLMOVE a b LEFT RIGHT 0", "LRANGE b 0 -1",
        "BLPOP a x", "BLPOP a -1", "BRPOPLPUSH a b x", "BLMOVE a b LEFT UP 0",
        "BLMOVE a b LEFT LEFT -1", "SET s x", "BLPOP s a 0", "BLPOP a s 0", "BLPOP none2 s 0",
    ],
    "blocking commands time out": [
        "BLPOP none 0.01", "BRPOP none other 0.01", "BRPOPLPUSH none b 0.01",
        "BLMOVE none b LEFT LEFT 0.01",
    ],
    "blocking commands in a transaction don't wait": [
        "MULTI", "BLPOP none 0", "BRPOP none 0", "BRPOPLPUSH none b 0", "BLMOVE none b LEFT LEFT 0",
        "EXEC",
    ],
    "RESP3": [
        {"command": "HELLO 3", "compare": "none"}, "LPOP none", "LPOP none 1", "LINDEX none 0",
        "LRANGE none 0 -1", "LPOS none a", "RPUSH l a", "LPOS l b", "LPOS l b COUNT 1",
        "BLPOP none 0.01", "BRPOPLPUSH none b 0.01", "RPOPLPUSH none b",
    ],
    "elements of every size": [
        ("RPUSH", "l", "x" * 63, "x" * 64, "y" * 4095, "y" * 4096, "z" * 20000, "", "0", "-0"),
        "LRANGE l 0 -1", ("LINSERT", "l", "BEFORE", "z" * 20000, "w" * 9000), "LRANGE l 0 -1",
        ("LSET", "l", "1", "v" * 10000), ("LSET", "l", "-1", "v" * 100000), "LRANGE l 0 -1",
        ("LREM", "l", "0", "z" * 20000), ("LPOS", "l", "v" * 10000), "LLEN l", "LTRIM l 1 -2",
        "LRANGE l 0 -1",
    ],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_row(pair, row):
    pair.run(row)


def element(rng):
    kind = rng.randrange(8)
    if kind < 3:
        return rng.choice(["a", "b", "c", "dd", "1", "01"])
    if kind == 3:
        return str(rng.randrange(-300, 300))
    if kind == 4:
        return str(rng.randrange(-2**63, 2**63) >> rng.randrange(62))
    if kind == 5:
        return "x" * rng.choice([0, 1, 60, 63, 64, 70, 127, 128])
    if kind == 6:
        return "y%d" % rng.randrange(1000)
    return "z" * rng.choice([200, 3000, 4095, 4096, 9000])


def request(rng):
    key = rng.choice(["k1", "k2", "k3"])
    other = rng.choice(["k1", "k2", "k3"])
    end = lambda: rng.choice(["LEFT", "RIGHT"])  # noqa: E731
    index = lambda: str(rng.randrange(-30, 30))  # noqa: E731
    some = [element(rng) for _ in range(rng.randrange(1, 6))]
    return rng.choice([
        lambda: ("LPUSH", key, *some), lambda: ("RPUSH", key, *some),
        lambda: ("LPUSH", key, *some), lambda: ("RPUSH", key, *some),
        lambda: ("LPUSHX", key, *some), lambda: ("LPOP", key), lambda: ("RPOP", key),
        lambda: ("LPOP", key, str(rng.randrange(4))), lambda: ("RPOP", key, str(rng.randrange(4))),
        lambda: ("LLEN", key), lambda: ("LINDEX", key, index()),
        lambda: ("LSET", key, index(), element(rng)),
        lambda: ("LINSERT", key, rng.choice(["BEFORE", "AFTER"]), element(rng), element(rng)),
        lambda: ("LRANGE", key, index(), index()),
        lambda: ("LTRIM", key, str(rng.randrange(-30, 3)), str(rng.choice([-1, -1, -1, -2, 20]))),
        lambda: ("LREM", key, str(rng.randrange(-3, 4)), element(rng)),
        lambda: ("LPOS", key, element(rng), "RANK", rng.choice(["1", "2", "-1", "-2"]), "COUNT", "0"),
        lambda: ("LMOVE", key, other, end(), end()), lambda: ("RPOPLPUSH", key, other),
        lambda: ("BLMOVE", key, key, end(), end(), "0.001"),
    ])()


@pytest.mark.parametrize("limit", [-2, -1, 1, 4, 128])
def test_random_sequences(pair, limit):
    pair.config("list-max-ziplist-size", limit)
    rng = random.Random(limit)
    shown = [("LRANGE", key, "0", "-1") for key in ("k1", "k2", "k3")]
    pair.sequence(*([request(rng) for _ in range(1500)] + shown for _ in range(4)))


def test_a_long_list_is_exchanged(pair):
    rng = random.Random(7)
    pair.sequence([("RPUSH", "l", element(rng)) for _ in range(800)])


# Waiting.

@pytest.mark.parametrize("wait, then, after", [
    ("BLPOP q 0", "RPUSH q a b", "LRANGE q 0 -1"),
    ("BRPOP q 0", "RPUSH q a b", "LRANGE q 0 -1"),
    ("BLPOP x q y 0", "LPUSH q a", "EXISTS q"),
    ("BRPOPLPUSH q d 0", "RPUSH q a b", "LRANGE d 0 -1"),
    ("BLMOVE q d LEFT RIGHT 0", "RPUSH q a b", "LRANGE d 0 -1"),
    ("BRPOPLPUSH q q 0", "RPUSH q a b", "LRANGE q 0 -1"),
])
def test_a_push_serves_who_waits(pair, wait, then, after):
    pair.send(wait)
    pair.blocked(1)
    pair.second(then)
    pair.receive()
    pair.second(after)
    pair.digest()


def test_those_who_wait_are_served_in_their_order(pair):
    for number in range(2, 6):
        pair.send("BLPOP q 0", connection=number)
        pair.blocked(number - 1)
    pair.second("RPUSH q a b c")
    for number in range(2, 5):
        pair.receive(number)
    pair.second("RPUSH q d e")
    pair.receive(5)
    pair.second("LRANGE q 0 -1")


def test_a_chain_of_waiting_moves(pair):
    pair.send("BRPOPLPUSH a b 0", connection=2)
    pair.blocked(1)
    pair.send("BRPOPLPUSH b c 0", connection=3)
    pair.blocked(2)
    pair.second("RPUSH a x")
    pair.receive(2)
    pair.receive(3)
    for key in "abc":
        pair.second(f"LRANGE {key} 0 -1")


def test_another_type_does_not_wake(pair):
    pair.send("BLPOP q 0", connection=2)
    pair.blocked(1)
    pair.second("SADD q x")
    pair.second("DEL q")
    pair.second("RPUSH q y")
    pair.receive(2)


def test_a_wrong_target_ends_the_wait(pair):
    pair.call("SET d x")
    pair.send("BRPOPLPUSH q d 0", connection=2)
    pair.blocked(1)
    pair.second("RPUSH q y")
    pair.receive(2)
    pair.second("LRANGE q 0 -1")


def test_a_transaction_serves_at_its_end(pair):
    pair.send("BLPOP q 0", connection=2)
    pair.blocked(1)
    for command in ("MULTI", "RPUSH q a b", "DEL q", "RPUSH q c", "EXEC"):
        pair.second(command)
    pair.receive(2)
    pair.second("EXISTS q")


def test_keys_are_served_in_the_order_in_which_they_became_ready(pair):
    pair.send("BLPOP a b c 0", connection=2)
    pair.blocked(1)
    for command in ("MULTI", "RPUSH b 1", "RPUSH a 2", "RPUSH c 3", "EXEC"):
        pair.second(command)
    pair.receive(2)
    for key in "abc":
        pair.second(f"LRANGE {key} 0 -1")


def test_events(pair):
    pair.config("notify-keyspace-events", "KEA")
    pair.call("PSUBSCRIBE __key*__:*", connection=2)
    for command in ("RPUSH l a b c", "LPUSHX l z", "LSET l 0 y", "LINSERT l BEFORE a x", "LPOP l",
                    "RPOP l 2", "LTRIM l 0 0", "LREM l 0 x", "RPUSH l a", "LMOVE l m LEFT RIGHT",
                    "RPOPLPUSH m m", "LTRIM m 1 0", "RPUSH l 1 2", "BLPOP l 0", "BRPOPLPUSH l m 0"):
        pair.call(command)
    pair.call("PUBLISH end x")
    pair.call("SET end x")
    while True:
        if pair.message(2)[-1] == b"end":
            break
