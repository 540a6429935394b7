# SPDX-License-Identifier: BSD-3-Clause
"""Streams: every reply equal to a stock Redis's, by rows, by waiting clients and by random sequences.

What 7.0.15 answers otherwise than 6.0.7, whose answers Redwing gives: XINFO has more fields, XCLAIM
and XAUTOCLAIM drop what was deleted, XAUTOCLAIM tells so in a third element. And where XTRIM MINID
marks all that is left of a node, Redis keeps the empty node, which XINFO counts; here it goes.
"""

import random
import time

import pytest

from lab.resp import Client, encode
from lab.servers import eventually

LONG = "x" * 5000


class Cut:
    """A command whose replies are compared after `cut` took out what differs by rights."""

    def __init__(self, command, cut):
        self.command, self.cut = command, cut


def no_idle(reply):
    """XPENDING's long form without the idle times."""
    return [entry[:2] + entry[3:] for entry in reply] if isinstance(reply, list) else repr(reply)


def first_two(reply):
    """XAUTOCLAIM as 6.2 answers it."""
    return reply[:2] if isinstance(reply, list) else repr(reply)


FIELDS = {b"length", b"radix-tree-keys", b"radix-tree-nodes", b"last-generated-id", b"groups", b"first-entry",
          b"last-entry", b"entries", b"name", b"last-delivered-id", b"pel-count", b"pending", b"consumers"}


def info(reply):
    """XINFO's maps with the fields that 6.0.7 has, times left out."""
    if not isinstance(reply, list):
        return repr(reply)
    if not reply or not isinstance(reply[0], bytes):
        return [info(one) for one in reply]
    pairs = dict(zip(reply[::2], reply[1::2]))
    assert b"pending" in pairs or b"length" in pairs
    known = {name: pairs[name] for name in FIELDS if name in pairs}
    for name in (b"groups", b"consumers"):
        if isinstance(known.get(name), list):
            known[name] = [info(one) for one in known[name]]
    if isinstance(known.get(b"pending"), list):
        # The time of delivery is the last but one.
        known[b"pending"] = [one[:-2] + one[-1:] for one in known[b"pending"]]
    return known


def run(pair, row):
    for step in row:
        if isinstance(step, Cut):
            ours, theirs = pair.each(step.command)
            assert step.cut(ours) == step.cut(theirs), step.command
        elif isinstance(step, dict):
            pair.call(**step)
        else:
            pair.call(step)
    pair.digest()


def pending(command):
    return Cut(command, no_idle)


def xinfo(command):
    return Cut(command, info)


FILL = ["XADD s 1-1 a 1 b 2", "XADD s 1-2 a 3 b 4", "XADD s 2-0 c hello", "XADD s 5-7 a 1 b -70000",
        "XADD s 9-0 a 99999999999 b '' c x"]

