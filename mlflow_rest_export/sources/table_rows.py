"""Rows of a flat table, one at a time: CSV, TSV, JSON lines, or one JSON or YAML document."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow_rest_export.errors import SourceError, why
from mlflow_rest_export.sources.json_files import parse_json, read_json
from mlflow_rest_export.yaml_files import load_yaml

MAX_LINE = 1 << 20
"""Longest line, in bytes."""
MAX_ROW_LINES = 1000
"""Most lines that one row may span; quoted cells can hold line ends."""
MAX_CELLS = 10_000
"""Most cells in one row."""

SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""What parts the cells of a table that has such an ending."""
_LINES = frozenset({".jsonl", ".ndjson"})
_YAML = frozenset({".yaml", ".yml"})
BY_LINE = frozenset({*SEPARATORS, *_LINES})
"""Endings of the files that are read row by row."""
SUFFIXES = frozenset({*BY_LINE, *_YAML, ".json"})
"""Endings of the files that may be tables: nothing inside a CSV file says that it is one."""

UNNAMED = "Unnamed: "
"""How the name of a column begins that has none; its number follows."""

Row = dict[str, object]


def rows(path: Path) -> Iterator[Row]:
    """Give the rows of a table; a document that is one object is one row, its nested members ``a/b``.

    Raises:
        SourceError: it cannot be read, or is no table.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in SEPARATORS:
            yield from _separated(path, SEPARATORS[suffix])
        elif suffix in _LINES:
            yield from _json_lines(path)
        else:
            yield from _rows_of(path, document(path))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {why(error)}") from error


def _separated(path: Path, separator: str) -> Iterator[Row]:
    lines = _RowLines(path)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        names = next(reader, [])
        # pandas writes its index without a name, and reads such a column back under this one.
        names = [name or f"{UNNAMED}{number}" for number, name in enumerate(names)]
        _check_names(path, names)
        for cells in reader:
            lines.taken = 0
            if not cells:
                continue
            if len(cells) != len(names):
                told = f"{len(cells)} cells stand below {len(names)} columns"
                raise SourceError(f"{path}:{reader.line_num}: {told}")
            yield dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise SourceError(f"{path}:{reader.line_num}: {error}") from None


def _check_names(path: Path, names: list[str]) -> None:
    if len(names) > MAX_CELLS:
        raise SourceError(f"{path}:1: more than {MAX_CELLS} columns")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SourceError(f"{path}:1: the column {json.dumps(twice[0][:80])} stands twice")


def _json_lines(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            value = parse_json(line.encode("utf-8"), str(path))
        except SourceError as error:
            said = str(error).removeprefix(str(path)).lstrip(":0123456789 ")
            raise SourceError(f"{path}:{number}: {said}") from None
        yield _flat(path, value, f":{number}")


def document(path: Path) -> object:
    """Read a JSON or YAML file.

    Raises:
        SourceError: it cannot be read.
    """
    return load_yaml(path) if path.suffix.lower() in _YAML else read_json(path)


def _rows_of(path: Path, document: object) -> Iterator[Row]:
    if isinstance(document, list):
        for number, row in enumerate(document, 1):
            yield _flat(path, row, f": row {number}")
    else:
        yield _flat(path, document, "")


def _flat(path: Path, value: object, place: str) -> Row:
    """Give an object as a row; nested members become ``a/b``."""
    if not isinstance(value, dict):
        raise SourceError(f"{path}{place}: a table's row is an object, this is not")
    row: Row = {}
    open_parts = [("", value)]
    while open_parts:
        prefix, part = open_parts.pop()
        for key, inner in part.items():
            name = f"{prefix}{key}"
            if isinstance(inner, dict):
                open_parts.append((f"{name}/", inner))
            elif name in row:
                raise SourceError(f"{path}{place}: {json.dumps(name[:80])} stands twice")
            else:
                row[name] = inner
            if len(row) > MAX_CELLS:
                raise SourceError(f"{path}{place}: more than {MAX_CELLS} values")
    return row


@dataclass(slots=True)
class _RowLines:
    """Lines for the CSV reader, which would gather a row over any number of them."""

    path: Path
    taken: int = 0
    """Lines of the row that is being read."""

    def __iter__(self) -> Iterator[str]:
        """Give the lines; refuses a row that spans too many."""
        for number, line in enumerate(_lines(self.path), 1):
            self.taken += 1
            if self.taken > MAX_ROW_LINES:
                raise SourceError(f"{self.path}:{number}: one row spans more than {MAX_ROW_LINES} lines")
            yield line


def _lines(path: Path) -> Iterator[str]:
    """Give the lines of a text file, line ends included; a line that never ends costs no memory."""
    with path.open("rb") as file:
        count = 0
        while line := file.readline(MAX_LINE + 1):
            count += 1
            if len(line) > MAX_LINE:
                raise SourceError(f"{path}:{count}: the line is longer than {MAX_LINE >> 20} MiB")
            try:
                yield line.decode("utf-8-sig" if count == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise SourceError(f"{path}:{count}:{error.start + 1}: the file is not UTF-8 text") from None
