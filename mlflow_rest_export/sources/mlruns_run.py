"""One run of a file store as a record. Reads the whole run once, so that what is damaged shows at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mlflow_rest_export import marks
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Adjustment, Artifact, Dataset, Lookup, RunRecord, RunStatus, Unreadable
from mlflow_rest_export.sources.mlruns_parts import (
    RunMetrics,
    artifacts_of,
    datasets_of,
    metrics_of,
)
from mlflow_rest_export.sources.options import ReadOptions

JOB, INVOCATION = "job_id", "invocation_id"
"""Tags of NeMo Evaluator launcher jobs."""
_REWRITTEN = frozenset(
    {
        marks.KEY,
        marks.DIGEST,
        marks.OWNER,
        marks.PARENT,
        marks.COMPLETE,
        marks.ERROR,
        layout.RUN_NAME_TAG,
        layout.PARENT_TAG,
    }
)
"""Tags that whoever writes the run anew sets himself."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment that runs are read from; without a name where only a run's folder is known."""

    folder: Path
    name: str | None
    deleted: bool
    reason: str = ""
    """Why its runs cannot be read; "" when they can."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands."""

    folder: Path
    experiment: Experiment


class _OldReceipt(BaseModel):
    """What an earlier export had to change, so that it is not forgotten by the next one."""

    model_config = ConfigDict(extra="ignore")
    adjustments: tuple[dict[str, str], ...] = ()


def read_run(
    place: Place, parents: Mapping[str, Path], options: ReadOptions
) -> RunRecord | Unreadable | None:
    """Read one run; None when it is deleted and deleted ones are not wanted.

    Args:
        place: the run.
        parents: run id -> folder of every run that some run names as its parent.
        options: what is wanted.
    """
    try:
        return _read(place, parents, options)
    except SourceError as error:
        return Unreadable(str(place.folder), str(error))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Unreadable(str(place.folder), f"cannot read {error.filename or place.folder}: {reason}")


