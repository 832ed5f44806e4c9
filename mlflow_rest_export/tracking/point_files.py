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

FILES_AT_ONCE = 16
"""Metrics of a run whose files may be open; of macOS, a process gets 256 files."""
IDLE = 10_000
"""Points of others after which a metric counts as whole: its file makes room for another one."""
HELD = 50_000
"""Points of metrics without an open file that are kept in memory, some 20 MB."""
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
    """The metric files of a run that are being written.

    Some stay open. What belongs to others, of a table with many columns, is held until it is worth opening
    theirs: a file that is opened for each of its points is read, copied and put on disk as often.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._open: dict[str, PointFile] = {}
        """The one that got a point last comes last."""
        self._last: dict[str, int] = {}
        """Of each open file, the number of its last point."""
        self._held: dict[str, list[Metric]] = {}
        self._held_count = 0
        self._number = 0

    def add(self, point: Metric) -> None:
        """Take a point; errors as ``PointFile``."""
        self._number += 1
        key = point.key
        if key in self._open:
            self._open[key] = self._open.pop(key)
        elif not self._has_room():
            self._held.setdefault(key, []).append(point)
            self._held_count += 1
            if self._held_count >= HELD:
                self.publish()
            return
        else:
            self._open[key] = self._file(key)
            self._fill(self._open[key], key)
        self._last[key] = self._number
        self._open[key].add(point)

    def publish(self) -> None:
        """Put all that was taken in its place."""
        while self._open:
            self._publish_oldest()
        for key in list(self._held):
            self._open[key] = self._file(key)
            self._fill(self._open[key], key)
            self._publish_oldest()

    def discard(self) -> None:
        """Forget what has not been published."""
        for file in self._open.values():
            file.discard()

    def _has_room(self) -> bool:
        if len(self._open) < FILES_AT_ONCE:
            return True
        oldest = next(iter(self._open))
        if self._number - self._last[oldest] <= IDLE:
            return False
        self._publish_oldest()
        return True

    def _fill(self, file: PointFile, key: str) -> None:
        points = self._held.pop(key, [])
        self._held_count -= len(points)
        for point in points:
            file.add(point)

    def _publish_oldest(self) -> None:
        key = next(iter(self._open))
        self._open[key].publish()
        del self._open[key]
        self._last.pop(key, None)

    def _file(self, key: str) -> PointFile:
        return PointFile(self._run.joinpath(layout.METRICS, *layout.key_parts(key)), key, beside=self._run)
