"""Artifacts on a disk that this machine shares with the server (``file:`` and plain paths).

That the path exists here proves nothing: the server must list the first file of a run, else what was written
is taken away again.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import READ_SIZE, Content
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

NOT_SHARED = "the server does not see what is written there, so this disk is not the server's"


class SharedDiskRoute:
    """Writes files where the server keeps them.

    Args:
        tracking: the server, which must confirm that it sees them.
    """

    def __init__(self, tracking: RestTracking) -> None:
        self._tracking = tracking
        self._lock = threading.Lock()
        self._proven: set[str] = set()

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are kept in a folder."""
        parts = urlsplit(artifact_uri)
        return parts.scheme in {"", "file"} and parts.netloc in {"", "localhost"} and bool(parts.path)

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Write one file, as a whole or not at all.

        Raises:
            RouteUnavailable: the place cannot be written to, or the server does not see it.
        """
        place = _place(run, path)
        if run.run_id in self._proven:
            _write(place, content)
            return
        with self._lock:
            made = _write(place, content)
            if run.run_id not in self._proven:
                self._prove(run, path, place, made)

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give a file of the folder."""
        try:
            with _place(run, path).open("rb") as file:
                while piece := file.read(READ_SIZE):
                    yield piece
        except OSError as error:
            why = f"there is no such file on this machine: {error.strerror}"
            raise RouteUnavailable(why, for_all_files=False) from None

    def _prove(self, run: StoredRun, path: str, place: Path, made: list[Path]) -> None:
        """Ask the server for what was just written; take it away when it has nothing to show."""
        seen = False
        try:
            folder = str(PurePosixPath(path).parent)
            listed = self._tracking.list_artifacts(run.run_id, "" if folder == "." else folder)
            seen = any(entry.path == path for entry in listed)
        finally:
            if not seen:
                _take_away(place, made)
        if not seen:
            raise RouteUnavailable(NOT_SHARED)
        self._proven.add(run.run_id)


def _place(run: StoredRun, path: str) -> Path:
    """Give the file's place, below a folder that bears the run's id: a server names no other folder to us."""
    parts = urlsplit(run.artifact_uri)
    root = Path(unquote(parts.path) if parts.scheme == "file" else run.artifact_uri)
    place = Path(os.path.normpath(root / path))
    if not root.is_absolute() or run.run_id not in root.parts:
        raise RouteUnavailable(f"{root} is no absolute folder of this run")
    if not place.is_relative_to(os.path.normpath(root)):
        raise RouteUnavailable("the file's name leads out of the run's folder", for_all_files=False)
    return place


def _write(place: Path, content: Content) -> list[Path]:
    """Write a file and the folders above it; give the folders that were made, innermost first."""
    part = place.with_name(f".{place.name[:200]}.part")
    made = [folder for folder in place.parents if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("wb")
    except OSError as error:
        _remove_folders(made)
        raise RouteUnavailable(f"{place.parent} cannot be written to: {error.strerror}") from None
    try:
        with file:
            for piece in content.chunks():
                file.write(piece)
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return made


def _take_away(place: Path, made: list[Path]) -> None:
    place.unlink(missing_ok=True)
    _remove_folders(made)


def _remove_folders(made: list[Path]) -> None:
    with contextlib.suppress(OSError):  # never made, or somebody put something there
        for folder in made:
            folder.rmdir()