ROWS = {
    "XADD with ids": [
        *FILL, "XADD s 9-0 a b", "XADD s 8 a b", "XADD s 0-0 a b", "XADD t 0-0 a b", "EXISTS t", "XADD s 10 a b",
        "XADD s 010-1 a b", "XADD s 10-* a b", "XADD s 10-* a b", "XADD s 11-* a b", "XADD s 9-* a b",
        "XADD t 0-* a b", "XADD s x a b", "XADD s 1-x a b", "XADD s 1-1-1 a b", "XADD s - a b", "XADD s + a b",
        "XADD s -5 a b", "XADD s 18446744073709551616 a b", "XADD s 18446744073709551615-18446744073709551614 a b",
        "XADD s 18446744073709551615-* a b", "XADD s 18446744073709551615-* a b", "XADD s * a b",
        "XRANGE s - +", "XLEN s", "XLEN none", "TYPE s", "OBJECT ENCODING s",
    ],
    "ids as strtoull reads them": [
        "XADD s +1 a b", "XADD s ' 2' a b", "XADD s '3- +4' a b", ("XADD", "s", b"\t3-\x0b05", "a", "b"), "XADD s '4 ' a b",
        "XADD s '+ 4' a b", "XADD s ++4 a b", "XADD s +4-* a b", "XADD s 4-+ a b", "XRANGE s +1 ' 3'", "XRANGE s (+1 +",
        "XREAD STREAMS s ' 3-4'", "XDEL s ' 1'", "XTRIM s MINID +3", "XGROUP CREATE s g ' 2'", "XLEN s",
        ("XADD", "s", b"\x084", "a", "b"), ("XADD", "s", b"\x0e4", "a", "b"), "XADD s '' a b",
    ],
    "XADD counts its words": [
        "XADD s 1", "XADD s 1 a", "XADD s 1 a b c", "XADD s *", "XADD s * a", "XADD s MAXLEN 5 *",
        "XADD s NOMKSTREAM 1 a b", "EXISTS s", "XADD s NOMKSTREAM MAXLEN 5 1 a b", "XADD s 1 a b",
        "XADD s NOMKSTREAM 2 a b", "XADD s MAXLEN 1 NOMKSTREAM 3 a b", "XRANGE s - +", "SET str 1",
        "XADD str 1 a b", "XADD str NOMKSTREAM 1 a b", "XLEN str", "XRANGE str - +", "XDEL str 1", "XTRIM str MAXLEN 0",
        "XREAD STREAMS str 0", "XGROUP CREATE str g 0", "XACK str g 1", "XPENDING str g", "XINFO STREAM str",
        "XCLAIM str g c 0 1", "XAUTOCLAIM str g c 0 0", "XSETID str 1", "XREADGROUP GROUP g c STREAMS str >",
    ],
    "values of all forms": [
        ("XADD", "s", "1", b"\x00\xff", b"", "", b"\r\n"), ("XADD", "s", "2", "n", "-1"), ("XADD", "s", "3", "n", LONG),
        ("XADD", "s", "4", LONG, "x", "n", "127"), ("XADD", "s", "5", LONG, "y", "n", "00"),
        *[("XADD", "s", f"6-{i}", f"f{i % 3}", str(1 << i)) for i in range(64)], "XRANGE s - +",
        "XREVRANGE s + - COUNT 7", xinfo("XINFO STREAM s"),
        ("XADD", "wide", "1", *[str(i) for i in range(600)]), ("XADD", "wide", "2", *[str(i) for i in range(600)]),
        "XRANGE wide - +", "XREVRANGE wide + -",
    ],
    "MAXLEN and MINID": [
        *[f"XADD s {i} a {i}" for i in range(1, 31)], "XADD s MAXLEN 20 31 a b", "XRANGE s - +",
        "XADD s MAXLEN = 19 32 a b", "XADD s MAXLEN ~ 5 33 a b", "XLEN s", "XTRIM s MAXLEN ~ 5", "XTRIM s MAXLEN 17",
        "XTRIM s MAXLEN = 16", "XTRIM s MAXLEN 99", "XTRIM s MINID 20", "XTRIM s MINID ~ 25", "XTRIM s MINID = 22-5",
        "XADD s MINID 25 34 a b", "XADD s MINID ~ 30 35 a b", "XRANGE s - +", "XADD s MAXLEN 0 36 a b", "XLEN s",
        "EXISTS s", xinfo("XINFO STREAM s"), "XADD s MAXLEN -1 37 a b", "XADD s MAXLEN x 37 a b",
        "XADD s MINID x 37 a b", "XTRIM s MAXLEN ~ 5 LIMIT 1", "XTRIM s MAXLEN 5 LIMIT 1", "XADD s LIMIT 5 37 a b",
        "XTRIM s MAXLEN ~ 5 LIMIT -1", "XTRIM s MAXLEN 5 MINID 5", "XTRIM s FOO 5", "XTRIM s MAXLEN 5 FOO",
        "XTRIM none MAXLEN 5", "XLEN s",
    ],
    "an approximate trim takes whole nodes": [
        ("CONFIG", "SET", "stream-node-max-entries", "10"), *[f"XADD s {i} a {i}" for i in range(1, 101)],
        xinfo("XINFO STREAM s"), "XTRIM s MAXLEN ~ 55", "XTRIM s MAXLEN ~ 0 LIMIT 25", "XTRIM s MINID ~ 75",
        "XADD s MAXLEN ~ 7 101 a b", "XADD s MINID ~ 95 102 a b", "XRANGE s - +", xinfo("XINFO STREAM s"),
        "XDEL s 95", "XTRIM s MAXLEN 5", "XTRIM s MAXLEN ~ 2", "XRANGE s - +", "XTRIM s MAXLEN 0", "XRANGE s - +",
        ("CONFIG", "SET", "stream-node-max-entries", "100"),
    ],
    "XRANGE and XREVRANGE": [
        *FILL, "XRANGE s - +", "XRANGE s 1 2", "XRANGE s 1-2 5", "XRANGE s (1-1 (9-0", "XRANGE s (1 2",
        "XRANGE s (- +", "XRANGE s - (+", "XRANGE s ( +", "XRANGE s + -", "XRANGE s - + COUNT 2", "XRANGE s - + COUNT 0",
        "XRANGE s - + COUNT -1", "XRANGE s - + COUNT x", "XRANGE s - + COUNT", "XRANGE s - + FOO 1", "XRANGE s x +",
        "XRANGE s - x", "XRANGE s (18446744073709551615-18446744073709551615 +", "XRANGE s - (0-0",
        "XREVRANGE s + -", "XREVRANGE s 5 1-2", "XREVRANGE s (9-0 (1-1", "XREVRANGE s - +", "XREVRANGE s + - COUNT 3",
        "XREVRANGE s (5 (1", "XRANGE none - +", "XREVRANGE none + -", "XRANGE none - + COUNT 0", "XRANGE s 3 4",
    ],
    "XDEL": [
        *FILL, "XDEL s 1-2 2 7", "XDEL s 2-0", "XRANGE s - +", "XREVRANGE s + -", "XDEL s 1-1 x", "XLEN s",
        "XDEL s 1-1 5-7 9-0", "EXISTS s", "XRANGE s - +", xinfo("XINFO STREAM s"), "XADD s 9-0 a b", "XADD s 9-1 a b",
        "XDEL none 1", "XDEL s",
    ],
    "XSETID": [
        *FILL, "XSETID s 9-0", "XSETID s 8", "XSETID s 100", "XADD s 50 a b", "XADD s 101 a b", "XSETID none 1",
        "XSETID s x", "XDEL s 101", "XSETID s 10", "XSETID s 190 ENTRIESADDED 9223372036854775807", "XADD s 191 a b", "XSETID s 200-1 ENTRIESADDED 9 MAXDELETEDID 150-0",
        xinfo("XINFO STREAM s"),
    ],
    "XREAD": [
        *FILL, "XREAD STREAMS s 0", "XREAD COUNT 2 STREAMS s 1-1", "XREAD STREAMS s $", "XREAD STREAMS s none 5 0",
        "XREAD STREAMS none 0", "XADD t 3 x y", "XREAD STREAMS s t 5-7 0", "XREAD COUNT 1 STREAMS t s 0 0",
        "XREAD STREAMS s", "XREAD STREAMS s t 0", "XREAD COUNT 2", "XREAD COUNT x STREAMS s 0", "XREAD STREAMS s x",
        "XREAD STREAMS s >", "XREAD GROUP g c STREAMS s 0", "XREAD NOACK STREAMS s 0", "XREAD FOO STREAMS s 0",
        "XREAD BLOCK x STREAMS s 0", "XREAD BLOCK -1 STREAMS s 0", "XREAD BLOCK 1 STREAMS s $", "XREAD COUNT 0 STREAMS s 0",
        "XREAD STREAMS s 18446744073709551615-18446744073709551615", "XREAD COUNT -1 STREAMS s 2",
        "MULTI", "XREAD BLOCK 0 STREAMS s $", "XREAD BLOCK 0 STREAMS s 5", "EXEC",
    ],
    "groups are made and ended": [
        "XGROUP CREATE s g 0", "XGROUP CREATE s g 0 MKSTREAM", "XLEN s", "XGROUP CREATE s g 0", "XGROUP CREATE s h $",
        *FILL, "XGROUP CREATE s i $", "XGROUP CREATE s j 1-2", "XGROUP CREATE s k x", "XGROUP CREATE s k -",
        xinfo("XINFO GROUPS s"), "XGROUP SETID s g 5", "XGROUP SETID s g $", "XGROUP SETID s none 0", "XGROUP SETID none g 0",
        "XGROUP SETID s g x", "XGROUP DESTROY s h", "XGROUP DESTROY s h", "XGROUP DESTROY none h",
        "XGROUP CREATECONSUMER s g c", "XGROUP CREATECONSUMER s g c", "XGROUP CREATECONSUMER s none c",
        "XGROUP DELCONSUMER s g c", "XGROUP DELCONSUMER s g c", "XGROUP DELCONSUMER s none c", xinfo("XINFO GROUPS s"),
        xinfo("XINFO CONSUMERS s g"), "XINFO CONSUMERS s none", "XINFO GROUPS none", "XINFO STREAM none", "XGROUP FOO s g",
        "XGROUP CREATE s m 0 ENTRIESREAD 3", "XGROUP SETID s m 1 ENTRIESREAD 4", xinfo("XINFO STREAM s FULL"),
        "XINFO STREAM s FULL COUNT x", "XINFO FOO s", xinfo("XINFO STREAM s FULL COUNT 2"),
    ],
    "XREADGROUP delivers": [
        *FILL, "XGROUP CREATE s g 0", "XREADGROUP GROUP g a COUNT 2 STREAMS s >", "XPENDING s g",
        "XREADGROUP GROUP g b COUNT 1 STREAMS s >", "XREADGROUP GROUP g a STREAMS s 0", "XREADGROUP GROUP g a STREAMS s 1-1",
        "XREADGROUP GROUP g b STREAMS s 0", "XREADGROUP GROUP g c STREAMS s 0", "XREADGROUP GROUP g a NOACK STREAMS s >",
        "XREADGROUP GROUP g a STREAMS s >", "XPENDING s g", pending("XPENDING s g - + 10"), pending("XPENDING s g - + 1"),
        pending("XPENDING s g 1-2 + 10 a"), pending("XPENDING s g (1-1 + 10"), "XPENDING s g - + 10 nobody",
        "XPENDING s g - + 0", "XPENDING s g IDLE 100000 - + 10", pending("XPENDING s g IDLE 0 - + 10 a"),
        "XPENDING s g - +", "XPENDING s g IDLE 5 - +", "XPENDING s g x + 1", "XPENDING s g - + x", "XPENDING s none",
        "XPENDING none g", xinfo("XINFO STREAM s FULL"), xinfo("XINFO STREAM s FULL COUNT 1"),
        xinfo("XINFO STREAM s FULL COUNT 0"), xinfo("XINFO CONSUMERS s g"), xinfo("XINFO GROUPS s"), "XDEL s 1-2",
        "XREADGROUP GROUP g a STREAMS s 0", "XGROUP SETID s g 0", "XREADGROUP GROUP g b COUNT 1 STREAMS s >",
        pending("XPENDING s g - + 10"), "XGROUP DELCONSUMER s g b", "XPENDING s g", "XACK s g 1-2 1-2 7", "XACK s g x",
        "XACK s g 1-1 x", "XACK none g 1", "XACK s none 1", "XPENDING s g", "XGROUP DESTROY s g", "XPENDING s g",
    ],
    "XREADGROUP refuses": [
        "XREADGROUP GROUP g a STREAMS s >", *FILL, "XREADGROUP GROUP g a STREAMS s >", "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g a STREAMS s $", "XREADGROUP GROUP g a STREAMS s x", "XREADGROUP COUNT 1 NOACK STREAMS s >",
        "XREADGROUP GROUP g a STREAMS s t >", "XREADGROUP GROUP g a STREAMS s t > >", "XREADGROUP GROUP g a BLOCK 1 COUNT 1",
        "XREADGROUP GROUP g a COUNT 0 STREAMS s >", "XREADGROUP GROUP g a BLOCK 1 STREAMS s >",
    ],
    "XCLAIM": [
        *FILL, "XGROUP CREATE s g 0", "XREADGROUP GROUP g a STREAMS s >", "XCLAIM s g b 0 1-1 1-2",
        "XCLAIM s g b 0 2-0 JUSTID", "XCLAIM s g c 100000 5-7", "XCLAIM s g c 0 5-7 RETRYCOUNT 7 IDLE 100000",
        "XCLAIM s g a 50000 5-7 1-1", "XCLAIM s g c 0 9-0 TIME 1000 RETRYCOUNT 0", "XCLAIM s g c 0 77-0",
        "XCLAIM s g c 0 77-0 FORCE", "XACK s g 1-1", "XCLAIM s g c 0 1-1", "XCLAIM s g c 0 1-1 FORCE",
        pending("XPENDING s g - + 10"), "XCLAIM s g c 0 1-2 LASTID 50-0", "XCLAIM s g c 0 77-1 LASTID 60-0",
        "XCLAIM s g c 0 1-2 LASTID 1-0", xinfo("XINFO GROUPS s"), "XCLAIM s g c x 1-1", "XCLAIM s g c 0 1-1 FOO",
        "XCLAIM s g c 0 1-1 IDLE", "XCLAIM s g c 0 1-1 IDLE x", "XCLAIM s g c 0 1-1 TIME x",
        "XCLAIM s g c 0 1-1 RETRYCOUNT x", "XCLAIM s g c 0 1-1 LASTID x", "XCLAIM s none c 0 1-1", "XCLAIM none g c 0 1-1",
        "XCLAIM s g c -5 1-1", "XCLAIM s g c 0 1-1 JUSTID FORCE TIME 99999999999999", pending("XPENDING s g - + 10"),
        xinfo("XINFO CONSUMERS s g"),
    ],
    "XAUTOCLAIM": [
        *FILL, "XGROUP CREATE s g 0", "XREADGROUP GROUP g a STREAMS s >", Cut("XAUTOCLAIM s g b 0 - COUNT 2", first_two),
        Cut("XAUTOCLAIM s g b 0 2-0 JUSTID", first_two), Cut("XAUTOCLAIM s g b 100000 0", first_two),
        Cut("XAUTOCLAIM s g b 0 (2-0 COUNT 1", first_two), pending("XPENDING s g - + 10"), "XAUTOCLAIM s g b x 0",
        "XAUTOCLAIM s g b 0 x", "XAUTOCLAIM s g b 0 0 COUNT 0", "XAUTOCLAIM s g b 0 0 FOO", "XAUTOCLAIM s none b 0 0",
        "XAUTOCLAIM none g b 0 0", Cut("XAUTOCLAIM s g c 100000 0", first_two), xinfo("XINFO CONSUMERS s g"),
    ],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_streams(pair, row):
    run(pair, row)


def test_generated_ids_rise_with_the_clock(pair):
    ours, theirs = (client for client in pair.clients())
    for client in (ours, theirs):
        ids = [tuple(map(int, client.call("XADD", "s", "*", "a", "b").split(b"-"))) for _ in range(50)]
        assert ids == sorted(set(ids))
        assert abs(ids[-1][0] - time.time() * 1000) < 5000
        client.call("XADD", "s", "99999999999999-5", "a", "b")
        assert client.call("XADD", "s", "*", "a", "b") == b"99999999999999-6"


# Those who wait.

WAITS = {
    "XREAD is served what comes": (["XADD s 1 a b"], "XREAD BLOCK 0 STREAMS s $", ["XADD s 2 c d"]),
    "of several keys": ([], "XREAD BLOCK 0 STREAMS s t $ $", ["XADD t 2 c d"]),
    "with an id, and not by what is older": (
        ["XADD s 1 a b"], "XREAD BLOCK 0 STREAMS s 5", ["XADD s 3 c d", "XADD s 6 e f"]),
    "a transaction's entries come together": (
        [], "XREAD BLOCK 0 STREAMS s $", ["MULTI", "XADD s 1 a b", "XADD s 2 a b", "EXEC"]),
    "COUNT holds": ([], "XREAD COUNT 1 BLOCK 0 STREAMS s $", ["MULTI", "XADD s 1 a b", "XADD s 2 a b", "EXEC"]),
    "another type in between": ([], "XREAD BLOCK 0 STREAMS s $", ["SADD s x", "DEL s", "XADD s 1 a b"]),
    "a group's consumer": (
        ["XGROUP CREATE s g $ MKSTREAM"], "XREADGROUP GROUP g a BLOCK 0 STREAMS s >",
        ["XADD s 1 a b", "XPENDING s g"]),
    "without acknowledgement": (
        ["XGROUP CREATE s g $ MKSTREAM"], "XREADGROUP GROUP g a NOACK BLOCK 0 STREAMS s >",
        ["XADD s 1 a b", "XPENDING s g"]),
    "the group ends": (
        ["XGROUP CREATE s g $ MKSTREAM"], "XREADGROUP GROUP g a BLOCK 0 STREAMS s >", ["XGROUP DESTROY s g"]),
    "the key goes": (["XGROUP CREATE s g $ MKSTREAM"], "XREADGROUP GROUP g a BLOCK 0 STREAMS s >", ["DEL s"]),
    "the key becomes another": (
        ["XGROUP CREATE s g $ MKSTREAM"], "XREADGROUP GROUP g a BLOCK 0 STREAMS s >",
        ["MULTI", "DEL s", "SADD s x", "EXEC"]),
    "the group is set back": (
        ["XADD s 1 a b", "XGROUP CREATE s g $"], "XREADGROUP GROUP g a BLOCK 0 STREAMS s >",
        ["XGROUP SETID s g 0", "XADD s 2 a b"]),
}


@pytest.mark.parametrize("before, wait, after", WAITS.values(), ids=WAITS.keys())
def test_waiting(pair, before, wait, after):
    for command in before:
        pair.call(command)
    pair.send(wait)
    pair.blocked(1)
    for command in after:
        pair.second(command)
    pair.receive()
    pair.blocked(0)
    pair.digest()


def test_consumers_are_served_in_the_order_they_came(pair):
    pair.call("XGROUP CREATE s g $ MKSTREAM")
    for number, name in enumerate("abc"):
        pair.send(f"XREADGROUP GROUP g {name} COUNT 1 BLOCK 0 STREAMS s >", connection=10 + number)
        pair.blocked(number + 1)
    pair.run(["MULTI", "XADD s 1 a b", "XADD s 2 a b", "EXEC"])
    assert pair.receive(connection=10)[0][1][0][0] == b"1-0"
    assert pair.receive(connection=11)[0][1][0][0] == b"2-0"
    pair.blocked(1)
    pair.call("XADD s 3 a b")
    pair.receive(connection=12)
    pair.call("XPENDING s g")


def test_a_wait_ends_with_its_time(pair):
    assert pair.call("XREAD BLOCK 20 STREAMS s $") is None
    pair.call("XGROUP CREATE s g $ MKSTREAM")
    assert pair.call("XREADGROUP GROUP g a BLOCK 20 STREAMS s >") is None


# Random sequences. Claims and deletions are kept apart: of an entry that was deleted 7.0 forgets that
# it is pending as soon as somebody claims it, 6.0 doesn't.

class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.top = {}

    def key(self):
        return self.rng.choice("st")

    def id(self):
        return f"{self.rng.randrange(0, 60)}-{self.rng.randrange(3)}"

    def bound(self):
        return self.rng.choice(["-", "+", self.id(), "(" + self.id(), str(self.rng.randrange(60))])

    def trim(self):
        how = self.rng.choice([(), (), ("~",), ("=",)])
        limit = ("LIMIT", self.rng.randrange(0, 12)) if how == ("~",) and self.rng.random() < 0.5 else ()
        if self.rng.random() < 0.5:
            return ("MAXLEN", *how, self.rng.randrange(0, 30), *limit)
        return ("MINID", *how, self.id(), *limit)

    def add(self, trims=True):
        key = self.key()
        ms = self.top.get(key, 0) + self.rng.choice([0, 0, 1, 1, 2])
        self.top[key] = ms
        words = [word for field in self.rng.choice(["a", "ab", "ba", "abc", "d"])
                 for word in (field, self.rng.choice(["1", "", "-500", "text", "x" * 90]))]
        options = self.trim() if trims and self.rng.random() < 0.15 else ()
        return ("XADD", key, *options, self.rng.choice([f"{ms}-*", f"{ms + 1}-0", self.id()]), *words)

    def reads(self):
        rng = self.rng
        return [
            lambda: ("XRANGE", self.key(), self.bound(), self.bound(), *rng.choice([(), ("COUNT", rng.randrange(5))])),
            lambda: ("XREVRANGE", self.key(), self.bound(), self.bound(), *rng.choice([(), ("COUNT", rng.randrange(5))])),
            lambda: ("XREAD", "COUNT", rng.randrange(0, 9), "STREAMS", "s", "t", self.id(), self.id()),
            lambda: ("XLEN", self.key()), lambda: ("XPENDING", self.key(), self.group()),
            lambda: ("XREADGROUP", "GROUP", self.group(), self.consumer(), "COUNT", rng.randrange(1, 9),
                     *rng.choice([(), (), ("NOACK",)]), "STREAMS", self.key(), rng.choice([">", ">", self.id()])),
            lambda: ("XACK", self.key(), self.group(), self.id(), self.id(), self.id()),
            lambda: ("XGROUP", "SETID", self.key(), self.group(), self.id()),
            lambda: ("XGROUP", "DELCONSUMER", self.key(), self.group(), self.consumer()),
            lambda: ("XGROUP", "CREATE", self.key(), self.group(), rng.choice(["0", "$", self.id()]), "MKSTREAM"),
            lambda: ("XGROUP", "CREATE", self.key(), self.group(), "0"),
        ]

    def group(self):
        return self.rng.choice("gh")

    def consumer(self):
        return self.rng.choice(["one", "two", "three"])

    def removing(self, count):
        makers = [self.add] * 12 + self.reads() + [
            lambda: ("XDEL", self.key(), self.id(), self.id()), lambda: ("XTRIM", self.key(), *self.trim()),
            lambda: ("XGROUP", "DESTROY", self.key(), self.group()),
        ]
        return [self.rng.choice(makers)() for _ in range(count)]

    def claiming(self, count):
        rng = self.rng

        def options():
            chosen = [("FORCE",), ("JUSTID",), ("RETRYCOUNT", rng.randrange(5)), ("TIME", rng.randrange(10 ** 9)),
                      ("IDLE", 10 ** 9), ("LASTID", self.id())]
            return [word for option in rng.sample(chosen, rng.randrange(4)) for word in option]
        makers = [lambda: self.add(trims=False)] * 8 + self.reads() + [
            lambda: ("XCLAIM", self.key(), self.group(), self.consumer(), rng.choice([0, 0, 10 ** 8]), self.id(),
                     self.id(), *options()),
        ] * 3
        return [rng.choice(makers)() for _ in range(count)]


def check_groups(pair):
    for key in "st":
        for group in "gh":
            run(pair, [pending(f"XPENDING {key} {group} - + 1000")])
        run(pair, [xinfo(f"XINFO STREAM {key}"), xinfo(f"XINFO GROUPS {key}")])


@pytest.mark.parametrize("seed", range(4))
def test_random_sequences_that_remove(pair, seed):
    pair.config("stream-node-max-entries", [100, 1, 4, 7][seed])
    maker = Maker(seed)
    for _ in range(4):
        pair.sequence(maker.removing(400))
        check_groups(pair)


@pytest.mark.parametrize("seed", range(4))
def test_random_sequences_that_claim(pair, seed):
    pair.config("stream-node-max-bytes", [4096, 200, 100, 0][seed])
    maker = Maker(seed + 100)
    for key in "st":
        for group in "gh":
            pair.call(f"XGROUP CREATE {key} {group} 0 MKSTREAM")
    for _ in range(4):
        pair.sequence(maker.claiming(400))
        check_groups(pair)


@pytest.mark.parametrize("to_ours", [True, False], ids=["from Redis", "to Redis"])
def test_dumps_are_exchanged(pair, to_ours):
    """What one server dumps the other restores, groups and all. 7.0's dumps are newer than 6.0.7 reads."""
    maker = Maker(7)
    pair.random(maker.removing(300))
    ours, theirs = pair.clients()
    for key in ("s", "t"):
        if to_ours:
            ours.call("RESTORE", key, "0", theirs.call("DUMP", key), "REPLACE")
        else:
            theirs.call("RESTORE", key, "0", ours.call("DUMP", key), "REPLACE")
    pair.digest()
    check_groups(pair)
    pair.random(maker.removing(300))
    pair.digest()


def test_reload_and_copies_keep_everything(pair):
    pair.config("stream-node-max-entries", 5)
    maker = Maker(8)
    pair.random(maker.removing(500))
    pair.each("DEBUG RELOAD")
    check_groups(pair)
    pair.digest()
    pair.run(["COPY s c", "DEL s", "RENAME c s"])
    check_groups(pair)
    pair.random(maker.removing(300))


def test_the_stream_of_changes_applies_to_redis(farm):
    """A stock Redis that replicates from us holds the same, groups included; and the other way round."""
    ours, theirs = farm.redwing(), farm.redis()
    for master, replica in ((ours, theirs), (theirs, ours)):
        master.call("REPLICAOF", "NO", "ONE")
        master.call("FLUSHALL")
        replica.call("REPLICAOF", "127.0.0.1", master.port)
        eventually(lambda: b"master_link_status:up" in replica.call("INFO", "replication"))
        maker, client = Maker(9), Client(master.port)
        for command in [*maker.removing(600), *maker.claiming(600),
                        *[("XGROUP", "CREATE", key, group, "0") for key in "st" for group in "gh"]]:
            client.call_or_error(*command)
        client.close()
        master.call("XADD", "s", "MAXLEN", "~", "3", "*", "last", "one")
        last = master.call("DEBUG", "DIGEST")
        eventually(lambda: replica.call("DEBUG", "DIGEST") == last, message="digests never equal")
        # A consumer that got nothing yet is not told of: 6.0.7 has no command that makes one.
        for key in "st":
            for group in "gh":
                assert groups(master, key) == groups(replica, key)
                listed = [no_idle(one.call("XPENDING", key, group, "-", "+", "1000")) for one in (master, replica)]
                assert listed[0] == listed[1]


def test_what_a_waiting_consumer_got_reaches_replicas(farm):
    ours, theirs = farm.redwing(), farm.redis()
    theirs.call("REPLICAOF", "127.0.0.1", ours.port)
    eventually(lambda: b"master_link_status:up" in theirs.call("INFO", "replication"))
    for group, more in (("g", ()), ("h", ("NOACK",))):
        ours.call("XGROUP", "CREATE", "s", group, "$", "MKSTREAM")
        waiting = Client(ours.port)
        waiting.send(encode("XREADGROUP", "GROUP", group, "a", *more, "BLOCK", "0", "STREAMS", "s", ">"))
        eventually(lambda: b"blocked_clients:1\r\n" in ours.call("INFO", "clients"))
        ours.call("XADD", "s", "*", "field", "value")
        waiting.read_raw()
        waiting.close()
    ours.call("SET", "end", "x")
    eventually(lambda: theirs.call("GET", "end") == b"x")
    assert groups(ours, "s") == groups(theirs, "s")
    assert no_idle(ours.call("XPENDING", "s", "g", "-", "+", "9")) == no_idle(theirs.call("XPENDING", "s", "g", "-", "+", "9"))


def test_events(pair):
    pair.config("notify-keyspace-events", "KEA")
    pair.call("PSUBSCRIBE __key*__:*", connection=2)
    for command in (
            "XADD s 1 a b", "XADD s MAXLEN 1 2 a b", "XADD s MAXLEN 1000 3 a b", "XDEL s 2 7", "XTRIM s MAXLEN 0",
            "XTRIM s MAXLEN 0", "XSETID s 9", "XGROUP CREATE s g $", "XGROUP SETID s g 0", "XGROUP CREATECONSUMER s g c",
            "XGROUP DELCONSUMER s g c", "XGROUP DESTROY s g", "XGROUP CREATE t g $ MKSTREAM", "XADD t 1 a b",
            "XGROUP CREATECONSUMER t g c", "XREADGROUP GROUP g c STREAMS t >", "XCLAIM t g c 0 1", "XACK t g 1",
            "SET end x"):
        pair.call(command)
    while pair.message(2)[-1] != b"end":
        pass


def groups(server, key):
    return [{name: value for name, value in one.items() if name != b"consumers"}
            for one in info(server.call("XINFO", "GROUPS", key))]
