"""The table at the end of an export: one row a run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlflow_rest_export.exporting.outcomes import Outcome, RunResult

HEAD = ("run", "outcome", "metrics", "files", "size", "changed", "url")
_NUMBERS = frozenset({"metrics", "files", "size", "changed"})


def table(results: Sequence[RunResult]) -> Iterator[str]:
    """Give the lines of the table; none for no results.

    ``changed`` counts the adjustments: what does not stand in the run exactly as in the results.
    """
    if not results:
        return
    rows = [HEAD, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        cells = [
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for cell, width, name in zip(row, widths, HEAD, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def size(count: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _row(result: RunResult) -> tuple[str, ...]:
    if result.outcome is Outcome.FAILED:
        return (result.label, result.outcome.value, "", "", "", "", result.run_url)
    return (
        result.label,
        result.outcome.value,
        str(result.metrics),
        str(result.artifacts),
        size(result.bytes),
        str(len(result.adjustments)),
        result.run_url,
    )
