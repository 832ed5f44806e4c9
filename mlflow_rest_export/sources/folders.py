"""Walks a folder within bounds, in one order, without leaving it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from mlflow_rest_export.errors import SourceError

MAX_ENTRIES = 100_000
"""Most files and folders looked at below one folder."""
MAX_DEPTH = 20
"""Deepest folder looked into, below the one that was named."""


def walk(
    folder: Path,
    whole: Callable[[Path], bool],
    *,
    unreadable: Callable[[Path, OSError], object],
    leave: Collection[Path] = (),
    max_entries: int = MAX_ENTRIES,
) -> Iterator[Path]:
    """Give the files of a folder and of those below it, sorted by name, folder by folder.

    Hidden folders are left out, and so are links to what lies elsewhere and links to folders.

    Args:
        folder: where to begin; it may itself be a link.
        whole: asked for each folder: True to give the folder itself and nothing below it.
        unreadable: told of each folder that cannot be read; the walk goes on beside it.
        leave: folders below, with every link resolved, that are left out with all that is in them.
        max_entries: most files and folders looked at.

    Raises:
        SourceError: there is more than the bounds allow.
    """
    home = folder.resolve()
    seen = 0
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        if depth and leave and place.resolve() in leave:
            continue
        try:
            is_whole = whole(place)
            files, below, count = ([], [], 0) if is_whole else _entries(place, home, max_entries)
        except OSError as error:
            unreadable(place, error)
            continue
        seen += count
        if seen > max_entries:
            raise SourceError(f"{folder} holds more than {max_entries} files; name the folders inside it")
        yield from [place] if is_whole else files
        if below and depth == MAX_DEPTH:
            raise SourceError(f"{folder} holds folders deeper than {MAX_DEPTH}; name the folders inside it")
        waiting += [(path, depth + 1) for path in reversed(below)]


def _entries(place: Path, home: Path, most: int) -> tuple[list[Path], list[Path], int]:
    """Give the files and the folders of a folder, and how many entries it has, at most one over ``most``."""
    with os.scandir(place) as found:
        names = sorted(entry.name for entry in itertools.islice(found, most + 1))
    files, below = [], []
    for path in (place / name for name in names[:most]):
        if path.is_dir() and not path.is_symlink():
            below += [path] if not path.name.startswith(".") else []
        elif path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(home)):
            files.append(path)
    return files, below, len(names)
