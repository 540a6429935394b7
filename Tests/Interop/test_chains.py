# SPDX-License-Identifier: BSD-3-Clause
"""Chains of Redis and Redwing in mixed orders: every node has the same stream, byte for byte, and goes
on in it when any link is cut, any node restarts or any node is promoted."""

import os
import time

import pytest

from lab.data import fill_all_types, write_some
from lab.proxy import Proxy
from lab.servers import eventually
from lab.sync import (assert_same, digest, offset, replicate, sync_counts, wait_link_up,
                      wait_offsets_equal)
from links import DISK, Tap, Writer, refused, wait_partial

CHAINS = [("redis", "redwing", "redis", "redwing"), ("redwing", "redis", "redwing", "redis"),
          ("redwing", "redwing", "redwing"), ("redis", "redwing", "redwing")]
QUIET = DISK | {"repl-ping-replica-period": "3600"}


def chain(farm, kinds, options=DISK, proxied=False):
    """Nodes from the top down, each following the one above; with the proxies between them."""
    nodes = [farm.start(kind, options) for kind in kinds]
    with nodes[0].client() as client:
        fill_all_types(client, n=200, seed=5)
    proxies = []
    for upper, lower in zip(nodes, nodes[1:]):
        proxies.append(farm.own(Proxy(upper.port)) if proxied else upper)
        replicate(lower, proxies[-1])
        wait_link_up(lower)
    assert_same(nodes[0], *nodes[1:])
    return nodes, proxies


def one_history(nodes):
    return len({node.info("replication")["master_replid"] for node in nodes}) == 1


def make_events(client):
    """Whatever has a form of its own in the stream."""
    def go(*words):
        client.call(*words)
    go("SET", "a", "1")
    go("SELECT", "9")
    go("SET", "a", "9")
    go("MULTI")
    go("SET", "tx", "1")
    go("SELECT", "3")
    go("SET", "tx", "2")
    go("EXEC")
    go("SELECT", "0")
    go("MULTI")
    go("GET", "a")
    go("EXEC")
    go("SET", "soon", "x", "PX", "100")
    go("SETEX", "later", "100", "x")
    go("EXPIRE", "a", "50")
    go("SADD", "s", *range(20))
    go("SPOP", "s")
    go("SPOP", "s", "3")
    go("INCRBYFLOAT", "f", "1.5")
    go("HINCRBYFLOAT", "h", "x", "0.25")
    go("EVAL", "redis.call('set', KEYS[1], 'x'); redis.call('incr', KEYS[2]); return 1", "2", "e1", "e2")
    go("EVAL", "return redis.call('get', KEYS[1])", "1", "e1")
    go("PUBLISH", "channel", "hello")
    go("SET", "blob", bytes(range(256)))
    go("XADD", "x", "MAXLEN", "~", "10", "*", "k", "v")
    go("RENAME", "f", "g")
    go("GETSET", "g", "z")
    go("DEL", "nothing")
    eventually(lambda: client.call("EXISTS", "soon") == 0)


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
def test_every_node_sends_the_same_bytes(farm, kinds):
    nodes, _ = chain(farm, kinds, QUIET)
    taps = [farm.own(Tap(node)) for node in nodes]
    with nodes[0].client() as client:
        make_events(client)
        write_some(client, "more", n=200)
    wait_offsets_equal(nodes[0], *nodes[1:])
    end = offset(nodes[0])
    # A PING may have come between two taps.
    start = max(tap.start for tap in taps)
    streams = [tap.until(end)[start - tap.start:] for tap in taps]
    assert len(streams[0]) > 5000
    for node, stream in zip(nodes[1:], streams[1:]):
        assert stream == streams[0], node
    assert_same(nodes[0], *nodes[1:])


