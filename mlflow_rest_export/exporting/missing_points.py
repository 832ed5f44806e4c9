"""The points that a run still lacks of its plan, and what cannot be put right about those it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mlflow_rest_export.exporting.receipt import Delivered
from mlflow_rest_export.exporting.stored_points import ByPoint, ByStep
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import Adjustment, Metric
from mlflow_rest_export.tracking.points import same_value
from mlflow_rest_export.tracking.protocol import StoredRun, Tracking

LEFT_POINTS = "points of an earlier export stay in its history; the newest value is the one shown"
TWICE = "the store holds a point of it twice, and MLflow removes none"

KEPT = 1_000_000
"""Points of histories that are remembered together."""
History = ByStep | ByPoint
NO_HISTORY = ByStep()


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
        kept: points that are remembered, beside those of one more metric.
    """

    def __init__(
        self,
        plan: ExportPlan,
        run: StoredRun,
        tracking: Tracking,
        delivered: Delivered,
        *,
        thorough: bool,
        kept: int = KEPT,
    ) -> None:
        self.adjustments: list[Adjustment] = []
        self._plan, self._run, self._tracking, self._delivered = plan, run, tracking, delivered
        self._thorough, self._kept = thorough, kept

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
            twice = self._thorough and ByStep(self._history(point.key)).twice
            self._tell(point.key, left=last.step > point.step, twice=twice)

    def _histories(self) -> Iterator[Metric]:
        """Give the points that the run lacks, in as many readings of the plan as memory asks for.

        A table gives its metrics row by row, so each reading looks at as many as can be remembered together:
        otherwise a history would be read for every point.
        """
        for group in self._groups(_courses(self._plan.metrics)):
            yield from self._of_group(group)

    def _groups(self, courses: Mapping[str, _Course]) -> Iterator[dict[str, History]]:
        """Read the histories of so many metrics as fit."""
        group: dict[str, History] = {}
        held = 0
        for key, course in courses.items():
            if key not in self._run.metrics:
                group[key] = NO_HISTORY
            elif course.grows:
                group[key] = by_step = ByStep(self._history(key))
                held += len(by_step)
            else:
                group[key] = ByPoint()
                held += course.points
            if held > self._kept:
                yield group
                group.clear()  # before the next is read
                held = 0
        if group:
            yield group

    def _of_group(self, group: Mapping[str, History]) -> Iterator[Metric]:
        """Give the points of some metrics that the run lacks.

        In the end the run shows what it would show had it only the points of the plan.
        """
        self._read_by_point({key: there for key, there in group.items() if isinstance(there, ByPoint)})
        wanted: dict[str, Metric] = {}
        shown = {key: self._run.metrics[key] for key in group if key in self._run.metrics}
        for point in self._plan.metrics:
            if point.key not in group:
                continue
            wanted[point.key] = max(wanted.get(point.key, point), point, key=_rank)
            last = group[point.key].take(point)
            if last is not None and same_value(point.value, last.value):
                continue
            missing = point if last is None else _corrected(point, last, step=point.step)
            shown[point.key] = max(shown.get(point.key, missing), missing, key=_rank)
            yield missing
        for key, point in wanted.items():
            differs = not same_value(point.value, shown[key].value)
            if differs:
                yield _corrected(point, shown[key], step=shown[key].step)
            self._tell(key, left=differs or group[key].has_more, twice=group[key].twice)

    def _read_by_point(self, group: Mapping[str, ByPoint]) -> None:
        for point in self._plan.metrics if group else ():
            if point.key in group:
                group[point.key].expect(point)
        for key, there in group.items():
            there.read(self._history(key))

    def _history(self, key: str) -> Iterator[Metric]:
        return self._tracking.metric_history(self._run.run_id, key)

    def _tell(self, key: str, *, left: bool, twice: bool) -> None:
        if left and key in self._delivered.metrics:
            self.adjustments.append(Adjustment(f"metric {key}", "", "", LEFT_POINTS))
        if twice:
            self.adjustments.append(Adjustment(f"metric {key}", "", "", TWICE))


def _corrected(point: Metric, last: Metric, *, step: int) -> Metric:
    """Give a corrected value a later time, or the server would keep showing the old one."""
    return Metric(point.key, point.value, max(point.timestamp, last.timestamp + 1), step)


def _rank(point: Metric) -> tuple[int, int, float]:
    """Give the order by which servers choose the point that they show."""
    return point.step, point.timestamp, point.value


@dataclass(slots=True)
class _Course:
    """How many points of a metric there are, and whether every step is larger than the one before."""

    points: int
    last: int
    grows: bool = True


def _courses(points: Iterable[Metric]) -> dict[str, _Course]:
    courses: dict[str, _Course] = {}
    for point in points:
        course = courses.setdefault(point.key, _Course(0, point.step - 1))
        course.grows = course.grows and point.step > course.last
        course.last = point.step
        course.points += 1
    return courses
