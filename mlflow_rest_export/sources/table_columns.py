"""Which column of a table is what: metric, param, tag, step or timestamp. Pure; knows no file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.sources import times
from mlflow_rest_export.sources.run_values import ABSENT, written
from mlflow_rest_export.sources.table_rows import MAX_CELLS, Row

KINDS = frozenset({"metric", "param", "tag", "step", "timestamp", "skip"})
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE
)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_LONGEST_NUMBER = 400
_LARGEST_STEP = 2**63 - 1
"""Stores keep steps in 64 bits."""


def absent(value: object) -> bool:
    """Say whether a cell says that there is no value."""
    return value is None or (isinstance(value, str) and value.strip().lower() in ABSENT)


def is_number(value: object, *, texts: bool) -> bool:
    """Say whether a cell is a number; in CSV (``texts``) numbers are texts, in JSON a text is none."""
    if isinstance(value, str):
        text = value.strip()
        return texts and len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_number(value: object, place: str) -> float:
    """Read a number.

    Raises:
        SourceError: it is none, or too large for one.
    """
    if not is_number(value, texts=True):
        raise SourceError(f"{place} is not a number")
    try:
        return float(value.strip() if isinstance(value, str) else value)  # type: ignore[arg-type]  # a number
    except OverflowError:
        raise SourceError(f"{place} is too large for a metric") from None


def as_step(value: object, place: str) -> int:
    """Read a step: a whole number, which CSV writers may give a fraction of zero."""
    number = times.number(value)
    if number is None or number != int(number) or abs(number) > _LARGEST_STEP:
        raise SourceError(f"{place} is not a whole number, as steps are")
    return int(value) if isinstance(value, int) else int(number)


def as_time(value: object, place: str) -> int:
    """Read a time, to milliseconds since 1970."""
    found = times.from_any(value.strip() if isinstance(value, str) else value)
    if found is None:
        raise SourceError(f"{place} is not a time: seconds or milliseconds since 1970, or ISO 8601")
    return found


@dataclass(slots=True)
class Columns:
    """The columns of one table and what each is."""

    kinds: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    adjustments: list[Adjustment] = field(default_factory=list)

    def of(self, kind: str) -> list[str]:
        """Give the columns of one kind."""
        return [name for name, found in self.kinds.items() if found == kind]

    def group(self, row: Row) -> tuple[tuple[str, str], ...]:
        """Give the params and tags of a row: rows that share them are one run."""
        return tuple(
            (name, written(row[name]))
            for name, kind in self.kinds.items()
            if kind in {"param", "tag"} and name in row and not absent(row[name])
        )


def columns_of(rows: Iterable[Row], wanted: Mapping[str, str], *, texts: bool) -> Columns:
    """Find out what each column is: as ``wanted`` says, else by name and values.

    A column of numbers is a metric, any other a param. ``step`` and ``timestamp`` are what they are called.

    Raises:
        SourceError: ``wanted`` names a column that is not there, or there are too many.
    """
    columns = Columns()
    numeric: dict[str, bool] = {}
    for row in rows:
        columns.rows += 1
        for name, value in row.items():
            if absent(value):
                numeric.setdefault(name, False)
                continue
            number = is_number(value, texts=texts)
            numeric[name] = number and (numeric.get(name, True) or name not in columns.kinds)
            columns.kinds[name] = ""
            _note(columns, name, value, number=number)
        if len(numeric) > MAX_CELLS:
            raise SourceError(f"it has more than {MAX_CELLS} columns")
    for name, kind in wanted.items():
        if name not in numeric:
            raise SourceError(f"--map names a column that is not there: {name}")
        if kind not in KINDS:
            raise SourceError(f"--map makes {name} a {kind}; it can be {', '.join(sorted(KINDS))}")
    columns.kinds = {
        name: wanted.get(name) or _kind(name, numeric=numeric[name])
        for name in numeric
        if name in columns.kinds or name in wanted
    }
    return columns


def _kind(name: str, *, numeric: bool) -> str:
    if name.lower() == "timestamp" or (numeric and name.lower() == "step"):
        return name.lower()
    return "metric" if numeric else "param"


def _note(columns: Columns, name: str, value: object, *, number: bool) -> None:
    """Say once a column that doubles cannot hold its numbers exactly."""
    text = written(value).strip()
    if not number or not _INTEGER.fullmatch(text) or len(text) < 16:  # 2**53 has 16 digits
        return
    try:
        exact = float(text) == int(text)
    except OverflowError:
        return
    about = f"metric {name}"
    if not exact and all(known.field != about for known in columns.adjustments):
        after = repr(float(text))
        columns.adjustments.append(Adjustment(about, text, after, "metrics are double-precision numbers"))
