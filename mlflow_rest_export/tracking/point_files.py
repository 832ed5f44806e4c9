"""Adds points to the metric files of a run: each point once, each file always whole.

A file store keeps every line it is given, and one line twice or by half stops ``mlflow migrate-filestore``.
So a file is written anew beside its place, without what it holds already, and then moved there.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export.atomic_files import UNFINISHED
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.mlruns_reading import ends_in_half_a_line, read_lines, read_points
from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.points import PointSet, fingerprint
from mlflow_rest_export.tracking.store_failures import store_error

FILES_AT_ONCE = 32
"""Metrics that may be open at once when their points come mixed."""
BUFFER = 1 << 18
"""Bytes."""


class PointFile:
    """One metric file with points on their way into it; nothing changes before ``publish``.

    Memory: nothing that grows while points come in the order of their time and step into a new file;
    otherwise the fingerprint of each.
    """

    def __init__(self, target: Path, key: str, *, beside: Path) -> None:
        self._target = target
        self._key = key
        self._unfinished = beside / f"{UNFINISHED}{uuid.uuid4().hex}"
        self._file: BinaryIO | None = None
        self._newest: tuple[int, int] | None = None
        self._known: PointSet | None = None
        if target.exists():
            self._known = self._read(target)
            if ends_in_half_a_line(target):
                self._open()

    def add(self, point: Metric) -> None:
        """Take a point, unless it is there already.

        Raises:
            OSError: it cannot be written.
            SourceError: the file that is there holds something else than points.
        """
        if self._known is None:
            at = (point.timestamp, point.step)
            if self._newest is None or at > self._newest:
                self._newest = at
                self._open().write(layout.metric_line(point).encode())
                return
            self._open().flush()
            self._known = self._read(self._unfinished)
        if self._known.add(fingerprint(point)):
            self._open().write(layout.metric_line(point).encode())

    def publish(self) -> None:
        """Put the file in its place, on disk for good.

        Raises:
            OSError: it could not be written; what stood there stands there still.
        """
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        empty = self._file.tell() == 0
        self._file.close()
        self._target.parent.mkdir(parents=True, exist_ok=True)
        if empty:  # a metric without points makes its run unreadable
            self._unfinished.unlink()
            self._target.unlink(missing_ok=True)
        else:
            self._unfinished.replace(self._target)

    def discard(self) -> None:
        """Forget what has not been published."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # closing writes the rest, for which the disk may be too full
                self._file.close()
            with contextlib.suppress(OSError):
                self._unfinished.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self._unfinished.open("xb", buffering=BUFFER)
            if self._target.exists():
                self._file.writelines(read_lines(self._target))
        return self._file

    def _read(self, path: Path) -> PointSet:
        known = PointSet()
        for point in read_points(path, self._key):
            known.add(fingerprint(point))
        return known


def merge_points(run: Path, points: Iterable[Metric], *, doing: str) -> None:
    """Add points to a run's metrics; best when the points of one key come together.

    Args:
        run: the run's folder.
        points: any number; what their own iteration raises is passed on as it is.
        doing: what an error says was being done.

    Raises:
        StoreError: a file could not be read or written; files that were not finished are as they were.
    """
    files: dict[str, PointFile] = {}
    try:
        for point in points:
            try:
                _file_for(point.key, files, run).add(point)
            except (OSError, ValueError, SourceError) as error:  # noqa: PERF203  # the points' own errors differ
                raise store_error(doing, error) from error
        try:
            while files:
                _publish_oldest(files)
        except OSError as error:
            raise store_error(doing, error) from error
    finally:
        for file in files.values():
            file.discard()


def _file_for(key: str, files: dict[str, PointFile], run: Path) -> PointFile:
    file = files.get(key)
    if file is None:
        if len(files) >= FILES_AT_ONCE:
            _publish_oldest(files)
        file = PointFile(run.joinpath(layout.METRICS, *layout.key_parts(key)), key, beside=run)
        files[key] = file
    return file


def _publish_oldest(files: dict[str, PointFile]) -> None:
    key = next(iter(files))
    files[key].publish()
    del files[key]
