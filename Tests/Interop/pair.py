# SPDX-License-Identifier: BSD-3-Clause
"""Redwing and a stock Redis 7.0.15 side by side: the same commands to both, every reply equal.

How a test file of a command family uses it
-------------------------------------------
The fixture `pair` (conftest.py) is one pair of servers for each test module, emptied before each
test. A table of rows, each row a sequence of commands, is the usual form:

    ROWS = {
        "APPEND makes a missing key": [
            "APPEND k abc",                      # a str is split like a shell line
            ("APPEND", "k", b"\\x00\\xff"),      # a tuple is taken as it is
            "GET k",
        ],
    }

    @pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
    def test_strings(pair, row):
        pair.run(row)                            # each reply compared, then DEBUG DIGEST

    pair.call("SET k v")          -> the value, after both replies were found equal
    pair.call("KEYS *", compare="set")
    pair.config("hash-max-ziplist-entries", 4)   # on both, undone before the next test
    pair.each("DEBUG RELOAD")                    # to both, replies not compared
    pair.second("GET k")          -> the same on a second connection to each (blocking, MULTI, pub/sub)
    pair.send("BLPOP q 0"); pair.blocked(1); pair.second("LPUSH q x"); pair.receive()   # a reply that comes later
    pair.random(requests)         -> many at once: all in one pipeline, all replies compared
    pair.sequence(requests, ...)  -> for property tests: the same, with a replica, DUMP, RESTORE and RELOAD in between
    pair.digest()                 -> equal digests of both, or AssertionError

Comparison is on the exact bytes of the reply. What differs by rights is brought to one form first:

- order: commands in UNORDERED (SMEMBERS, KEYS, HGETALL of a table, ...) are compared as bags, of
  pairs where they hold pairs. `compare=` says it for one call: "exact", "set", "pairs", "near"
  (numbers within 1 %, at least 2: TTL, IDLETIME, MEMORY USAGE), "type" (only the kind of reply:
  random elements, time), "none".
- text: FORMS lists the texts that 7.0.15 words otherwise than 6.0.7, whose text Redwing has. A
  row that meets a new one adds it there, with both texts, and nothing looser than necessary.
- names: encodings that 7.0 renamed (listpack for ziplist) in OBJECT ENCODING and DEBUG OBJECT.
"""

import contextlib
import re
import shlex

from lab import sync
from lab.resp import Client, ReplyError, encode, parse
from lab.servers import eventually

# (pattern, replacement) on the text of an error of either side. 6.0.7's text is the normal form.
FORMS = [
    # 6.0.7: unknown command `x`, with args beginning with: `a`, `b`,   7.0: 'x', ... 'a' 'b'
    (r"^-ERR unknown command [`'](.*?)[`'], with args beginning with: (.*)$",
     lambda m: "-ERR unknown command `%s`, with args beginning with: %s" % (
         m[1], "".join(f"`{a}`, " for a in re.findall(r"[`'](.*?)[`'],? ?", m[2])))),
    # 7.0 names the command in the texts about expiry.
    (r"^-ERR invalid expire time in '(\w+)' command", r"-ERR invalid expire time in \1"),
    # 7.0: unknown subcommand 'x'. Try CONFIG HELP.
    # 6.0: Unknown subcommand or wrong number of arguments for 'x'. Try CONFIG HELP.
    (r"^-ERR unknown subcommand(?: or wrong number of arguments for)? '(.*?)'\. Try (.*)$",
     r"-ERR Unknown subcommand or wrong number of arguments for '\1'. Try \2"),
    # A wrong arity of a subcommand: 7.0 names container|subcommand, 6.0 has the text above.
    (r"^-ERR wrong number of arguments for '(\w+)\|(.*)' command$",
     lambda m: "-ERR Unknown subcommand or wrong number of arguments for "
               f"'{m[2].upper()}'. Try {m[1].upper()} HELP."),
    (r"^-ERR wrong number of arguments for 'hm?set' command$",
     "-ERR wrong number of arguments for HMSET"),
    (r"^-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second.*$",
     "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second, ..."),
    # XADD without a field or with one that has no value.
    (r"^-ERR wrong number of arguments for XADD$", "-ERR wrong number of arguments for 'xadd' command"),
    (r"^-ERR string exceeds maximum allowed size \(.*\)$",
     "-ERR string exceeds maximum allowed size (512MB)"),
    (r"^-NOPERM this user has no permissions to run the '([^'|]*)(?:\|[^']*)?' command.*$",
     r"-NOPERM this user has no permissions to run the '\1' command or its subcommand"),
    (r"only \(P\|S\)SUBSCRIBE / \(P\|S\)UNSUBSCRIBE / PING / QUIT / RESET are allowed",
     "only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT are allowed"),
    # 6.2 says in addition that the user may be disabled.
    (r"^-WRONGPASS invalid username-password pair or user is disabled\.$",
     "-WRONGPASS invalid username-password pair"),
    # Geo: 6.0.7 has the units in lower case, and WITHCOORDS.
    (r"^-ERR unsupported unit provided\. please use .*$",
     "-ERR unsupported unit provided. please use m, km, ft, mi"),
    (r"WITHHASH and WITHCOORDS? options$", "WITHHASH and WITHCOORDS options"),
    # 6.0.7 names two commands where 7.0 names the one at hand.
    (r"^-ERR at least 1 input key is needed for .*$",
     "-ERR at least 1 input key is needed for ZUNIONSTORE/ZINTERSTORE"),
    # SELECT of what is no number.
    (r"^-ERR invalid DB index$", "-ERR value is not an integer or out of range"),
    # Errors out of scripts carry the script's name: the part before it is Redis's own.
    (r"^-(ERR )?Error (running|compiling) script.*$", r"-ERR Error \2 script"),
    (r"^-(.*) script: [0-9a-f]{40}, on @user_script:\d+\.$", r"-ERR Error running script"),
]
FORMS = [(re.compile(pattern), to) for pattern, to in FORMS]

