"""Results of lm-evaluation-harness: ``results_<time>.json`` with ``samples_<task>_<time>.jsonl`` beside it.

Follows ``lm_eval/result_schema.py`` (0.4.x); files of 0.3, whose keys name no filter, are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mlflow_rest_export.records import Dataset, RunRecord, Unreadable
from mlflow_rest_export.sources import datasets, json_files, result_files, times
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import Result
from mlflow_rest_export.sources.result_files import Objects
from mlflow_rest_export.sources.run_values import RunValues, text

NAME = "lm-eval"

_MARKS = frozenset({"n-shot", "configs", "group_subtasks", "higher_is_better", "task_hashes", "git_hash"})
_NOT_SCORES = frozenset({"name", "alias", "sample_len", "sample_count", " "})
"""Members of a task's results that are no scores; ``" "`` is the placeholder of groups without any."""
_SAMPLES = ("samples",)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?$", re.ASCII)
"""At the end of a file's name, as ``EvaluationTracker`` writes it (lm-evaluation-harness 0.4.9)."""
_SETTINGS = (
    *("lm_eval_version", "transformers_version", "model_source", "max_length", "system_instruction"),
    *("fewshot_as_multiturn", "chat_template", "total_evaluation_time_seconds"),
)
_TAGS = ("git_hash", "upper_git_hash", "chat_template_sha", "system_instruction_sha")


class _File(BaseModel):
    """The members of a results file that are exported."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    results: Objects
    groups: Objects | None = None
    configs: Objects | None = None
    versions: dict[str, Any] | None = None
    shots: dict[str, Any] | None = Field(None, alias="n-shot")
    samples: dict[str, Any] | None = Field(None, alias="n-samples")
    higher_is_better: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    task_hashes: dict[str, Any] | None = None
    date: Any = None
    total_evaluation_time_seconds: Any = None
    model_name: Any = None


def recognises(path: Path) -> bool:
    """Say whether a file holds results of lm-evaluation-harness."""
    found = json_files.outline(path) if path.is_file() else {}
    if "results" not in found or "config_general" in found:
        return False
    marks = len(_MARKS & found.keys()) + ({"versions", "config"} <= found.keys())
    return marks > (found["results"] != "{")  # a table may have a column of one of these names


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the run of a results file, and its tasks' when asked."""
    return result_files.records(path, options, _result)


def _result(path: Path, options: ReadOptions) -> Result:
    document = json_files.read_members(path, leave=_SAMPLES)
    file = result_files.checked(_File, document, path)
    values = RunValues()
    for task, scores in (file.groups or {}).items():
        # The scores of a group stand among the results again, as a rule.
        again = file.results.get(task, {})
        new = {key: value for key, value in scores.items() if repr(again.get(key)) != repr(value)}
        _scores(values, task, new)
    for task, scores in file.results.items():
        _scores(values, task, scores)
    _tasks(values, file)
    values.settings(file.config or {})
    values.settings(document, _SETTINGS)
    for name in _TAGS:
        values.tag(name, document.get(name))
    start = times.from_seconds(file.date) or times.in_name(path.name) or result_files.changed(path)
    return Result(
        format=NAME,
        identity=result_files.identity(path),
        label=str(path),
        evaluator="lm-evaluation-harness",
        model=_model(file),
        start_time=start,
        end_time=times.after(start, file.total_evaluation_time_seconds) or start,
        values=values,
        artifacts=result_files.uploads(
            path,
            options,
            values.adjustments,
            neighbours=_samples(path),
            mask=result_files.json_mask(path, document, leave=_SAMPLES),
        ),
        datasets=_datasets(file),
    )


def _scores(values: RunValues, task: str, scores: Mapping[str, Any]) -> None:
    """Take the scores of a task in: ``metric,filter`` becomes ``metric/filter``, the filter ``none`` nothing.

    Where a metric stands with and without filter, it becomes ``metric-filter``: file stores keep names as
    paths, and ``metric`` cannot be a file and a folder.
    """
    parts = {key: key.rpartition(",") for key in scores if key not in _NOT_SCORES}
    plain = {name if comma else last for name, comma, last in parts.values() if last == "none" or not comma}
    for key, (name, comma, last) in parts.items():
        if not comma or last == "none":
            values.score(task, name if comma else last, scores[key])
        else:
            values.score(task, f"{name}-{last}" if name in plain else f"{name}/{last}", scores[key])


def _tasks(values: RunValues, file: _File) -> None:
    """Take in what the file says of its tasks apart from their scores."""
    for task in file.results:
        count = (file.samples or {}).get(task)
        if isinstance(count, dict):
            values.score(task, "n_samples", count.get("effective"))
            values.setting(task, "n_samples_original", count.get("original"))
        else:
            values.score(task, "n_samples", file.results[task].get("sample_len", count))
        values.setting(task, "version", (file.versions or {}).get(task))
        values.setting(task, "num_fewshot", (file.shots or {}).get(task))
        values.setting(task, "higher_is_better", (file.higher_is_better or {}).get(task))
        config = (file.configs or {}).get(task, {})
        for name in ("dataset_path", "dataset_name", "test_split", "output_type", "generation_kwargs"):
            values.setting(task, name, config.get(name))
        values.tag(f"{task}.task_hash", (file.task_hashes or {}).get(task))


def _datasets(file: _File) -> dict[str, Dataset]:
    found = {}
    for task, config in (file.configs or {}).items():
        path = config.get("dataset_path")
        if isinstance(path, str) and path:
            found[task] = datasets.hugging_face(
                path,
                config=text(config.get("dataset_name")),
                split=text(config.get("test_split")),
                digest=text((file.task_hashes or {}).get(task)),
            )
    return found


def _model(file: _File) -> str:
    """Give the model's name, from the arguments it was loaded with where old files name it nowhere else."""
    if isinstance(file.model_name, str) and file.model_name:
        return file.model_name
    arguments = (file.config or {}).get("model_args")
    if isinstance(arguments, str):
        arguments = dict(part.partition("=")[::2] for part in arguments.split(","))
    if isinstance(arguments, dict):
        for name in ("pretrained", "model", "engine", "path"):
            if text(arguments.get(name)):
                return str(arguments[name])
    return text((file.config or {}).get("model")) or ""


def _samples(path: Path) -> list[Path]:
    """Find the sample files of the same date; a folder may hold several dates.

    The results are ``results_<date>.json``, or ``<name>_<date>.json`` where the output path was a file.
    """
    dated = _DATE.search(path.stem)
    date = dated[0] if dated else path.stem.removeprefix("results_")
    return [near for near in result_files.beside(path, "samples_*.jsonl") if near.stem.endswith(f"_{date}")]
