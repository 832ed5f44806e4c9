"""From a record to exactly what will be sent, and what had to be changed for it. Pure.

Batches are no business of the plan, nor are runs that exist already: it describes the run as it shall be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.mlflow_tags import NOTE
from mlflow_rest_export.planning.description import described, is_described
from mlflow_rest_export.planning.export_plan import ExportPlan, FileFacts, Wishes
from mlflow_rest_export.planning.fitting import Fitting
from mlflow_rest_export.planning.survey import Survey, survey
from mlflow_rest_export.records import Adjustment, Dataset, Metric, RunRecord


@dataclass(frozen=True, slots=True)
class PlannedMetrics:
    """The record's metrics under their final names; read anew at each iteration, never held."""

    source: Iterable[Metric]
    names: Mapping[str, str]
    kept: Callable[[float], bool]

    def __iter__(self) -> Iterator[Metric]:
        """Give the points that are sent, in the record's order."""
        for point in self.source:
            name = self.names.get(point.key)
            if name is not None and self.kept(point.value):
                yield Metric(name, point.value, point.timestamp, point.step)


def build(
    record: RunRecord,
    files: Iterable[FileFacts],
    wishes: Wishes,
    limits: Limits,
    *,
    beside: Mapping[str, Collection[str]] | None = None,
) -> ExportPlan:
    """Make the plan of one run.

    Args:
        record: the result.
        files: its artifacts, looked at.
        wishes: the settings.
        limits: what the store accepts.
        beside: kind of name (metric, param, tag, artifact) -> names that the run has already.

    Raises:
        PlanError: a metric is not finite and the settings want that to fail.
    """
    files = tuple(file for file in files if wishes.log_artifacts and file.path != marks.RECEIPT)
    seen = _surveyed(record, wishes, limits)
    changes = list(record.adjustments)
    fitting = Fitting(
        limits, record.verbatim_names, keeps_whole=wishes.log_artifacts, changes=changes, beside=beside or {}
    )
    names = fitting.names(seen.keys, what="metric")
    changes += seen.adjustments
    tags = fitting.values({**_tags(record, wishes, fitting), **seen.tags}, what="tag")
    given = fitting.with_users(record.params, wishes.extra_metadata)
    params = fitting.values(fitting.without_ours(given, what="param"), what="param")
    metrics = PlannedMetrics(record.metrics, names, seen.keeps)
    carried = record.digest if _is_as_it_came(record, wishes, seen, fitting) else None
    digest = carried or digest_of(record, files, wishes, seen)
    return ExportPlan(
        label=record.label,
        key=record.key,
        digest=digest,
        lookup=record.lookup,
        twin=record.twin,
        parent_key=record.parent_key,
        experiment=fitting.experiment_name(wanted_experiment(record, wishes)),
        run_name=fitting.run_name(wishes.run_name or record.run_name, otherwise=record.key),
        start_time=max(0, record.start_time),
        end_time=_end_time(record),
        status=record.status,
        tags={**tags, **_note(record, tags, metrics, seen, fitting), **_own_tags(record, wishes, digest)},
        params=params,
        metrics=metrics,
        metric_points=seen.points,
        metric_names=frozenset(names.values()),
        single_points=seen.points == len(names),
        files=_files(files, fitting),
        datasets=_datasets(record, fitting),
        adjustments=tuple(dict.fromkeys(changes)),
        names=fitting.freed,
        with_receipt=wishes.log_artifacts,
    )


def wanted_experiment(record: RunRecord, wishes: Wishes) -> str:
    """Give the name of a run's experiment as it is wished for; a store may keep a shorter one."""
    own = None if wishes.moves_runs else record.experiment
    return own or wishes.experiment_name


def _surveyed(record: RunRecord, wishes: Wishes, limits: Limits) -> Survey:
    return survey(
        record.metrics,
        log_metrics=wishes.log_metrics,
        nan=wishes.nan,
        keeps_nan=limits.keeps_nan and record.verbatim_names,
        keeps_infinity=limits.keeps_infinity and record.verbatim_names,
    )


def _note(
    record: RunRecord, tags: Mapping[str, str], metrics: PlannedMetrics, seen: Survey, fitting: Fitting
) -> dict[str, str]:
    """Put the scores below the description; runs that come from an MLflow keep theirs as it is."""
    if record.verbatim_names or seen.points != len(metrics.names):  # curves are no scores
        return {}
    freed = fitting.freed.get("metric", {})  # the same note in every store
    scores = {freed.get(point.key, point.key): point.value for point in metrics}
    limits = fitting.limits
    text = described(tags.get(NOTE, ""), scores, fits=lambda text: limits.length_of(text) <= limits.tag_value)
    return {NOTE: text} if text else {}


