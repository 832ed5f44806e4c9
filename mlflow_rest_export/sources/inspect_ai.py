"""Logs of Inspect AI: ``.eval`` (a ZIP archive) and ``.json``.

Follows ``src/inspect_ai/log/_log.py`` (versions 1 and 2 of the log). Only the header is read; the samples
stay packed, whatever their size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Dataset, RunRecord, RunStatus, Unreadable
from mlflow_rest_export.sources import datasets, json_files, result_files, times, zip_members
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import Result
from mlflow_rest_export.sources.result_files import Few, Objects
from mlflow_rest_export.sources.run_values import RUN, RunValues

NAME = "inspect"

_HEADER, _START = "header.json", "_journal/start.json"
_SAMPLES = ("samples", "reductions", "logging")
"""Members of a ``.json`` log that grow with the number of samples."""
_STATUS = {
    "success": RunStatus.FINISHED,
    "error": RunStatus.FAILED,
    "cancelled": RunStatus.KILLED,
    "started": RunStatus.FAILED,
}
_SETTINGS = (
    *(
        "task",
        "task_version",
        "task_args",
        "task_args_passed",
        "task_attribs",
        "solver_args_passed",
        "model",
        "model_args",
        "model_base_url",
        "model_generate_config",
    ),
    *("model_roles", "solver", "solver_args", "sandbox", "config", "packages", "metadata", "dataset"),
)
_TAGS = ("eval_id", "run_id", "task_id", "eval_set_id", "task_file", "task_registry_name")


class _Spec(BaseModel):
    """``eval``: what was run."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    task: str
    model: str = ""
    created: str = ""
    eval_id: str = ""
    run_id: str = ""
    task_id: str = ""
    dataset: dict[str, Any] = Field(default_factory=dict)
    revision: dict[str, Any] | None = None
    tags: list[Any] | None = None


class _Score(BaseModel):
    """One scorer's metrics."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    name: str
    reducer: str | None = None
    scored_samples: Any = None
    unscored_samples: Any = None
    metrics: Objects = Field(default_factory=dict)


class _Results(BaseModel):
    """``results``; version 1 had ``scorers``, or one scorer with its metrics, instead of ``scores``."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    total_samples: Any = None
    completed_samples: Any = None
    scores: Annotated[list[_Score], Few] = Field(default_factory=list)
    scorers: Annotated[list[_Score], Few] = Field(default_factory=list)
    scorer: dict[str, Any] | None = None
    metrics: Objects = Field(default_factory=dict)


class _Stats(BaseModel):
    """``stats``: when it ran and what it used."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    started_at: Any = None
    completed_at: Any = None
    model_usage: dict[str, Any] = Field(default_factory=dict)
    role_usage: dict[str, Any] = Field(default_factory=dict)


class _Log(BaseModel):
    """The header of a log. One that was cut off by a crash has nothing but ``eval`` and ``plan``."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    status: str = "started"
    eval: _Spec
    plan: dict[str, Any] = Field(default_factory=dict)
    results: _Results | None = None
    stats: _Stats | None = None
    error: dict[str, Any] | None = None
    invalidated: bool = False


