# SPDX-License-Identifier: BSD-3-Clause
"""What sets, sorted sets and geo sets do besides replying: keyspace events equal to a stock Redis's, and a
stream that leaves a stock Redis replica, and a Redwing one, with the same data set."""

import pytest

import test_geo
import test_sets
import test_sorted_sets
from lab import sync
from lab.resp import encode, parse
from pair import arguments_of

ROWS = {f"{module.__name__[5:]}: {title}": row
        for module in (test_sets, test_sorted_sets, test_geo) for title, row in module.ROWS.items()}
MARK = b"__keyevent@mark__:done"


def messages_until_mark(client):
    messages = []
    while True:
        message = parse(client.read_raw())
        if message[2] == MARK:
            return messages
        messages.append(message[2:])


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_events(pair, row):
    pair.config("notify-keyspace-events", "KEA")
    pair.each("PSUBSCRIBE __key*__:*", connection=1)
    for command in row:
        command = command["command"] if isinstance(command, dict) else command
        # Inside a transaction the mark would have to wait for its end.
        if arguments_of(command)[0] in ("MULTI", "EXEC"):
            continue
        if arguments_of(command)[0].startswith("BZPOP") and command.endswith(" 0") and "none 0" in command:
            continue
        pair.each(command)
        pair.each(("PUBLISH", MARK, ""))
        ours, theirs = (messages_until_mark(client) for client in pair.clients(1))
        assert ours == theirs, command


@pytest.mark.parametrize("kind", ["redis", "redwing"])
def test_replicas_get_the_same(farm, kind):
    master = farm.redwing({"zset-max-ziplist-entries": 20, "set-max-intset-entries": 20})
    replica = farm.start(kind)
    sync.replicate(replica, master)
    sync.wait_link_up(replica)
    client = master.client()
    for seed in range(3):
        requests = (test_sets.random_sets(seed, 400) + test_sorted_sets.random_sorted_sets(seed, 400)
                    + test_sorted_sets.random_lex(seed, 200) + test_geo.random_geo(seed, 300)
                    + [("SPOP", key) for key in "abcd"] + [("SPOP", key, 3) for key in "abcd"]
                    + [("SPOP", "a", 100000), ("ZPOPMIN", "b", 3), ("BZPOPMAX", "c", "big", 0.01)])
        client.send(b"".join(encode(*request) for request in requests))
        for _ in requests:
            client.read_raw()
        sync.assert_same(master, replica)
