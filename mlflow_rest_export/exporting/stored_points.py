"""The history of one metric as a run holds it, packed, and which points of it are accounted for. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable

from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.points import PointBag, PointSet, fingerprint, same_point, timeless


class ByPoint:
    """A history of a metric whose steps do not grow: its points are known by all that they say.

    Where not by their time: that of a table is its file's, and a copy has another one. All points of the plan
    are expected first, then the history is read, then they are taken. A point that comes twice is one, as it
    is for the store.
    """

    def __init__(self) -> None:
        self.twice = False
        """Whether the very same point is there more than once."""
        self._open, self._others, self._spare = PointBag(), PointSet(), PointBag()

    @property
    def has_more(self) -> bool:
        """Whether there are points that were not taken."""
        return self._spare.total > 0

    def expect(self, point: Metric) -> None:
        """Keep what is this very point for it."""
        mark = fingerprint(point)
        if mark not in self._open:
            self._open.add(mark)

    def read(self, points: Iterable[Metric]) -> None:
        """Read the history; what nobody expects may stand for a point of another time."""
        for point in points:
            mark = fingerprint(point)
            if mark in self._open:
                self.twice = not self._open.take(mark) or self.twice
            elif self._others.add(mark):
                self._spare.add(timeless(point))
            else:
                self.twice = True

    def take(self, point: Metric) -> Metric | None:
        """Give what stands in the place of a point, and of no other; None for nothing."""
        is_open = self._open.take(fingerprint(point))
        return None if is_open and not self._spare.take(timeless(point)) else point


class ByStep:
    """A history of a metric whose steps grow: each point is known by its step, whatever its time.

    Of several at a step it is the one that is shown: with the last time, then the highest value.

    Args:
        points: the history.
    """

    def __init__(self, points: Iterable[Metric] = ()) -> None:
        self.twice = False
        """Whether the very same point is there more than once."""
        self._steps, self._times, self._values = array("q"), array("q"), array("d")
        self._left = 0
        grows = True
        for point in points:
            grows = grows and self._order(len(self) - 1) <= (point.step, point.timestamp, point.value)
            self._append(point.step, point.timestamp, point.value)
        if not grows:
            self._sort()
        self._count()

    def __len__(self) -> int:
        """Count the points."""
        return len(self._steps)

    @property
    def has_more(self) -> bool:
        """Whether there are steps that were not taken."""
        return self._left > 0

    def take(self, point: Metric) -> Metric | None:
        """Give what is shown in the place of a point; None for nothing."""
        place = bisect_right(self._steps, point.step) - 1
        if place < 0 or self._steps[place] != point.step:
            return None
        self._left -= 1
        return Metric(point.key, self._values[place], self._times[place], point.step)

    def _order(self, place: int) -> tuple[float, ...]:
        return (self._steps[place], self._times[place], self._values[place]) if place >= 0 else ()

    def _append(self, step: int, time: int, value: float) -> None:
        self._steps.append(step)
        self._times.append(time)
        self._values.append(value)

    def _sort(self) -> None:
        """Put the points in order, should the store have given them otherwise."""
        order = array("q", sorted(range(len(self)), key=self._order))
        self._steps = array("q", (self._steps[place] for place in order))
        self._times = array("q", (self._times[place] for place in order))
        self._values = array("d", (self._values[place] for place in order))

    def _count(self) -> None:
        before: Metric | None = None
        for step, time, value in zip(self._steps, self._times, self._values, strict=True):
            point = Metric("", value, time, step)
            self._left += before is None or before.step != step
            self.twice = self.twice or (before is not None and same_point(point, before))
            before = point
