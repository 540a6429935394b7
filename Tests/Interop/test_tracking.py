# SPDX-License-Identifier: BSD-3-Clause
"""Client-side caching beside a stock Redis: who is told of which key, when, and in which form."""

import pytest

from lab.resp import Client, encode
from lab.servers import eventually


def on(pair, options="", connection=0):
    pair.call("HELLO 3", compare="none", connection=connection)
    pair.call(f"CLIENT TRACKING ON {options}".strip(), connection=connection)


def quiet(pair, connection=0):
    """Nothing more came than was read: the next thing is the reply to PING."""
    assert pair.call("PING", connection=connection) == b"PONG"


# What the second client does after the first read a, b (list), h; True when the first hears of it.
WRITES = {
    "SET a 2": b"a", "DEL a": b"a", "UNLINK a": b"a", "APPEND a x": b"a", "EXPIRE a 100": b"a",
    "PERSIST a": None, "LPUSH b x": b"b", "HSET h f 2": b"h", "SET other 1": None, "GET a": None,
    "RENAME a other": b"a", "SETRANGE a 0 z": b"a", "EXPIRE a 0": b"a", "GETSET a x": b"a",
    "LREM b 0 nosuch": None, "SORT b ALPHA STORE a": b"a", "SMOVE s s2 nosuch": None,
    "MULTI": None, "BITFIELD a SET u8 0 1": b"a", "PEXPIREAT a 1": b"a", "MOVE a 3": b"a",
}


@pytest.mark.parametrize("write, key", WRITES.items())
def test_a_write_of_another_client(pair, write, key):
    for command in ("SET a 1", "RPUSH b 1", "HSET h f 1", "SADD s 1"):
        pair.call(command)
    on(pair)
    for command in ("GET a", "LRANGE b 0 -1", "HGET h f", "GET nosuch"):
        pair.call(command)
    pair.second(write)
    if key:
        assert pair.message() == [b"invalidate", [key]]
        # It is told once; the next read counts anew.
        if write == "SET a 2":
            pair.second(write)
    quiet(pair)


def test_a_missing_key_is_tracked(pair):
    on(pair)
    pair.call("GET a")
    pair.call("MGET b c")
    pair.second("MSET a 1 b 1 d 1")
    pair.message()
    pair.message()
    quiet(pair)


@pytest.mark.parametrize("options", ["", "NOLOOP"])
def test_own_writes(pair, options):
    on(pair, options)
    for command in ("GET a", "SET a 1"):
        pair.call(command)
    if not options:
        assert pair.message() == [b"invalidate", [b"a"]]
    quiet(pair)
    # In a transaction and in a script the messages stand behind the reply.
    for command in ("GET a", "MULTI", "SET a 2", "GET a", "EXEC"):
        pair.call(command)
    if not options:
        pair.message()
    quiet(pair)
    pair.call("GET a")
    pair.call(("EVAL", "redis.call('set', KEYS[1], 'x') return 1", "1", "a"))
    if not options:
        pair.message()
    quiet(pair)


def test_flush(pair):
    on(pair)
    pair.call("GET a")
    pair.second("FLUSHALL")
    assert pair.message() == [b"invalidate", None]
    pair.call("GET a")
    pair.second("FLUSHDB")
    assert pair.message() == [b"invalidate", None]
    pair.call("FLUSHALL")
    assert pair.message() == [b"invalidate", None]
    quiet(pair)


def test_expiry(pair):
    # Long enough for the GET to find it.
    pair.call("PSETEX a 1000 1")
    on(pair)
    pair.call("GET a")
    assert pair.message() == [b"invalidate", [b"a"]]
    quiet(pair)


def test_opt_in(pair):
    on(pair, "OPTIN")
    for command in ("GET a", "CLIENT CACHING YES", "GET b", "GET c", "CLIENT CACHING YES", "SET x 1",
                    "GET d", "CLIENT CACHING YES", "CLIENT TRACKINGINFO", "MULTI", "GET e", "GET f", "EXEC",
                    "GET g"):
        pair.call(command)
    for key in "abcdefg":
        pair.second(f"SET {key} 1")
    assert [pair.message()[1] for _ in range(3)] == [[b"b"], [b"e"], [b"f"]]
    quiet(pair)


def test_opt_out(pair):
    on(pair, "OPTOUT")
    for command in ("GET a", "CLIENT CACHING NO", "CLIENT TRACKINGINFO", "GET b", "GET c"):
        pair.call(command)
    pair.second("SET b 1")
    pair.second("SET c 1")
    pair.second("SET a 1")
    assert [pair.message()[1] for _ in range(2)] == [[b"c"], [b"a"]]
    quiet(pair)


def test_broadcast(pair):
    on(pair, "BCAST PREFIX user: PREFIX item:")
    pair.call("CLIENT TRACKINGINFO")
    pair.second("SET other 1")
    pair.second("SET user:1 1")
    assert pair.message() == [b"invalidate", [b"user:1"]]
    pair.second("MSET item:1 1 user:2 1 x 1 user:3 1")
    both = [[client.read() for _ in range(2)] for client in pair.clients()]
    for messages in both:
        assert sorted(sorted(message[1]) for message in messages) == [
            [b"item:1"], [b"user:2", b"user:3"]]
    pair.call("CLIENT TRACKING ON BCAST PREFIX more:")
    pair.call("CLIENT TRACKING ON BCAST PREFIX us")
    pair.second("SET more:1 1")
    pair.message()
    pair.call("CLIENT TRACKING OFF")
    pair.second("SET more:1 1")
    quiet(pair)


