# SPDX-License-Identifier: BSD-3-Clause
"""Hashes: every reply equal to a stock Redis's, by rows and by random sequences in both forms."""

import random

import pytest


def exact(command):
    """A small hash keeps its order, so that even HGETALL is compared as it is."""
    return {"command": command, "compare": "exact"}


ROWS = {
    "HSET and HGET": [
        "HSET h a 1 b 2", "HSET h a 3 c 4", "HGET h a", "HGET h b", "HGET h nope", "HGET none a",
        "HMSET h x y", "HLEN h", "OBJECT ENCODING h", "TYPE h", exact("HGETALL h"),
        exact("HKEYS h"), exact("HVALS h"), "HSET h a", "HMSET h a", "HGET h",
        "HSET h 1 01", "HSET h 01 1", exact("HGETALL h"),
    ],
    "an odd number of words": ["HSET h a 1 b", "HMSET h a 1 b", "EXISTS h"],
    "wrong types": [
        "SET s x", "HSET s a 1", "HMSET s a 1", "HSETNX s a 1", "HGET s a", "HMGET s a b", "HDEL s a",
        "HLEN s", "HSTRLEN s a", "HEXISTS s a", "HKEYS s", "HVALS s", "HGETALL s", "HINCRBY s a 1",
        "HINCRBYFLOAT s a 1", "HSCAN s 0", "HRANDFIELD s", "HRANDFIELD s 1", "HINCRBY s a x",
    ],
    "missing keys": [
        "HMGET none a b", "HDEL none a", "HLEN none", "HSTRLEN none a", "HEXISTS none a",
        exact("HKEYS none"), exact("HVALS none"), exact("HGETALL none"), exact("HSCAN none 0"),
        "HSCAN none x", "HSCAN none 0 FOO", "HRANDFIELD none", "HRANDFIELD none 1",
        "HRANDFIELD none -1 WITHVALUES", "HRANDFIELD none 1 FOO", "HRANDFIELD none x",
    ],
    "HSETNX": [
        "HSETNX h a 1", "HSETNX h a 2", "HGET h a", "HSETNX h b 2", "HLEN h",
    ],
    "HDEL removes the key with the last field": [
        "HSET h a 1 b 2 c 3", "HDEL h a nope b", "HDEL h c d", "EXISTS h", "HDEL h a",
    ],
    "HMGET, HEXISTS, HSTRLEN": [
        "HSET h a hello b 12345 c -1", "HMGET h a nope b c", "HEXISTS h a", "HEXISTS h x",
        "HSTRLEN h a", "HSTRLEN h b", "HSTRLEN h c", "HSTRLEN h x", "HMGET h",
    ],
    "HINCRBY": [
        "HINCRBY h n 5", "HINCRBY h n -7", "HGET h n", "HSET h t text e '' s ' 1'", "HINCRBY h t 1",
        "HINCRBY h e 1", "HINCRBY h s 1", "HINCRBY h n x", "HINCRBY h n 1.5", "HINCRBY none n x",
        "EXISTS none", "HSET h big 9223372036854775807", "HINCRBY h big 1", "HINCRBY h big -1",
        "HINCRBY h big -9223372036854775808", "HINCRBY h big -9223372036854775808", "HGET h big",
        "HSET h z 01", "HINCRBY h z 1", "HINCRBY none n 9223372036854775808",
    ],
    "HINCRBYFLOAT": [
        "HINCRBYFLOAT h n 10.5", "HINCRBYFLOAT h n 0.1", "HINCRBYFLOAT h n -10.6", "HGET h n",
        "HSET h t text e ''", "HINCRBYFLOAT h t 1", "HINCRBYFLOAT h n x", "HINCRBYFLOAT h e 1",
        "HINCRBYFLOAT h n 5.0e3", "HINCRBYFLOAT h m 3", "HINCRBYFLOAT h m 1e17",
        "HSET h exp 5.0e3", "HINCRBYFLOAT h exp 200", "HINCRBYFLOAT h p 0.00000001",
        "HINCRBYFLOAT h q 3.14159265358979323846", "HINCRBYFLOAT h i inf", "HINCRBYFLOAT h i nan",
        "HINCRBYFLOAT h i ' 1'", "EXISTS h", "HGET h i", "HINCRBYFLOAT h l 1e4000",
    ],
    "encodings by the number of fields": [
        ("HSET", "h", *[str(i) for i in range(1024)]), "OBJECT ENCODING h", "HLEN h",
        "HSET h one more", "OBJECT ENCODING h", "HGET h 0", "HGET h one", "HDEL h one",
        "OBJECT ENCODING h", "HGETALL h", "HKEYS h", "HVALS h", "HGET h 1022", "HSTRLEN h 1022",
    ],
    "encodings by length": [
        ("HSET", "a", "f", "x" * 64), "OBJECT ENCODING a", ("HSET", "a", "g", "x" * 65),
        "OBJECT ENCODING a", ("HSET", "b", "x" * 65, "v"), "OBJECT ENCODING b",
        ("HSETNX", "c", "f", "x" * 65), "OBJECT ENCODING c", ("HINCRBY", "d", "y" * 65, "1"),
        "OBJECT ENCODING d", ("HINCRBYFLOAT", "e", "y" * 65, "1"), "OBJECT ENCODING e",
        "HGETALL a", "HGETALL b", "HGETALL d",
    ],
    "large fields and values": [
        ("HSET", "h", "f", "x" * 254, "g", "x" * 255, "y" * 254, "1", "z" * 300, "w" * 100000),
        "HGETALL h", ("HSET", "h", "f", "x" * 255, "z" * 300, ""), "HGETALL h", "HSTRLEN h f",
    ],
    "HSCAN": [
        "HSET h a 1 b 2 ab 3", exact("HSCAN h 0"), exact("HSCAN h 0 MATCH a*"),
        exact("HSCAN h 0 COUNT 1"), exact("HSCAN h 0 COUNT 1 MATCH nope"), "HSCAN h x", "HSCAN h 0 COUNT",
        "HSCAN h 0 COUNT 0", "HSCAN h 0 COUNT x", "HSCAN h 0 FOO 1", exact("HSCAN h 5"), "HSCAN h",
        "HSCAN h -1", "HSCAN h 18446744073709551616",
    ],
    "HRANDFIELD": [
        "HSET h a 1", "HRANDFIELD h", exact("HRANDFIELD h 1"), exact("HRANDFIELD h -3"),
        exact("HRANDFIELD h 5 WITHVALUES"), exact("HRANDFIELD h -2 withvalues"),
        exact("HRANDFIELD h 0"), "HRANDFIELD h x", "HRANDFIELD h 1 FOO", "HRANDFIELD h 1 WITHVALUES x",
        "HRANDFIELD h 9223372036854775808", "HRANDFIELD h -9223372036854775808",
        "HRANDFIELD h 9223372036854775807 WITHVALUES", "HRANDFIELD h 4611686018427387903 WITHVALUES",
        "HSET h b 2 c 3", {"command": "HRANDFIELD h 10", "compare": "set"},
        {"command": "HRANDFIELD h 3 WITHVALUES", "compare": "pairs"},
    ],
    "RESP3": [
        {"command": "HELLO 3", "compare": "none"}, "HSET h a 1", exact("HGETALL h"),
        exact("HGETALL none"), exact("HKEYS h"), exact("HVALS h"), "HGET h x", "HMGET h a x",
        "HRANDFIELD h", exact("HRANDFIELD h 1 WITHVALUES"), exact("HRANDFIELD h -2 WITHVALUES"),
        "HRANDFIELD none", "HINCRBYFLOAT h a 1.5",
    ],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_row(pair, row):
    pair.run(row)


def word(rng):
    kind = rng.randrange(6)
    if kind < 2:
        return "f%d" % rng.randrange(20)
    if kind == 2:
        return str(rng.randrange(-200, 200))
    if kind == 3:
        return str(rng.randrange(-2**63, 2**63) >> rng.randrange(62))
    if kind == 4:
        return "x" * rng.choice([0, 1, 10, 63, 64])
    return "y" * rng.choice([64, 65, 254, 255, 300, 5000]) if rng.random() < 0.05 else "small"


def request(rng):
    key = rng.choice(["k1", "k2", "k3", "k4"])
    pairs = [word(rng) for _ in range(2 * rng.randrange(1, 5))]
    return rng.choice([
        lambda: ("HSET", key, *pairs), lambda: ("HSET", key, *pairs), lambda: ("HMSET", key, *pairs),
        lambda: ("HSETNX", key, word(rng), word(rng)), lambda: ("HGET", key, word(rng)),
        lambda: ("HMGET", key, *pairs), lambda: ("HDEL", key, word(rng)),
        lambda: ("HDEL", key, *pairs), lambda: ("HLEN", key), lambda: ("HSTRLEN", key, word(rng)),
        lambda: ("HEXISTS", key, word(rng)), lambda: ("HINCRBY", key, word(rng), str(rng.randrange(-9, 9))),
        lambda: ("HINCRBYFLOAT", key, word(rng), str(rng.randrange(-90, 90) / 8)),
        lambda: ("HGETALL", key), lambda: ("HKEYS", key), lambda: ("HVALS", key),
        lambda: ("OBJECT", "ENCODING", key),
    ])()


@pytest.mark.parametrize("entries", [512, 8, 0])
def test_random_sequences(pair, entries):
    pair.config("hash-max-ziplist-entries", entries)
    rng = random.Random(entries)
    pair.sequence(*([request(rng) for _ in range(1500)] for _ in range(4)))


def test_hscan_gives_each_field_while_the_table_changes(pair):
    ours = pair.clients()[0]
    for i in range(3000):
        ours.call("HSET", "h", f"field{i}", str(i))
    seen, cursor, step = {}, b"0", 0
    while True:
        cursor, flat = ours.call("HSCAN", "h", cursor, "COUNT", "50")
        seen.update(zip(flat[::2], flat[1::2]))
        if cursor == b"0":
            break
        # Others come and go, so that the table grows and shrinks meanwhile.
        for i in range(60):
            ours.call(*(("HSET", "h", f"new{step}-{i}", "x") if step < 40 else
                        ("HDEL", "h", f"new{step - 40}-{i}")))
        step += 1
    assert {f"field{i}".encode() for i in range(3000)} <= set(seen)
    assert all(seen[f"field{i}".encode()] == str(i).encode() for i in range(3000))


def test_hrandfield_draws_different_fields(pair):
    ours = pair.clients()[0]
    for count in (5, 600):
        ours.call("DEL", "h")
        for i in range(count):
            ours.call("HSET", "h", f"f{i}", str(i))
        for wanted in (1, 3, count // 2, count - 1, count, count + 5):
            fields = ours.call("HRANDFIELD", "h", str(wanted))
            assert len(set(fields)) == len(fields) == min(wanted, count)
            flat = ours.call("HRANDFIELD", "h", str(-wanted), "WITHVALUES")
            assert len(flat) == 2 * wanted
            assert all(field == b"f" + value for field, value in zip(flat[::2], flat[1::2]))
        assert len({ours.call("HRANDFIELD", "h") for _ in range(2000)}) > min(count, 400) * 0.9


def test_events(pair):
    pair.config("notify-keyspace-events", "KEA")
    pair.call("PSUBSCRIBE __key*__:*", connection=2)
    for command in ("HSET h a 1 b 2", "HMSET h c 3", "HSETNX h d 4", "HSETNX h d 5", "HINCRBY h a 1",
                    "HINCRBYFLOAT h a 1.5", "HDEL h nope", "HDEL h a b", "HDEL h c d", "SET end x"):
        pair.call(command)
    while True:
        if pair.message(2)[-1] == b"end":
            break