def recognises(path: Path) -> bool:
    """Say whether a file is an Inspect log."""
    if not path.is_file():
        return False
    if not zip_members.is_archive(path):
        found = json_files.outline(path)
        mark = "plan" in found or (found.get("eval") == "{" and "status" in found)
        return mark and {"version", "eval"} <= found.keys()
    try:
        return bool(zip_members.find(path, {_HEADER, _START}))
    except (SourceError, OSError):
        return zip_members.first_name(path) == _START


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the run of a log."""
    return result_files.records(path, options, _result)


def _result(path: Path, options: ReadOptions) -> Result:
    document = (
        _header(path) if zip_members.is_archive(path) else json_files.read_members(path, leave=_SAMPLES)
    )
    log = result_files.checked(_Log, document, path)
    values = RunValues()
    _scores(values, log)
    _settings(values, log, document)
    start = times.from_iso(log.stats and log.stats.started_at) or times.from_iso(log.eval.created)
    start = start or result_files.changed(path)
    return Result(
        format=NAME,
        identity=_identity(log.eval, path),
        label=str(path),
        evaluator="inspect_ai",
        model=log.eval.model,
        task=log.eval.task,
        start_time=start,
        end_time=times.from_iso(log.stats and log.stats.completed_at) or start,
        values=values,
        status=_STATUS.get(log.status, RunStatus.FAILED),
        artifacts=result_files.uploads(
            path,
            options,
            values.adjustments,
            mask=result_files.json_mask(path, document, leave=_SAMPLES),
        ),
        datasets=_dataset(log.eval),
    )


def _header(path: Path) -> object:
    found = zip_members.find(path, {_HEADER, _START})
    for name in (_HEADER, _START):
        if name in found:
            return json_files.parse_json(zip_members.unpack(path, name, found[name]), f"{name} in {path}")
    raise SourceError(f"{path}: the archive has neither {_HEADER} nor {_START}, so it is no Inspect log")


def _identity(spec: _Spec, path: Path) -> str:
    """Tell the evaluation from any other; both forms of its log, finished or not, have the same."""
    ids = [spec.eval_id] if spec.eval_id else [spec.run_id, spec.task_id, spec.created]
    if not any(ids):
        return result_files.identity(path)
    facts = json.dumps([*ids, spec.task, spec.model])
    return hashlib.sha256(facts.encode()).hexdigest()


def _scores(values: RunValues, log: _Log) -> None:
    results = log.results or _Results()
    task = log.eval.task
    values.score(task, "n_samples", results.completed_samples)
    values.setting(RUN, "total_samples", results.total_samples)
    old = [_Score(name=str((results.scorer or {}).get("name", "score")), metrics=results.metrics)]
    for score in results.scores or results.scorers or old:
        name = f"{score.name}/{score.reducer}" if score.reducer else score.name
        for key, metric in score.metrics.items():
            values.score(task, f"{name}/{key}", metric.get("value"))
        values.score(task, f"{name}/scored_samples", score.scored_samples)
        values.score(task, f"{name}/unscored_samples", score.unscored_samples)
    stats = log.stats or _Stats()
    for kind, usages in (("usage", stats.model_usage), ("usage_by_role", stats.role_usage)):
        for who, usage in usages.items():
            values.score(RUN, f"{kind}/{who}", usage if isinstance(usage, dict) else None)


def _settings(values: RunValues, log: _Log, document: object) -> None:
    spec = document.get("eval") if isinstance(document, dict) else None
    if isinstance(spec, dict):
        facts = {key: value for key, value in log.eval.dataset.items() if key != "sample_ids"}
        values.settings({**spec, "dataset": facts}, _SETTINGS)
        for name in _TAGS:
            values.tag(name, spec.get(name))
    values.setting(RUN, "plan", {key: log.plan[key] for key in ("name", "config") if key in log.plan})
    for name in ("commit", "origin", "dirty"):
        values.tag(f"git_{name}", (log.eval.revision or {}).get(name))
    values.tag("eval_tags", ",".join(str(tag) for tag in log.eval.tags or ()))
    values.tag("inspect_status", "crashed" if log.status == "started" else log.status)
    values.tag("error", (log.error or {}).get("message"))
    values.tag("invalidated", log.invalidated or None)


def _dataset(spec: _Spec) -> dict[str, Dataset]:
    name, location = spec.dataset.get("name"), spec.dataset.get("location")
    if not (isinstance(name, str) and name):
        return {}
    facts = [spec.dataset.get("samples"), spec.dataset.get("shuffled")]
    return {spec.task: datasets.at_location(name, location if isinstance(location, str) else "", facts=facts)}
