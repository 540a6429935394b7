# SPDX-License-Identifier: BSD-3-Clause
"""docs/commands.md, drawn from the table of a running server: COMMAND, COMMAND DOCS and HELP.

`make docs` writes it; the interop tests compare it with the server. By hand:
    python3 scripts/command_docs.py .build/release/redwing-server > docs/commands.md
"""

import os
import sys

GROUPS = ["string", "bitmap", "list", "set", "sorted-set", "hash", "hyperloglog", "geo", "stream", "generic",
          "pubsub", "transactions", "scripting", "connection", "server", "cluster"]
HEAD = """# Commands

Drawn from the server's table by `make docs`; a change by hand is lost. *Since* is the version of Redis that has
the command first, *Arity* counts the name (negative: at least so many words), *Keys* are the first, the last and
the step between them (`…`: their places depend on the arguments). Flags and categories are those of `COMMAND`.
"""


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def pairs(flat):
    return list(zip(map(text, flat[::2]), flat[1::2]))


def keys_of(row):
    first, last, step = row[3:6]
    words = f"{first} {last} {step}" if first else ""
    return (words + " …").strip() if "movablekeys" in map(text, row[2]) else words


def reference(call):
    """The whole text. `call(*words)` asks the server and gives its reply in RESP2."""
    table = {text(row[0]): row for row in call("COMMAND")}
    docs = {name: dict(pairs(entry)) for name, entry in pairs(call("COMMAND", "DOCS"))}
    lines = [HEAD]
    for group in GROUPS + sorted({text(entry["group"]) for entry in docs.values()} - set(GROUPS)):
        names = sorted(name for name, entry in docs.items() if text(entry["group"]) == group)
        lines += [f"## {group}", "", "| Command | Since | Arity | Keys | What it does | Flags | Categories |",
                  "|---|---|---|---|---|---|---|"]
        for name in names:
            row, entry = table[name], docs[name]
            flags, categories = (" ".join(map(text, row[i])) for i in (2, 6))
            lines.append(f"| {name.upper()} | {text(entry['since'])} | {row[1]} | {keys_of(row)} | "
                         f"{text(entry['summary'])} | {flags} | {categories} |")
        lines.append("")
        for name in names:
            if "subcommands" in docs[name]:
                help_lines = [text(line) for line in call(name, "HELP")]
                lines += [f"### {name.upper()}", "", "```", *help_lines[1:], "```", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    os.environ["REDWING_SERVER"] = os.path.abspath(sys.argv[1])
    from lab.servers import Farm
    with Farm() as farm, farm.redwing().client() as client:
        sys.stdout.write(reference(client.call))
