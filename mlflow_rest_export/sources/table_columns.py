"""Which column of a table is what: metric, param, tag, step or timestamp. Pure; knows no file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.sources import times
from mlflow_rest_export.sources.masking import written
from mlflow_rest_export.sources.run_values import ABSENT
from mlflow_rest_export.sources.table_rows import MAX_CELLS, UNNAMED, Row

KINDS = frozenset({"metric", "param", "tag", "step", "timestamp", "skip"})
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE
)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_LONGEST_NUMBER = 400
_LARGEST_STEP = 2**63 - 1
"""Stores keep steps in 64 bits."""
_NUMBERS_TO_A_TEXT = 4
"""So many numbers for each text make a column a metric: one that failed to compute does not split a run."""


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
    said = value.strip() if isinstance(value, str) else value
    if isinstance(said, str) and len(said) <= _LONGEST_NUMBER and _INTEGER.fullmatch(said):
        said = int(said)  # a float has not the digits of the largest steps
    if isinstance(said, str) and is_number(said, texts=True):
        said = float(said)
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    if not isinstance(said, int) or isinstance(said, bool):
        raise SourceError(f"{place} is not a whole number, as steps are")
    if not -_LARGEST_STEP - 1 <= said <= _LARGEST_STEP:
        raise SourceError(f"{place} is beyond 64 bits, in which steps are stored")
    return said


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
    texts: bool = False
    """Whether the table writes numbers as texts, as CSV does."""
    mixed: set[str] = field(default_factory=set)
    """Metrics in which some cells are texts that are left out."""

    def lacks(self, name: str, row: Row) -> bool:
        """Say whether a row has no value for a metric."""
        value = row.get(name)
        return absent(value) or (name in self.mixed and not is_number(value, texts=self.texts))

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

    A column of numbers is a metric, any other a param; where a few texts stand among numbers they are left
    out. ``step`` and ``timestamp`` are what they are called.

    Raises:
        SourceError: ``wanted`` names a column that is not there, or there are too many.
    """
    columns = Columns(texts=texts)
    seen: dict[str, _Seen] = {}
    for row in rows:
        columns.rows += 1
        for name, value in row.items():
            seen.setdefault(name, _Seen()).take(value, columns.rows, texts=texts)
        if len(seen) > MAX_CELLS:
            raise SourceError(f"it has more than {MAX_CELLS} columns")
    for name, kind in wanted.items():
        if name not in seen:
            raise SourceError(f"--map names a column that is not there: {name}")
        if kind not in KINDS:
            raise SourceError(f"--map makes {name} a {kind}; it can be {', '.join(sorted(KINDS))}")
    for name, cells in seen.items():
        if name in wanted or cells.numbers or cells.texts:
            columns.kinds[name] = wanted.get(name) or _kind(columns, name, cells)
        if columns.kinds.get(name) == "metric" and cells.inexact:
            reason = "metrics are double-precision numbers"
            before, after = cells.inexact, repr(float(cells.inexact))
            columns.adjustments.append(Adjustment(f"metric {name}", before, after, reason))
    return columns


@dataclass(slots=True)
class _Seen:
    """What was seen of one column."""

    numbers: int = 0
    texts: int = 0
    text: str = ""
    """The first text, and where it stands."""
    row: int = 0
    inexact: str = ""
    """The first number that a double cannot hold."""

    def take(self, value: object, row: int, *, texts: bool) -> None:
        """Take one cell in."""
        if absent(value):
            return
        if is_number(value, texts=texts):
            self.numbers += 1
            self.inexact = self.inexact or _inexact(value)
            return
        self.texts += 1
        if self.texts == 1:
            self.text, self.row = written(value), row


def _kind(columns: Columns, name: str, cells: _Seen) -> str:
    if name.lower() == "timestamp" or (not cells.texts and name.lower() == "step"):
        return name.lower()
    if not cells.texts and name.startswith(UNNAMED):
        reason = "a column of numbers without a name, as pandas writes its index; --map can keep it"
        columns.adjustments.append(Adjustment(f"column {name}", f"{cells.numbers} cells", "", reason))
        return "skip"
    if not cells.texts:
        return "metric"
    metric = cells.numbers >= _NUMBERS_TO_A_TEXT * cells.texts
    if metric:
        columns.mixed.add(name)
    if cells.numbers:
        count = f"{cells.texts} of {cells.numbers + cells.texts} cells"
        reason = f"{count} hold no number, the first in row {cells.row}; "
        reason += f"--map {name}=param keeps them" if metric else "so the column is a param"
        after = "" if metric else f"param {name}"
        columns.adjustments.append(Adjustment(f"column {name}", f"{cells.text:.80}", after, reason))
    return "metric" if metric else "param"


def _inexact(value: object) -> str:
    """Give a number that a double cannot hold as it is written; "" for any other."""
    said = written(value).strip()
    try:
        if _INTEGER.fullmatch(said):  # 2**53 has 16 digits
            return said if len(said) >= 16 and float(said) != int(said) else ""
        return said if said[-1:].isdigit() and math.isinf(float(said)) else ""
    except OverflowError:
        return ""
