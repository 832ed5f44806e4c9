"""The description of a run as MLflow shows it: the user's text, and below it a table of the scores. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

ROWS = 50
"""More metrics than these are counted, not listed: the page of the run has them all."""
STATISTICS = ("stderr", "stddev", "variance", "count", "sum_squared", "sum", "mean", "min", "max")
"""What follows a score's name in the metrics that say how sure it is; without rows of their own."""
ERROR = "stderr"
_TABLE = "| metric |"
_MAIN = ("accuracy", "mean")
"""Whose error ``<folder>/stderr`` is, as Inspect names its metrics."""


def described(text: str, scores: Mapping[str, float], *, fits: Callable[[str], bool]) -> str:
    """Put a table of the scores below a text.

    Args:
        text: the user's own description, "" for none; it always stays as it is.
        scores: metric -> value.
        fits: says whether the store takes a description; the table has as many rows as fit.
    """
    rows = list(_rows(scores))
    for shown in range(min(len(rows), ROWS), 0, -1):
        whole = _joined(text, rows[:shown], left=len(rows) - shown)
        if fits(whole):
            return whole
    return text


def is_described(note: str, text: str) -> bool:
    """Say whether a note is this text, with or without a table below it."""
    return note == text or note.startswith(f"{text}\n\n{_TABLE}")


def _rows(scores: Mapping[str, float]) -> Iterator[tuple[str, float, float | None]]:
    """Give each score with its standard error, None where there is none."""
    errors = {_score_of(key, scores): value for key, value in scores.items() if _statistic(key) == ERROR}
    for key, value in scores.items():
        if not _score_of(key, scores):
            yield key, value, errors.get(key)


def _statistic(key: str) -> str:
    """Give the statistic that a metric's name ends in, "" when it ends in none."""
    return next((name for name in STATISTICS if key.endswith((f"_{name}", f"/{name}"))), "")


def _score_of(key: str, scores: Mapping[str, float]) -> str:
    """Give the score that a metric is a statistic of, "" when it is a score itself."""
    statistic = _statistic(key)
    if not statistic:
        return ""
    stem = key.removesuffix(statistic)
    if stem.endswith("_"):
        return stem[:-1] if stem[:-1] in scores else ""
    return next((f"{stem}{main}" for main in _MAIN if f"{stem}{main}" in scores and main != statistic), "")


def _joined(text: str, rows: list[tuple[str, float, float | None]], *, left: int) -> str:
    with_errors = any(error is not None for _, _, error in rows)
    title = "value ± standard error" if with_errors else "value"
    lines = [*([text, ""] if text else []), f"{_TABLE} {title} |", "|---|---|"]
    for key, value, error in rows:
        name = key.replace("|", "\\|")
        uncertainty = "" if error is None else f" ± {error:.3g}"
        lines.append(f"| `{name}` | {value:.6g}{uncertainty} |")
    if left:
        lines += ["", f"and {left} more"]
    return "\n".join(lines)
