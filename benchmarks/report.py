"""What was measured, as a table in Markdown and as a chart in SVG."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from verdicts import ROUNDS, cold_start_limit, verdicts

Found = Mapping[str, Any]
INTRODUCTION = (
    "Written by `python benchmarks/run.py` on {machine}, of the code with the digest {code}. Whole "
    "processes, alternated; medians. Ours and theirs got the same settings, data and server (MLflow 3.17.2, "
    "sqlite, four workers), and after each run the server's own database and folder were asked whether "
    "everything is there. Peak memory is of the client."
)
FAR = "50 ms round trip"
ABOUT_FAR = (
    "Two ways to be 50 ms away. The one carries packets (`long_link.py`), so connections go from kernel to "
    "kernel as between two machines: this server sends head and body of an answer apart, and the body waits "
    "until the head is acknowledged, which is a round trip, and 40 ms more for a client that does not "
    "acknowledge at once. The other is a proxy that ends the connections (`delaying_proxy.py`), which hides "
    "that from both sides."
)
MET = {True: "met", False: "**not met**", None: "too few runs to say"}
WIDTH, LEFT, BAR, GAP = 860, 300, 16, 30
COLOURS = ("#1f77b4", "#d8973c", "#9aa5ad", "#c4c4c4")


def markdown(found: Mapping[str, Found], *, code: str, missing: Sequence[str]) -> str:
    """Give the page of results.

    Args:
        found: what was measured, by name.
        code: digest of the code that was measured.
        missing: names of what was not measured.
    """
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    introduction = INTRODUCTION.format(machine=machine, code=code)
    parts = ["# Measured side by side", introduction, "![times](chart.svg)"]
    if missing:
        parts.append(f"Not measured with this code: {', '.join(missing)}.")
    if any(FAR in case["title"] for case in found.values()):
        parts.append(ABOUT_FAR)
    judged = [(what, limit, said, MET[met]) for what, limit, said, met in verdicts(found)]
    parts += ["## Limits", _table(("", "limit", "measured", ""), judged)] if judged else []
    for case in found.values():
        tables = {"sizes": _sizes, "scaling": _scaling, "cold start": _cold_start}
        parts += [f"## {case['title']}", tables.get(case.get("kind", ""), _times)(case["rows"])]
        fewest = min((row["rounds"] for row in case["rows"] if "rounds" in row), default=ROUNDS)
        if fewest < ROUNDS and case.get("kind") != "scaling":
            parts.append(
                f"Only {fewest} runs of a side: an impression, no measurement (that takes {ROUNDS})."
            )
    return "\n\n".join(parts) + "\n"


def _sizes(rows: Sequence[Found]) -> str:
    return _table(("", "MB"), [(row["side"], f"{row['megabytes']:.1f}") for row in rows])


def _cold_start(rows: Sequence[Found]) -> str:
    by_side = {row["side"]: row for row in rows}
    lines = []
    for row in rows:
        limit = cold_start_limit(row, by_side)
        times = row["seconds"] / by_side[row["reference"]]["seconds"] if row["reference"] else None
        lines.append(
            (
                f"`{row['side']}`",
                f"{row['seconds'] * 1e3:.0f}",
                "" if times is None else f"{times:.2f} times `{row['reference']}`",
                "" if limit is None else f"{limit * 1e3:.0f}",
                f"{row['peak']:.0f}",
                str(row["rounds"]),
            )
        )
    return _table(("", "median ms", "compared", "limit ms", "peak MB", "runs"), lines)


def _times(rows: Sequence[Found]) -> str:
    reference = rows[0]["seconds"]
    head = ("", "median s", "range s", "times ours", "CPU s", "requests", "peak MB", "runs")
    lines = [
        (
            row["side"],
            f"{row['seconds']:.3f}" if row["seconds"] < 1 else f"{row['seconds']:.2f}",
            f"{row['fastest']:.2f}-{row['slowest']:.2f}",
            f"{row['seconds'] / reference:.2f}",
            f"{row['cpu']:.2f}",
            str(row.get("requests", "")),
            f"{row['peak']:.0f}",
            str(row["rounds"]),
        )
        for row in rows
    ]
    return _table(head, lines)


def _scaling(rows: Sequence[Found]) -> str:
    head = ("", "s", "ms a job", "peak MB", "again s", "again ms a job", "again peak MB", "runs")
    lines = []
    for row in rows:
        count, again = row["count"], row["again"]
        first = (f"{row['seconds']:.1f}", f"{row['seconds'] / count * 1e3:.1f}", f"{row['peak']:.0f}")
        second = (f"{again:.2f}", f"{again / count * 1e3:.1f}", f"{row['again_peak']:.0f}")
        lines.append((row["side"], *first, *second, str(row["rounds"])))
    return _table(head, lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def chart(found: Mapping[str, Found]) -> str:
    """Draw the times of each comparison relative to its slowest side: shorter is better."""
    cases = [case for case in found.values() if "kind" not in case]
    body: list[str] = []
    y = 20
    for case in cases:
        body.append(f'<text x="8" y="{y + 12}" font-weight="bold">{escape(case["title"])}</text>')
        y += 20
        slowest = max(row["seconds"] for row in case["rows"])
        for row, colour in zip(case["rows"], COLOURS, strict=False):
            length = (WIDTH - LEFT - 90) * row["seconds"] / slowest
            body += [
                f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(row["side"])}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{max(length, 1):.1f}" height="{BAR}" fill="{colour}"/>',
                f'<text x="{LEFT + length + 6:.1f}" y="{y + 12}">{row["seconds"]:.2f} s</text>',
            ]
            y += BAR + 4
        y += GAP - BAR
    style = 'font-family="sans-serif" font-size="12" fill="#222"'
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">'
    ground = f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>'
    return "\n".join([frame, ground, f"<g {style}>", *body, "</g>", "</svg>"]) + "\n"
