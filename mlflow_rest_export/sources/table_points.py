"""The points of a table's runs, sorted out in one reading: packed, and on disk once they are many.

The rows of several runs may come mixed; to read the file anew for each run would take rows times runs.
"""

from __future__ import annotations

import struct
import tempfile
import threading
import weakref
from array import array
from collections.abc import Iterator, Sequence

from mlflow_rest_export.records import Metric

IN_MEMORY = 8 << 20
"""Bytes that are kept in memory before they go to a temporary file without a name."""
_BLOCK = 256
"""Points of a run that are written together."""
_POINT = struct.Struct("<Hdqq")


class PointStore:
    """Holds the points of all runs of one table, and nothing of them on disk when it is gone.

    Args:
        names: the table's columns of metrics.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.numbers = {name: number for number, name in enumerate(names)}
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # closed with the last run
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._lock = threading.Lock()

    def keep(self, block: bytes) -> int:
        """Write a block; gives its place."""
        self._file.seek(self._end)
        self._file.write(block)
        place, self._end = self._end, self._end + len(block)
        return place

    def block(self, place: int) -> bytes:
        """Read a block; may be called from several threads at once."""
        with self._lock:
            self._file.seek(place)
            return self._file.read(_BLOCK * _POINT.size)


class TablePoints:
    """The points of one run, in the order of the rows; a stream that can be read again."""

    def __init__(self, store: PointStore) -> None:
        self._store = store
        self._places = array("q")
        self._last = bytearray()

    def add(self, point: Metric) -> None:
        """Take a point.

        Raises:
            OSError: it cannot be written.
        """
        number = self._store.numbers[point.key]
        self._last += _POINT.pack(number, point.value, point.step, point.timestamp)
        if len(self._last) == _BLOCK * _POINT.size:
            self._places.append(self._store.keep(bytes(self._last)))
            self._last.clear()

    def __iter__(self) -> Iterator[Metric]:
        """Give the points."""
        for place in self._places:
            yield from self._unpacked(self._store.block(place))
        yield from self._unpacked(bytes(self._last))

    def _unpacked(self, block: bytes) -> Iterator[Metric]:
        for number, value, step, timestamp in _POINT.iter_unpack(block):
            yield Metric(self._store.names[number], value, timestamp, step)
