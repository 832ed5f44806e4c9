"""Keeps what a folder has kept for long from replacing what was exported since. Decides only."""

from __future__ import annotations

from datetime import datetime, timezone

from mlflow_rest_export import marks
from mlflow_rest_export.errors import Conflict
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import Adjustment, RunRecord
from mlflow_rest_export.tracking.protocol import StoredRun

NEWER = "data"
"""What is said to differ where a run holds newer data."""


def newer_data(record: RunRecord, plan: ExportPlan, run: StoredRun) -> Adjustment | None:
    """Say that a run holds newer data than a record that comes out of a folder; None when it does not.

    Results that are read now are never older. Where either time is not known, nothing is held back.

    Args:
        record: what is exported.
        plan: its plan.
        run: the run of its key.
    """
    there = run.tags.get(marks.TIME, "")
    if (
        record.time is None
        or not (there.isdecimal() and len(there) < 15)
        or run.tags.get(marks.DIGEST) == plan.digest
    ):
        return None
    if int(there) <= record.time:
        return None
    reason = (
        "the run holds data that was exported later than this, so it is left as it is; to replace it all the "
        "same, export the results themselves; to end this, delete the run in the folder"
    )
    return Adjustment(NEWER, _told(record.time), _told(int(there)), reason)


def newer_is_not_whole(record: RunRecord, run: StoredRun) -> Conflict:
    """Give the error for a record that may not replace newer data, though the run lacks a part of that."""
    return Conflict(
        f"exporting {record.label}: run {run.run_id} is {run.status.name} and holds a part of data that was "
        "exported later than this: that export broke off or is still at work, so repeat it; "
        "this older data is kept out"
    )


def _told(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, tz=timezone.utc).isoformat(timespec="seconds")
