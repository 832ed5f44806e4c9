"""From what one result says to the runs that show it: one, or one and a child for each task."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlflow_rest_export import marks
from mlflow_rest_export.records import Adjustment, Artifact, Dataset, Lookup, RunRecord, RunStatus
from mlflow_rest_export.sources.run_values import RUN, RunValues

_SHOWN = 80
"""Characters of a name from a file that a message shows: keys can be long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One result, read.

    Args:
        format: what ``--format`` calls its format.
        identity: hex digits that tell this result from any other, equal wherever a copy of it lies.
        label: how people call it.
        evaluator: the program that wrote it.
        model: the model that was evaluated; "" when the result does not say.
        end_time: milliseconds since 1970; the time of every metric, too.
        status: by the evaluator's own word.
        datasets: task -> the data it was evaluated on.
    """

    format: str
    identity: str
    label: str
    evaluator: str
    model: str
    start_time: int
    end_time: int
    values: RunValues
    status: RunStatus = RunStatus.FINISHED
    artifacts: tuple[Artifact, ...] = ()
    datasets: dict[str, Dataset] = field(default_factory=dict)
    task: str = ""
    """What was evaluated, where the result says it apart from its scores."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have scores."""
        return tuple(task for task in self.values.scores if task != RUN)


def runs(result: Result, *, per_task: bool) -> Iterator[RunRecord]:
    """Give the run of a result and, when asked, a child for each of its tasks.

    The parent is the same run either way, so asking for children later adds them to it. A result of one task
    has no children: they would say the same again.
    """
    if result.model:
        _take_model_id(result.values, result.model)
    if not any(_is_score(task, key) for task, scores in result.values.scores.items() for key in scores):
        result.values.adjustments.append(Adjustment("metrics", "", "", "the result holds no score"))
    tasks = result.tasks if per_task and len(result.tasks) > 1 else ()
    yield _record(result, with_children=bool(tasks))
    for task in tasks:
        yield _child(result, task)


def key_of(result: Result) -> str:
    """Give the key of the run that shows the whole result."""
    return f"{result.format}:{result.identity}"


def one_line(text: str) -> str:
    """Give a name from a file as a message can show it: one line, not too long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _record(result: Result, *, with_children: bool) -> RunRecord:
    names = result.tasks or ((result.task,) if result.task else ())
    key = key_of(result)
    return RunRecord(
        key=key,
        label=result.label,
        lookup=Lookup(marks.KEY, key, prefix=with_children),
        run_name=_name(result, result.task or (names[0] if len(names) == 1 else result.evaluator)),
        start_time=result.start_time,
        end_time=result.end_time,
        status=result.status,
        metrics=result.values.points(result.end_time),
        params=result.values.params,
        tags={**_tags(result, result.task or (names[0] if len(names) == 1 else "")), **result.values.tags},
        artifacts=result.artifacts,
        datasets=tuple(dict.fromkeys(result.datasets.values())),
        adjustments=tuple(result.values.adjustments),
    )


def _child(result: Result, task: str) -> RunRecord:
    key = key_of(result)
    mark = hashlib.sha256(task.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return RunRecord(
        key=f"{key}/{mark}",
        label=f"{result.label} ({one_line(task)})",
        lookup=Lookup(marks.KEY, key, prefix=True),
        run_name=_name(result, task),
        start_time=result.start_time,
        end_time=result.end_time,
        status=result.status,
        metrics=result.values.points(result.end_time, task),
        params={**_model_param(result), **result.values.params_of(task)},
        tags=_tags(result, task),
        datasets=(result.datasets[task],) if task in result.datasets else (),
        parent_key=key,
    )


def _is_score(task: str, key: str) -> bool:
    return key != f"{task}/n_samples" and not (task == RUN and key.startswith("usage"))


def _name(result: Result, what: str) -> str:
    return f"{what}-{result.model}" if result.model else what


def _model_param(result: Result) -> dict[str, str]:
    return {"model_id": result.values.params["model_id"]} if result.model else {}


def _take_model_id(values: RunValues, model: str) -> None:
    """Let ``model_id`` be the model, and what the result itself calls so a param of another name."""
    own = values.params.pop("model_id", None)
    values.setting(RUN, "model_id", model)
    values.setting(RUN, "model_id", own)


def _tags(result: Result, task: str) -> dict[str, str]:
    tags = {"harness": result.evaluator, "model": result.model, "task_name": task}
    return {name: value for name, value in tags.items() if value}
