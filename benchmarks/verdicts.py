"""The limits that the project has set itself, each with what was measured: met or not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Found = Mapping[str, Any]
Row = Mapping[str, Any]
OURS, THEIRS = "mlflow-rest-export", "nemo-evaluator-launcher"
ROUNDS = 5
"""Runs of each side that a median needs."""
ROUNDS_OF_CURL = 9
FLAT = 1.5
"""The most jobs may cost each so many times what each of ten times fewer does, in time and in memory."""
Verdict = tuple[str, str, str, bool | None]
"""What, its limit, what was measured, whether that is within the limit (None: too few runs to say)."""


def verdicts(found: Mapping[str, Found]) -> list[Verdict]:
    """Give all verdicts for which there are measurements."""
    return [verdict for name, judge in _JUDGES.items() if name in found for verdict in judge(found[name])]


def cold_start_limit(row: Row, rows: Mapping[str, Row]) -> float | None:
    """Give the seconds that a line of ours may take; None for any other line."""
    if not row["reference"] or not (
        "mlflow-rest-export" in row["side"] or "mlflow_rest_export" in row["side"]
    ):
        return None
    bare = float(rows[row["reference"]]["seconds"])
    return bare * 1.3 + 0.03 if "argparse" in row["reference"] else bare * 1.5


def _rows(case: Found) -> dict[str, Row]:
    return {row["side"]: row for row in case["rows"]}


def _faster(least: float, than: str) -> Callable[[Found], Iterator[Verdict]]:
    def judge(case: Found) -> Iterator[Verdict]:
        rows = _rows(case)
        times = rows[than]["seconds"] / rows[OURS]["seconds"]
        limit = f"at least {least:g} times faster than {than}"
        yield (case["title"], limit, f"{times:.1f} times", _judged(case, met=times >= least))
        if "count" in case:
            yield _requests(case, rows[OURS])

    return judge


def _requests(case: Found, row: Row) -> Verdict:
    most = 5 if "unchanged" in case["title"] else 10 * case["count"] + 5
    sent = row["requests"]
    return (case["title"], f"at most {most} requests", str(sent), sent <= most)


def _installed(case: Found) -> Iterator[Verdict]:
    size = _rows(case)[OURS]["megabytes"]
    yield (case["title"], "under 20 MB beyond a bare environment", f"{size:.1f} MB", size < 20)


def _cold_start(case: Found) -> Iterator[Verdict]:
    rows = _rows(case)
    for row in rows.values():
        limit = cold_start_limit(row, rows)
        if limit is not None:
            rule = "1.3 times + 30 ms" if "argparse" in row["reference"] else "1.5 times"
            said = f"{row['seconds'] * 1e3:.0f} ms of {limit * 1e3:.0f}"
            met = _judged(case, met=row["seconds"] < limit)
            yield (row["side"], f"{rule} of {row['reference']}", said, met)


def _big_file(case: Found) -> Iterator[Verdict]:
    rows = _rows(case)
    ratio = rows["curl -T"]["seconds"] / rows[OURS]["seconds"]
    met = _judged(case, met=ratio >= 0.9, least=ROUNDS_OF_CURL)
    yield (case["title"], "at least 0.90 of curl -T", f"{ratio:.2f}", met)
    peak = rows[OURS]["peak"]
    yield (case["title"], "peak memory under 80 MB", f"{peak:.0f} MB", peak < 80)


def _scaling(case: Found) -> Iterator[Verdict]:
    rows = sorted(case["rows"], key=lambda row: int(row["count"]))
    if len(rows) < 2 or rows[-1]["count"] < 1000:
        return
    before, last = rows[-2:]
    for name, of in (("time of a job", "seconds"), ("time of an unchanged job", "again")):
        times = (last[of] / last["count"]) / (before[of] / before["count"])
        yield _flat(case, name, before, last, times)
    for name, of in (("peak memory", "peak"), ("peak memory, unchanged", "again_peak")):
        yield _flat(case, name, before, last, last[of] / before[of])


def _flat(case: Found, name: str, before: Row, last: Row, times: float) -> Verdict:
    limit = f"{name} of {last['side']} at most {FLAT} times that of {before['side']}"
    return (case["title"], limit, f"{times:.2f} times", times <= FLAT)


def _judged(case: Found, *, met: bool, least: int = ROUNDS) -> bool | None:
    return met if min(row["rounds"] for row in case["rows"]) >= least else None


_JUDGES: Mapping[str, Callable[[Found], Iterator[Verdict]]] = {
    "jobs-20": _faster(4, THEIRS),
    "jobs-20-far": _faster(10, THEIRS),
    "jobs-20-proxy": _faster(10, THEIRS),
    "again-200": _faster(20, THEIRS),
    "files-2000": _faster(3, "mlflow.log_artifacts"),
    "files-2000-far": _faster(3, "mlflow.log_artifacts"),
    "file-1g": _big_file,
    "installed": _installed,
    "cold-start": _cold_start,
    "scaling": _scaling,
    "scaling-5": _scaling,
    "scaling-hashed": _scaling,
}
