"""What a run still lacks of its plan. Decides only; writing is the exporter's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_rest_export import marks
from mlflow_rest_export.content import sha256
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.exporting.leftovers import left_values, stale_tags
from mlflow_rest_export.exporting.missing_points import MissingPoints
from mlflow_rest_export.exporting.receipt import Delivered, Receipt
from mlflow_rest_export.planning.export_plan import ExportPlan, FileFacts
from mlflow_rest_export.records import Adjustment, RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun, Tracking

KEPT_PARAM = "the run has this param; MLflow never changes one"


@dataclass(frozen=True, slots=True)
class MissingValues:
    """The values to write; ``metrics`` is a stream that is read once."""

    metrics: MissingPoints
    params: Mapping[str, str]
    tags: Mapping[str, str]
    kept: tuple[Adjustment, ...]

    def adjustments(self) -> list[Adjustment]:
        """Give what cannot be made as the plan has it; whole once ``metrics`` has been read."""
        return [*self.kept, *self.metrics.adjustments]


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


def is_at_rest(run: StoredRun) -> bool:
    """Say whether a run that is RUNNING is so because its source is: it holds that export whole.

    Whoever brings it other data claims it for them first, so a newer claim says that somebody is at work.
    """
    digest = run.tags.get(marks.DIGEST, "")
    return run.tags.get(marks.COMPLETE) == digest and claims.last_data(run) == digest[:12] != ""


def missing_values(
    plan: ExportPlan, run: StoredRun, tracking: Tracking, delivered: Delivered, *, thorough: bool = False
) -> MissingValues:
    """Compare a run that exists already with its plan.

    Args:
        plan: the run as it shall be.
        run: the run as it is.
        tracking: its store.
        delivered: what earlier exports brought, so that it can be told what is left of it.
        thorough: read everything, whatever it takes.
    """
    kept = [
        Adjustment(f"param {key}", value, run.params[key], KEPT_PARAM)
        for key, value in plan.params.items()
        if run.params.get(key, value) != value
    ]
    tags = {key: value for key, value in plan.tags.items() if run.tags.get(key) != value}
    return MissingValues(
        metrics=MissingPoints(plan, run, tracking, delivered, thorough=thorough),
        params={key: value for key, value in plan.params.items() if key not in run.params},
        tags={**tags, **stale_tags(plan, run)},
        kept=(*kept, *left_values(plan, run, delivered)),
    )


def missing_files(
    plan: ExportPlan, stored: Mapping[str, int | None], receipt: Receipt | None, *, of_this_data: bool
) -> list[FileFacts]:
    """Choose the files to send to a run that exists already.

    Args:
        plan: the run as it shall be.
        stored: path -> size in bytes of what is there (None where the store does not say).
        receipt: what the run's receipt says; None when it has none yet.
        of_this_data: whether all that was ever sent to the run came from this plan's data: what a first,
            broken off export left is right when its size is.
    """
    if receipt is None:
        return [file for file in plan.files if not (of_this_data and _has_size(file, stored))]
    return [file for file in plan.files if not (_may_be_there(file, stored) and _is_told(file, receipt))]


def _has_size(file: FileFacts, stored: Mapping[str, int | None]) -> bool:
    return stored.get(file.path) == file.content.size


def _may_be_there(file: FileFacts, stored: Mapping[str, int | None]) -> bool:
    return file.path in stored and stored[file.path] in {None, file.content.size}


def _is_told(file: FileFacts, receipt: Receipt) -> bool:
    """Say whether a receipt vouches for these very bytes; hashing a large file is cheaper than sending it."""
    told = receipt.files.get(file.path)
    if receipt.state != "complete" or told is None or told.size != file.content.size:
        return False
    return told.sha256 == (file.sha256 or sha256(file.content))
