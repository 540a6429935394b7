# SPDX-License-Identifier: BSD-3-Clause
"""A data set of every type and encoding, the same for the same seed.

Only commands that Redis 6.0 has. Expiries are absolute and far away, so that two servers that got
the same commands at different times hold the same.
"""

import random

from .resp import ReplyError

# 2100-01-01, in ms: no test lives that long.
FAR = 4102444800000


def fill_all_types(client, n=200, seed=1, databases=(0, 1, 9, 15)):
    """About `n` keys spread over the databases, plus one big value of each type in the first."""
    requests = []
    share = max(1, n // len(databases))
    for number, database in enumerate(databases):
        requests.append(("SELECT", database))
        source = random.Random(seed * 1000 + number)
        for index in range(share):
            requests += key_requests(source, index)
    requests.append(("SELECT", databases[0]))
    requests += big_requests(random.Random(seed))
    for start in range(0, len(requests), 1000):
        for request, reply in zip(requests[start:start + 1000],
                                  client.pipeline(requests[start:start + 1000])):
            if isinstance(reply, ReplyError):
                raise AssertionError(f"{request[:3]!r}: {reply}")
    return len(requests)


def text(source, low, high):
    return bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz0123456789 ", k=source.randint(low, high)))


def binary(source, low, high):
    return source.randbytes(source.randint(low, high))


def key_requests(source, index):
    """The commands that make one key; each tenth kind has an expiry."""
    kind = source.randrange(12)
    key = f"key:{kind}:{index}"
    made = MAKERS[kind](source, key)
    if source.random() < 0.25:
        made.append(("PEXPIREAT", key, FAR + source.randrange(10 ** 9)))
    return made


def _int(source, key):
    return [("SET", key, source.choice([0, -1, 127, 128, 32768, 2 ** 31, -2 ** 63, 2 ** 63 - 1,
                                        source.randrange(10 ** 6)]))]


def _short(source, key):
    return [("SET", key, text(source, 0, 44))]


def _raw(source, key):
    return [("SET", key, binary(source, 45, 2000))]


def _repeated(source, key):
    return [("SET", key, text(source, 5, 20) * source.randint(5, 60)),
            ("APPEND", key, b"\x00\xff")]


def _list(source, key):
    return [("RPUSH", key, *[text(source, 0, 40) for _ in range(source.randint(1, 50))]),
            ("LPUSH", key, source.randrange(10 ** 9))]


def _set_int(source, key):
    wide = source.choice([10 ** 3, 10 ** 6, 10 ** 12])
    return [("SADD", key, *[source.randrange(-wide, wide) for _ in range(source.randint(1, 60))])]


def _set(source, key):
    return [("SADD", key, *[text(source, 1, 20) for _ in range(source.randint(1, 60))])]


def _hash(source, key):
    pairs = []
    for number in range(source.randint(1, 40)):
        pairs += [f"f{number}", source.choice([text(source, 0, 30), source.randrange(10 ** 6)])]
    return [("HSET", key, *pairs)]


def _hash_long(source, key):
    return [("HSET", key, "long", binary(source, 65, 300), "", "", "n", -5)]


def _zset(source, key):
    pairs = []
    for number in range(source.randint(1, 60)):
        score = source.choice([number, -number, number / 7, source.random() * 1e10, 1e300])
        pairs += [repr(score), f"m{number}"]
    return [("ZADD", key, *pairs), ("ZADD", key, "-inf", "low", "+inf", "high")]


def _stream(source, key):
    made = []
    for number in range(1, source.randint(2, 30)):
        made.append(("XADD", key, f"{1000 + number}-{number}", "field", text(source, 0, 20),
                     "n", number))
    made.append(("XGROUP", "CREATE", key, "group", "0"))
    made.append(("XGROUP", "CREATE", key, "late", "1005-0"))
    return made


def _stream_deleted(source, key):
    made = _stream(source, key)
    return made + [("XDEL", key, "1001-1"), ("XADD", key, "9999-1", "last", binary(source, 1, 50))]


MAKERS = [_int, _short, _raw, _repeated, _list, _set_int, _set, _hash, _hash_long, _zset, _stream,
          _stream_deleted]


def big_requests(source):
    """One value of each type that is past every packing threshold."""
    made = [("SET", "big:string", source.randbytes(200_000)),
            ("SET", "big:zeros", b"\x00" * 100_000), ("SET", "empty", b""),
            ("SET", b"bin\x00\xff\r\n", bytes(range(256)))]
    for start in range(0, 3000, 500):
        block = range(start, start + 500)
        made.append(("RPUSH", "big:list", *[f"element {i} {'x' * (i % 90)}" for i in block]))
        made.append(("SADD", "big:set", *[f"member {i}" for i in block]))
        made.append(("SADD", "big:intset", *[i * 7919 for i in block]))
        made.append(("HSET", "big:hash", *[p for i in block for p in (f"f{i}", f"value {i}")]))
        made.append(("ZADD", "big:zset", *[p for i in block for p in (repr(i * 1.5 - 99), f"m{i}")]))
    for i in range(1, 1500):
        made.append(("XADD", "big:stream", f"{i}-0", "a", i, "b", f"text {i}"))
    made += [("XGROUP", "CREATE", "big:stream", "g1", "0"),
             ("XGROUP", "CREATE", "big:stream", "g2", "700-0")]
    return made


def write_some(client, prefix, n=200, seed=7):
    """String writes (and deletions) that any Redwing knows, for use during and after a sync."""
    source = random.Random(seed)
    requests = []
    for index in range(n):
        key = f"{prefix}:{source.randrange(n)}"
        action = source.randrange(6)
        if action == 0:
            requests.append(("DEL", key))
        elif action == 1:
            requests.append(("INCR", f"{prefix}:counter:{index % 5}"))
        elif action == 2:
            requests.append(("APPEND", key, text(source, 1, 30)))
        else:
            requests.append(("SET", key, binary(source, 0, 200)))
    for request, reply in zip(requests, client.pipeline(requests)):
        if isinstance(reply, ReplyError):
            raise AssertionError(f"{request!r}: {reply}")
