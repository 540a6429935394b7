# SPDX-License-Identifier: BSD-3-Clause
"""Sets: every reply equal to a stock Redis's, by rows and by random sequences."""

import random

import pytest

ROWS = {
    "SADD counts new members and makes an intset": [
        "SADD s 1 2 3", "SADD s 3 4", "SCARD s", "OBJECT ENCODING s", "SMEMBERS s",
    ],
    "a text makes a table of an intset": [
        "SADD s 1 2", "SADD s x", "OBJECT ENCODING s", "SISMEMBER s 1", "SISMEMBER s 01", "SMEMBERS s",
    ],
    "leading zeros and plus signs are text": [
        "SADD s 01 +1 1", "SCARD s", "OBJECT ENCODING s", "SMEMBERS s",
    ],
    "intsets grow to 8 bytes": [
        "SADD s 1 -32769 2147483648 9223372036854775807 -9223372036854775808", "OBJECT ENCODING s",
        "SMEMBERS s", "SREM s 9223372036854775807", "SISMEMBER s -32769", "SCARD s",
    ],
    "SREM removes the key with the last member": [
        "SADD s a b", "SREM s a x b c", "EXISTS s", "SREM s a", "SREM none a",
    ],
    "SMOVE": [
        "SADD a 1 2 x", "SADD b 3", "SMOVE a b x", "SMOVE a b x", "SMOVE a a 1", "SMOVE a a 9",
        "SMOVE none b 1", "SMOVE a c 1", "SMOVE a c 2", "EXISTS a", "SMEMBERS b", "SMEMBERS c",
        "SET str 1", "SMOVE str b 1", "SMOVE b str 3", "SMOVE none str 3",
    ],
    "SISMEMBER and SMISMEMBER": [
        "SADD s a 1", "SISMEMBER s a", "SISMEMBER s b", "SISMEMBER none a", "SMISMEMBER s a b 1",
        "SMISMEMBER none a b", "SET str 1", "SISMEMBER str a", "SMISMEMBER str a",
    ],
    "SPOP": [
        "SADD s a", "SPOP s", "SPOP s", "EXISTS s", "SADD s a b c", "SPOP s 0", "SPOP s 10", "EXISTS s",
        "SPOP s 1", "SPOP s 1 2", "SADD s 1 2 3", "SPOP s 2", "SCARD s", "DEL s",
        "SET str 1", "SPOP str", "SPOP str 2",
    ],
    "SRANDMEMBER": [
        "SADD s a b c", "SRANDMEMBER s", "SRANDMEMBER none", "SRANDMEMBER none 3",
        {"command": "SRANDMEMBER s 5", "compare": "set"}, "SRANDMEMBER s 0", "SRANDMEMBER s x",
        "SRANDMEMBER s 1 2", "SRANDMEMBER s -9223372036854775808", "SET str 1", "SRANDMEMBER str",
        "SRANDMEMBER str 1", "SADD one 1", "SRANDMEMBER one -3", "SRANDMEMBER one 2",
    ],
    "SINTER, SUNION, SDIFF": [
        "SADD a 1 2 3 x", "SADD b 2 3 4", "SADD c 3 x y", "SINTER a b c", "SUNION a b c", "SDIFF a b c",
        "SINTER a", "SUNION a", "SDIFF a", "SINTER a none", "SUNION a none", "SDIFF a none",
        "SDIFF none a", "SINTER none", "SUNION none", "SDIFF none", "SDIFF a a", "SET str 1",
        "SINTER a str", "SUNION a str", "SDIFF a str", "SDIFF none str",
    ],
    "the storing forms": [
        "SADD a 1 2 3", "SADD b 2 3 4", "SINTERSTORE r a b", "OBJECT ENCODING r", "SMEMBERS r",
        "SUNIONSTORE r a b", "SMEMBERS r", "SDIFFSTORE r a b", "SMEMBERS r", "SUNIONSTORE a a b",
        "SMEMBERS a", "SINTERSTORE r a none", "EXISTS r", "SET str 1", "SUNIONSTORE str a b", "TYPE str",
        "SDIFFSTORE str b b", "EXISTS str", "SET str 1", "SINTERSTORE r str a", "SUNIONSTORE r none",
    ],
    "SSCAN": [
        "SADD s 1 2 3", {"command": "SSCAN s 0", "compare": "exact"}, "SSCAN none 0", "SSCAN s x",
        "SSCAN s 0 COUNT", "SSCAN s 0 COUNT 0", "SSCAN s 0 COUNT x", "SSCAN s 0 FOO 1",
        {"command": "SSCAN s 0 MATCH 2*", "compare": "exact"},
        {"command": "SSCAN s 0 MATCH 2* COUNT 1", "compare": "exact"}, "SET str 1", "SSCAN str 0",
        "SSCAN none 0 FOO", "SSCAN s 0 TYPE set",
    ],
    "wrong arity": [
        "SADD s", "SREM s", "SMOVE a b", "SISMEMBER s", "SCARD", "SPOP", "SINTER", "SUNIONSTORE d",
        "SMISMEMBER s", "SSCAN s",
    ],
    "wrong type": ["SET str 1", "SADD str 1", "SREM str 1", "SCARD str", "SMEMBERS str"],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_rows(pair, row):
    pair.run(row)


def test_encodings_follow_the_limit(pair):
    pair.config("set-max-intset-entries", 4)
    pair.run(["SADD s 1 2 3 4", "OBJECT ENCODING s", "SADD s 4", "OBJECT ENCODING s", "SADD s 5",
              "OBJECT ENCODING s", "SREM s 5 4", "OBJECT ENCODING s", "SUNIONSTORE t s",
              "OBJECT ENCODING t"])


def test_replies_of_resp3(pair):
    pair.call("HELLO 3", compare="none")
    pair.run(["SADD s 1 2 x", "SMEMBERS s", "SINTER s s", "SUNION s none", "SDIFF none s", "SPOP s 0",
              "SPOP none", "SRANDMEMBER none", "SRANDMEMBER s 0", "SISMEMBER s 1", "SMISMEMBER s 1 2",
              {"command": "SRANDMEMBER s 5", "compare": "set"}, "SSCAN none 0"])


def test_scan_gives_every_member_of_a_growing_set(pair):
    pair.each(("SADD", "s", *[f"m{i}" for i in range(1000)]))
    client = pair.clients()[0]
    seen, cursor, extra = set(), b"0", 0
    while True:
        cursor, members = client.call("SSCAN", "s", cursor, "COUNT", 20)
        seen.update(members)
        client.call("SADD", "s", *[f"x{extra + i}" for i in range(50)])
        client.call("SREM", "s", *[f"x{extra + i}" for i in range(0, 50, 2)])
        extra += 50
        if cursor in (b"0", "0"):
            break
    have = {one if isinstance(one, bytes) else one.encode() for one in seen}
    assert {b"m%d" % i for i in range(1000)} <= have


def test_popped_members_are_gone(pair):
    client = pair.clients()[0]
    client.call("SADD", "s", *range(700))
    left = 700
    for count in (1, 5, 100, 300, 200):
        popped = client.call("SPOP", "s", count)
        left -= len(popped)
        assert len(set(popped)) == count and client.call("SCARD", "s") == left
        assert client.call("SMISMEMBER", "s", *popped) == [0] * count
    assert len(client.call("SPOP", "s", 1000)) == left and client.call("EXISTS", "s") == 0
    client.call("SADD", "s", *range(100))
    for count in (1, 10, 60, 100, 200):
        assert len(set(client.call("SRANDMEMBER", "s", count))) == min(count, 100)
        assert len(client.call("SRANDMEMBER", "s", -count)) == count


def random_sets(seed, count):
    rng = random.Random(seed)
    keys = ["a", "b", "c", "d"]

    def member():
        kind = rng.randrange(4)
        if kind == 0:
            return str(rng.randrange(40))
        if kind == 1:
            return str(rng.randrange(-2 ** 40, 2 ** 40))
        return "m" * rng.choice([1, 1, 300]) + str(rng.randrange(30))

    def members():
        return [member() for _ in range(rng.randrange(1, 6))]

    def key():
        return rng.choice(keys)

    def keys_of():
        return [key() for _ in range(rng.randrange(1, 4))]
    makers = [
        lambda: ("SADD", key(), *members()), lambda: ("SADD", key(), rng.randrange(1000)),
        lambda: ("SADD", key(), *[rng.randrange(5000) for _ in range(80)]),
        lambda: ("SREM", key(), *members()), lambda: ("SMOVE", key(), key(), member()),
        lambda: ("SISMEMBER", key(), member()), lambda: ("SMISMEMBER", key(), *members()),
        lambda: ("SCARD", key()), lambda: ("SMEMBERS", key()), lambda: ("SINTER", *keys_of()),
        lambda: ("SUNION", *keys_of()), lambda: ("SDIFF", *keys_of()),
        lambda: ("SINTERSTORE", key(), *keys_of()), lambda: ("SUNIONSTORE", key(), *keys_of()),
        lambda: ("SDIFFSTORE", key(), *keys_of()), lambda: ("OBJECT", "ENCODING", key()),
        lambda: ("DEL", key()) if rng.random() < 0.2 else ("SCARD", key()),
    ]
    return [rng.choice(makers)() for _ in range(count)]


@pytest.mark.parametrize("seed", range(6))
def test_random_sequences(pair, seed):
    if seed % 2:
        pair.config("set-max-intset-entries", 8)
    pair.sequence(*(random_sets(seed * 100 + part, 300) for part in range(5)))
