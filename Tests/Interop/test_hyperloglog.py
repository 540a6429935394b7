# SPDX-License-Identifier: BSD-3-Clause
"""HyperLogLog against a stock redis-server: counts, and the very bytes in the string."""

import random

import pytest

ROWS = {
    "PFADD and PFCOUNT": ["PFADD h a b c", "PFCOUNT h", "PFADD h a", "PFADD h d", "GET h", "PFCOUNT h",
                          "PFADD e", "PFADD e", "PFCOUNT e", "PFCOUNT none", "PFCOUNT h e none",
                          "OBJECT ENCODING h", "GET e"],
    "wrong values": ["SET s abc", "PFADD s a", "PFCOUNT s", "PFMERGE s h", "LPUSH l a", "PFADD l a",
                     "PFCOUNT l", "PFMERGE d s", ("SET", "x", b"HYLL\x01" + bytes(11)), "PFADD x a",
                     "PFCOUNT x", ("SET", "y", b"HYLL\x00" + bytes(11)), "PFADD y a",
                     ("SET", "z", b"HYLL\x01" + bytes(11) + b"\x7f\xff\x00"), "PFADD z a",
                     "PFMERGE d z", "SET i 12345678901234567", "PFADD i a"],
    "PFMERGE": ["PFADD a 1 2 3", "PFADD b 3 4 5", "PFMERGE c a b", "GET c", "PFCOUNT c", "PFMERGE a",
                "PFMERGE d none", "GET d", "PFDEBUG TODENSE b", "PFMERGE a b", "GET a", "STRLEN a"],
    "PFDEBUG": ["PFADD h a b c d e f g", "PFDEBUG DECODE h", "PFDEBUG ENCODING h", "PFDEBUG GETREG h",
                "PFDEBUG ENCODING h", "PFDEBUG DECODE h", "PFDEBUG TODENSE h", "PFDEBUG FOO h",
                "PFDEBUG ENCODING none", "GET h", "PFSELFTEST"],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_hyperloglog(pair, row):
    pair.run(row)


@pytest.mark.parametrize("seed", range(3))
def test_random_elements_give_the_same_bytes(pair, seed):
    choices = random.Random(seed)
    span = [50, 3000, 100000][seed]

    def one():
        key = f"h{choices.randrange(4)}"
        return choices.choice([
            ("PFADD", key, *[choices.randrange(span) for _ in range(choices.randrange(6))]),
            ("PFADD", key, *["e%d" % choices.randrange(span) for _ in range(20)]),
            ("PFCOUNT", key), ("GET", key), ("PFCOUNT", "h0", "h1", "h2"),
            ("PFMERGE", f"m{choices.randrange(2)}", "h0", key), ("GET", "m0"),
        ])

    pair.sequence(*([one() for _ in range(400)] for _ in range(3)))
