"""Brings one run up to its plan: values, files, receipt, and only then its final status."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlflow_rest_export import marks
from mlflow_rest_export.content import BytesContent, Content, sha256
from mlflow_rest_export.errors import ApiError, ParamConflict, StoreError
from mlflow_rest_export.exporting import claims, receipt
from mlflow_rest_export.exporting.completion import missing_files, missing_values
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.leftovers import left_files
from mlflow_rest_export.planning.export_plan import FileFacts
from mlflow_rest_export.planning.names import clean_text
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import Artifacts, Tracking


def write_values(tracking: Tracking, artifacts: Artifacts, job: Job, *, thorough: bool = False) -> bool:
    """Write the metrics, params and tags that the run lacks.

    The first batch to a new run carries the claim: it is refused when somebody superseded the run.

    Args:
        tracking: the store.
        artifacts: where the run's files live, its receipt among them.
        job: whose run it is.
        thorough: look into everything that an existing run holds.

    Returns:
        False when the run is new and lost the election; nothing was written then.
    """
    if job.is_new and not _write_first(tracking, job):
        return False
    if not job.is_new:
        _write_missing(tracking, artifacts, job, thorough=thorough)
    if job.planned().datasets:
        tracking.log_inputs(job.stored().run_id, job.planned().datasets)
    return True


def _write_first(tracking: Tracking, job: Job) -> bool:
    plan, run = job.planned(), job.stored()
    claim = claims.kept(plan.digest, job.owner)
    try:
        tracking.log_values(run.run_id, metrics=plan.metrics, params={**claim, **plan.params})
    except (ApiError, StoreError) as error:
        if isinstance(error, ApiError) and error.status != 400:
            raise
        job.run = tracking.get_run(run.run_id)
        if not (isinstance(error, ParamConflict) or job.run.deleted):
            raise
        job.is_new = False
        return _is_ours_all_the_same(tracking, job)
    return True


def _is_ours_all_the_same(tracking: Tracking, job: Job) -> bool:
    """Say whether the run, which refused our claim together with other params, takes it or has it alone."""
    run = job.stored()
    if run.deleted or claims.owner_of(run) != job.owner:
        return False
    try:
        tracking.log_values(run.run_id, params=claims.kept(job.planned().digest, job.owner))
    except ParamConflict:
        return False
    return True


def _write_missing(tracking: Tracking, artifacts: Artifacts, job: Job, *, thorough: bool) -> None:
    plan, run = job.planned(), job.stored()
    job.listing = artifacts.listing(run)
    job.receipt = receipt.stored_receipt(artifacts, run, job.listing)
    lacks = missing_values(plan, run, tracking, job.delivered(), thorough=thorough)
    if run.tags.get(marks.COMPLETE):  # first of all: with it, whatever breaks off from here looks complete
        tracking.log_values(run.run_id, tags={marks.COMPLETE: ""})
    if run.status is not RunStatus.RUNNING:
        tracking.update_run(
            run.run_id, status=RunStatus.RUNNING, end_time=run.end_time, run_name=plan.run_name
        )
    told = {marks.ERROR: ""} if run.tags.get(marks.ERROR) else {}  # it is on its way again
    tracking.log_values(run.run_id, metrics=lacks.metrics, params=lacks.params, tags={**lacks.tags, **told})
    job.tell(lacks.adjustments())


def files_to_send(artifacts: Artifacts, job: Job) -> list[FileFacts]:
    """Choose the files that the run lacks; takes an older receipt back before the first is replaced."""
    plan, run = job.planned(), job.stored()
    job.hashes = {file.path: file.sha256 for file in plan.files if file.sha256 is not None}
    if job.is_new:
        return list(plan.files)
    known = job.receipt
    job.tell(left_files(plan, job.listing, job.delivered()))
    files = missing_files(plan, job.listing, known, of_this_data=claims.is_of(run, plan.digest))
    if known is not None and known.state == "complete":
        job.hashes |= {path: told.sha256 for path, told in known.files.items() if path not in job.hashes}
        if files:
            artifacts.upload(run, marks.RECEIPT, BytesContent(receipt.updating(plan, known.delivered)))
    return files


def send_file(artifacts: Artifacts, job: Job, file: FileFacts) -> None:
    """Send one file; a large one is hashed on the way."""
    content = file.content if file.sha256 is not None else HashedWhileSent(file.content)
    artifacts.upload(job.stored(), file.path, content)
    if isinstance(content, HashedWhileSent):
        job.hashes[file.path] = content.sha256()


def finish(tracking: Tracking, artifacts: Artifacts, job: Job) -> None:
    """Leave the receipt and set the final status: from here on the run counts as complete."""
    plan, run = job.planned(), job.stored()
    for file in plan.files:
        if file.path not in job.hashes:
            job.hashes[file.path] = sha256(file.content)
    if plan.with_receipt:
        changes = (*plan.adjustments, *job.adjustments)
        data = receipt.complete(plan, job.hashes, changes, job.delivered())
        artifacts.upload(run, marks.RECEIPT, BytesContent(data))
    if plan.status is not RunStatus.FINISHED:
        tracking.log_values(run.run_id, tags={marks.COMPLETE: plan.digest})
    tracking.update_run(run.run_id, status=plan.status, end_time=plan.end_time, run_name=plan.run_name)


def distrust(tracking: Tracking, artifacts: Artifacts, job: Job) -> None:
    """Take the run's word back that it is complete, and the receipt's, so that every file is sent again."""
    plan, run = job.planned(), job.stored()
    if plan.status is not RunStatus.FINISHED:
        tracking.log_values(run.run_id, tags={marks.COMPLETE: ""})
    if plan.with_receipt:
        known = receipt.stored_receipt(artifacts, run, artifacts.listing(run)) or receipt.Receipt()
        artifacts.upload(run, marks.RECEIPT, BytesContent(receipt.updating(plan, known.delivered)))


def mark_failed(tracking: Tracking, job: Job, status: RunStatus, reason: str) -> None:
    """Say on the run itself that it is not complete, and why, unless somebody else has taken it over."""
    run, plan = job.stored(), job.planned()
    if claims.owner_of(tracking.get_run(run.run_id)) != job.owner:
        return
    tracking.log_values(run.run_id, tags={marks.ERROR: clean_text(reason)[:500]})
    tracking.update_run(run.run_id, status=status, end_time=plan.end_time, run_name=plan.run_name)


@dataclass(slots=True)
class HashedWhileSent:
    """Content that is hashed by whoever reads it whole, from the first byte to the last."""

    content: Content
    _digest: str = field(default="", init=False)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.content.size

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Give the bytes, as the content itself does."""
        if start > 0 or (end is not None and end < self.size):
            yield from self.content.chunks(start, end)
            return
        digest = hashlib.sha256()
        for piece in self.content.chunks():
            digest.update(piece)
            yield piece
        self._digest = digest.hexdigest()

    def sha256(self) -> str:
        """Give the hash, reading the content once more only when nobody read it whole."""
        return self._digest or sha256(self.content)
