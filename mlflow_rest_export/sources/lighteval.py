"""Results of lighteval: ``results/<model>/results_<time>.json`` with its parquet details in another folder.

Follows ``evaluation_tracker.py`` and ``info_loggers.py``. Tasks are named ``task|shots``, before 0.10
``suite|task|shots``; the clock of ``start_time`` has no known zero, so the time comes from the file's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlflow_rest_export.records import Dataset, RunRecord, Unreadable
from mlflow_rest_export.sources import datasets, json_files, result_files, times
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import Result
from mlflow_rest_export.sources.result_files import Objects
from mlflow_rest_export.sources.run_values import RUN, RunValues, text

NAME = "lighteval"

_TAGS = ("lighteval_sha", "model_sha", "job_id")
_DURATIONS = ("total_evaluation_time_secondes", "total_evaluation_time_seconds")
"""The first is how lighteval spells it."""
_CLOCK = ("start_time", "end_time")
_DEEPEST_MODEL = 4
"""Folders between ``results`` and the file: a model's name has one or two parts."""


class _File(BaseModel):
    """The members of a results file that are exported."""

    model_config = ConfigDict(extra="ignore")

    config_general: dict[str, Any]
    results: Objects
    versions: dict[str, Any] | None = None
    config_tasks: Objects | None = None
    summary_tasks: Objects | None = None
    summary_general: dict[str, Any] | None = None


def recognises(path: Path) -> bool:
    """Say whether a file holds results of lighteval."""
    found = json_files.outline(path) if path.is_file() else {}
    return {"config_general", "results"} <= found.keys()


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the run of a results file, and its tasks' when asked."""
    return result_files.records(path, options, _result)


def _result(path: Path, options: ReadOptions) -> Result:
    document = json_files.read_members(path)
    file = result_files.checked(_File, document, path)
    general = file.config_general
    values = RunValues()
    names, configs = _names(file.results), _configs(file)
    for key, scores in file.results.items():
        _task(values, file, key, names[key], configs[key])
        for metric, value in scores.items():
            if _is_aggregate(key):
                values.score(RUN, f"{names[key]}/{metric}", value)
            else:
                values.score(names[key], metric, value)
    values.settings(general, [name for name in general if name not in {*_TAGS, *_CLOCK}])
    for name in _TAGS:
        values.tag(name, general.get(name))
    _summary(values, "", file.summary_general or {})
    end = times.in_name(path.name) or result_files.changed(path)
    took = next((general[name] for name in _DURATIONS if name in general), None)
    start = times.after(end, -(times.number(took) or 0.0))
    return Result(
        format=NAME,
        identity=result_files.identity(path),
        label=str(path),
        evaluator="lighteval",
        model=_model(general),
        start_time=end if start is None else start,
        end_time=end,
        values=values,
        artifacts=result_files.uploads(
            path,
            options,
            values.adjustments,
            neighbours=_details(path),
            mask=result_files.json_mask(path, document),
        ),
        datasets=_datasets(file, names, configs),
    )


def _names(keys: Mapping[str, object]) -> dict[str, str]:
    """Name each task as shortly as it stays apart from the others.

    ``suite|task|shots`` becomes ``task``; a task with several shot counts ``task-5shot``; one that is in
    several suites, too, ``suite-task-5shot``.
    """
    forms: list[dict[str, str]] = [
        {key: _parts(key)[1] for key in keys},
        {key: "-".join(filter(None, [_parts(key)[1], _shot(key)])) for key in keys},
        {key: "-".join(filter(None, [*_parts(key)[:2], _shot(key)])) for key in keys},
        {key: key.replace("|", "-") for key in keys},
    ]
    counts = [Counter(form.values()) for form in forms]
    names = {}
    for key in keys:
        alone = (form[key] for form, count in zip(forms, counts, strict=True) if count[form[key]] == 1)
        names[key] = next(alone, key)
    return names


