"""The points that a run still lacks of its plan, and what cannot be put right about those it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from mlflow_rest_export.exporting.receipt import Delivered
from mlflow_rest_export.exporting.stored_points import StoredPoints
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import Adjustment, Metric
from mlflow_rest_export.tracking.points import same_value
from mlflow_rest_export.tracking.protocol import StoredRun, Tracking

LEFT_POINTS = "points of an earlier export stay in its history; the newest value is the one shown"
TWICE = "the store holds a point of it twice, and MLflow removes none"


class MissingPoints:
    """A stream that is read once; ``adjustments`` is whole when it has ended.

    Equal metrics get no new point, others one, later than what the server shows: else it would keep showing
    that.

    Args:
        plan: the run as it shall be.
        run: the run as it is.
        tracking: its store.
        delivered: what earlier exports brought: points of others are nobody's leftovers.
        thorough: read the histories of metrics that have one value, too.
    """

    def __init__(
        self, plan: ExportPlan, run: StoredRun, tracking: Tracking, delivered: Delivered, *, thorough: bool
    ) -> None:
        self.adjustments: list[Adjustment] = []
        self._plan, self._run, self._delivered = plan, run, delivered
        self._stored = StoredPoints(tracking, run.run_id)
        self._thorough = thorough

    def __iter__(self) -> Iterator[Metric]:
        """Give the points to write."""
        return self._single() if self._plan.single_points else self._histories()

    def _single(self) -> Iterator[Metric]:
        for point in self._plan.metrics:
            last = self._run.metrics.get(point.key)
            if last is None:
                yield point
                continue
            if not same_value(point.value, last.value):
                yield _corrected(point, last, step=max(point.step, last.step))
            self._tell(point.key, left=last.step > point.step, twice=self._thorough)

    def _histories(self) -> Iterator[Metric]:
        """Give the points that the run lacks.

        Where the steps of a metric grow, each is known by its step, whatever the times; otherwise by both.
        In the end the run shows what it would show had it only the points of the plan.
        """
        growing = _with_growing_steps(self._plan.metrics)
        wanted: dict[str, Metric] = {}
        shown = dict(self._run.metrics)
        found: Counter[str] = Counter()
        for point in self._plan.metrics:
            wanted[point.key] = max(wanted.get(point.key, point), point, key=_rank)
            last = self._found(point, by_step=point.key in growing)
            found[point.key] += last is not None
            if last is not None and same_value(point.value, last.value):
                continue
            missing = point if last is None else _corrected(point, last, step=point.step)
            shown[point.key] = max(shown.get(point.key, missing), missing, key=_rank)
            yield missing
        for key, point in wanted.items():
            if not same_value(point.value, shown[key].value):
                yield _corrected(point, shown[key], step=shown[key].step)
            if key in self._run.metrics:
                self._tell(key, left=self._stored.count(key) > found[key], twice=True)

    def _found(self, point: Metric, *, by_step: bool) -> Metric | None:
        """Give what the run has in the place of a point, None for nothing."""
        if point.key not in self._run.metrics:
            return None
        if by_step:
            return self._stored.latest_at(point)
        return point if self._stored.has(point) else None

    def _tell(self, key: str, *, left: bool, twice: bool) -> None:
        if left and key in self._delivered.metrics:
            self.adjustments.append(Adjustment(f"metric {key}", "", "", LEFT_POINTS))
        if twice and self._stored.has_twice(key):
            self.adjustments.append(Adjustment(f"metric {key}", "", "", TWICE))


def _corrected(point: Metric, last: Metric, *, step: int) -> Metric:
    """Give a corrected value a later time, or the server would keep showing the old one."""
    return Metric(point.key, point.value, max(point.timestamp, last.timestamp + 1), step)


def _rank(point: Metric) -> tuple[int, int, float]:
    """Give the order by which servers choose the point that they show."""
    return point.step, point.timestamp, point.value


def _with_growing_steps(points: Iterable[Metric]) -> set[str]:
    last: dict[str, int] = {}
    others: set[str] = set()
    for point in points:
        if point.key in last and point.step <= last[point.key]:
            others.add(point.key)
        last[point.key] = point.step
    return last.keys() - others
