# SPDX-License-Identifier: BSD-3-Clause
"""The one table of commands, as seen from outside: COMMAND and its subcommands beside a stock Redis, HELP of all
containers, docs/commands.md, ACL rules by keys, and that every request has exactly one reply."""

import os
import re
import socket
import sys

import pytest

from lab.resp import Client, ReplyError, encode
from pair import normal_error

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "scripts"))

import command_docs  # noqa: E402

text = command_docs.text

# What 6.0.7 has and 7.0 removed; POST and HOST: are in neither's documentation.
ONLY_OURS = {"stralgo", "post", "host:"}
# Of 7.0, beyond what Redwing promises.
ONLY_THEIRS = {"blmpop", "bzmpop", "eval_ro", "evalsha_ro", "fcall", "fcall_ro", "function", "lcs", "lmpop", "sintercard",
               "sort_ro", "spublish", "ssubscribe", "sunsubscribe", "zintercard", "zmpop"}
# Flags that both versions know. 7.0 has no `random` and `sort_for_script`, 6.0 no `blocking`, `no_multi` and so on.
FLAGS = {"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "loading", "stale", "skip_monitor", "skip_slowlog",
         "asking", "fast", "no_auth", "movablekeys"}

# "+" is what Redwing has, "-" what 7.0.15 has. Everything else is equal.
DIFFERENCES = {
    # 7.0 describes containers by their subcommands: their own row has next to nothing.
    "acl": "flags +admin +loading +noscript +skip_slowlog +stale; categories +@admin +@dangerous",
    "client": "flags +admin +loading +noscript +stale; categories +@admin +@connection +@dangerous",
    "cluster": "flags +admin +stale; categories +@admin +@dangerous",
    "config": "flags +admin +loading +noscript +stale; categories +@admin +@dangerous",
    "latency": "flags +admin +loading +noscript +stale; categories +@admin +@dangerous",
    "memory": "flags +movablekeys +readonly; categories +@read",
    "module": "flags +admin +noscript; categories +@admin +@dangerous",
    "object": "keys (2, 2, 1) (0, 0, 0); flags +readonly; categories +@keyspace +@read",
    "pubsub": "flags +loading +pubsub +stale; categories +@pubsub",
    "script": "flags +noscript; categories +@scripting",
    "slowlog": "flags +admin +loading +stale; categories +@admin +@dangerous",
    "xgroup": "keys (2, 2, 1) (0, 0, 0); flags +denyoom +write; categories +@stream +@write",
    "xinfo": "keys (2, 2, 1) (0, 0, 0); flags +readonly; categories +@read +@stream",
    # Those of the connection became a category of their own, and run at any time.
    "asking": "categories +@keyspace -@connection",
    "echo": "flags +readonly -loading -stale; categories +@read",
    "ping": "flags +stale",
    "readonly": "flags -loading -stale; categories +@keyspace -@connection",
    "readwrite": "flags -loading -stale; categories +@keyspace -@connection",
    "select": "categories +@keyspace -@connection",
    "wait": "categories +@keyspace -@connection",
    "lastsave": "flags +readonly; categories +@read",
    "role": "flags +readonly; categories +@read -@admin",
    # 7.0 hides these two by other means, and scripts from MONITOR.
    "auth": "flags +skip_monitor +skip_slowlog",
    "exec": "flags +skip_monitor",
    "eval": "flags -skip_monitor -stale",
    "evalsha": "flags -skip_monitor -stale",
    # HELLO needs a version before 6.2.
    "hello": "arity -2 -1; flags +skip_monitor +skip_slowlog",
    "georadius_ro": "flags +movablekeys",
    "georadiusbymember_ro": "flags +movablekeys",
    # 7.0 finds their keys by a word.
    "xread": "keys (1, 1, 1) (0, 0, 0)",
    "xreadgroup": "keys (1, 1, 1) (0, 0, 0)",
    # 6.0.7's own error when there is no MAXLEN.
    "xtrim": "arity -2 -4",
    "pfdebug": "arity -3 3; flags -denyoom",
    # REPLICAOF host port FORCE is ours.
    "replicaof": "arity -3 3",
    "slaveof": "arity -3 3",
}

CONTAINERS = ["acl", "client", "cluster", "command", "config", "debug", "latency", "memory", "module", "object", "pubsub",
              "script", "slowlog", "xgroup", "xinfo"]


@pytest.fixture(scope="module")
def server(shared_farm):
    return shared_farm.redwing()


