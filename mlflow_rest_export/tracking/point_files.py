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

HELD = 2000
"""Points that are kept in memory until their files are opened: of a table each row belongs to many."""
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
        self._begun = False
        """Whether there is an unfinished file, open or not."""
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
        if not self._begun:
            return
        with self._open() as file:
            file.flush()
            os.fsync(file.fileno())
            empty = file.tell() == 0
        self._target.parent.mkdir(parents=True, exist_ok=True)
        if empty:  # a metric without points makes its run unreadable
            self._unfinished.unlink()
            self._target.unlink(missing_ok=True)
        else:
            self._unfinished.replace(self._target)

    def rest(self) -> None:
        """Keep no file open until more points come; raises ``OSError`` when one cannot be written."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def discard(self) -> None:
        """Forget what has not been published."""
        with contextlib.suppress(OSError):  # closing writes what is left, for which the disk may be too full
            self.rest()
        if self._begun:
            with contextlib.suppress(OSError):
                self._unfinished.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self._unfinished.open("ab" if self._begun else "xb", buffering=BUFFER)
            if not self._begun and self._target.exists():
                self._file.writelines(read_lines(self._target))
            self._begun = True
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
    files = _MetricFiles(run)
    try:
        for point in points:
            try:
                files.add(point)
            except (OSError, ValueError, SourceError) as error:  # noqa: PERF203  # the points' own errors differ
                raise store_error(doing, error) from error
        try:
            files.publish()
        except (OSError, ValueError, SourceError) as error:
            raise store_error(doing, error) from error
    finally:
        files.discard()


class _MetricFiles:
    """The metric files of a run that are being written; never more than one is open."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._files: dict[str, PointFile] = {}
        self._held: dict[str, list[Metric]] = {}
        self._count = 0

    def add(self, point: Metric) -> None:
        """Take a point; errors as ``PointFile``."""
        self._held.setdefault(point.key, []).append(point)
        self._count += 1
        if self._count >= HELD:
            self._write()

    def publish(self) -> None:
        """Put all files in their places; errors as ``PointFile``."""
        self._write()
        for file in self._files.values():
            file.publish()

    def discard(self) -> None:
        """Forget what has not been published."""
        for file in self._files.values():
            file.discard()

    def _write(self) -> None:
        for key, points in self._held.items():
            if key not in self._files:
                target = self._run.joinpath(layout.METRICS, *layout.key_parts(key))
                self._files[key] = PointFile(target, key, beside=self._run)
            for point in points:
                self._files[key].add(point)
            self._files[key].rest()
        self._held.clear()
        self._count = 0
