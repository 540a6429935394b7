# SPDX-License-Identifier: BSD-3-Clause
"""Strings and bits against a stock redis-server: tables of rows, then random sequences."""

import random

import pytest

ROWS = {
    "a bitfield that overflows is as long as its steps need": [
        "SET k abc", "BITFIELD k OVERFLOW FAIL INCRBY i9 19 19000057", "STRLEN k",
        "BITFIELD new OVERFLOW FAIL SET u1 30 9", "STRLEN new"],
    "SET and GET": ["SET k v", "GET k", "GET none", "SET k 12", "OBJECT ENCODING k", "STRLEN k"],
    "SET NX and XX": ["SET k v NX", "SET k w NX", "GET k", "SET k x XX", "SET n x XX", "GET n"],
    "SET GET": ["SET k 1 GET", "SET k 2 GET", "SET k 3 XX GET", "SET n 3 XX GET", "LPUSH l a",
                "SET l x GET"],
    "SET with expiry": ["SET k v EX 100", "TTL k", "SET k v PX 100000", "PTTL k", "SET k w KEEPTTL",
                        "TTL k", "SET k v", "TTL k", "SET k v EXAT 33177117420", "EXPIRETIME k",
                        "SET k v PXAT 33177117420000", "PEXPIRETIME k"],
    "SET refuses": ["SET k v EX 0", "SET k v EX -1", "SET k v EX x", "SET k v EX",
                    "SET k v NX XX", "SET k v EX 1 PX 1", "SET k v KEEPTTL EX 1", "SET k v FOO",
                    "SET k v EX 9223372036854775807", "SET k v PX 9223372036854775807", "SET k",
                    "SET k v EX 1 KEEPTTL"],
    "SETEX, PSETEX, SETNX": ["SETEX k 100 v", "TTL k", "PSETEX k 100000 v", "TTL k", "SETEX k 0 v",
                             "PSETEX k -5 v", "SETEX k x v", "SETNX k v", "SETNX n v", "GET n"],
    "GETSET, GETDEL, GETEX": ["GETSET k v", "GETSET k w", "GETDEL k", "GETDEL k", "SET k v EX 100",
                              "GETEX k", "TTL k", "GETEX k PERSIST", "TTL k", "GETEX k EX 100",
                              "TTL k", "GETEX k EX 0", "GETEX k FOO", "GETEX k EX",
                              "GETEX k PXAT 1", "EXISTS k", "GETEX none EX 10", "LPUSH l a",
                              "GETEX l", "GETDEL l", "GETSET l x"],
    "GETEX's options": ["SET k v", "GETEX k EX 10 EX 200", "TTL k", "GETEX k PX 10 PX 900000", "TTL k",
                        "GETEX k EX 10 PX 10", "GETEX k EX 10 EXAT 10", "GETEX k EX 10 PERSIST", "GETEX k PERSIST EX 10",
                        "GETEX k PERSIST PERSIST", "TTL k", "GETEX k EX x EX 10", "GETEX k EX 10 EX x", "GETEX k EX 10 EX",
                        "GETEX k KEEPTTL", "GETEX k NX", "TTL k", "GETEX none EX x", "GETEX none EX 0", "GETEX none EX",
                        "GETEX none x", "LPUSH l a", "GETEX l EX x", "GETEX l EX 0", "GETEX l PERSIST x"],
    "many at once": ["MSET a 1 b 2", "MGET a b c", "MSETNX c 1 a 2", "MSETNX c 1 d 2", "MGET a b c d",
                     "LPUSH l x", "MGET a l", "MSET l 1", "GET l"],
    "APPEND": ["APPEND k abc", "APPEND k def", "GET k", "OBJECT ENCODING k", "SET n 12",
               "APPEND n 3", "GET n", "OBJECT ENCODING n", "APPEND m 12", "OBJECT ENCODING m",
               ("APPEND", "k", b"\x00\xff"), "GET k", "LPUSH l a", "APPEND l x"],
    "SETRANGE": ["SETRANGE k 5 abc", "GET k", "SETRANGE k 0 xy", "GET k", "SETRANGE n 0 ''",
                 "EXISTS n", "SETRANGE k 100 ''", "SETRANGE k -1 x", "SETRANGE k 536870912 x",
                 "SETRANGE k x x", "SET i 1234", "SETRANGE i 1 x", "GET i",
                 "SETRANGE k 9223372036854775807 x"],
    "GETRANGE": ["SET k 'This is a string'", "GETRANGE k 0 3", "GETRANGE k -3 -1", "GETRANGE k 0 -1",
                 "GETRANGE k 10 100", "GETRANGE k 5 3", "GETRANGE k -1 -5", "GETRANGE none 0 -1",
                 "SUBSTR k 1 2", "SET n 12345", "GETRANGE n 1 2", "GETRANGE k a 1",
                 "GETRANGE k -100 2", "GETRANGE k -100 -90",
                 "GETRANGE k -9223372036854775808 9223372036854775807"],
    "numbers": ["INCR n", "INCRBY n 10", "DECR n", "DECRBY n 20", "GET n", "INCRBY n x",
                "SET s abc", "INCR s", "SET m 9223372036854775807", "INCR m",
                "DECRBY n -9223372036854775808", "SET sp ' 1'", "INCR sp", "SET z 01", "INCR z",
                "SET l -9223372036854775808", "DECR l", "OBJECT ENCODING n", "LPUSH q a", "INCR q",
                "SET e 5 EX 100", "INCR e", "TTL e"],
    "INCRBYFLOAT": ["INCRBYFLOAT f 10.5", "INCRBYFLOAT f 0.1", "INCRBYFLOAT f -5", "GET f",
                    "SET i 3", "INCRBYFLOAT i 1", "OBJECT ENCODING i", "INCRBYFLOAT i 1.5e3",
                    "INCRBYFLOAT i x", "SET s abc", "INCRBYFLOAT s 1", "INCRBYFLOAT i inf",
                    "SET b 5.0e3", "INCRBYFLOAT b 200", "INCRBYFLOAT c 3.0e-7"],
    "encodings": ["SET a 44444444444444444444444444444444444444444444", "OBJECT ENCODING a",
                  "SET a 444444444444444444444444444444444444444444445", "OBJECT ENCODING a",
                  "SET a 9223372036854775807", "OBJECT ENCODING a", "SET a 9223372036854775808",
                  "OBJECT ENCODING a", "SET a -1", "OBJECT ENCODING a", "SET a 5",
                  "OBJECT REFCOUNT a", "SET a 10000", "OBJECT REFCOUNT a",
                  ("SET", "x" * 3000, "short"), ("OBJECT", "ENCODING", "x" * 3000),
                  ("APPEND", "x" * 3000, "more"), ("GET", "x" * 3000)],
    "SETBIT and GETBIT": ["SETBIT k 7 1", "GET k", "SETBIT k 7 0", "GETBIT k 7", "GETBIT k 100",
                          "SETBIT k 100 1", "STRLEN k", "GETBIT k 100", "SETBIT k -1 1",
                          "SETBIT k 4294967296 1", "SETBIT k 1 2", "SETBIT k x 1", "GETBIT none 3",
                          "SET n 12", "SETBIT n 30 1", "GET n", "LPUSH l a", "SETBIT l 1 1",
                          "GETBIT l 1", "OBJECT ENCODING k"],
    "BITCOUNT": ["SET k foobar", "BITCOUNT k", "BITCOUNT k 0 0", "BITCOUNT k 1 1", "BITCOUNT k -2 -1",
                 "BITCOUNT k 5 30", "BITCOUNT k -1 -3", "BITCOUNT none", "BITCOUNT k 5 3",
                 "BITCOUNT k 1", "BITCOUNT k a b", "BITCOUNT k 5 30 BIT", "BITCOUNT k 0 -1 BYTE",
                 "BITCOUNT k 0 -1 X", "SET n 7", "BITCOUNT n", "BITCOUNT k -100 -50"],
    "BITPOS": [("SET", "k", b"\xff\xf0\x00"), "BITPOS k 0", "BITPOS k 1", "BITPOS k 1 2",
               "BITPOS k 0 0 0", "BITPOS k 0 2", "BITPOS none 0", "BITPOS none 1",
               ("SET", "f", b"\xff\xff"), "BITPOS f 0", "BITPOS f 0 0", "BITPOS f 0 0 -1",
               "BITPOS f 0 0 5", "BITPOS k 2", "BITPOS k x", "BITPOS k 0 12 14 BIT",
               "BITPOS k 1 5 2", "BITPOS f 0 9", "BITPOS k 1 x 1 y", "BITPOS k 1 0 x y", "BITPOS k 1 0 x BIT",
               "BITPOS k 1 0 1 y", "BITPOS k 1 0 1 BYTE", "BITPOS k 1 0 1 BIT x", "BITCOUNT k x 1 y", "BITCOUNT k 0 x y",
               "BITCOUNT k 0 1 y"],
    "BITOP": ["MSET a abcdef b abcxyz12", "BITOP AND d a b", "GET d", "BITOP OR d a b", "GET d",
              "BITOP XOR d a b none", "GET d", "BITOP NOT d a", "GET d", "BITOP NOT d a b",
              "BITOP FOO d a", "BITOP AND d none1 none2", "EXISTS d", "LPUSH l a", "BITOP OR d a l",
              "OBJECT ENCODING d", "BITOP AND a a a", "OBJECT ENCODING a"],
    "BITFIELD": ["BITFIELD k SET u8 0 255 GET u8 0 INCRBY u8 0 1", "BITFIELD k INCRBY i5 100 1 GET u4 0",
                 "BITFIELD k OVERFLOW SAT INCRBY u2 102 5 INCRBY i8 8 -200 GET i8 8",
                 "BITFIELD k OVERFLOW FAIL INCRBY u2 102 1", "BITFIELD k SET i64 #1 -5 GET i64 #1",
                 "BITFIELD k GET u64 0", "BITFIELD k GET i65 0", "BITFIELD k GET u8 -1",
                 "BITFIELD k OVERFLOW FOO", "BITFIELD k FOO", "BITFIELD k", "BITFIELD none GET u8 0",
                 "BITFIELD_RO k GET u8 0 GET i3 3", "BITFIELD_RO k SET u8 0 1", "GET k",
                 "BITFIELD k SET u8 0 -1", "BITFIELD k OVERFLOW FAIL SET u4 0 100",
                 "BITFIELD k OVERFLOW SAT SET i4 0 -100 GET i4 0", "BITFIELD k SET u63 3 -1"],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_strings(pair, row):
    pair.run(row)


def random_strings(seed, count):
    choices = random.Random(seed)
    words = [b"", b"0", b"12", b"-7", b"3.25", b"9223372036854775807", b"abc", b"x" * 44, b"y" * 45,
             b"z" * 254, b"q" * 255, b"w" * 1100, b"\x00\xff\x80"]
    # Never the same twice: GT and LT would be decided by the millisecond in which each server ran.
    seconds = choices.sample(range(2_000, 200_000, 10), count)

    def one():
        key = f"k{choices.randrange(8)}"
        other = f"k{choices.randrange(8)}"
        word = choices.choice(words)
        small = choices.randrange(-20, 60)
        return choices.choice([
            ("SET", key, word), ("SET", key, word, "EX", 1000), ("SET", key, word, "KEEPTTL"),
            ("GET", key), ("APPEND", key, word), ("SETRANGE", key, abs(small) * 30, word),
            ("GETRANGE", key, small, choices.randrange(-5, 100)), ("INCRBY", key, small),
            ("INCRBYFLOAT", key, "0.5"), ("STRLEN", key), ("SETBIT", key, abs(small) * 10, 1),
            ("GETBIT", key, abs(small)), ("BITCOUNT", key, small, 50), ("BITPOS", key, 0, small),
            ("BITOP", choices.choice(["AND", "OR", "XOR"]), key, other, "k0", "k1"),
            ("BITFIELD", key, "OVERFLOW", choices.choice(["WRAP", "SAT", "FAIL"]), "INCRBY",
             choices.choice(["u7", "i9", "i64", "u63"]), abs(small), small * 1000003),
            ("DEL", key), ("RENAME", key, other), ("COPY", key, other, "REPLACE"),
            ("GETSET", key, word), ("GETDEL", key), ("OBJECT", "ENCODING", key), ("PERSIST", key),
            ("MSET", key, word, other, word), ("EXISTS", key, other), ("TYPE", key),
            ("EXPIRE", key, choices.choice([-1, seconds.pop()]), choices.choice(["NX", "XX", "GT", "LT"])),
            ("GETEX", key, "PX", 1000000), ("SET", key, word, "GET"), ("SETEX", key, 500, word),
        ])

    return [one() for _ in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_random_strings(pair, seed):
    pair.sequence(random_strings(seed, 500))