def rows(client):
    return {text(row[0]): (row[1], set(map(text, row[2])), tuple(row[3:6]), set(map(text, row[6])))
            for row in client.call("COMMAND")}


def signed(ours, theirs):
    return [f"+{one}" for one in sorted(ours - theirs)] + [f"-{one}" for one in sorted(theirs - ours)]


def difference(ours, theirs):
    found = []
    if ours[0] != theirs[0]:
        found.append(f"arity {ours[0]} {theirs[0]}")
    if ours[2] != theirs[2]:
        found.append(f"keys {ours[2]} {theirs[2]}")
    if ours[1] & FLAGS != theirs[1] & FLAGS:
        found.append(" ".join(["flags", *signed(ours[1] & FLAGS, theirs[1] & FLAGS)]))
    if ours[3] != theirs[3]:
        found.append(" ".join(["categories", *signed(ours[3], theirs[3])]))
    return "; ".join(found)


def test_every_command_is_described_alike(pair):
    ours, theirs = map(rows, pair.clients())
    assert set(ours) - set(theirs) == ONLY_OURS and set(theirs) - set(ours) == ONLY_THEIRS
    found = {name: difference(ours[name], theirs[name]) for name in ours if name in theirs}
    assert {name: one for name, one in found.items() if one} == DIFFERENCES


