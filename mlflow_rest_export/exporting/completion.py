"""What a run still lacks of its plan. Decides only; writing is the exporter's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from mlflow_rest_export import marks
from mlflow_rest_export.exporting.receipt import Receipt
from mlflow_rest_export.plan import ExportPlan, FileFacts
from mlflow_rest_export.records import Adjustment, Metric, RunStatus
from mlflow_rest_export.tracking.points import same_value, without
from mlflow_rest_export.tracking.protocol import StoredRun, Tracking


@dataclass(frozen=True, slots=True)
class MissingValues:
    """The values to write; ``metrics`` is a stream that is read once."""

    metrics: Iterable[Metric]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    adjustments: tuple[Adjustment, ...] = ()


def is_complete(plan: ExportPlan, run: StoredRun) -> bool:
    """Say whether the run holds all of the plan: it bears the digest and ended as the plan says.

    FINISHED is set last and only by an export that delivered everything. FAILED and KILLED may be the end of
    the export or that of the evaluation, so a plan that ends so leaves a mark of its own.
    """
    if run.tags.get(marks.DIGEST) != plan.digest or run.status is not plan.status:
        return False
    return plan.status is RunStatus.FINISHED or run.tags.get(marks.COMPLETE) == plan.digest


def is_delivered(run: StoredRun) -> bool:
    """Say whether the run holds some export whole, be it of older data or by another tool."""
    return run.status is RunStatus.FINISHED


def missing_values(plan: ExportPlan, run: StoredRun, tracking: Tracking) -> MissingValues:
    """Compare a run that exists already with its plan.

    Equal metrics get no new point, others one; params that exist with another value cannot be changed.
    """
    kept = [
        Adjustment(f"param {key}", value, run.params[key], "the run has this param; MLflow never changes one")
        for key, value in plan.params.items()
        if run.params.get(key, value) != value
    ]
    return MissingValues(
        metrics=_single(plan, run) if plan.single_points else _histories(plan, run, tracking),
        params={key: value for key, value in plan.params.items() if key not in run.params},
        tags={key: value for key, value in plan.tags.items() if run.tags.get(key) != value},
        adjustments=tuple(kept),
    )


def missing_files(
    plan: ExportPlan, stored: Mapping[str, int | None], receipt: Receipt | None, *, same_digest: bool
) -> list[FileFacts]:
    """Choose the files to send to a run that exists already.

    Args:
        plan: the run as it shall be.
        stored: path -> size in bytes of what is there (None where the store does not say).
        receipt: what the run's receipt says; None when it has none yet.
        same_digest: whether the run bore this plan's digest before: what a first, broken off export of the
            same data left is right when its size is.
    """
    if receipt is None:
        known = {file.path: file.sha256 or "" for file in plan.files} if same_digest else {}
    elif receipt.state == "complete":
        known = {path: told.sha256 for path, told in receipt.files.items()}
    else:
        known = {}
    return [file for file in plan.files if not _is_there(file, stored, known, by_size=receipt is None)]


def _is_there(
    file: FileFacts, stored: Mapping[str, int | None], known: Mapping[str, str], *, by_size: bool
) -> bool:
    if file.path not in stored or file.path not in known:
        return False
    size = stored[file.path]
    if size is None and by_size:
        return False
    if size is not None and size != file.content.size:
        return False
    return by_size or (file.sha256 is not None and known[file.path] == file.sha256)


def _single(plan: ExportPlan, run: StoredRun) -> Iterator[Metric]:
    for point in plan.metrics:
        last = run.metrics.get(point.key)
        if last is None:
            yield point
        elif not same_value(point.value, last.value):
            # a corrected value needs a later time, or the server would keep showing the old one
            later = max(point.timestamp, last.timestamp + 1)
            yield Metric(point.key, point.value, later, max(point.step, last.step))


def _histories(plan: ExportPlan, run: StoredRun, tracking: Tracking) -> Iterator[Metric]:
    """Give the points that the run lacks, key by key; memory: the fingerprints of one key's stored points."""
    for key, points in groupby(plan.metrics, key=lambda point: point.key):
        if key in run.metrics:
            yield from without(points, tracking.metric_history(run.run_id, key))
        else:
            yield from points
