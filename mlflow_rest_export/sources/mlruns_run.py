"""One run of a file store as a record. Reads the whole run once, so that what is damaged shows at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.mlruns_seal import REWRITTEN, is_claim
from mlflow_rest_export.records import Adjustment, Artifact, Dataset, Lookup, RunRecord, RunStatus, Unreadable
from mlflow_rest_export.sources.mlruns_delivery import Delivery
from mlflow_rest_export.sources.mlruns_parts import (
    RunMetrics,
    artifacts_of,
    datasets_of,
    metrics_of,
)
from mlflow_rest_export.sources.options import ReadOptions

JOB, INVOCATION = "job_id", "invocation_id"
"""Tags of NeMo Evaluator launcher jobs."""


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
    delivery = Delivery.of(folder, meta, tags) if ours else Delivery()
    params = delivery.values("param", {key: value for key, value in params.items() if not is_claim(key)})
    kept = delivery.values("tag", {key: value for key, value in tags.items() if key not in REWRITTEN})
    parts = _parts(folder, meta, options, delivery)
    parent_key, changes = _parent(folder, tags, parents, options)
    if deleted or place.experiment.deleted:
        changes += (Adjustment("lifecycle", layout.DELETED, layout.ACTIVE, "deleted runs were asked for"),)
    return RunRecord(
        **_identity(meta, tags, ours=ours),
        place=str(folder),
        run_name=meta.run_name or tags.get(mlflow_tags.RUN_NAME, ""),
        start_time=meta.start_time,
        end_time=meta.end_time,
        status=meta.status,
        metrics=parts.metrics,
        params=params,
        tags=kept,
        artifacts=parts.artifacts,
        datasets=parts.datasets,
        parent_key=parent_key,
        experiment=place.experiment.name,
        digest=delivery.digest if options.copy_artifacts or not delivery.with_files else None,
        without_files=not delivery.with_files,
        time=delivery.time,
        folder=folder,
        verbatim_names=True,
        adjustments=(*delivery.left(), *parts.adjustments, *changes),
    )


class _Identity(TypedDict):
    """The parts of a record by which its run is found again."""

    key: str
    label: str
    lookup: Lookup
    twin: Mapping[str, str]


def _identity(meta: layout.RunMeta, tags: Mapping[str, str], *, ours: bool) -> _Identity:
    key, job, invocation = key_of(meta, tags), tags.get(JOB) if ours else None, tags.get(INVOCATION)
    return _Identity(
        key=key,
        label=job or meta.run_id,
        lookup=Lookup(INVOCATION, invocation) if job and invocation else Lookup(marks.KEY, key),
        twin={JOB: job} if job and invocation else {},
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a run that are more than text, and what of them cannot go along."""

    metrics: RunMetrics
    datasets: tuple[Dataset, ...]
    artifacts: tuple[Artifact, ...]
    adjustments: tuple[Adjustment, ...]


def _parts(folder: Path, meta: layout.RunMeta, options: ReadOptions, delivery: Delivery) -> _Parts:
    metrics, told_of_metrics = metrics_of(folder)
    names = delivery.renamed("metric", (key for key, _ in metrics.files))
    datasets, told_of_datasets = datasets_of(folder)
    files, told_of_files = artifacts_of(folder, meta.artifact_uri) if options.copy_artifacts else ((), ())
    own = delivery.own_files()
    files = tuple(file for file in files if file.path not in own)
    paths = delivery.renamed("artifact", (file.path for file in files))
    return _Parts(
        metrics=RunMetrics(tuple((names[key], path) for key, path in metrics.files)),
        datasets=datasets,
        artifacts=tuple(Artifact(paths[file.path], file.content) for file in files),
        adjustments=(*told_of_metrics, *told_of_datasets, *told_of_files),
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
    run_id = tags.get(mlflow_tags.PARENT)
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
    return None, (Adjustment(f"tag {mlflow_tags.PARENT}", run_id, "", reason),)