def test_categories_hold_what_the_table_says(pair):
    """ACL CAT, COMMAND LIST FILTERBY and COMMAND itself say the same."""
    client = pair.clients()[0]
    table = rows(client)
    seen = set()
    for category in map(text, client.call("ACL", "CAT")):
        members = {name for name, row in table.items() if f"@{category}" in row[3]}
        assert set(map(text, client.call("ACL", "CAT", category))) == members, category
        assert set(map(text, client.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", category))) == members
        seen |= members
    assert seen == set(table)
    assert pair.call("ACL CAT", compare="set")


# COMMAND's subcommands.

GETKEYS = [
    "EVAL s 2 a b c", "ZUNIONSTORE d 2 a b WEIGHTS 1 2", "ZINTER 2 a b", "ZDIFF 1 a", "ZUNION 99 a b", "MIGRATE h 1 k 0 10",
    "MIGRATE h 1 '' 0 10 KEYS a b", "MIGRATE h 1 '' 0 10 COPY AUTH p KEYS a b", "GEORADIUS g 1 2 3 km",
    "GEORADIUS g 1 2 3 km STORE d", "GEORADIUSBYMEMBER g m 3 km STOREDIST e", "GEORADIUS_RO g 1 2 3 km",
    "GEOSEARCHSTORE d s FROMMEMBER m BYRADIUS 1 m", "XREAD STREAMS a 0", "XREADGROUP GROUP g c COUNT 1 STREAMS a b > >",
    "XREADGROUP GROUP STREAMS c STREAMS a b > >", "XREAD COUNT 1", "SORT a BY w* GET x* STORE d", "SORT a STORE b STORE c",
    "SORT a LIMIT 0 1 STORE d", "OBJECT ENCODING k", "XINFO STREAM k", "XGROUP CREATE k g 0", "MEMORY USAGE k",
    "BITOP AND d a b", "BLPOP a b 0", "BRPOPLPUSH a b 0", "RENAME a b", "PFCOUNT a b", "PFMERGE a b", "PFDEBUG GETREG k",
    "DEBUG OBJECT k", "MSET a 1 b 2", "MSET a", "nosuch a", "SCAN 0", "LMOVE a b LEFT LEFT", "COPY a b", "SMOVE a b c",
    "RESTORE k 0 x", "WATCH a b", "SUBSCRIBE a", "DUMP k", "ZRANGESTORE a b 0 1", "SINTERSTORE d a",
    "MSETNX a 1 b 2", "MGET a b", "TOUCH a b", "DEL a b", "BZPOPMIN a b 0", "PUBLISH a b", "ACL LIST", "BITFIELD k GET u8 0",
    "XACK k g 1-1", "XCLAIM k g c 0 1-1", "XAUTOCLAIM k g c 0 0", "ZMSCORE a b", "EXISTS a b c", "BLMOVE a b LEFT RIGHT 0",
]
# Where 6.0.7 answers otherwise than 7.0, or 7.0 has no such command.
GETKEYS_OF_OURS = [
    ("EVALSHA s 0 a", "Invalid arguments"), ("EVAL s 5 a b", "Invalid arguments"), ("EVAL s x a", "Invalid arguments"),
    # The first KEYS counts, a password that is spelled so included; an ACL only becomes stricter by it.
    ("MIGRATE h 1 '' 0 10 AUTH2 u KEYS KEYS a b", ["KEYS", "a", "b"]),
    # The last one is where the result goes.
    ("GEORADIUS g 1 2 3 km STORE d STOREDIST e", ["g", "e"]),
    ("OBJECT HELP", "Invalid arguments"), ("XGROUP HELP", "Invalid arguments"), ("MEMORY DOCTOR", "Invalid arguments"),
    ("STRALGO LCS KEYS a b", ["a", "b"]), ("STRALGO LCS IDX KEYS a b", ["a", "b"]), ("GET", "Invalid number of arguments"),
    ("STRALGO LCS STRINGS a b", "Invalid arguments"), ("PING", "no key arguments"), ("EXEC", "no key arguments"),
    ("LCS a b", "Invalid command"),
]


@pytest.mark.parametrize("request_", GETKEYS)
def test_getkeys(pair, request_):
    pair.call(f"COMMAND GETKEYS {request_}")


@pytest.mark.parametrize("request_, keys", GETKEYS_OF_OURS)
def test_getkeys_as_6_0_has_it(pair, request_, keys):
    reply = pair.each(f"COMMAND GETKEYS {request_}")[0]
    assert keys in str(reply) if isinstance(keys, str) else [text(key) for key in reply] == keys


def test_command_list_and_info(pair):
    ours = pair.clients()[0]
    assert ours.call("COMMAND", "COUNT") == len(ours.call("COMMAND", "LIST")) == len(ours.call("COMMAND"))
    pair.call("COMMAND LIST FILTERBY MODULE x")
    pair.call("COMMAND LIST FILTERBY ACLCAT geo", compare="set")
    pair.call("COMMAND LIST FILTERBY PATTERN geo*", compare="set")
    pair.call("COMMAND LIST FILTERBY PATTERN GEO*", compare="set")
    for bad in ("COMMAND LIST FILTERBY", "COMMAND LIST x y z", "COMMAND LIST FILTERBY x y"):
        assert isinstance(pair.each(bad)[0], ReplyError)
    assert ours.call("COMMAND", "INFO", "get", "nosuch", "GET")[1] is None


def test_docs_say_summary_since_and_group(pair):
    docs = [dict(command_docs.pairs(client.call("COMMAND", "DOCS"))) for client in pair.clients()]
    ours, theirs = ({name: dict(command_docs.pairs(entry)) for name, entry in one.items()} for one in docs)
    assert set(ours) == set(rows(pair.clients()[0]))
    for name, entry in ours.items():
        assert re.fullmatch(r"[A-Z].*\.", text(entry["summary"])), name
        if name in theirs:
            assert (entry["since"], entry["group"]) == (theirs[name]["since"], theirs[name]["group"]), name
    few = pair.clients()[0].call("COMMAND", "DOCS", "GET", "nosuch", "client")
    assert few[0::2] == [b"get", b"client"]
    assert b"client|id" in dict(zip(few[3][::2], few[3][1::2]))[b"subcommands"]


def test_the_reference_is_that_of_the_server(server):
    with open(os.path.join(ROOT, "docs", "commands.md")) as file, server.client() as client:
        assert file.read() == command_docs.reference(client.call), "make docs writes it anew"


# Containers.

def subcommands(client, name):
    return [text(line).split()[0].lower() for line in client.call(name, "HELP")[1:]
            if not text(line).startswith((" ", "(no subcommand)", "HELP"))]


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name != "cluster"])
def test_help_names_every_subcommand(pair, name):
    """All lines are status replies; each subcommand that stock Redis has and that exists here is among them."""
    ours, theirs = pair.clients()
    raw = ours.call_raw(name, "HELP")
    lines = raw.split(b"\r\n")
    assert lines[0] == b"*%d" % (len(lines) - 2) and all(line[:1] == b"+" for line in lines[1:-1])
    assert lines[1] == f"+{name.upper()} <subcommand> arg arg ... arg. Subcommands are:".encode()
    known = subcommands(ours, name)
    for one in set(subcommands(theirs, name)) - set(known):
        reply = ours.call_or_error(name, one)
        assert "nknown subcommand" in str(reply) or "doesn't crash" in str(reply), (name, one)
    # What HELP names isn't unknown: with some number of words it is run, or complains of them otherwise.
    for bad in ("nosuch", "help more"):
        assert pair.each(f"{name} {bad}")[0].args[0].startswith(
            f"ERR Unknown subcommand or wrong number of arguments for '{bad.split()[0]}'. Try {name.upper()} HELP.")


