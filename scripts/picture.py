#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turns a terminal's text (standard input) into an SVG: how the pictures in docs/ are made.

  python3 scripts/demo.py --once --port 7379 --replica-port 7380 | scripts/picture.py > docs/run.svg
"""

import sys
from xml.sax.saxutils import escape

ROW, COLUMN, EDGE = 18, 7.8, 16


def main():
    lines = sys.stdin.read().replace("\r", "").rstrip().splitlines()
    width = max(640, int(max(map(len, lines)) * COLUMN) + 2 * EDGE)
    height = len(lines) * ROW + 2 * EDGE
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
          f'viewBox="0 0 {width} {height}">')
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#1b1f27"/>')
    print('<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="13" fill="#d8dee9" '
          'xml:space="preserve">')
    for number, line in enumerate(lines):
        color = ' fill="#8fbcbb"' if line.startswith(("redwing:", "demo-", "$")) else ""
        print(f'<text x="{EDGE}" y="{EDGE + (number + 1) * ROW - 5}"{color}>{escape(line)}</text>')
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()