def test_the_stream_holds_effects_and_absolute_times(farm):
    nodes, _ = chain(farm, ("redwing", "redwing"), QUIET)
    tap = farm.own(Tap(nodes[1]))
    with nodes[0].client() as client:
        make_events(client)
    wait_offsets_equal(nodes[0], nodes[1])
    words = [command for command in tap.commands(offset(nodes[0])) if command != [b"PING"]]
    verbs = [command[0].upper() for command in words]
    for never in (b"SPOP", b"INCRBYFLOAT", b"HINCRBYFLOAT", b"EVAL", b"EXPIRE", b"SETEX", b"GETSET"):
        assert never not in verbs, words
    assert [b"SELECT", b"9"] in words and [b"SET", b"g", b"1.5"] not in words
    assert [b"SET", b"f", b"1.5", b"KEEPTTL"] in words
    assert [b"HSET", b"h", b"x", b"0.25"] in words
    assert verbs.count(b"MULTI") == verbs.count(b"EXEC") == 4
    # A transaction that changes the db does so inside, and what follows selects again.
    at = verbs.index(b"MULTI")
    assert verbs[at:at + 5] == [b"MULTI", b"SET", b"SELECT", b"SET", b"EXEC"]
    assert verbs[at + 5] == b"SELECT"
    script = len(verbs) - 1 - verbs[::-1].index(b"MULTI")
    assert verbs[script:script + 4] == [b"MULTI", b"SET", b"INCR", b"EXEC"]
    # SET with a time is two commands in one transaction, which a replica of 6.0 takes as well.
    for key in (b"soon", b"later"):
        at = words.index([b"SET", key, b"x"])
        assert words[at - 1] == [b"MULTI"] and words[at + 2] == [b"EXEC"]
        assert words[at + 1][:2] == [b"PEXPIREAT", key]
        assert int(words[at + 1][2]) > time.time() * 1000 - 60_000
    expired = [command for command in words if command[1:] == [b"soon"]]
    assert expired and expired[0][0] in (b"DEL", b"UNLINK")
    assert any(command[:2] == [b"PEXPIREAT", b"a"] for command in words)


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
def test_every_link_of_a_chain_is_cut_under_load(farm, kinds):
    nodes, proxies = chain(farm, kinds, proxied=True)
    with Writer(nodes[0]) as writer:
        for upper, proxy in zip(nodes, proxies):
            before = sync_counts(upper)["sync_partial_ok"]
            proxy.cut()
            wait_partial(upper, before + 1)
            writer.advance()
    assert_same(nodes[0], *nodes[1:])
    assert sum(sync_counts(node)["sync_full"] for node in nodes) == len(nodes) - 1
    assert one_history(nodes)


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
def test_every_node_of_a_chain_restarts_under_load(farm, kinds):
    """Whoever is Redwing is continued and continues those below it; a stock Redis that loads its RDB
    as a replica does so too, only as a master at the top it begins a new history."""
    nodes, _ = chain(farm, kinds)
    for upper, lower in zip(nodes, nodes[1:]):
        lower.options["replicaof"] = ("127.0.0.1", upper.port)
    copies = {node: sync_counts(node)["sync_full"] for node in nodes}
    with Writer(nodes[0]) as writer:
        for place, node in enumerate(nodes[1:], 1):
            node.call("CONFIG", "SET", "save", "3600 1000000")
            node.stop()
            writer.advance()
            node.start()
            copies[node] = 0
            wait_link_up(*nodes[place:])
    assert_same(nodes[0], *nodes[1:])
    # What a stock Redis in the middle forgets is the backlog: those below it were at its very end.
    for node in nodes:
        if node.kind == "redwing":
            assert sync_counts(node)["sync_full"] == copies[node], node


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
def test_every_node_of_a_chain_is_promoted(farm, kinds):
    """From the top down: what stands below goes on with it under its new id, the old top follows."""
    nodes, _ = chain(farm, kinds)
    for place in range(1, len(nodes)):
        heir = nodes[place]
        below = nodes[place + 1:]
        before = sync_counts(heir)
        # Nobody writes in between, so that the old top has nothing of its own.
        assert_same(nodes[place - 1], *nodes[place:])
        heir.call("REPLICAOF", "NO", "ONE")
        with Writer(heir, f"under{place}"):
            wait_link_up(*below)
            replicate(nodes[place - 1], heir)
            wait_partial(heir, before["sync_partial_ok"] + 1)
        assert_same(heir, nodes[place - 1], *below)
        assert sync_counts(heir)["sync_full"] == before["sync_full"]
        assert one_history([heir, nodes[place - 1], *below])


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
def test_the_top_of_a_chain_restarts_under_load(farm, kinds):
    """Its replicas get what was written up to its end, and are continued by a Redwing that comes back."""
    nodes, _ = chain(farm, kinds)
    top, *below = nodes
    top.call("CONFIG", "SET", "save", "3600 1000000")
    copies = {node: sync_counts(node)["sync_full"] for node in below}
    with Writer(top, until_refused=True) as writer:
        writer.advance(10)
        top.stop()
    top.start()
    with Writer(top, "again"):
        wait_link_up(*below)
    assert_same(top, *below)
    if top.kind == "redwing":
        assert sync_counts(top)["sync_full"] == 0
        assert {node: sync_counts(node)["sync_full"] for node in below} == copies


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
def test_every_node_of_a_chain_is_promoted_under_load(farm, kinds):
    """The old top takes writes until it is told to follow: those that its heir has not seen are lost,
    and it may have to be copied for them; nobody below is."""
    nodes, _ = chain(farm, kinds)
    for place in range(1, len(nodes)):
        old, heir, below = nodes[place - 1], nodes[place], nodes[place + 1:]
        copied = [sync_counts(node)["sync_full"] for node in nodes[place:]]
        with Writer(old, f"on{place}", until_refused=True) as writer:
            heir.call("REPLICAOF", "NO", "ONE")
            with Writer(heir, f"under{place}"):
                writer.advance()
                wait_link_up(*below)
                replicate(old, heir)
                wait_link_up(old)
        assert_same(heir, old, *below)
        counts = [sync_counts(node)["sync_full"] for node in nodes[place:]]
        assert counts[0] <= copied[0] + 1 and counts[1:] == copied[1:]
        assert one_history([heir, old, *below])