def test_a_cluster_that_is_none(pair):
    pair.call("CLUSTER INFO")
    pair.call("ASKING")
    assert normal_error(pair.clients()[0].call_raw("CLUSTER", "HELP")).startswith("-ERR This instance has cluster")


# Keys of commands that have none at a fixed place, as ACL rules see them.

ESCAPES = ["PFDEBUG GETREG hidden", "PFDEBUG TODENSE hidden", "OBJECT ENCODING hidden", "XINFO STREAM hidden", "DEBUG OBJECT hidden",
           "XGROUP CREATE hidden g $ MKSTREAM", "MEMORY USAGE hidden", "SORT seen STORE hidden", "EVAL 'return 1' 1 hidden",
           "XREAD STREAMS seen hidden 0 0", "XREADGROUP GROUP g c STREAMS hidden >", "GEORADIUS seen 1 2 3 km STORE hidden",
           "ZUNION 2 seen hidden", "ZUNIONSTORE hidden 1 seen", "STRALGO LCS KEYS seen hidden", "BITOP NOT seen hidden",
           "MIGRATE 127.0.0.1 1 '' 0 10 KEYS seen hidden", "COPY seen hidden", "GEOSEARCHSTORE hidden seen FROMLONLAT 0 0 BYRADIUS 1 m",
           "LMOVE seen hidden LEFT LEFT", "BLPOP seen hidden 0.01", "MSET seen 1 hidden 2", "RESTORE-ASKING hidden 0 x"]
# DEBUG has no keys in the table of Redis either: who may run it sees all.
ESCAPES.remove("DEBUG OBJECT hidden")


@pytest.mark.parametrize("request_", ESCAPES)
def test_a_users_keys_hold_for_every_command(server, request_):
    import shlex
    with server.client() as client:
        client.call("ACL", "SETUSER", "limited", "on", "nopass", "+@all", "~seen*")
        client.call("AUTH", "limited", "x")
        reply = client.call_or_error(*shlex.split(request_))
        assert isinstance(reply, ReplyError) and str(reply).startswith("NOPERM"), reply


# One reply for each request.

# These answer nothing, end the connection or the server, or answer when something happens.
NO_SINGLE_REPLY = {"shutdown", "monitor", "sync", "psync", "replconf", "post", "host:", "quit", "failover", "wait",
                   "subscribe", "psubscribe", "unsubscribe", "punsubscribe", "blpop", "brpop", "brpoplpush", "blmove",
                   "bzpopmin", "bzpopmax", "replicaof", "slaveof", "bgsave", "bgrewriteaof", "save", "debug"}
WAITS = [("CLIENT", "PAUSE"), ("CLIENT", "REPLY"), ("XREAD",), ("XREADGROUP",), ("MIGRATE",), ("CLIENT", "KILL"),
         ("CONFIG", "SET"), ("CONFIG", "REWRITE")]
JUNK = ["", "0", "-1", "x", "version", "9223372036854775808", "*", "k"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_request_has_one_reply(server, protocol):
    with server.client() as asker:
        names = sorted(set(map(text, asker.call("COMMAND", "LIST"))) - NO_SINGLE_REPLY)
        parts = {name: subcommands(asker, name) for name in names if name in CONTAINERS and name != "cluster"}
    with server.client() as client:
        client.call("HELLO", protocol)
        for name in names:
            heads = [(name,)] + [(name, part) for part in parts.get(name, [])]
            requests = [head + tuple(JUNK[(i + n) % len(JUNK)] for i in range(n))
                        for head in heads for n in range(4)]
            for request in requests:
                if any(tuple(word.upper() for word in request[:len(one)]) == one for one in WAITS):
                    continue
                marker = f"after {request}"
                client.send(encode(*request) + encode("ECHO", marker))
                client.socket.settimeout(20)
                try:
                    first, second = client.read(), client.read()
                except (socket.timeout, ConnectionError) as error:
                    raise AssertionError(f"{request} has no reply: {error!r}") from error
                # A transaction and a new protocol change what ECHO says, not how often.
                if name == "multi" or second == b"QUEUED":
                    assert second == b"QUEUED" or isinstance(second, (bytes, ReplyError)), request
                    client.call_or_error("DISCARD")
                else:
                    assert text(second) == marker, (request, first, second)
                if name in ("hello", "reset", "auth", "select"):
                    client.call("HELLO", protocol)