def _is_aggregate(key: str) -> bool:
    """Say whether a key is that of ``all`` or of an average over subtasks, which are no tasks."""
    task = _parts(key)[1]
    return task == "all" or task.endswith(":_average")


def _parts(key: str) -> tuple[str, str, str]:
    """Give suite, task and shots; "" for what the key does not name."""
    parts = key.split("|")
    if len(parts) == 1:
        return "", key, ""
    if len(parts) == 2 and parts[1].strip().isdigit():  # task|shots
        return "", parts[0], parts[1].strip()
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""  # suite|task|shots|...


def _shot(key: str) -> str:
    shots = _parts(key)[2]
    return f"{shots}shot" if shots else ""


def _task(values: RunValues, file: _File, key: str, name: str, config: Mapping[str, Any]) -> None:
    """Take in what the file says of a task apart from its scores."""
    values.score(name, "n_samples", config.get("effective_num_docs"))
    values.setting(name, "n_samples_original", config.get("original_num_docs"))
    values.setting(name, "num_fewshot", _parts(key)[2] or None)
    values.setting(name, "suite", _parts(key)[0] or None)
    values.setting(name, "version", (file.versions or {}).get(key))
    for setting in ("hf_repo", "hf_subset", "evaluation_splits", "generation_size"):
        values.setting(name, setting, config.get(setting))
    _summary(values, name, (file.summary_tasks or {}).get(key, {}))


def _summary(values: RunValues, task: str, summary: Mapping[str, Any]) -> None:
    """Take in hashes as tags, and how much was cut or padded as params."""
    hashes = summary.get("hashes")
    for name, value in hashes.items() if isinstance(hashes, dict) else ():
        values.tag(f"{task}.{name}" if task else str(name), value)
    for name, value in summary.items():
        if name != "hashes":
            values.setting(task, name, value)


def _configs(file: _File) -> dict[str, Mapping[str, Any]]:
    """Find the settings of each task: their key may lack the shots, or have a suite that the task's lacks."""
    by_key = file.config_tasks or {}
    by_name = {name: config for config in by_key.values() if isinstance(name := config.get("name"), str)}
    found: dict[str, Mapping[str, Any]] = {}
    for key in file.results:
        suite, task, _ = _parts(key)
        known = (by_key.get(key), by_key.get(f"{suite}|{task}"), by_key.get(task), by_name.get(task))
        found[key] = next((config for config in known if config is not None), {})
    return found


def _datasets(
    file: _File, names: Mapping[str, str], configs: Mapping[str, Mapping[str, Any]]
) -> dict[str, Dataset]:
    found = {}
    for key, name in names.items():
        config = configs[key]
        repo, subset, splits = (config.get(part) for part in ("hf_repo", "hf_subset", "evaluation_splits"))
        hashes = (file.summary_tasks or {}).get(key, {}).get("hashes")
        if isinstance(repo, str) and repo:
            found[name] = datasets.hugging_face(
                repo,
                config=subset if isinstance(subset, str) else None,
                split="+".join(map(str, splits)) if isinstance(splits, list) else None,
                digest=text(hashes.get("hash_examples")) if isinstance(hashes, dict) else None,
            )
    return found


def _model(general: Mapping[str, Any]) -> str:
    config = general.get("model_config")
    named = config.get("model_name") if isinstance(config, dict) else None
    return text(general.get("model_name")) or text(named) or ""


def _details(path: Path) -> list[Path]:
    """Find the details of this run: ``details/<model>/<time>/`` beside ``results/<model>/``."""
    path = path.absolute()  # the folder we are in may be the one that is looked for
    parents = path.parents
    for depth in range(min(_DEEPEST_MODEL, len(parents) - 1)):
        if parents[depth].name == "results":
            model = path.parent.relative_to(parents[depth])
            folder = parents[depth].parent / "details" / model / path.stem.removeprefix("results_")
            if not folder.resolve().is_relative_to(parents[depth].parent.resolve()):
                return []
            return result_files.beside(folder / path.name, "details_*.parquet")
    return []