UNORDERED = {
    "SMEMBERS": "set", "SINTER": "set", "SUNION": "set", "SDIFF": "set", "KEYS": "set",
    "HKEYS": "set", "HVALS": "set", "HGETALL": "pairs", "SRANDMEMBER": "type", "SPOP": "type",
    "RANDOMKEY": "type", "HRANDFIELD": "type", "ZRANDMEMBER": "type", "TTL": "near", "PTTL": "near",
    "TIME": "type", "LASTSAVE": "type", "SCAN": "scan", "SSCAN": "scan", "HSCAN": "scan",
    "ZSCAN": "scan", "INFO": "type", "DEBUG": "type",
}
NEAR_OBJECT = {"IDLETIME": "near", "FREQ": "near"}


def arguments_of(command):
    if isinstance(command, str):
        return tuple(shlex.split(command))
    return tuple(command)


class Pair:
    """`ours` is Redwing, `theirs` stock Redis; each has connections that are made when needed."""

    def __init__(self, farm, options=None):
        self.farm = farm
        self.ours = farm.redwing(options)
        self.theirs = farm.redis(options)
        self.connections = {}
        self.history = []
        self.waiting = {}
        self.changed = {}
        self.replica = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disconnect()

    def disconnect(self):
        for both in self.connections.values():
            for one in both:
                one.close()
        self.connections, self.waiting = {}, {}

    def reset(self):
        """Both empty, all connections new, changed directives back at what they were."""
        self.disconnect()
        self.history = []
        self.each("FLUSHALL")
        for name, values in self.changed.items():
            for client, value in zip(self.clients(), values):
                client.call("CONFIG", "SET", name, value)
        self.changed = {}

    def config(self, name, value):
        """CONFIG SET on both; undone before the next test."""
        if name not in self.changed:
            self.changed[name] = [client.call("CONFIG", "GET", name)[1] for client in self.clients()]
        for client in self.clients():
            client.call("CONFIG", "SET", name, value)

    def clients(self, number=0):
        if number not in self.connections:
            self.connections[number] = (Client(self.ours.port), Client(self.theirs.port))
        return self.connections[number]

    # Commands.

    def call(self, command, compare=None, connection=0):
        """Sends to both, compares the replies, gives the value (an error as ReplyError)."""
        self.send(command, compare, connection)
        return self.receive(connection)

    def second(self, command, compare=None):
        return self.call(command, compare, connection=1)

    def send(self, command, compare=None, connection=0):
        """Sends to both without reading the reply; `receive` does that."""
        arguments = arguments_of(command)
        self.history.append(arguments)
        for client in self.clients(connection):
            client.send(encode(*arguments))
        self.waiting.setdefault(connection, []).append((arguments, compare))

    def receive(self, connection=0):
        """Compares the next reply on a connection. Pushed messages have no command: see `message`."""
        arguments, compare = self.waiting[connection].pop(0)
        ours, theirs = (client.read_raw() for client in self.clients(connection))
        self._compare(arguments, ours, theirs, compare)
        return parse(ours)

    def message(self, connection=0, compare="exact"):
        """Compares the next message that comes without being asked for (pub/sub, MONITOR)."""
        ours, theirs = (client.read_raw() for client in self.clients(connection))
        self._compare(("(message)",), ours, theirs, compare)
        return parse(ours)

    def each(self, command, connection=0):
        """To both, without comparing; gives both values, Redwing's first."""
        arguments = arguments_of(command)
        self.history.append(arguments)
        return tuple(client.call_or_error(*arguments) for client in self.clients(connection))

    def raw(self, data, replies=1, connection=0):
        """Bytes as they are (inline commands, broken protocol), then so many replies compared."""
        for client in self.clients(connection):
            client.send(data)
        return [self.message(connection) for _ in range(replies)]

    def run(self, row, digest=True):
        """All commands of a row. A dict {"command": ..., "compare": ...} says how to compare."""
        values = []
        for command in row:
            if isinstance(command, dict):
                values.append(self.call(**command))
            else:
                values.append(self.call(command))
        if digest:
            self.digest()
        return values

    def random(self, requests):
        """All in one pipeline, all replies compared: fast enough for thousands of commands."""
        requests = [arguments_of(request) for request in requests]
        self.history += requests
        both = []
        for client in self.clients():
            client.send(b"".join(encode(*request) for request in requests))
            both.append([client.read_raw() for _ in requests])
        for request, ours, theirs in zip(requests, *both):
            self._compare(request, ours, theirs, None)
        return [parse(raw) for raw in both[0]]

    def sequence(self, *parts):
        """For property tests: each part as `random` sends it, and then the data is what it is on the other server,
        on a stock replica that follows the stream, out of DUMP and RESTORE either way, and behind DEBUG RELOAD."""
        with self.followed() as replica:
            for requests in parts:
                self.random(requests)
                self.digest()
                sync.assert_same(self.ours, replica)
                self.exchange_dumps()
                self.each("DEBUG RELOAD")
                self.digest()
                sync.assert_same(self.ours, replica)

    @contextlib.contextmanager
    def followed(self):
        """A stock Redis replicates from Redwing meanwhile."""
        if self.replica is None:
            self.replica = self.farm.redis()
            self.ours.call("CONFIG", "SET", "repl-diskless-sync-delay", 0)
        sync.replicate(self.replica, self.ours)
        sync.wait_link_up(self.replica)
        yield self.replica
        self.replica.call("REPLICAOF", "NO", "ONE")

    def exchange_dumps(self):
        """What one dumps the other restores, and both copies hold the same."""
        keys = sorted(self.clients()[0].call("KEYS", "*"))
        clients = self.clients()
        dumps = [client.pipeline(("DUMP", key) for key in keys) for client in clients]
        digests = []
        for client, payloads in zip(clients, reversed(dumps)):
            # A key may have expired since; both restore what both had.
            there = [i for i, both in enumerate(zip(*dumps)) if None not in both]
            names = [b"copy:%d" % i for i in there]
            replies = client.pipeline(("RESTORE", name, 0, payloads[i], "REPLACE") for i, name in zip(there, names))
            assert all(reply == b"OK" for reply in replies), replies
            digests.append(client.call("DEBUG", "DIGEST-VALUE", *names) if names else [])
            client.pipeline(("DEL", name) for name in names)
        differing = [keys[i] for i, ours, theirs in zip(there, *digests) if ours != theirs]
        assert not differing, f"dumps differ: {differing[:5]}\n{self._where()}"

    def digest(self):
        ours, theirs = self.each("DEBUG DIGEST")
        if ours != theirs:
            raise AssertionError(f"digests differ: ours {ours}, theirs {theirs}\n{self._where()}"
                                 f"\n{self._differing_keys()}")
        return ours

    def blocked(self, count):
        """Waits until so many clients are blocked on each."""
        for server in (self.ours, self.theirs):
            with server.client() as client:
                eventually(lambda: client.info("clients")["blocked_clients"] == str(count))

    def eventually_equal(self, command, compare=None, timeout=30.0):
        """For what takes its time: retries until both give equal replies."""
        arguments = arguments_of(command)

        def equal():
            both = [client.call_raw(*arguments) for client in self.clients()]
            return self._normal(arguments, both[0], compare) == self._normal(
                arguments, both[1], compare)
        eventually(equal, timeout, message=lambda: f"{command} never equal")

    # Comparison.

    def _compare(self, arguments, ours, theirs, how):
        if ours == theirs:
            return
        how = how or rule_for(arguments)
        if how == "near":
            if near(parse(ours), parse(theirs)):
                return
        elif self._normal(arguments, ours, how) == self._normal(arguments, theirs, how):
            return
        raise AssertionError(f"replies differ ({how}) to {shown(arguments)}\n"
                             f"  ours:   {ours[:2000]!r}\n  theirs: {theirs[:2000]!r}\n{self._where()}")

    @staticmethod
    def _normal(arguments, raw, how):
        how = how or rule_for(arguments)
        if how == "none":
            return None
        if raw[:1] == b"-":
            return normal_error(raw)
        if how == "type":
            return kind_of(raw)
        name = str_of(arguments[0]).upper()
        if name == "OBJECT" and str_of(arguments[1]).upper() == "ENCODING":
            return raw.replace(b"$8\r\nlistpack", b"$7\r\nziplist")
        value = parse(raw)
        if how == "set" and isinstance(value, list):
            return sorted(map(repr, value))
        if how == "pairs" and isinstance(value, list):
            return sorted(zip(map(repr, value[::2]), map(repr, value[1::2])))
        if how == "scan" and isinstance(value, list):
            # One step of a SCAN may stop elsewhere; whether it is complete is for a test of its own.
            return "scan"
        return normal_nested(raw)

    def _where(self):
        recent = "\n".join(f"    {shown(arguments)}" for arguments in self.history[-12:])
        return f"  after:\n{recent}"

    def _differing_keys(self):
        keys = self.clients()[1].call("KEYS", "*")
        lines = []
        for key in keys[:2000]:
            both = [client.call_or_error("DEBUG", "DIGEST-VALUE", key) for client in self.clients()]
            if repr(both[0]) != repr(both[1]):
                lines.append(f"    {key!r}: ours {both[0]}, theirs {both[1]}")
        sizes = [client.call("DBSIZE") for client in self.clients()]
        return f"  keys: ours {sizes[0]}, theirs {sizes[1]}; differing:\n" + "\n".join(lines[:10])


