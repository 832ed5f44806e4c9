"""Flat tables of numbers, for everything that has no format of its own.

Rows that share their params and tags are one run, so a table of metrics over steps is one run and a
leaderboard one run a row.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlflow_rest_export import marks
from mlflow_rest_export.errors import SourceError, why
from mlflow_rest_export.records import Lookup, Metric, RunRecord, Unreadable
from mlflow_rest_export.sources import result_files
from mlflow_rest_export.sources.masked_files import Mask, cells_mask, config_mask, lines_mask
from mlflow_rest_export.sources.masking import mask_document, shown_value
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import one_line
from mlflow_rest_export.sources.secret_fields import concealed
from mlflow_rest_export.sources.table_columns import (
    Columns,
    as_number,
    as_step,
    as_time,
    columns_of,
    is_number,
)
from mlflow_rest_export.sources.table_points import PointStore, TablePoints
from mlflow_rest_export.sources.table_rows import SEPARATORS, SUFFIXES, Row, rows

NAME = "table"

MAX_RUNS = 1000
"""Most runs that one table becomes: more means that a column of texts is no param."""
_TEXTS = 32 << 20
"""Most characters that the params and tags of all runs of a table may have."""
_MODEL_COLUMNS = ("model_id", "model", "model_name")
_ANY = "any text 1"
"""What only the name of its column can make a secret."""
_DOCUMENTS = frozenset({".json", ".yaml", ".yml"})

_Group = tuple[tuple[str, str], ...]
"""The params and tags of one run: column and text."""


@dataclass(slots=True)
class _Run:
    """What the rows tell of one run."""

    group: _Group
    points: TablePoints
    rows: int = 0
    times: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """A table whose columns are known."""

    path: Path
    columns: Columns
    written: int
    """When the file was last changed, in milliseconds since 1970."""


def recognises(path: Path) -> bool:
    """Say whether a file may be a table: its first row has a number."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        first = next(rows(path), {})
    except SourceError:
        return False
    return any(is_number(value, texts=True) for value in first.values())


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the runs of a table."""
    try:
        table = _table(path, options)
        records = list(_records(table, _runs(table), options))
    except SourceError as error:
        said = str(error)
        yield Unreadable(str(path), said if str(path) in said else f"{path}: {said}")
    except OSError as error:
        yield Unreadable(str(path), f"cannot read {path}: {why(error)}")
    else:
        yield from records


def _table(path: Path, options: ReadOptions) -> _Table:
    texts = path.suffix.lower() not in {*_DOCUMENTS, ".jsonl", ".ndjson"}
    columns = columns_of(rows(path), options.columns, texts=texts)
    if not columns.of("metric"):
        raise SourceError("it has no column of numbers; say with --map which column is a metric")
    return _Table(path, columns, result_files.changed(path))


def _runs(table: _Table) -> list[_Run]:
    """Go through the rows once: which runs there are, from when to when, and their points."""
    found: dict[_Group, _Run] = {}
    size = 0
    store = PointStore(table.columns.of("metric"))
    for number, row in enumerate(rows(table.path), 1):
        group = table.columns.group(row)
        if group not in found:
            if len(found) == MAX_RUNS:
                raise SourceError(
                    f"its texts differ in more than {MAX_RUNS} rows, and each would be a run; "
                    "say with --map which columns to skip"
                )
            size += sum(len(text) for _, text in group)
            if size > _TEXTS:
                raise SourceError("its params hold too much text; say with --map which columns to skip")
            found[group] = _Run(group, TablePoints(store))
        run = found[group]
        for point in _points(table, row, number, run.rows):
            first, last = run.times or (point.timestamp, point.timestamp)
            run.times = (min(first, point.timestamp), max(last, point.timestamp))
            run.points.add(point)
        run.rows += 1
    return list(found.values())


def _points(table: _Table, row: Row, number: int, count: int) -> Iterator[Metric]:
    """Give the points of one row; without a column for it the step counts the rows of the run."""
    columns, place = table.columns, f"{table.path}: row {number},"
    step, time = count, table.written
    for name in columns.of("step"):
        step = as_step(row.get(name), f"{place} column {name}")
    for name in columns.of("timestamp"):
        time = as_time(row.get(name), f"{place} column {name}")
    for name in columns.of("metric"):
        if not columns.lacks(name, row):
            yield Metric(name, as_number(row[name], f"{place} column {name}"), time, step)


def _records(table: _Table, found: list[_Run], options: ReadOptions) -> Iterator[RunRecord]:
    path, columns = table.path, table.columns
    key = f"{NAME}:{result_files.identity(path)}"
    notes = list(columns.adjustments)
    artifacts = result_files.uploads(path, options, notes, mask=_mask(table, found))
    for run in found:
        texts = {name: _shown(name, text) for name, text in run.group}
        params = {name: text for name, text in texts.items() if columns.kinds[name] == "param"}
        tags = {name: text for name, text in texts.items() if columns.kinds[name] == "tag"}
        model = next((texts[name] for name in _MODEL_COLUMNS if name in texts), "")
        first, last = run.times or (table.written, table.written)
        yield RunRecord(
            key=key if len(found) == 1 else f"{key}/{_mark(run.group)}",
            label=str(path) if len(found) == 1 else f"{path} ({one_line(', '.join(texts.values()))})",
            lookup=Lookup(marks.KEY, key, prefix=len(found) > 1),
            run_name=path.stem if len(found) == 1 else f"{path.stem}-{'-'.join(texts.values())[:160]}",
            start_time=first,
            end_time=last,
            metrics=run.points,
            params={**params, **({"model_id": model} if model else {})},
            tags={**tags, **({"model": model} if model else {})},
            artifacts=artifacts,
            adjustments=tuple(notes),
        )


def _mask(table: _Table, found: list[_Run]) -> Mask | None:
    """Give how the secrets of a table are masked; None when no column is called so and no text shows one."""
    texts = [name for name, kind in table.columns.kinds.items() if kind in {"param", "tag", "skip"}]
    named = any(_shown(name, _ANY) != _ANY for name in texts)
    if not named and all(_shown(name, text) == text for run in found for name, text in run.group):
        return None
    suffix = table.path.suffix.lower()
    if suffix in _DOCUMENTS:
        return config_mask(table.path)
    if suffix not in SEPARATORS:
        return lines_mask
    return cells_mask(SEPARATORS[suffix], {name: partial(_shown, name) for name in texts})


def _shown(column: str, text: str) -> str:
    """Give what may be shown of a cell."""
    names = tuple(column.split("/"))
    if text[:1] in {"{", "["}:  # a cell of a JSON table that is no text, or JSON in a cell
        with contextlib.suppress(ValueError, RecursionError):
            document = json.loads(text)
            if mask_document(document, below=names)[1]:
                return shown_value(document, names)
    return str(concealed(names, text))


def _mark(group: _Group) -> str:
    return hashlib.sha256(json.dumps(group).encode()).hexdigest()[:16]