def test_broadcast_of_all_keys(pair):
    on(pair, "BCAST NOLOOP")
    pair.call("SET a 1")
    pair.second("SET b 1")
    assert pair.message() == [b"invalidate", [b"b"]]
    quiet(pair)
    on(pair, "BCAST", connection=1)
    pair.call("SET a 1")
    assert pair.message(connection=1) == [b"invalidate", [b"a"]]
    quiet(pair)


def test_redirection_to_a_subscriber(pair):
    both = pair.each("CLIENT ID", connection=2)
    pair.call("SUBSCRIBE __redis__:invalidate", connection=2)
    for client, id in zip(pair.clients(), both):
        assert client.call("CLIENT", "TRACKING", "ON", "REDIRECT", id) == b"OK"
        assert client.call("CLIENT", "GETREDIR") == id
    pair.call("GET a")
    pair.second("SET a 1")
    assert pair.message(connection=2) == [b"message", b"__redis__:invalidate", [b"a"]]
    pair.second("FLUSHALL")
    assert pair.message(connection=2) == [b"message", b"__redis__:invalidate", None]
    quiet(pair)


def test_a_broken_redirection(pair):
    both = pair.each("CLIENT ID", connection=2)
    pair.call("HELLO 3", compare="none")
    for client, id in zip(pair.clients(), both):
        client.call("CLIENT", "TRACKING", "ON", "REDIRECT", id)
    pair.call("GET a")
    for client in pair.clients(2):
        client.close()
    del pair.connections[2]
    for client, id in zip(pair.clients(1), both):
        eventually(lambda c=client, i=id: b"id=%d " % i not in c.call("CLIENT", "LIST"))
    pair.second("SET a 1")
    for client, id in zip(pair.clients(), both):
        assert client.read() == [b"tracking-redir-broken", id]
        assert b"broken_redirect" in client.call("CLIENT", "TRACKINGINFO")[b"flags"]
        assert b"flags=tR " in client.call("CLIENT", "LIST")


REFUSED = [
    "CLIENT TRACKING maybe", "CLIENT TRACKING ON foo", "CLIENT TRACKING ON REDIRECT 99999",
    "CLIENT TRACKING ON REDIRECT x", "CLIENT TRACKING ON PREFIX a", "CLIENT TRACKING ON BCAST OPTIN",
    "CLIENT TRACKING ON BCAST OPTOUT", "CLIENT TRACKING ON OPTIN OPTOUT", "CLIENT CACHING YES",
    "CLIENT TRACKING ON BCAST PREFIX a PREFIX ab", "CLIENT TRACKING ON PREFIX", "CLIENT GETREDIR",
    "CLIENT TRACKINGINFO", "CLIENT TRACKING OFF",
]


@pytest.mark.parametrize("command", REFUSED)
def test_refusals(pair, command):
    pair.call(command)


def test_modes_do_not_change_on_the_way(pair):
    pair.run([
        "CLIENT TRACKING ON OPTIN", "CLIENT TRACKING ON OPTOUT", "CLIENT CACHING NO", "CLIENT CACHING x",
        "CLIENT TRACKING ON BCAST", "CLIENT TRACKING ON OPTIN NOLOOP", "CLIENT TRACKINGINFO",
        "CLIENT TRACKING OFF", "CLIENT TRACKING ON OPTOUT", "CLIENT CACHING YES", "CLIENT GETREDIR",
        "CLIENT TRACKING OFF", "CLIENT TRACKING ON BCAST PREFIX b PREFIX a", "CLIENT TRACKING ON",
        "CLIENT TRACKING OFF"], digest=False)


def test_the_table_has_a_limit(pair):
    pair.config("tracking-table-max-keys", 10)
    on(pair)
    for client, other in zip(pair.clients(), pair.clients(1)):
        client.send(b"".join(encode("GET", f"key:{i}") for i in range(30)))
        eventually(lambda: b"tracking_total_keys:10\r\n" in other.call("INFO", "stats"))
        assert b"tracking_clients:1\r\n" in other.call("INFO", "clients")
        # Whom the table forgets is told so, among the replies.
        answers = [client.read() for _ in range(50)]
        told = {answer[1][0] for answer in answers if answer}
        assert len(told) == 20 and told < {b"key:%d" % i for i in range(30)}
        assert client.call("PING") == b"PONG"


def test_eviction_and_scripts_reads(farm):
    server = farm.redwing()
    with Client(server.port) as client, Client(server.port) as other:
        client.call("HELLO", "3")
        client.call("CLIENT", "TRACKING", "ON")
        client.call("EVAL", "return redis.call('get', KEYS[1])", "1", "a")
        other.call("SET", "a", "1")
        assert client.read() == [b"invalidate", [b"a"]]
        client.call("GET", "a")
        other.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
        other.call("CONFIG", "SET", "maxmemory", "1")
        other.call_or_error("PING")
        assert client.read() == [b"invalidate", [b"a"]]
        other.call("CONFIG", "SET", "maxmemory", "0")


def test_a_message_does_not_cut_a_reply_in_two(farm):
    """The one who changes the key is the one to whom the message is redirected, inside EXEC."""
    server = farm.redwing()
    with Client(server.port) as client, Client(server.port) as target:
        target.call("HELLO", "3")
        client.call("CLIENT", "TRACKING", "ON", "REDIRECT", target.call("CLIENT", "ID"))
        client.call("GET", "a")
        target.call("MULTI")
        target.call("SET", "a", "1")
        target.call("GET", "a")
        assert target.call("EXEC") == [b"OK", b"1"]
        assert target.read() == [b"invalidate", [b"a"]]
