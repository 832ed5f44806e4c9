"""What the user names on the command line: ids of launcher jobs and paths of results, each result once."""

from __future__ import annotations

import enum
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from mlflow_rest_export.on_demand import needed
from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources.nemo import launcher
from mlflow_rest_export.sources.options import ReadOptions

_ENDINGS = (".yml", ".yaml", ".json", ".jsonl", ".csv", ".xml", ".eval")
"""What the name of a file ends in, and no id does."""


def read(
    things: Sequence[str], options: ReadOptions, *, format_name: str, exec_db: Path
) -> Iterator[RunRecord | Unreadable]:
    """Read everything that is named, in its order; a result that is named twice comes once.

    Where the two differ, the second is told as unreadable: nobody knows which of them is meant.

    Args:
        things: ids and paths; what exists as a path is one.
        options: what the user asked of the reading.
        format_name: the format of the paths, ``auto`` to look at their content.
        exec_db: the launcher's execution database.
    """
    seen: dict[tuple[str | None, str], tuple[str, str]] = {}
    told: set[Unreadable] = set()
    for record in _read_all(things, options, format_name, exec_db):
        if isinstance(record, Unreadable):
            if record not in told:
                told.add(record)
                yield record
            continue
        if options.columns and not record.key.startswith("table:"):
            reason = "--map names columns of tables, and this is none; leave it out or say --format table"
            yield Unreadable(record.label, f"{record.label}: {reason}")
            continue
        identity, fingerprint = (record.experiment, record.key), _fingerprint(record)
        if identity not in seen:
            seen[identity] = (_place(record), fingerprint)
            yield record
        elif seen[identity][1] != fingerprint:
            reason = (
                f"the same evaluation as {seen[identity][0]}, with other values; export them one at a time"
            )
            yield Unreadable(record.label, f"{_place(record)}: {reason}")


def _fingerprint(record: RunRecord) -> str:
    """Tell two versions of one result apart, by status and values; long streams are not gone through."""
    points = record.metrics if isinstance(record.metrics, tuple) else ()
    facts = [record.status.name, *(f"{point.key}={point.value!r}@{point.step}" for point in points)]
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogatepass")).hexdigest()


def _place(record: RunRecord) -> str:
    """Say where a result was found; the label of a launcher's job is its id, wherever its folder is."""
    return record.params.get("results_dir", record.label)


def _read_all(
    things: Iterable[str], options: ReadOptions, format_name: str, exec_db: Path
) -> Iterator[RunRecord | Unreadable]:
    for kind, group in itertools.groupby(things, key=_kind):
        if kind is _Kind.PATH:
            paths: _ReadPaths = needed("sources.detection:read")  # brings every format
            yield from paths([Path(thing) for thing in group], options, format=format_name)
        elif kind is _Kind.LOST_PATH:
            yield from (Unreadable(thing, f"there is no file or folder {thing}") for thing in group)
        else:
            yield from launcher.read_ids(list(group), options, exec_db=exec_db)


class _ReadPaths(Protocol):
    def __call__(
        self,
        paths: Iterable[Path],
        options: ReadOptions,
        *,
        format: str,  # noqa: A002  # the name of the setting
    ) -> Iterator[RunRecord | Unreadable]: ...


class _Kind(enum.Enum):
    PATH = enum.auto()
    LOST_PATH = enum.auto()
    ID = enum.auto()


def _kind(thing: str) -> _Kind:
    if os.path.exists(thing):  # noqa: PTH110  # Path.exists() fails for names that no file can have
        return _Kind.PATH
    return _Kind.LOST_PATH if "/" in thing or thing.endswith(_ENDINGS) else _Kind.ID
