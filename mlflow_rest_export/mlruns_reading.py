"""Reads the parts of a file store: one function a kind of file. Writes nothing and decides nothing.

Whatever cannot be read raises ``SourceError`` with the file (and line) in it, so that one broken run can be
named while its siblings go on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from mlflow_rest_export import mlflow_tags
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Dataset, Metric
from mlflow_rest_export.yaml_files import load_yaml

LONGEST_LINE = 4096
"""Bytes; genuine lines of a metric have less than 400, and a file of another kind may be one endless line."""
LONGEST_VALUE = 32 << 20
"""Bytes of a param or tag; MLflow itself takes at most 8000 characters."""

_M = TypeVar("_M", bound=layout.Meta)


def read_meta(kind: type[_M], folder: Path) -> _M:
    """Read the meta.yaml of a folder.

    Raises:
        SourceError: it is missing, empty or broken, or a field has a value that MLflow never writes.
    """
    path = folder / layout.META
    try:
        return kind.model_validate(raw_meta(folder))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"{path}: {place}: {first['msg'].lower()}") from None


def raw_meta(folder: Path) -> dict[str, object]:
    """Read the meta.yaml of a folder with every field it has.

    Raises:
        SourceError: it is missing, empty or broken.
    """
    path = folder / layout.META
    content = load_yaml(path)
    if content is None:
        raise SourceError(f"{path} is empty")
    if not isinstance(content, dict):
        raise SourceError(f"{path} is no mapping of names to values")
    return {str(name): value for name, value in content.items()}


def subfolders(folder: Path) -> list[str]:
    """Give the names of the folders in a folder, in order; none when there is no such folder.

    Raises:
        OSError: the folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def key_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give every key below ``metrics``, ``params`` or ``tags`` with its file, in order.

    Raises:
        SourceError: a folder cannot be listed, a name is not UTF-8, or a link leads out of the run.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SourceError(f"cannot read {folder}: {_reason(error)}") from error
    for entry in entries:
        if any("\ud800" <= letter <= "\udfff" for letter in entry.name):
            raise SourceError(f"{folder}: the name of {entry.name!r} is not UTF-8")
        if entry.is_dir(follow_symlinks=False):
            for key, path in key_files(folder / entry.name):
                yield f"{entry.name}/{key}", path
        elif entry.is_file():
            if leads_away(entry, folder):
                raise SourceError(f"{folder / entry.name} is a link that leaves {folder}")
            yield entry.name, folder / entry.name


def leads_away(entry: os.DirEntry[str], folder: Path) -> bool:
    """Say whether a link leads out of a folder, of which nobody knows who wrote it: to a key, perhaps."""
    return entry.is_symlink() and not Path(os.path.realpath(entry)).is_relative_to(os.path.realpath(folder))


def read_value(path: Path) -> str:
    """Read the value of a param or tag, byte for byte.

    Raises:
        SourceError: the file cannot be read, is not UTF-8 or is far larger than any value.
    """
    try:
        if path.stat().st_size > LONGEST_VALUE:
            raise SourceError(f"{path} is larger than {LONGEST_VALUE >> 20} MiB, which no value is")
        return path.read_bytes().decode()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {_reason(error)}") from error
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not UTF-8 text") from None


def read_values(folder: Path) -> dict[str, str]:
    """Read all params or all tags of a run.

    Raises:
        SourceError: one of them cannot be read.
    """
    return {key: read_value(path) for key, path in key_files(folder)}


def read_lines(path: Path) -> Iterator[bytes]:
    """Give the complete lines of a metric file; a last line without its end was never finished.

    Raises:
        SourceError: the file cannot be read, or a line is longer than any metric's.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
                if line.endswith(b"\n"):
                    yield line
                elif len(line) == LONGEST_LINE:
                    raise SourceError(f"{path}:{number}: a line of more than {LONGEST_LINE} bytes")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {_reason(error)}") from error


def read_points(path: Path, key: str) -> Iterator[Metric]:
    """Give the points of a metric file, in the file's order, one line at a time.

    Raises:
        SourceError: a complete line is not a point.
    """
    for number, line in enumerate(read_lines(path), 1):
        try:
            yield layout.parse_metric_line(line.decode("ascii"), key=key)
        except ValueError as error:  # noqa: PERF203  # each line has its own number to tell
            raise SourceError(f"{path}:{number}: this is no point of a metric: {error}") from None


def ends_in_half_a_line(path: Path) -> bool:
    """Say whether the last line of a metric file was never finished.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def latest(points: Iterable[Metric]) -> Metric | None:
    """Give the point that MLflow shows as the metric's value; None when there is none."""
    return max(points, key=lambda p: (p.step, p.timestamp, not math.isnan(p.value), p.value), default=None)


def read_inputs(run: Path) -> list[tuple[layout.InputMeta, Dataset | None]]:
    """Read what went into a run: each input with its dataset (None for models and missing datasets).

    Raises:
        SourceError: a meta.yaml cannot be read.
    """
    found: list[tuple[layout.InputMeta, Dataset | None]] = []
    for name in subfolders(run / layout.INPUTS):
        entry = read_meta(layout.InputMeta, run / layout.INPUTS / name)
        folder = run.parent / layout.DATASETS / entry.source_id
        known = entry.source_type == "DATASET" and layout.is_run_id(entry.source_id) and folder.is_dir()
        found.append((entry, _dataset(folder, entry) if known else None))
    return found


def _dataset(folder: Path, entry: layout.InputMeta) -> Dataset:
    meta = read_meta(layout.DatasetMeta, folder)
    return Dataset(
        name=meta.name,
        digest=meta.digest,
        source_type=meta.source_type,
        source=meta.source,
        schema=meta.schema_,
        profile=meta.profile,
        context=entry.tags.get(mlflow_tags.CONTEXT, ""),
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