@pytest.mark.parametrize("kinds", [("redwing", "redwing", "redwing", "redis"),
                                   ("redis", "redis", "redwing", "redwing"),
                                   ("redis", "redwing", "redwing", "redis")], ids="-".join)
def test_a_sub_replica_learns_a_new_id_by_continue(farm, kinds):
    """The middle turns to a promoted sibling; the bottom is not copied, and has the new id."""
    top, heir, middle, bottom = (farm.start(kind, DISK) for kind in kinds)
    with top.client() as client:
        fill_all_types(client, n=200, seed=5)
    replicate(heir, top)
    replicate(middle, top)
    wait_link_up(heir, middle)
    replicate(bottom, middle)
    with Writer(top):
        wait_link_up(bottom)
    assert_same(top, heir, middle, bottom)
    old = top.info("replication")["master_replid"]
    heir.call("REPLICAOF", "NO", "ONE")
    replicate(middle, heir)
    new = heir.info("replication")["master_replid"]
    assert new != old
    eventually(lambda: bottom.info("replication")["master_replid"] == new)
    with Writer(heir):
        pass
    assert_same(heir, middle, bottom)
    info = bottom.info("replication")
    assert info["master_replid2"] == old
    assert sync_counts(middle)["sync_full"] == 1 and sync_counts(heir)["sync_full"] == 0
    if kinds[2] == "redwing":
        assert f"Master replication ID changed to {new}" in middle.log()


@pytest.mark.parametrize("bottom_kind", ["redwing", "redis"])
def test_a_sub_replica_keeps_its_link_while_the_one_above_loses_its_own(farm, bottom_kind):
    nodes, proxies = chain(farm, ("redwing", "redwing", bottom_kind), proxied=True)
    top, middle, bottom = nodes
    away = 1
    if bottom_kind == "redwing":
        # It would be gone twice over, but for the empty lines that it is sent meanwhile.
        top.call("CONFIG", "SET", "repl-ping-replica-period", "1")
        bottom.call("CONFIG", "SET", "repl-timeout", "3")
        away = 7
    proxies[0].refuse()
    proxies[0].cut()
    eventually(lambda: int(middle.info("replication").get("master_link_down_since_seconds", -1)) >= away)
    assert "MASTER timeout" not in bottom.log()
    with top.client() as client:
        write_some(client, "unseen", n=100)
    proxies[0].refuse(False)
    assert_same(top, middle, bottom)
    assert proxies[1].connections == 1
    assert bottom.info("replication")["master_link_status"] == "up"
    # No newline went into a stream that counts them.
    assert sync_counts(middle)["sync_full"] == 1


def test_sub_replicas_stay_until_the_new_data_set_is_there(farm):
    nodes, proxies = chain(farm, ("redwing", "redwing", "redwing"), proxied=True)
    _, middle, bottom = nodes
    other = farm.redwing(DISK)
    with other.client() as client:
        client.pipeline([("SET", f"other:{i}", os.urandom(300)) for i in range(3000)])
    slow = farm.own(Proxy(other.port))
    slow.throttle(200_000)
    before = digest(bottom)
    replicate(middle, slow)
    eventually(lambda: int(middle.info("replication").get("master_sync_read_bytes", 0)) > 100_000,
               interval=0.005)
    assert bottom.info("replication")["master_link_status"] == "up"
    assert proxies[1].connections == 1 and digest(bottom) == before
    slow.throttle(None)
    assert_same(other, middle, bottom)
    assert one_history([other, middle, bottom])


def test_a_node_in_the_middle_adds_nothing_of_its_own(farm):
    """No PING, no GETACK, no SELECT, no expiry; WAIT is the master's, writes are refused."""
    nodes = [farm.redwing(QUIET), farm.redwing(DISK | {"repl-ping-replica-period": "1"}), farm.redwing(DISK)]
    for upper, lower in zip(nodes, nodes[1:]):
        replicate(lower, upper)
        wait_link_up(lower)
    top, middle, bottom = nodes
    top.call("SET", "short", "x", "PX", "1")
    top.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    # A cron's first turn sends a PING, whatever the period.
    eventually(lambda: uptime(top) >= 2)
    wait_offsets_equal(top, middle, bottom)
    before = offset(middle)
    eventually(lambda: acknowledged(middle) == before)
    assert "READONLY" in refused(middle.call, "SET", "a", "1")
    assert "WAIT cannot be used with replica instances" in refused(middle.call, "WAIT", "1", "10")
    for node in (middle, bottom):
        assert node.call("GET", "short") is None
    # Two turns of its cron at least.
    began = uptime(middle)
    eventually(lambda: uptime(middle) >= began + 3, interval=0.1)
    assert offset(middle) == before == offset(bottom) == acknowledged(middle)


def acknowledged(node):
    line = node.info("replication")["slave0"]
    return int(dict(part.split("=") for part in line.split(","))["offset"])


def uptime(node):
    return int(node.info("server")["uptime_in_seconds"])
