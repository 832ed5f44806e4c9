"""The points that a run holds, read metric by metric, in bounded memory however the questions are mixed."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.points import fingerprint
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
        self._known: dict[str, _History] = {}
        self._counts: dict[str, _Counts] = {}

    def has(self, point: Metric) -> bool:
        """Say whether the run holds this very point."""
        return fingerprint(point) in self._history(point.key).points

    def latest_at(self, point: Metric) -> Metric | None:
        """Give what the run shows for the step of a point; None for nothing."""
        found = self._history(point.key).by_step.get(point.step)
        return found and Metric(point.key, found[1], found[0], point.step)

    def steps(self, key: str) -> int:
        """Count the steps at which a metric has a value."""
        return self._count(key).steps

    def points(self, key: str) -> int:
        """Count the different points of a metric."""
        return self._count(key).points

    def has_twice(self, key: str) -> bool:
        """Say whether a metric has the very same point more than once."""
        return self._count(key).twice

    def _count(self, key: str) -> _Counts:
        if key not in self._counts:
            self._history(key)
        return self._counts[key]

    def _history(self, key: str) -> _History:
        if key not in self._known:
            history = _History()
            for point in self._tracking.metric_history(self._run_id, key):
                history.add(point)
            while self._known and sum(len(known.points) for known in self._known.values()) > KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = history
            self._counts[key] = _Counts(len(history.by_step), len(history.points), history.twice)
        return self._known[key]


@dataclass(frozen=True, slots=True)
class _Counts:
    """What is remembered of a history for good."""

    steps: int
    points: int
    twice: bool


class _History:
    """The points of one metric."""

    def __init__(self) -> None:
        self.points: set[int] = set()
        self.twice = False
        self.by_step: dict[int, tuple[int, float]] = {}

    def add(self, point: Metric) -> None:
        mark = fingerprint(point)
        self.twice = self.twice or mark in self.points
        self.points.add(mark)
        found = (point.timestamp, point.value)
        self.by_step[point.step] = max(self.by_step.get(point.step, found), found)
