"""The receipt: a small file in each run that says what was delivered, so that anybody can check it later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mlflow_rest_export import __version__, marks, mlflow_tags
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.tracking.protocol import Artifacts, StoredRun


class FileReceipt(BaseModel):
    """Size in bytes and hash of one delivered file."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    size: int
    sha256: str


class Delivered(BaseModel):
    """The names of all that exports of one key ever brought to its run, part of the data still or not."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    metrics: frozenset[str] = frozenset()
    params: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    def and_by(self, plan: ExportPlan) -> dict[str, list[str]]:
        """Give what will have been delivered once the plan is, for a receipt; our own tags are not named."""
        tags = {key for key in plan.tags if not key.startswith(marks.PREFIX) and key != mlflow_tags.USER}
        return {
            "metrics": sorted(self.metrics | plan.metric_names),
            "params": sorted(self.params | plan.params.keys()),
            "tags": sorted(self.tags | tags),
            "files": sorted(self.files | {file.path for file in plan.files}),
        }


NOTHING = Delivered()


class Receipt(BaseModel):
    """What a receipt says.

    ``state`` is "updating" while files are replaced: until it is "complete" again no file may be taken for
    what an older receipt said of it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    state: Literal["complete", "updating"] = "updating"
    digest: str = ""
    files: dict[str, FileReceipt] = {}
    delivered: Delivered = NOTHING
    adjustments: tuple[Adjustment, ...] = ()


def read_receipt(data: bytes) -> Receipt:
    """Read a stored receipt; a damaged one counts as one that is being updated."""
    try:
        return Receipt.model_validate_json(data)
    except ValidationError:
        return Receipt()


def stored_receipt(artifacts: Artifacts, run: StoredRun, listing: Mapping[str, int | None]) -> Receipt | None:
    """Read the receipt of a run; None when there is none.

    Args:
        artifacts: where the run's files live.
        run: the run.
        listing: its files.
    """
    if marks.RECEIPT not in listing:
        return None
    try:
        return read_receipt(b"".join(artifacts.read(run, marks.RECEIPT)))
    except ApiError:
        return Receipt()  # a receipt that cannot be read vouches for nothing


def complete(
    plan: ExportPlan,
    hashes: Mapping[str, str],
    adjustments: tuple[Adjustment, ...],
    earlier: Delivered = NOTHING,
) -> bytes:
    """Write the receipt of a run whose every value and file has arrived.

    Args:
        plan: what was delivered.
        hashes: path -> sha256 of every file.
        adjustments: all that differs from the data on disk.
        earlier: what the receipt before it says was delivered.
    """
    told = {
        "schema": 1,
        "state": "complete",
        "tool": f"mlflow-rest-export {__version__}",
        "key": plan.key,
        "digest": plan.digest,
        "metrics": plan.metric_points,
        "params": len(plan.params),
        "tags": len(plan.tags),
        "files": {file.path: {"size": file.content.size, "sha256": hashes[file.path]} for file in plan.files},
        "delivered": earlier.and_by(plan),
        "names": plan.names,
        "adjustments": [asdict(change) for change in adjustments],
    }
    return json.dumps(told, indent=1, ensure_ascii=False).encode("utf-8", "replace")


def updating(plan: ExportPlan, earlier: Delivered = NOTHING) -> bytes:
    """Write the receipt that takes the word of the one before it back, but for what was ever delivered."""
    told = {"schema": 1, "state": "updating", "key": plan.key, "digest": plan.digest}
    return json.dumps({**told, "delivered": earlier.and_by(plan)}).encode()
