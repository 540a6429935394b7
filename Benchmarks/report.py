# SPDX-License-Identifier: BSD-3-Clause
"""Rows of measurements: both sides' numbers, their ratio, the bar; as a table, JSON and a chart."""

import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import Optional


@dataclass
class Row:
    subject: str
    measure: str
    unit: str
    redis: Optional[float]
    redwing: Optional[float]
    # The ratio may be at most this; None: only shown. `floor`, `ceiling`: Redwing's own number is at
    # least, at most this.
    bar: Optional[float] = None
    floor: Optional[float] = None
    ceiling: Optional[float] = None
    # That of the two numbers, unless it was taken from more than these two.
    ratio: Optional[float] = None
    verdict: str = ""

    def __post_init__(self):
        if self.ratio is None and self.redis and self.redwing is not None:
            self.ratio = self.redwing / self.redis
        if self.floor is not None and self.redwing is not None:
            self.verdict = "ok" if self.redwing >= self.floor else "miss"
        elif self.ceiling is not None and self.redwing is not None:
            self.verdict = "ok" if self.redwing <= self.ceiling else "miss"
        elif self.bar is not None and self.ratio is not None:
            self.verdict = "ok" if self.ratio <= self.bar else "miss"


class Report:
    def __init__(self, part, about):
        self.part, self.about, self.rows = part, about, []
        self.began = time.time()

    def add(self, subject, measure, unit, redis, redwing, *, bar=None, floor=None,
            ceiling=None, ratio=None):
        row = Row(subject, measure, unit, redis, redwing, bar, floor, ceiling, ratio)
        self.rows.append(row)
        print(line_of(row), file=sys.stderr, flush=True)

    def table(self):
        head = f"{'':<10} {'measure':<34} {'unit':<10} {'redis':>12} {'redwing':>12} {'ratio':>7} bar"
        return "\n".join([head, *map(line_of, self.rows)])

    def markdown(self):
        lines = [f"# {self.part}", "",
                 ", ".join(f"{name} {value}" for name, value in self.about.items() if value != ""), "",
                 "| | measure | unit | Redis | Redwing | ratio | bar | |",
                 "|---|---|---|--:|--:|--:|--:|---|"]
        for row in self.rows:
            cells = [row.subject, row.measure, row.unit, number(row.redis), number(row.redwing),
                     f"{row.ratio:.3f}" if row.ratio is not None else "", bar_of(row), row.verdict]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def write(self, directory):
        os.makedirs(directory, exist_ok=True)
        base = os.path.join(directory, self.part)
        with open(base + ".json", "w") as file:
            json.dump({"part": self.part, "about": self.about, "seconds": round(time.time() - self.began),
                       "rows": [asdict(row) for row in self.rows]}, file, indent=1)
            file.write("\n")
        with open(base + ".md", "w") as file:
            file.write(self.markdown())
        with open(base + ".svg", "w") as file:
            file.write(chart(self))


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def bar_of(row):
    if row.floor is not None:
        return f"≥ {row.floor:g} {row.unit}"
    if row.ceiling is not None:
        return f"≤ {row.ceiling:g} {row.unit}"
    return f"≤ {row.bar:g}" if row.bar is not None else ""


def line_of(row):
    ratio = f"{row.ratio:7.3f}" if row.ratio is not None else " " * 7
    return (f"{row.subject:<10} {row.measure:<34} {row.unit:<10} {number(row.redis):>12} "
            f"{number(row.redwing):>12} {ratio} {bar_of(row)} {row.verdict}")


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


LEFT, WIDE, STEP = 330, 420, 22


def place(ratio):
    """Where a ratio lies on the logarithmic axis from 1/50 to 2."""
    low, high = math.log(0.02), math.log(2)
    return LEFT + WIDE * (math.log(min(max(ratio, 0.02), 2)) - low) / (high - low)


def chart(report):
    """Bars of the ratio to Redis on a logarithmic axis; shorter is better; a tick is the bar to meet."""
    rows = [row for row in report.rows if row.ratio is not None]
    height = 70 + STEP * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" '
           f'viewBox="0 0 860 {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="860" height="{height}" fill="#fff"/>',
           f'<text x="16" y="22" font-size="15">{escape(report.part)}: ratio to {escape(report.about["peer"])}'
           f', same run, shorter is better</text>']
    for mark in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2):
        x = place(mark)
        color = "#888" if mark == 1 else "#ddd"
        out.append(f'<line x1="{x:.0f}" y1="44" x2="{x:.0f}" y2="{height - 12}" stroke="{color}"/>'
                   f'<text x="{x:.0f}" y="40" text-anchor="middle" fill="#666">{mark:g}</text>')
    for index, row in enumerate(rows):
        y = 52 + index * STEP
        color = {"ok": "#2a8", "miss": "#d64"}.get(row.verdict, "#68a")
        out.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">'
                   f'{escape(row.subject)} {escape(row.measure)}</text>')
        out.append(f'<rect x="{LEFT}" y="{y}" width="{max(1, place(row.ratio) - LEFT):.1f}" height="16" '
                   f'fill="{color}"/>')
        if row.bar is not None:
            x = place(row.bar)
            out.append(f'<line x1="{x:.0f}" y1="{y - 2}" x2="{x:.0f}" y2="{y + 18}" stroke="#000" '
                       f'stroke-width="2"/>')
        out.append(f'<text x="{place(row.ratio) + 6:.0f}" y="{y + 12}">{row.ratio:.2f}</text>')
    out.append("</svg>\n")
    return "\n".join(out)
