"""Artifacts on a disk that this machine shares with the server (``file:`` and plain paths).

That the path exists here proves nothing: the server must list the first file of a run, else what was written
is taken away again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from mlflow_rest_export import atomic_files
from mlflow_rest_export.artifacts.files import pieces_of
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import READ_SIZE, Content
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking
from mlflow_rest_export.tracking.store_failures import store_error

NOT_OURS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}
)
"""What is said of a folder that this machine may not or cannot write to, as opposed to a disk that fails."""
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
            _write(run, path, content)
            return
        with self._lock:
            made = _write(run, path, content)
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


def _root(run: StoredRun) -> Path:
    """Give a run's folder, which bears the run's id: a server names no other folder to us."""
    parts = urlsplit(run.artifact_uri)
    root = Path(unquote(parts.path) if parts.scheme == "file" else run.artifact_uri)
    if not root.is_absolute() or run.run_id not in root.parts:
        raise RouteUnavailable(f"{root} is no absolute folder of this run")
    return root


def _place(run: StoredRun, path: str) -> Path:
    """Give the file's place, below the folder of the run."""
    root = _root(run)
    place = Path(os.path.normpath(root / path))
    if not place.is_relative_to(os.path.normpath(root)):
        raise RouteUnavailable("the file's name leads out of the run's folder", for_all_files=False)
    return place


def _write(run: StoredRun, path: str, content: Content) -> list[Path]:
    """Write a file and the folders above it; give the folders that were made, innermost first."""
    place, root = _place(run, path), _root(run)
    # Beside, not inside, where that is the run's own folder, too: what stands inside is a file of the run.
    beside = root.parent if run.run_id in root.parent.parts else root
    made = [folder for folder in place.parents if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.put(place, pieces_of(content, path), beside=beside)
    except OSError as error:
        _remove_folders(made)
        if error.errno not in NOT_OURS:
            raise store_error(f"storing {path} in run {run.run_id}", error) from error
        for_all_files = error.errno != errno.ENAMETOOLONG
        raise RouteUnavailable(
            f"{place.parent} cannot be written to: {error.strerror}", for_all_files=for_all_files
        ) from None
    return made


def _take_away(place: Path, made: list[Path]) -> None:
    place.unlink(missing_ok=True)
    _remove_folders(made)


def _remove_folders(made: list[Path]) -> None:
    with contextlib.suppress(OSError):  # never made, or somebody put something there
        for folder in made:
            folder.rmdir()
