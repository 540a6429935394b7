# SPDX-License-Identifier: BSD-3-Clause
"""Long lists of commands, a family each, sent to Redwing and a stock Redis: each reply must be equal.

rows/<family>.txt has a command a line, words as a shell has them and \\x escapes in them. Where 7.0.15 differs from
6.0.7, or has no such command, the line says what Redwing answers (`command  =>  reply`, an error with its dash), and
the comment before it why.
"""

import ast
import glob
import os
import shlex

import pytest

from lab.resp import ReplyError, to_bytes

FAMILIES = sorted(glob.glob(os.path.join(os.path.dirname(__file__), "rows", "*.txt")))
SUBSCRIPTIONS = {b"SUBSCRIBE", b"PSUBSCRIBE", b"UNSUBSCRIBE", b"PUNSUBSCRIBE"}


def words_of(command):
    words = shlex.split(command.replace("\\", "\\\\"))
    return [word.encode("latin-1").decode("unicode_escape").encode("latin-1") if "\\" in word else to_bytes(word)
            for word in words]


def tells_idle_times(words):
    return words[0].upper() == b"XPENDING" and len(words) > 5 or words[:2] == [b"XINFO", b"CONSUMERS"]


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: os.path.basename(path)[:-4])
def test_every_reply_is_equal(pair, path):
    with open(path) as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith("#")]
    for line in lines:
        command, _, expected = line.partition("  =>  ")
        words = words_of(command)
        if expected:
            reply = pair.each(words)[0]
            shown = f"-{reply}" if isinstance(reply, ReplyError) else reply
            assert shown == (expected if expected.startswith("-") else ast.literal_eval(expected)), command
            continue
        pair.call(words, compare="type" if tells_idle_times(words) else None)
        if words[0].upper() in SUBSCRIPTIONS:
            # One message a channel.
            for _ in words[2:]:
                pair.message()
    # Some end with QUIT.
    pair.disconnect()
    pair.digest()