def rule_for(arguments):
    name = str_of(arguments[0]).upper()
    if name == "OBJECT" and len(arguments) > 1:
        return NEAR_OBJECT.get(str_of(arguments[1]).upper(), "exact")
    if name == "MEMORY" and len(arguments) > 1 and str_of(arguments[1]).upper() == "USAGE":
        return "type"
    return UNORDERED.get(name, "exact")


def normal_error(raw):
    text = raw.rstrip(b"\r\n").decode("utf-8", "replace")
    for pattern, replacement in FORMS:
        text = pattern.sub(replacement, text)
    return text


def normal_nested(raw):
    """Errors inside an array (EXEC) are brought to their form as well."""
    if raw[:1] not in b"*~>%" or b"\r\n-" not in raw:
        return raw
    return normal_value(parse(raw))


def normal_value(value):
    if isinstance(value, ReplyError):
        return normal_error(b"-" + str(value).encode())
    if isinstance(value, list):
        return [normal_value(one) for one in value]
    return value


def kind_of(raw):
    if raw[:3] in (b"$-1", b"*-1", b"_\r\n"):
        return "null"
    return {b"=": b"$"}.get(raw[:1], raw[:1])


def near(ours, theirs):
    try:
        ours, theirs = float(ours), float(theirs)
    except (TypeError, ValueError):
        return False
    if min(ours, theirs) < 0:
        return ours == theirs
    # PTTL counts ms: what passes between the two calls is far below 100 of them, mostly.
    return abs(ours - theirs) <= max(100 if max(ours, theirs) > 1000 else 2, 0.01 * theirs)


def str_of(argument):
    return argument.decode("latin-1") if isinstance(argument, bytes) else str(argument)


def shown(arguments):
    return " ".join(repr(one)[:80] for one in arguments)
