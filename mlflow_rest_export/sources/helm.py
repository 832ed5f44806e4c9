"""Runs of HELM: a folder with ``run_spec.json``, ``stats.json`` and the instances.

Follows ``benchmark/run_spec.py``, ``metrics/statistic.py`` and ``metrics/metric_name.py`` of crfm-helm 0.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mlflow_rest_export.records import Dataset, RunRecord, Unreadable
from mlflow_rest_export.sources import datasets, json_files, result_files
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import Result
from mlflow_rest_export.sources.result_files import Few
from mlflow_rest_export.sources.run_values import RUN, RunValues

NAME = "helm"

_SPEC, _STATS, _SCENARIO = "run_spec.json", "stats.json", "scenario.json"
_KINDS = frozenset({"name", "robustness", "fairness", "computed_on"})
"""What every perturbation says of itself; the rest are its own settings."""


class _Name(BaseModel):
    """What a statistic is of."""

    model_config = ConfigDict(extra="ignore")

    name: str
    split: str | None = None
    sub_split: str | None = None
    perturbation: dict[str, Any] | None = None


class _Stat(BaseModel):
    """One statistic over the trials of a run; one of nothing has no mean."""

    model_config = ConfigDict(extra="ignore")

    name: _Name
    count: Any = None
    mean: Any = None
    stddev: Any = None


class _Spec(BaseModel):
    """``run_spec.json``: what was run."""

    model_config = ConfigDict(extra="ignore")

    name: str
    adapter_spec: dict[str, Any] = Field(default_factory=dict)
    scenario_spec: dict[str, Any] = Field(default_factory=dict)
    groups: list[Any] = Field(default_factory=list)


class _Stats(BaseModel):
    """The rows of ``stats.json`` under a name, so that messages can give a place."""

    stats: Annotated[list[_Stat], Few]


def recognises(path: Path) -> bool:
    """Say whether a folder is a HELM run, finished or not, or a file its specification or statistics."""
    if path.is_file():
        return path.name in {_SPEC, _STATS} and recognises(path.parent)
    found = json_files.outline(path / _SPEC) if (path / _SPEC).is_file() else {}
    return {"adapter_spec", "scenario_spec"} <= found.keys()


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the run of a folder."""
    return result_files.records(path if path.is_dir() else path.parent, options, _result)


def _result(folder: Path, options: ReadOptions) -> Result:
    spec_file, stats_file = folder / _SPEC, folder / _STATS
    document = json_files.read_members(spec_file)
    spec = result_files.checked(_Spec, document, spec_file)
    rows = result_files.checked(_Stats, {"stats": json_files.read_json(stats_file)}, stats_file)
    values = RunValues()
    task = spec.name.partition(":")[0]
    for stat in rows.stats:
        _stat(values, task, stat)
    values.setting(RUN, "run_spec", spec.name)
    for name in ("scenario_spec", "adapter_spec", "data_augmenter_spec", "metric_specs"):
        values.setting(RUN, name, document.get(name))
    values.tag("groups", ",".join(map(str, spec.groups)))
    model = spec.adapter_spec.get("model") or spec.adapter_spec.get("model_deployment")
    written = result_files.changed(stats_file)
    return Result(
        format=NAME,
        identity=result_files.identity(spec_file, stats_file),
        label=str(folder),
        evaluator="helm",
        model=model if isinstance(model, str) else "",
        task=task,
        start_time=written,
        end_time=written,
        values=values,
        artifacts=result_files.uploads(
            spec_file,
            options,
            values.adjustments,
            neighbours=result_files.beside(spec_file, "*.json"),
            configs=(_SCENARIO,),
            mask=result_files.json_mask(spec_file, document),
        ),
        datasets=_dataset(folder, spec, task),
    )


def _stat(values: RunValues, task: str, stat: _Stat) -> None:
    """Take the mean in, and the deviation where there were several trials.

    The name holds split and perturbation: the same metric occurs for each of them.
    """
    where = "-".join(
        filter(None, [stat.name.split, stat.name.sub_split, *_perturbation(stat.name.perturbation)])
    )
    end = f"/{where}" if where else ""
    values.score(task, f"{stat.name.name}{end}", stat.mean)
    if isinstance(stat.count, int) and stat.count > 1:
        values.score(task, f"{stat.name.name}_stddev{end}", stat.stddev)


def _perturbation(perturbation: dict[str, Any] | None) -> list[str]:
    if not perturbation:
        return []
    settings = [f"{key}={value}" for key, value in sorted(perturbation.items()) if key not in _KINDS]
    return [str(perturbation.get("name", "perturbed")), *settings, str(perturbation.get("computed_on") or "")]


def _dataset(folder: Path, spec: _Spec, task: str) -> dict[str, Dataset]:
    """Describe the scenario: HELM names its class and arguments, not the files it loads."""
    scenario = spec.scenario_spec.get("class_name")
    found = json_files.outline(folder / _SCENARIO) if (folder / _SCENARIO).is_file() else {}
    if not isinstance(scenario, str) or not scenario:
        return {}
    location = ""
    if "definition_path" in found:
        named = json_files.read_members(folder / _SCENARIO).get("definition_path")
        location = named if isinstance(named, str) else ""
    return {task: datasets.at_location(task, location or scenario, facts=spec.scenario_spec)}
