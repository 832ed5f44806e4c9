"""Reads a run back and compares it with its plan, value by value and byte by byte."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.errors import VerifyError
from mlflow_rest_export.exporting.completion import KEPT_PARAM, MissingValues, missing_values
from mlflow_rest_export.exporting.leftovers import left_files
from mlflow_rest_export.exporting.receipt import NOTHING, Receipt, stored_receipt
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.tracking.protocol import Artifacts, StoredRun, Tracking

MAY_DIFFER = frozenset({mlflow_tags.USER, mlflow_tags.NOTE, marks.TIME})
"""Tags that may have changed since: somebody else exported the run, at another time, or described it."""
TOLD = 10
"""Differences that are told one by one; the others are counted."""


def verify(
    tracking: Tracking, artifacts: Artifacts, plan: ExportPlan, run_id: str, *, volatile: frozenset[str]
) -> list[Adjustment]:
    """Compare a finished run with its plan.

    What an earlier export left, and what it set a param to, is no difference where the receipt says so:
    MLflow removes nothing and never changes a param. What others added to the run is none either.
    A run that was exported without files has no receipt, and needs none while it has no files: nothing could
    say so, nor would another export end it, so it is told and is no difference.

    Args:
        tracking: the store.
        artifacts: where its files live.
        plan: what the run should hold.
        run_id: the run.
        volatile: params that tell where the data was read, which may have been elsewhere then.

    Returns:
        What is told and is no difference.

    Raises:
        VerifyError: with the differences.
    """
    run = tracking.get_run(run_id)
    listing = artifacts.listing(run) if plan.with_receipt else {}
    receipt = stored_receipt(artifacts, run, listing)
    is_ours = receipt is not None and receipt.state == "complete" and receipt.digest == plan.digest
    needs_receipt = plan.with_receipt and (is_ours or bool(plan.files))
    delivered = receipt.delivered if receipt else NOTHING
    lacks = missing_values(plan, run, tracking, delivered, thorough=True)
    points = Counter(point.key for point in lacks.metrics)
    stays = _untold([*lacks.adjustments(), *left_files(plan, listing, delivered)], receipt, volatile)
    by_size = {told.before for told in unread(plan, tracking.limits())}
    found = [
        *(f"param {key} is missing" for key in lacks.params),
        *(map(_said, stays) if needs_receipt else ()),
        *_tags(lacks, run),
        *_metrics(points, plan, run),
        *_files(plan, run, artifacts, listing, by_size),
    ]
    if needs_receipt and not is_ours:
        found.append(f"artifact {marks.RECEIPT} is not that of this export")
    if run.status is not plan.status:
        found.append(f"status is {run.status.name}, not {plan.status.name}")
    if found:
        more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise VerifyError(
            f"run {run_id} differs from what was exported: {'; '.join(found[:TOLD])}{more} "
            "(export again to mend it)"
        )
    return stays


def unread(plan: ExportPlan, limits: Limits) -> tuple[Adjustment, ...]:
    """Tell which files are compared by their size alone: asked for them, this server breaks off or hangs."""
    reason = "MLflow before 3.17 cannot send a file of such a name; it is there, with the right size"
    return tuple(
        Adjustment(f"artifact {file.path}", file.path, "not read back", reason)
        for file in plan.files
        if not limits.names_come_back and not file.path.rpartition("/")[2].isascii()
    )


def _untold(
    changes: Iterable[Adjustment], receipt: Receipt | None, volatile: frozenset[str]
) -> list[Adjustment]:
    """Give what stays though the data has another value, or none, and the receipt does not tell it."""
    told = {(change.field, change.reason) for change in receipt.adjustments} if receipt else set()
    excused = {f"param {key}" for key in volatile}
    return [
        change
        for change in changes
        if (change.field, change.reason) not in told and change.field not in excused
    ]


def _said(change: Adjustment) -> str:
    return change.field + (" has another value" if change.reason == KEPT_PARAM else f": {change.reason}")


def _tags(lacks: MissingValues, run: StoredRun) -> Iterator[str]:
    for key in lacks.tags:
        if key not in run.tags:
            yield f"tag {key} is missing"
        elif key not in MAY_DIFFER:
            yield f"tag {key} has another value"


def _metrics(points: Mapping[str, int], plan: ExportPlan, run: StoredRun) -> Iterator[str]:
    for key, count in points.items():
        if key not in run.metrics:
            yield f"metric {key} is missing"
        elif plan.single_points:
            yield f"metric {key} is {run.metrics[key].value!r}"
        else:
            yield f"metric {key} lacks {count} points"


def _files(
    plan: ExportPlan, run: StoredRun, artifacts: Artifacts, stored: dict[str, int | None], by_size: set[str]
) -> Iterator[str]:
    for file in plan.files:
        if file.path not in stored:
            yield f"artifact {file.path} is missing"
            continue
        size = stored[file.path]
        if size is not None and size != file.content.size:
            yield f"artifact {file.path} has {size} bytes, not {file.content.size}"
        elif file.path not in by_size and _hash(artifacts.read(run, file.path)) != (
            file.sha256 or _hash(file.content.chunks())
        ):
            yield f"artifact {file.path} has other bytes"


def _hash(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
