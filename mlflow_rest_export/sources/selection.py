"""What the user names on the command line: ids of launcher jobs and paths of results, each result once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources import detection, nemo_launcher
from mlflow_rest_export.sources.options import ReadOptions


def read(
    things: Sequence[str], options: ReadOptions, *, format_name: str, exec_db: Path
) -> Iterator[RunRecord | Unreadable]:
    """Read everything that is named, in its order; a result that is named twice comes once.

    Args:
        things: ids and paths; what exists as a path is one.
        options: what the user asked of the reading.
        format_name: the format of the paths, ``auto`` to look at their content.
        exec_db: the launcher's execution database.
    """
    seen: set[str] = set()
    for record in _read_all(things, options, format_name, exec_db):
        if isinstance(record, Unreadable):
            yield record
        elif record.key not in seen:
            seen.add(record.key)
            yield record


def _read_all(
    things: Iterable[str], options: ReadOptions, format_name: str, exec_db: Path
) -> Iterator[RunRecord | Unreadable]:
    for thing in things:
        path = Path(thing)
        if path.exists():
            yield from detection.read([path], options, format=format_name)
        elif "/" in thing or thing.endswith((".yml", ".yaml", ".json", ".jsonl", ".csv", ".xml", ".eval")):
            yield Unreadable(thing, f"there is no file or folder {thing}")
        else:
            yield from nemo_launcher.read_ids([thing], options, exec_db=exec_db)
