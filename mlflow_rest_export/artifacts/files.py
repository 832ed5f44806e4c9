"""Artifacts in a folder of this machine: the ``artifacts`` folder that a run's ``artifact_uri`` names."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlflow_rest_export import atomic_files
from mlflow_rest_export.content import READ_SIZE, Content
from mlflow_rest_export.errors import ApiError, SourceError, StoreError
from mlflow_rest_export.targets.files import path_of
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.store_failures import store_error, told


class FileArtifacts:
    """The artifacts of runs whose ``artifact_uri`` is a path or a ``file:`` URI."""

    def expect(self, run: StoredRun, paths: Sequence[str]) -> None:
        """Need no notice."""

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Store a file whole or not at all, over whatever file is there.

        Raises:
            StoreError: it could not be written.
            SourceError: the file it comes from could not be read.
        """
        root = path_of(run.artifact_uri)
        target = _inside(root, path)
        try:
            root.mkdir(parents=True, exist_ok=True)
            # Beside, not inside: what stands in the folder is a file of the run to every reader.
            atomic_files.put(target, pieces_of(content, path), beside=root.parent)
        except (OSError, ValueError) as error:
            raise store_error(f"storing {path} in run {run.run_id}", error) from error

    def listing(self, run: StoredRun) -> dict[str, int | None]:
        """Give every file of the run with its size in bytes.

        Raises:
            StoreError: a folder could not be listed.
        """
        with told(f"listing the artifacts of run {run.run_id}"):
            root = path_of(run.artifact_uri)
            return dict(_files(root, "")) if root.is_dir() else {}

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give a stored file in pieces.

        Raises:
            ApiError: with ``not_found`` when there is no such file.
            StoreError: it could not be read.
        """
        with told(f"reading {path} of run {run.run_id}"):
            target = _inside(path_of(run.artifact_uri), path)
            if not target.is_file():
                said = f"run {run.run_id} has no artifact {path}"
                raise ApiError(said, status=404, code="RESOURCE_DOES_NOT_EXIST", reason=said)
            with target.open("rb", buffering=0) as file:
                while piece := file.read(READ_SIZE):
                    yield piece


def _inside(root: Path, path: str) -> Path:
    if posixpath.normpath(path) != path or path.split("/", maxsplit=1)[0] in {"", ".", ".."}:
        raise StoreError(f"{path!r} is no path of an artifact: it leads nowhere or out of the run")
    return root / path


def pieces_of(content: Content, path: str) -> Iterator[bytes]:
    """Give the bytes; a file that cannot be read is another fault than a store that cannot be written.

    Raises:
        SourceError: it could not be read.
    """
    try:
        yield from content.chunks()
    except OSError as error:
        raise SourceError(f"{path} could not be read while it was stored: {error}") from error


def _files(folder: Path, above: str) -> Iterator[tuple[str, int | None]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(folder / entry.name, f"{above}{entry.name}/")
            elif entry.is_file():
                yield f"{above}{entry.name}", entry.stat().st_size
