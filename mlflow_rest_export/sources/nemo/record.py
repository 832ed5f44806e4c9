"""One launcher job as a record, named and tagged as nemo-evaluator-launcher 0.2.6 does."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator

from mlflow_rest_export import marks
from mlflow_rest_export.records import Adjustment, Dataset, Lookup, Metric, RunRecord
from mlflow_rest_export.sources import times
from mlflow_rest_export.sources.masking import mask_document
from mlflow_rest_export.sources.nemo.artifacts import gather
from mlflow_rest_export.sources.nemo.documents import JobDocuments
from mlflow_rest_export.sources.nemo.jobs import Job
from mlflow_rest_export.sources.nemo.reading import JobReading, read_files
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.secret_fields import MASK, concealed

_VOLATILE = frozenset({"timestamp", "results_dir"})
"""Params that differ between an export by id and one by path, or after the folder was moved."""


def read_job(job: Job, options: ReadOptions) -> RunRecord:
    """Read one job.

    Raises:
        SourceError: it has no results, or they or a required file cannot be read.
        SettingsError: the settings stored with it make no sense.
    """
    reading = read_files(job)
    options = options.of(reading.stored, origin=job.label)
    said = reading.documents
    folder = ".".join(part for part in (said.harness, said.task) if part) or "results"
    artifacts, left_out = gather(reading.files, options, folder=folder, config=reading.config)
    status, told = reading.stages.outcome()
    start, end = _times(reading)
    params, hidden = _params(reading, options)
    return RunRecord(
        key=reading.key,
        label=job.label,
        lookup=Lookup("invocation_id", job.invocation_id) if job.job_id else Lookup(marks.KEY, reading.key),
        run_name="-".join(part for part in ("eval", job.invocation_id, said.task) if part),
        start_time=start,
        end_time=end,
        status=status,
        metrics=tuple(Metric(key, value, end) for key, value in reading.scores.values.items()),
        params=params,
        tags=_tags(reading),
        artifacts=artifacts,
        datasets=_datasets(said),
        twin={"job_id": job.job_id} if job.job_id else {},
        stored=reading.stored,
        stored_by_user=reading.stored_by_user,
        place=reading.place,
        volatile=_VOLATILE,
        adjustments=(
            *told,
            *said.adjustments,
            *reading.scores.adjustments,
            *hidden,
            *left_out,
        ),
    )


def _times(reading: JobReading) -> tuple[int, int]:
    """Give start and end in milliseconds: of the stage files, else as the launcher and the file tell them."""
    end = reading.stages.ended or reading.written
    launched = reading.row.timestamp if reading.row else None
    start = reading.stages.started or times.from_seconds(launched) or end
    return min(start, end), end


def _params(reading: JobReading, options: ReadOptions) -> tuple[dict[str, str], list[Adjustment]]:
    launched = reading.row.timestamp if reading.row else None
    params = {
        "invocation_id": reading.job.invocation_id,
        "executor": reading.executor,
        "timestamp": str(_times(reading)[0] / 1000 if launched is None else launched),
        "launcher_command": str(concealed(("launcher_command",), reading.documents.launcher_command)),
        "results_dir": reading.results_dir,
        "model_id": reading.documents.model_id,
    }
    params = {name: value for name, value in params.items() if value}
    if not options.log_config_params:
        return params, []
    shown, masked = mask_document(reading.config)
    reason = "secrets are masked"
    changes = [Adjustment(f"param config.{name}", "a secret", MASK, reason) for name in masked]
    for name, text in flattened(shown, "config", options.log_config_params_max_depth):
        key = next(key for key in _numbered(name) if key not in params)
        params[key] = text
        if key != name:
            changes.append(Adjustment(f"param {name}", text, key, "the config has two values of this name"))
    return params, changes


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def flattened(value: object, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Flatten a config as the launcher does, into ``name.key.0.key`` and text; what is deeper is one text."""
    if depth > 0 and isinstance(value, dict):
        members = [(str(key), inner) for key, inner in value.items()]
    elif depth > 0 and isinstance(value, list):
        members = [(str(index), inner) for index, inner in enumerate(value)]
    else:
        yield name, "null" if value is None and depth > 0 else str(value)
        return
    for key, inner in members:
        yield from flattened(inner, f"{name}.{key}", depth - 1)


def _tags(reading: JobReading) -> dict[str, str]:
    said = reading.documents
    tags = {
        "invocation_id": reading.job.invocation_id,
        "job_id": reading.job.job_id,
        "task_name": said.task,
        "benchmark": said.task,
        "harness": said.harness,
        "executor": reading.executor,
        "model": said.model_id,
    }
    tags |= {f"{name}_version": version for name, version in said.versions.items()}
    return {name: value for name, value in tags.items() if value}


def _datasets(said: JobDocuments) -> tuple[Dataset, ...]:
    """Describe the benchmark as a dataset input: nemo-evaluator tells no more of the data than its name."""
    if not said.task:
        return ()
    facts = {name: said.params.get(name) for name in ("task", "limit_samples")}
    known = {name: value for name, value in facts.items() if value}
    source = {"harness": said.harness, "benchmark": said.task} | known
    text = json.dumps(source, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return (Dataset(said.task, digest, source_type="nemo-evaluator", source=text, context="eval"),)
