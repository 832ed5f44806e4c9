"""Files of Every Eval Ever, the interchange form of evaluation results (schema 0.1 to 0.3).

Follows ``every_eval_ever/schemas/eval.schema.json``. Converters from evaluators and leaderboards write it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mlflow_rest_export.records import Adjustment, Dataset, RunRecord, Unreadable
from mlflow_rest_export.sources import datasets, json_files, result_files, times
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import Result
from mlflow_rest_export.sources.result_files import Few
from mlflow_rest_export.sources.run_values import RUN, RunValues, text

NAME = "eee"

_METRIC_SETTINGS = (
    "lower_is_better",
    "min_score",
    "max_score",
    "score_type",
    "metric_unit",
    "metric_parameters",
)


class _Scored(BaseModel):
    """One entry of ``evaluation_results``."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    evaluation_name: str
    source_data: dict[str, Any] | list[Any] | None = None
    metric_config: dict[str, Any] = Field(default_factory=dict)
    score_details: dict[str, Any]
    generation_config: dict[str, Any] | None = None
    evaluation_timestamp: Any = None


class _Log(BaseModel):
    """The members of a file that are exported."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    schema_version: str
    evaluation_id: str = ""
    evaluation_timestamp: Any = None
    retrieved_timestamp: Any = None
    source_metadata: dict[str, Any] | None = None
    eval_library: dict[str, Any] | None = None
    model_info: dict[str, Any]
    evaluation_results: Annotated[list[_Scored], Few]
    detailed_evaluation_results: dict[str, Any] | None = None


def recognises(path: Path) -> bool:
    """Say whether a file has the form of Every Eval Ever."""
    found = json_files.outline(path) if path.is_file() else {}
    return {"evaluation_results", "schema_version", "model_info"} <= found.keys()


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the run of a file, and its tasks' when asked."""
    return result_files.records(path, options, _result)


def _result(path: Path, options: ReadOptions) -> Result:
    document = json_files.read_members(path)
    log = result_files.checked(_Log, document, path)
    values = RunValues()
    found = _results(values, log.evaluation_results)
    for name in ("schema_version", "source_metadata", "eval_library", "model_info"):
        values.setting(RUN, name, document.get(name))
    values.tag("evaluation_id", log.evaluation_id)
    details = log.detailed_evaluation_results or {}
    values.tag("detailed_results_checksum", details.get("checksum"))
    model = log.model_info.get("id") or log.model_info.get("name")
    named = (log.evaluation_timestamp, *(scored.evaluation_timestamp for scored in log.evaluation_results))
    times_found = [time for text in named if (time := times.from_any(text)) is not None]
    retrieved = times.from_any(log.retrieved_timestamp) or result_files.changed(path)
    library = log.eval_library or {}
    return Result(
        format=NAME,
        identity=result_files.identity(path),
        label=str(path),
        evaluator=str(library.get("name") or "every-eval-ever"),
        model=model if isinstance(model, str) else "",
        start_time=min(times_found, default=retrieved),
        end_time=max(times_found, default=retrieved),
        values=values,
        artifacts=result_files.uploads(
            path,
            options,
            values.adjustments,
            neighbours=_samples(path, details),
            mask=result_files.json_mask(path, document),
        ),
        datasets=found,
    )


def _results(values: RunValues, results: list[_Scored]) -> dict[str, Dataset]:
    """Take all results in; give the dataset of each task."""
    found: dict[str, Dataset] = {}
    sizes: set[tuple[str, str]] = set()
    for task, scored in _named(results):
        if task != scored.evaluation_name:
            reason = "the file has several results of this name"
            about = f"evaluation {scored.evaluation_name}"
            values.adjustments.append(Adjustment(about, _metric(scored), task, reason))
        _scores(values, task, scored, sizes)
        if (dataset := _dataset(scored.source_data)) is not None:
            found.setdefault(task, dataset)
    return found


def _named(results: list[_Scored]) -> Iterator[tuple[str, _Scored]]:
    """Give each result with the name of its task: that of the evaluation where this tells its results apart.

    Else the dataset's name is added; where that does not part them either, their number.
    """
    alone = Counter((scored.evaluation_name, _metric(scored)) for scored in results)
    with_data = Counter((scored.evaluation_name, _data(scored), _metric(scored)) for scored in results)
    several = {name for (name, _), count in alone.items() if count > 1}
    by_data = several - {name for (name, data, _), count in with_data.items() if count > 1 or not data}
    seen: Counter[tuple[str, str]] = Counter()
    for scored in results:
        name = scored.evaluation_name
        seen[name, _metric(scored)] += 1
        number = seen[name, _metric(scored)]
        if name in by_data:
            yield f"{name}-{_data(scored)}", scored
        else:
            yield name if number == 1 else f"{name}-{number}", scored


def _metric(scored: _Scored) -> str:
    config = scored.metric_config
    return str(config.get("metric_name") or config.get("metric_id") or "score")


def _data(scored: _Scored) -> str:
    source = scored.source_data
    return (text(source.get("dataset_name")) or "") if isinstance(source, dict) else ""


def _scores(values: RunValues, task: str, scored: _Scored, sizes: set[tuple[str, str]]) -> None:
    """Take one score in, with its uncertainty; the number of samples once for all metrics of a task."""
    config, details, metric = scored.metric_config, scored.score_details, _metric(scored)
    values.score(task, metric, details.get("score"))
    uncertainty = details.get("uncertainty")
    if isinstance(uncertainty, dict):
        error, interval = uncertainty.get("standard_error"), uncertainty.get("confidence_interval")
        interval = interval if isinstance(interval, dict) else {}
        values.score(task, f"{metric}_stderr", error.get("value") if isinstance(error, dict) else error)
        values.score(task, f"{metric}_stddev", uncertainty.get("standard_deviation"))
        values.score(task, f"{metric}_ci_lower", interval.get("lower"))
        values.score(task, f"{metric}_ci_upper", interval.get("upper"))
        values.setting(task, f"{metric}.confidence_level", interval.get("confidence_level"))
        size = uncertainty.get("num_samples")
        if (task, repr(size)) not in sizes:
            sizes.add((task, repr(size)))
            values.score(task, "n_samples", size)
    for name in _METRIC_SETTINGS:
        values.setting(task, f"{metric}.{name}", config.get(name))
    values.setting(task, f"{metric}.details", details.get("details"))
    values.setting(task, "", scored.generation_config)


def _dataset(source: dict[str, Any] | list[Any] | None) -> Dataset | None:
    """Describe the data of one evaluation; 0.1 gave a list of addresses."""
    if isinstance(source, list):
        source = {"url": source}
    name = text((source or {}).get("dataset_name"))
    if source is None:
        return None
    if repository := text(source.get("hf_repo")):
        return datasets.hugging_face(repository, split=text(source.get("hf_split")))
    address = source.get("url")
    location = text(address[0] if isinstance(address, list) and address else address) or ""
    return datasets.at_location(name or location, location) if name or location else None


def _samples(path: Path, details: dict[str, Any]) -> list[Path]:
    """Find the file of samples: by the name that is told, or by the file's own."""
    told = PurePosixPath(text(details.get("file_path")) or "").name
    names = {told, f"{path.stem}_samples.jsonl", f"{path.stem}.jsonl"}
    return [near for near in result_files.beside(path, "*.jsonl") if near.name in names]