def _read(place: Place, parents: Mapping[str, Path], options: ReadOptions) -> RunRecord | None:
    folder = place.folder
    meta = _meta(place)
    deleted = meta.lifecycle_stage == layout.DELETED
    if deleted and not options.include_deleted:
        return None
    tags = reading.read_values(folder / layout.TAGS)
    params = reading.read_values(folder / layout.PARAMS)
    if params.get(marks.CLAIM) == marks.SUPERSEDED:
        return None
    ours = marks.KEY in tags and not deleted
    if ours:
        _check_complete(meta, tags)
    parts = _parts(folder, meta, options, ours=ours)
    parent_key, changes = _parent(folder, tags, parents, options)
    if deleted or place.experiment.deleted:
        changes += (Adjustment("lifecycle", layout.DELETED, layout.ACTIVE, "deleted runs were asked for"),)
    job = tags.get(JOB) if ours else None
    invocation = tags.get(INVOCATION)
    key = key_of(meta, tags)
    return RunRecord(
        key=key,
        label=job or meta.run_id,
        place=str(folder),
        lookup=Lookup(INVOCATION, invocation) if job and invocation else Lookup(marks.KEY, key),
        twin={JOB: job} if job and invocation else {},
        run_name=meta.run_name or tags.get(layout.RUN_NAME_TAG, ""),
        start_time=meta.start_time,
        end_time=meta.end_time,
        status=meta.status,
        metrics=parts.metrics,
        params={name: value for name, value in params.items() if not _is_claim(name)},
        tags={name: value for name, value in tags.items() if name not in _REWRITTEN},
        artifacts=parts.artifacts,
        datasets=parts.datasets,
        parent_key=parent_key,
        experiment=place.experiment.name,
        digest=tags.get(marks.DIGEST) if ours else None,
        verbatim_names=True,
        adjustments=(*parts.adjustments, *changes),
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a run that are more than text, and what of them cannot go along."""

    metrics: RunMetrics
    datasets: tuple[Dataset, ...]
    artifacts: tuple[Artifact, ...]
    adjustments: tuple[Adjustment, ...]


def _parts(folder: Path, meta: layout.RunMeta, options: ReadOptions, *, ours: bool) -> _Parts:
    metrics, told_of_metrics = metrics_of(folder)
    datasets, told_of_datasets = datasets_of(folder)
    files, told_of_files = artifacts_of(folder, meta.artifact_uri) if options.copy_artifacts else ((), ())
    earlier = _earlier(files) if ours else ()
    return _Parts(
        metrics=metrics,
        datasets=datasets,
        artifacts=tuple(file for file in files if not (ours and file.path == marks.RECEIPT)),
        adjustments=(*earlier, *told_of_metrics, *told_of_datasets, *told_of_files),
    )


def key_of(meta: layout.RunMeta, tags: Mapping[str, str]) -> str:
    """Give the key of a run: its own, or one made of the run id where it was never exported by us.

    A deleted run is a result of its own: its key may have been given to a new run since.
    """
    own = tags.get(marks.KEY) if meta.lifecycle_stage != layout.DELETED else None
    return own or f"mlruns:{meta.run_id}"


def _meta(place: Place) -> layout.RunMeta:
    path = place.folder / layout.META
    meta = reading.read_meta(layout.RunMeta, place.folder)
    if meta.run_id != place.folder.name or not layout.is_run_id(meta.run_id):
        raise SourceError(f"{path} is that of run {meta.run_id!r:.80}, not of {place.folder.name}")
    if place.experiment.name is not None and meta.experiment_id != place.experiment.folder.name:
        said = f"{meta.experiment_id!r:.80}, not of {place.experiment.folder.name}"
        raise SourceError(f"{path} is that of a run of experiment {said}")
    return meta


def _check_complete(meta: layout.RunMeta, tags: Mapping[str, str]) -> None:
    """Make sure that nobody takes half a run for a whole one.

    Raises:
        SourceError: the export that wrote the run did not finish.
    """
    if meta.status is RunStatus.FINISHED or tags.get(marks.COMPLETE, "") == tags.get(marks.DIGEST):
        return
    raise SourceError(
        f"run {meta.run_id} ({tags.get(JOB) or meta.run_name or tags[marks.KEY]}) is unfinished: the export "
        "that wrote it was interrupted; run that export again, then this one"
    )


def _parent(
    folder: Path, tags: Mapping[str, str], parents: Mapping[str, Path], options: ReadOptions
) -> tuple[str | None, tuple[Adjustment, ...]]:
    """Give the key of the parent's record."""
    if marks.PARENT in tags:
        return tags[marks.PARENT], ()
    run_id = tags.get(layout.PARENT_TAG)
    if not run_id:
        return None, ()
    above = parents.get(run_id, folder.parent / "missing")
    try:
        meta = reading.read_meta(layout.RunMeta, above)
        if meta.lifecycle_stage != layout.DELETED or options.include_deleted:
            own = above / layout.TAGS / marks.KEY
            return key_of(meta, {marks.KEY: reading.read_value(own)} if own.is_file() else {}), ()
        reason = "the parent is deleted, so this run is exported without one"
    except SourceError:
        reason = "the parent is not in this folder, so this run is exported without one"
    return None, (Adjustment(f"tag {layout.PARENT_TAG}", run_id, "", reason),)


def _is_claim(param: str) -> bool:
    return param == marks.CLAIM or param.startswith(marks.TAKEOVER)


def _earlier(artifacts: tuple[Artifact, ...]) -> tuple[Adjustment, ...]:
    """Give what the export that wrote the run had to change; nothing where its receipt is not readable."""
    for artifact in artifacts:
        if artifact.path == marks.RECEIPT and isinstance(artifact.content, Path):
            try:
                told = _OldReceipt.model_validate_json(reading.read_value(artifact.content)).adjustments
                return tuple(Adjustment(**change) for change in told)
            except (SourceError, ValidationError, TypeError):
                return ()
    return ()
