# SPDX-License-Identifier: BSD-3-Clause
"""Pub/Sub beside a stock Redis, in RESP2 and RESP3: confirmations, messages, patterns, what a subscriber may
say, and the way of messages down a chain of replicas."""

import pytest

from lab import sync
from lab.resp import encode, parse
from lab.servers import eventually
from pair import arguments_of

VERSIONS = pytest.mark.parametrize("version", [2, 3], ids=["RESP2", "RESP3"])


def hello(pair, version, connection):
    if version == 3:
        pair.each("HELLO 3", connection=connection)


def several(pair, command, replies, connection=1):
    """A command that is answered by several messages."""
    for client in pair.clients(connection):
        client.send(encode(*arguments_of(command)))
    return [pair.message(connection) for _ in range(replies)]


def messages(pair, count, connection=1):
    """So many messages of each, equal but for their order: 7.0 has patterns in a table, 6.0 in a list."""
    ours, theirs = ([client.read_raw() for _ in range(count)] for client in pair.clients(connection))
    assert sorted(ours) == sorted(theirs)
    return [parse(one) for one in ours]


@VERSIONS
def test_confirmations_and_messages(pair, version):
    hello(pair, version, 1)
    several(pair, "SUBSCRIBE a b a", 3)
    several(pair, "PSUBSCRIBE a* [ab] x?y", 3)
    for channel, receivers in (("a", 3), ("b", 2), ("abc", 1), ("xzy", 1), ("none", 0)):
        pair.call(("PUBLISH", channel, b"\x00\r\nmessage " + channel.encode()))
        kinds = [message[0] for message in messages(pair, receivers)]
        assert kinds == sorted(kinds)
    several(pair, "UNSUBSCRIBE a nothing", 2)
    several(pair, "PUNSUBSCRIBE [ab]", 1)
    pair.call("PUBLISH a x")
    pair.message(1)
    several(pair, "PING", 1)
    several(pair, "PING text", 1)
    several(pair, "UNSUBSCRIBE", 1)
    pair.eventually_equal("PUBSUB NUMPAT")
    several(pair, "PUNSUBSCRIBE x?y a*", 2)
    several(pair, "UNSUBSCRIBE", 1)
    several(pair, "PUNSUBSCRIBE", 1)
    several(pair, "PING", 1)
    several(pair, "GET k", 1)


@VERSIONS
def test_what_a_subscriber_may_say(pair, version):
    hello(pair, version, 1)
    several(pair, "SUBSCRIBE a", 1)
    for command in ("GET k", "SET k v", "PUBLISH a x", "MULTI", "CLIENT GETNAME", "PING", "SUBSCRIBE", "PSUBSCRIBE", "NONSENSE"):
        if version == 3 and command.startswith(("PUBLISH", "MULTI")):
            continue
        if version == 2 and not command.endswith("SUBSCRIBE") and command not in ("PING", "NONSENSE"):
            # 7.0's text has more commands in it.
            ours, theirs = pair.each(command, connection=1)
            assert str(ours).startswith("ERR Can't execute") and str(theirs).startswith("ERR Can't execute")
            assert str(ours) == (f"ERR Can't execute '{command.split()[0].lower()}': only (P)SUBSCRIBE / "
                                 "(P)UNSUBSCRIBE / PING / QUIT are allowed in this context")
            continue
        several(pair, command, 1)
    several(pair, "RESET", 1)
    several(pair, "GET k", 1)
    pair.call("PUBLISH a x")
    several(pair, "QUIT", 1)


def test_ones_own_messages(pair):
    hello(pair, 3, 1)
    several(pair, "SUBSCRIBE a", 1)
    several(pair, "PUBLISH a to-myself", 2)
    several(pair, "MULTI", 1)
    several(pair, "PUBLISH a x", 1)
    several(pair, "EVAL \"return redis.call('PUBLISH', 'a', 'y')\" 0", 1)
    several(pair, "EXEC", 3)


