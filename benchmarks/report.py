"""What was measured, as a table in Markdown and as a chart in SVG."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Found = Mapping[str, Any]
INTRODUCTION = (
    "Written by `python benchmarks/run.py` on {machine}. Whole processes, alternated; medians. Ours and "
    "theirs got the same settings, data and server (MLflow 3.17.2, sqlite, four workers). Peak memory is of "
    "the client."
)
WIDTH, LEFT, BAR, GAP = 860, 300, 16, 30
COLOURS = ("#1f77b4", "#d8973c", "#9aa5ad", "#c4c4c4")


def markdown(found: Mapping[str, Found]) -> str:
    """Give the page of results."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    parts = ["# Measured side by side", INTRODUCTION.format(machine=machine), "![times](chart.svg)"]
    for name, case in found.items():
        rows = case["rows"]
        parts.append(f"## {case['title']}")
        if name == "installed":
            parts.append(_table(("", "MB"), [(row["side"], f"{row['megabytes']:.1f}") for row in rows]))
        elif name == "scaling":
            parts.append(_scaling(rows))
        else:
            parts.append(_times(rows))
    return "\n\n".join(parts) + "\n"


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
    head = ("", "s", "ms a job", "peak MB", "again s", "again ms a job", "again peak MB")
    lines = []
    for row in rows:
        count = int(row["side"].split()[0])
        again = row["again"]
        per_job = (f"{row['per_job'] * 1e3:.1f}", f"{row['peak']:.0f}")
        second = (f"{again:.2f}", f"{again / count * 1e3:.1f}", f"{row['again_peak']:.0f}")
        lines.append((row["side"], f"{row['seconds']:.1f}", *per_job, *second))
    return _table(head, lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def chart(found: Mapping[str, Found]) -> str:
    """Draw the times of each comparison relative to its slowest side: shorter is better."""
    cases = [case for name, case in found.items() if name not in {"installed", "scaling", "cold-start"}]
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
