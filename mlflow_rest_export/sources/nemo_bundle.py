"""Bundles of nemo-evaluator 0.3: ``eval-<time>-<benchmark>.json`` with its logs beside it.

Follows ``engine/artifacts.py`` and ``engine/checkpoint.py`` of 0.3.0. A run folder holds one bundle a
benchmark, each in its own folder, and a ``checkpoint.json`` that alone knows the benchmarks that failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Adjustment, RunRecord, Unreadable
from mlflow_rest_export.sources import json_files, result_files, times
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import Result, one_line
from mlflow_rest_export.sources.run_values import RUN, RunValues

NAME = "nemo-bundle"

_BREAKDOWN_GROUPS = 50
"""Most groups of one breakdown that become metrics: some break down by each answer that was given."""
_NEIGHBOURS = ("*.jsonl", "runtime_stats.json", "run_config.yaml", "run_config.yml")


_CHECKPOINT = "checkpoint.json"


class _Benchmark(BaseModel):
    """``benchmark``: what was measured."""

    model_config = ConfigDict(extra="ignore")

    name: str
    samples: Any = None
    repeats: Any = None
    scores: dict[str, Any]
    categories: dict[str, Any] | None = None


class _Bundle(BaseModel):
    """The members of a bundle that are exported."""

    model_config = ConfigDict(extra="ignore")

    run_id: str
    config_hash: str
    sdk_version: str = ""
    timestamp: Any = None
    config: dict[str, Any] = Field(default_factory=dict)
    benchmark: _Benchmark
    n_results: Any = None


class _Checkpoint(BaseModel):
    """What a run folder knows of its benchmarks."""

    model_config = ConfigDict(extra="ignore")

    failed_benchmarks: dict[str, Any]


def recognises(path: Path) -> bool:
    """Say whether a file is a bundle, or the checkpoint of a run with benchmarks that failed."""
    found = json_files.outline(path) if path.is_file() else {}
    if path.name == _CHECKPOINT:
        return found.get("failed_benchmarks") == "{" and bool(_failures(path))
    mark = found.get("benchmark") == "{" or "n_results" in found  # a table may have the other columns
    return mark and {"benchmark", "run_id", "config_hash"} <= found.keys()


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the run of a bundle, or an ``Unreadable`` for each benchmark that failed and left none."""
    failures = _failures(path) if path.name == _CHECKPOINT else {}
    for name, said in failures.items():
        yield Unreadable(
            f"{path.parent}/{name}", f"{path}: benchmark {name} failed and left no result: {said}"
        )
    if not failures:
        yield from result_files.records(path, options, _result)


def _failures(checkpoint: Path) -> dict[str, str]:
    """Give the benchmarks that failed, each with its error on one line; none when that cannot be read."""
    try:
        document = json_files.read_members(checkpoint)
        failed = result_files.checked(_Checkpoint, document, checkpoint).failed_benchmarks
    except SourceError:
        return {}
    told = {name: error.get("error") if isinstance(error, dict) else error for name, error in failed.items()}
    return {one_line(name): one_line(str(error)) for name, error in told.items()}


def _result(path: Path, options: ReadOptions) -> Result:
    document = json_files.read_members(path)
    bundle = result_files.checked(_Bundle, document, path)
    benchmark = bundle.benchmark
    values = RunValues()
    values.score(benchmark.name, "n_samples", benchmark.samples)
    for name, score in benchmark.scores.items():
        _score(values, benchmark.name, name, score)
    if "runtime" not in benchmark.scores:
        values.score(benchmark.name, "runtime", _runtime(path))
    for name, category in (benchmark.categories or {}).items():
        values.score(benchmark.name, f"categories/{name}", category)
    for name in ("sdk_version", "n_results", "timestamp"):
        values.setting(RUN, name, getattr(bundle, name))
    values.setting(RUN, "repeats", benchmark.repeats)
    values.settings(bundle.config)
    values.tag("benchmark", benchmark.name)
    values.tag("nemo_run_id", bundle.run_id)
    values.tag("config_hash", bundle.config_hash)
    end = times.from_iso(bundle.timestamp) or result_files.changed(path)
    model = bundle.config.get("model")
    return Result(
        format=NAME,
        identity=result_files.identity(path),
        label=str(path),
        evaluator="nemo-evaluator",
        model=model if isinstance(model, str) else "",
        start_time=_start(benchmark.scores, end),
        end_time=end,
        values=values,
        task=benchmark.name,
        artifacts=result_files.uploads(
            path,
            options,
            values.adjustments,
            neighbours=result_files.beside(path, *_NEIGHBOURS),
            mask=result_files.json_mask(path, document),
        ),
    )


def _score(values: RunValues, task: str, name: str, score: object) -> None:
    """Take one member of ``scores`` in: a score with its intervals, or a block such as ``runtime``."""
    if name == "breakdowns" and isinstance(score, dict):
        _breakdowns(values, task, score)
    elif isinstance(score, dict) and "value" in score:
        values.score(task, name, score["value"])
        for part, value in score.items():
            if part != "value":
                values.score(task, f"{name}_{part}", value)
    else:
        values.score(task, name, score)


def _breakdowns(values: RunValues, task: str, breakdowns: Mapping[str, Any]) -> None:
    for name, groups in breakdowns.items():
        rows = [row for row in groups if isinstance(row, dict)] if isinstance(groups, list) else []
        if len(rows) > _BREAKDOWN_GROUPS:
            reason = f"more than {_BREAKDOWN_GROUPS} groups; all are in the uploaded file"
            values.adjustments.append(Adjustment(f"breakdown {name}", f"{len(rows)} groups", "", reason))
            continue
        for row in rows:
            for part, value in row.items():
                if part != "group":
                    values.score(task, f"breakdowns/{name}/{row.get('group')}/{part}", value)


def _runtime(path: Path) -> object:
    """Read the runtime statistics that older bundles keep in a file beside them."""
    beside = path.with_name("runtime_stats.json")
    try:
        return json_files.read_json(beside) if beside.is_file() else None
    except SourceError:
        return None  # they are no part of the result, which is whole without them


def _start(scores: Mapping[str, Any], end: int) -> int:
    runtime = scores.get("runtime")
    seconds = times.number(runtime.get("elapsed_seconds")) if isinstance(runtime, dict) else None
    start = times.after(end, -seconds) if seconds is not None and seconds >= 0 else None
    return end if start is None else start