def test_introspection(pair):
    several(pair, "SUBSCRIBE a b", 2)
    several(pair, "SUBSCRIBE a c", 2, connection=2)
    several(pair, "PSUBSCRIBE a* b*", 2)
    several(pair, "PSUBSCRIBE a*", 1, connection=2)
    for command in ("PUBSUB NUMSUB", "PUBSUB NUMSUB a b none a", "PUBSUB NUMPAT", "PUBSUB CHANNELS none", "PUBSUB CHANNELS [a]",
                    "PUBSUB NONSENSE", "PUBSUB CHANNELS a b"):
        pair.call(command)
    pair.call("PUBSUB CHANNELS", compare="set")
    pair.call("PUBSUB CHANNELS ?", compare="set")
    for connection in (1, 2):
        for client in pair.clients(connection):
            client.close()
    pair.eventually_equal("PUBSUB CHANNELS")
    pair.eventually_equal("PUBSUB NUMPAT")
    eventually(lambda: pair.call("PUBSUB NUMPAT") == 0)


def test_patterns(pair):
    patterns = ["*", "?", "a*b", "[a-c]x", "[^a]x", "\\*", "a\\?", "[", "[]", "a**", "", "h[a-", "[\\]]x", "**?"]
    for pattern in patterns:
        several(pair, ("PSUBSCRIBE", pattern), 1)
    for channel in ("a", "ab", "aab", "bx", "dx", "*", "a?", "[", "]x", "ha", "\\*", "a*"):
        count = pair.call(("PUBLISH", channel, "m"))
        # In the order of the subscriptions.
        order = [patterns.index(message[1].decode()) for message in messages(pair, count)]
        assert order == sorted(order)


def test_thousands_of_messages_and_subscribers(pair):
    for number in range(10, 40):
        several(pair, "SUBSCRIBE news", 1, connection=number)
    pair.random([("PUBLISH", "news", f"message {i}") for i in range(300)])
    for number in range(10, 40):
        for i in range(300):
            assert pair.message(number)[-1] == b"message %d" % i


@pytest.mark.parametrize("kinds", [("redis", "redwing", "redis"), ("redwing", "redis", "redwing")], ids="-".join)
def test_messages_go_down_a_chain(farm, kinds):
    servers = [farm.start(kind, {"repl-diskless-sync-delay": 0}) for kind in kinds]
    for master, replica in zip(servers, servers[1:]):
        sync.replicate(replica, master)
        sync.wait_link_up(replica)
    listeners = [farm.own(server.client()) for server in servers]
    for listener in listeners:
        assert listener.call("PSUBSCRIBE", "n*")[2] == 1
    with servers[0].client() as client:
        client.call("PUBLISH", "news", "one")
        client.pipeline([("MULTI",), ("PUBLISH", "news", "two"), ("SET", "k", "v"), ("EXEC",)])
        client.call("EVAL", "return redis.call('PUBLISH', 'news', 'three')", 0)
    for listener in listeners:
        assert [parse(listener.read_raw())[-1] for _ in range(3)] == [b"one", b"two", b"three"]
    # On a replica it is heard there and below, and makes no difference to the offsets.
    servers[2].call("PUBLISH", "news", "local")
    assert listeners[2].read()[-1] == b"local"
    sync.assert_same(*servers)


def test_a_subscriber_that_doesnt_read_is_cut_off(farm):
    server = farm.redwing({"client-output-buffer-limit": ("pubsub", 1000000, 0, 0)})
    with server.client() as lazy, server.client() as client:
        lazy.call("SUBSCRIBE", "news")
        for _ in range(20):
            client.pipeline([("PUBLISH", "news", "x" * 100000)] * 20)
        eventually(lambda: client.call("PUBSUB", "NUMSUB", "news") == [b"news", 0])
        assert client.call("PING") == b"PONG"
