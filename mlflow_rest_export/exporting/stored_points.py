"""The points that a run holds, read metric by metric, in bounded memory however the questions are mixed."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.points import PointSet, fingerprint, same_point
from mlflow_rest_export.tracking.protocol import Tracking

KEPT = 1_000_000
"""Points that are remembered, beside those of the metric asked for."""


class StoredPoints:
    """Answers questions about points, with one reading of each metric's history as long as memory allows.

    Args:
        tracking: the store.
        run_id: the run.
    """

    def __init__(self, tracking: Tracking, run_id: str) -> None:
        self._tracking = tracking
        self._run_id = run_id
        self._points: dict[str, _Points] = {}
        self._latest: dict[str, _Latest] = {}
        self._counts: dict[str, _Count] = {}

    def has(self, point: Metric) -> bool:
        """Say whether the run holds this very point."""
        return fingerprint(point) in self._known(point.key, self._points, _Points).marks

    def latest_at(self, point: Metric) -> Metric | None:
        """Give what the run shows for the step of a point; None for nothing."""
        return self._known(point.key, self._latest, _Latest).at(point)

    def count(self, key: str) -> int:
        """Count the different points of a metric that was asked about with ``has``, else its steps."""
        return self._count(key).different

    def has_twice(self, key: str) -> bool:
        """Say whether a metric has the very same point more than once."""
        return self._count(key).twice

    def _count(self, key: str) -> _Count:
        if key not in self._counts:
            self._known(key, self._latest, _Latest)
        return self._counts[key]

    def _known(self, key: str, known: dict[str, _K], read: Callable[[Iterable[Metric]], _K]) -> _K:
        if key not in known:
            found = read(self._tracking.metric_history(self._run_id, key))
            while known and sum(map(len, known.values())) > KEPT:
                del known[next(iter(known))]
            known[key] = found
            self._counts[key] = found.count
        return known[key]


@dataclass(slots=True)
class _Count:
    """What is remembered of a history for good."""

    different: int = 0
    twice: bool = False


class _Points:
    """Every point of one metric, by its fingerprint."""

    def __init__(self, points: Iterable[Metric]) -> None:
        self.marks = PointSet()
        self.count = _Count()
        for point in points:
            if not self.marks.add(fingerprint(point)):
                self.count.twice = True
        self.count.different = len(self.marks)

    def __len__(self) -> int:
        return len(self.marks)


class _Latest:
    """The latest point of each step of one metric: of equal steps the one with the last time, then value."""

    def __init__(self, points: Iterable[Metric]) -> None:
        self._steps, self._times, self._values = array("q"), array("q"), array("d")
        grows = True
        for point in points:
            grows = grows and self._order(len(self) - 1) <= (point.step, point.timestamp, point.value)
            self._append(point.step, point.timestamp, point.value)
        if not grows:
            self._sort()
        self.count = self._counted()

    def __len__(self) -> int:
        return len(self._steps)

    def at(self, point: Metric) -> Metric | None:
        """Give the latest point at the step of another one."""
        place = bisect_right(self._steps, point.step) - 1
        if place < 0 or self._steps[place] != point.step:
            return None
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

    def _counted(self) -> _Count:
        count = _Count()
        before: Metric | None = None
        for step, time, value in zip(self._steps, self._times, self._values, strict=True):
            point = Metric("", value, time, step)
            count.different += before is None or before.step != step
            count.twice = count.twice or (before is not None and same_point(point, before))
            before = point
        return count


_K = TypeVar("_K", _Points, _Latest)
