"""Which points a store already holds. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator

from mlflow_rest_export.records import Metric

SQL_INFINITY = 1.7976931348623157e308
"""SQL stores keep an infinity as the largest finite number and give it back as such."""


def same_value(sent: float, stored: float) -> bool:
    """Say whether ``stored`` is how a store gives back ``sent``."""
    if math.isnan(sent):
        return math.isnan(stored)
    if math.isinf(sent):
        return stored == sent or stored == math.copysign(SQL_INFINITY, sent)
    return sent == stored


def same_point(sent: Metric, stored: Metric) -> bool:
    """Say whether ``stored`` is the very point ``sent``."""
    return (
        sent.timestamp == stored.timestamp
        and sent.step == stored.step
        and same_value(sent.value, stored.value)
    )


def fingerprint(point: Metric) -> int:
    """Give 64 bits that tell points of one key apart, equal for what ``same_point`` calls equal."""
    value = point.value
    if math.isinf(value):
        value = math.copysign(SQL_INFINITY, value)
    # A text, since numbers hash badly: -1 and -2 have one hash, and so have 1 and 2**61.
    return hash(f"{point.timestamp} {point.step} {value + 0.0!r}")  # which makes -0.0 and 0.0 one


def timeless(point: Metric) -> int:
    """Give 64 bits that are equal for points of one key that differ in their time at most."""
    return fingerprint(Metric(point.key, point.value, 0, point.step))


class PointSet:
    """Fingerprints of points, in 12 to 24 bytes each: a set of Python's takes 100."""

    def __init__(self) -> None:
        self._slots = array("q", [0]) * 1024
        self._used = 0

    def add(self, value: int) -> bool:
        """Take a fingerprint in; False when it is known."""
        value = value or 1  # 0 marks a free slot
        place = self._place(value)
        if self._slots[place]:
            return False
        self._slots[place] = value
        self._used += 1
        if self._used * 3 > len(self._slots) * 2:
            self._grow()
        return True

    def __contains__(self, value: int) -> bool:
        """Say whether a fingerprint is known."""
        return bool(self._slots[self._place(value or 1)])

    def __len__(self) -> int:
        """Count the fingerprints."""
        return self._used

    def _place(self, value: int) -> int:
        mask = len(self._slots) - 1
        place = value & mask
        while self._slots[place] not in {0, value}:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("q", [0]) * (2 * len(old))
        for value in old:
            if value:
                self._slots[self._place(value)] = value


class PointBag(PointSet):
    """Fingerprints, each as often as it was added and not taken yet; 18 to 36 bytes for each that differs."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self._counts = array("I", [0]) * len(self._slots)

    def add(self, value: int) -> bool:
        """Take a fingerprint in once more; False when it is known."""
        is_new = super().add(value)
        self._counts[self._place(value or 1)] += 1
        self.total += 1
        return is_new

    def take(self, value: int) -> bool:
        """Take a fingerprint out once; False when there is none left."""
        place = self._place(value or 1)
        if not self._counts[place]:
            return False
        self._counts[place] -= 1
        self.total -= 1
        return True

    def _grow(self) -> None:
        slots, counts = self._slots, self._counts
        super()._grow()
        self._counts = array("I", [0]) * len(self._slots)
        for value, count in zip(slots, counts, strict=True):
            if value:
                self._counts[self._place(value)] = count


def without(points: Iterable[Metric], stored: Iterable[Metric]) -> Iterator[Metric]:
    """Leave out of ``points`` (all of one key) those that are among ``stored``.

    Memory: a fingerprint for each stored point.
    """
    known = PointSet()
    for point in stored:
        known.add(fingerprint(point))
    return (point for point in points if fingerprint(point) not in known)
