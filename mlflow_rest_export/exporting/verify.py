"""Reads a run back and compares it with its plan, value by value and byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import groupby

from mlflow_rest_export.errors import VerifyError
from mlflow_rest_export.plan import ExportPlan
from mlflow_rest_export.tracking.points import fingerprint, same_value
from mlflow_rest_export.tracking.protocol import Artifacts, StoredRun, Tracking

TOLD = 10
"""Differences that are told one by one; the others are counted."""


def verify(
    tracking: Tracking, artifacts: Artifacts, plan: ExportPlan, run_id: str, *, kept: frozenset[str]
) -> None:
    """Compare a finished run with its plan.

    Args:
        tracking: the store.
        artifacts: where its files live.
        plan: what the run should hold.
        run_id: the run.
        kept: params whose other value is known and told already (MLflow never changes a param).

    Raises:
        VerifyError: with the differences.
    """
    run = tracking.get_run(run_id)
    found = [
        *_values("param", {key: value for key, value in plan.params.items() if key not in kept}, run.params),
        *_values("tag", plan.tags, run.tags),
        *_metrics(plan, run, tracking),
        *_files(plan, run, artifacts),
    ]
    if run.status is not plan.status:
        found.append(f"status is {run.status.name}, not {plan.status.name}")
    if found:
        more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise VerifyError(f"run {run_id} differs from what was exported: {'; '.join(found[:TOLD])}{more}")


def _values(what: str, sent: Mapping[str, str], stored: Mapping[str, str]) -> Iterator[str]:
    for key, value in sent.items():
        if key not in stored:
            yield f"{what} {key} is missing"
        elif stored[key] != value:
            yield f"{what} {key} has another value"


def _metrics(plan: ExportPlan, run: StoredRun, tracking: Tracking) -> Iterator[str]:
    for key, points in groupby(plan.metrics, key=lambda point: point.key):
        latest = run.metrics.get(key)
        if latest is None:
            yield f"metric {key} is missing"
        elif plan.single_points:
            value = next(points).value
            if not same_value(value, latest.value):
                yield f"metric {key} is {latest.value!r}, not {value!r}"
        else:
            stored = {fingerprint(point) for point in tracking.metric_history(run.run_id, key)}
            lost = sum(1 for point in points if fingerprint(point) not in stored)
            if lost:
                yield f"metric {key} lacks {lost} points"


def _files(plan: ExportPlan, run: StoredRun, artifacts: Artifacts) -> Iterator[str]:
    stored = artifacts.listing(run) if plan.files else {}
    for file in plan.files:
        if file.path not in stored:
            yield f"artifact {file.path} is missing"
            continue
        size = stored[file.path]
        if size is not None and size != file.content.size:
            yield f"artifact {file.path} has {size} bytes, not {file.content.size}"
        elif _hash(artifacts.read(run, file.path)) != (file.sha256 or _hash(file.content.chunks())):
            yield f"artifact {file.path} has other bytes"


def _hash(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