def _own_tags(record: RunRecord, wishes: Wishes, digest: str) -> dict[str, str]:
    parent = {marks.PARENT: record.parent_key} if record.parent_key else {}
    time = wishes.now if record.time is None else record.time
    read = {} if time is None else {marks.TIME: str(time)}
    return {marks.KEY: record.key, marks.DIGEST: digest, **parent, **read}


def _is_as_it_came(record: RunRecord, wishes: Wishes, seen: Survey, fitting: Fitting) -> bool:
    """Say whether the settings neither add anything to what a source carries nor leave any of it out."""
    return (
        not seen.filtered
        and (wishes.log_artifacts or record.without_files)
        and wishes.run_name in {None, record.run_name}
        and (wishes.description is None or is_described(record.tags.get(NOTE, ""), wishes.description))
        and all(record.tags.get(fitting.key(key)) == value for key, value in wishes.tags.items())
        and all(record.params.get(fitting.key(key)) == value for key, value in wishes.extra_metadata.items())
    )


def digest_of(record: RunRecord, files: Iterable[FileFacts], wishes: Wishes, seen: Survey) -> str:
    """Give the digest of the content, before limits, without times, paths and tool version."""
    facts = {
        "form": 1,
        "run_name": wishes.run_name or record.run_name,
        "description": wishes.description if wishes.description is not None else record.description,
        "status": record.status.name,
        "parent": record.parent_key,
        "tags": {**record.tags, **wishes.tags},
        "params": {
            **{key: value for key, value in record.params.items() if key not in record.volatile},
            **wishes.extra_metadata,
        },
        "metrics": seen.digest,
        **({"nan": wishes.nan} if seen.has_odd else {}),
        "files": sorted([file.path, file.content.size, file.sha256 or ""] for file in files),
        "datasets": sorted([data.name, data.digest, data.context] for data in record.datasets),
    }
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _tags(record: RunRecord, wishes: Wishes, fitting: Fitting) -> dict[str, str]:
    """Put the user's tags over those of the source; what finds the run again is not theirs to change."""
    description = wishes.description if wishes.description is not None else record.description
    tags = {mlflow_tags.SOURCE_NAME: "mlflow-rest-export", mlflow_tags.SOURCE_TYPE: "LOCAL"}
    tags |= {mlflow_tags.USER: wishes.user} if wishes.user else {}
    tags |= fitting.without_ours(record.tags, what="tag")
    if description and not (record.verbatim_names and is_described(tags.get(NOTE, ""), description)):
        tags[NOTE] = description
    fixed = {record.lookup.tag, *record.twin, mlflow_tags.RUN_NAME, mlflow_tags.PARENT}
    refused = {key for key in wishes.tags if fitting.key(key) in fixed or fitting.is_ours(key)}
    fitting.changes += [
        Adjustment(f"tag {key}", value, tags.get(fitting.key(key), ""), "the run is found by this tag")
        for key, value in wishes.tags.items()
        if key in refused
    ]
    tags = fitting.with_users(tags, {key: value for key, value in wishes.tags.items() if key not in refused})
    tags.pop(mlflow_tags.RUN_NAME, None)  # the server sets it from the name; two that differ are refused
    return tags


def _files(files: tuple[FileFacts, ...], fitting: Fitting) -> tuple[FileFacts, ...]:
    if fitting.whole and fitting.keeps_whole:
        data = json.dumps(fitting.whole, indent=1, sort_keys=True, ensure_ascii=False).encode()
        facts = FileFacts(marks.FULL_VALUES, BytesContent(data), hashlib.sha256(data).hexdigest())
        files = (*(_not_ours(file) for file in files), facts)
    paths = fitting.paths(file.path for file in files)
    return tuple(FileFacts(paths[file.path], file.content, file.sha256) for file in files)


def _not_ours(file: FileFacts) -> FileFacts:
    """Keep what came along under the name of a file that is about to be written."""
    return replace(file, path=marks.OTHER_FULL_VALUES) if file.path == marks.FULL_VALUES else file


def _datasets(record: RunRecord, fitting: Fitting) -> tuple[Dataset, ...]:
    if fitting.limits.dataset_inputs:
        return record.datasets
    fitting.changes += [
        Adjustment(f"dataset {data.name}", data.digest, "", "servers before MLflow 2.4 know no datasets")
        for data in record.datasets
    ]
    return ()


def _end_time(record: RunRecord) -> int | None:
    """Give the end, in ms; runs that MLflow itself left without one stay so."""
    if record.end_time is None:
        return None if record.verbatim_names else max(0, record.start_time)
    return max(0, record.end_time)
