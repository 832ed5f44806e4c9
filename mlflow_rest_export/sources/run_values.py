"""What one result says, gathered under the names it gets in MLflow. Knows no format.

Metrics are ``task/metric``, settings of a task ``task.setting``. Numbers are never rounded, booleans are no
metrics, and what cannot be kept is noted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from mlflow_rest_export.records import Adjustment, Metric
from mlflow_rest_export.sources.masking import shown_value, written

ABSENT = frozenset({"", "n/a", "na", "none", "null", "-"})
"""Texts, in lower case, by which evaluators say that there is no value."""
RUN = ""
"""The task of what belongs to the whole run."""


@dataclass(slots=True)
class RunValues:
    """Metrics, params, tags and notes of one run, filled while a result is read."""

    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """Task -> metric key -> value; the tasks in the order they were met."""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    adjustments: list[Adjustment] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    """Every metric key with its value, whatever its task."""
    task_params: dict[str, list[str]] = field(default_factory=dict)
    """Task -> the keys of its params."""
    repeated: Counter[str] = field(default_factory=Counter)
    """How often a key came again."""

    def score(self, task: str, name: str, value: object) -> None:
        """Take one value of a task in: a number as metric, truth values and other texts as param.

        Objects are taken in member by member as ``name/member``. Nothing, and texts that say so, are left.
        """
        if isinstance(value, dict):
            for inner, deeper in value.items():
                self.score(task, f"{name}/{inner}", deeper)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            self._metric(task, name, value)
        elif value is not None and not (isinstance(value, str) and value.strip().lower() in ABSENT):
            self.setting(task, name, value)

    def setting(self, task: str, name: str, value: object) -> None:
        """Take one setting in as param; objects member by member as ``name.member``, nothing empty."""
        self._setting(task, (*((task,) if task else ()), *((name,) if name else ())), value)

    def settings(self, members: Mapping[str, object], names: Iterable[str] | None = None) -> None:
        """Take members of an object in as params under their own names.

        Args:
            members: the object.
            names: which members; all when not given.
        """
        for name in members if names is None else names:
            if name in members:
                self.setting(RUN, name, members[name])

    def tag(self, name: str, value: object) -> None:
        """Set a tag; nothing and empty text set none."""
        if value is not None and value != "":
            shown = shown_value(value, (name,))
            self.tags[self._free("tag", name, shown, self.tags)] = shown

    def points(self, timestamp: int, task: str | None = None) -> tuple[Metric, ...]:
        """Give the metrics of one task, or of all, as points at step 0."""
        tasks = self.scores if task is None else {task: self.scores[task]}
        return tuple(
            Metric(key, value, timestamp) for scores in tasks.values() for key, value in scores.items()
        )

    def params_of(self, task: str) -> dict[str, str]:
        """Give the params of one task."""
        return {key: self.params[key] for key in self.task_params.get(task, ())}

    def _setting(self, task: str, names: tuple[str, ...], value: object) -> None:
        if isinstance(value, dict) and value:
            for inner, deeper in value.items():
                self._setting(task, (*names, str(inner)), deeper)
        elif value is not None and value not in ({}, [], ""):
            text = written(value)
            shown = shown_value(value, names)
            key = self._free("param", ".".join(names), shown, self.params)
            self.params[key] = shown
            self.task_params.setdefault(task, []).append(key)
            if shown != text:
                self.adjustments.append(Adjustment(f"param {key}", "***", shown, "a secret is not exported"))

    def _metric(self, task: str, name: str, value: float) -> None:
        key = f"{task}/{name}" if task else name
        try:
            number = float(value)
        except OverflowError:
            self._note(key, value, "", "too large for a metric, which is a double-precision number")
            return
        if not math.isnan(number) and number != value:
            self._note(key, value, repr(number), "metrics are double-precision numbers")
        if key in self.values:  # also the same number: two measurements may well agree
            numbered = self._numbered(key, self.values)
            self._note(key, value, numbered, "the result has two values of this name")
            key = numbered
        self.values[key] = number
        self.scores.setdefault(task, {})[key] = number

    def _free(self, kind: str, name: str, text: str, taken: Mapping[str, str]) -> str:
        """Give the name under which a text can stand: another where its own stands for another text."""
        if taken.get(name, text) == text:
            return name
        numbered = self._numbered(name, taken)
        reason = "the result has two values of this name"
        self.adjustments.append(Adjustment(f"{kind} {name}", f"{text:.80}", numbered, reason))
        return numbered

    def _numbered(self, key: str, taken: Container[str]) -> str:
        while True:
            self.repeated[key] += 1
            numbered = f"{key}-{self.repeated[key] + 1}"
            if numbered not in taken:
                return numbered

    def _note(self, key: str, before: object, after: str, reason: str) -> None:
        self.adjustments.append(Adjustment(f"metric {key}", str(before), after, reason))


def text(value: object) -> str | None:
    """Give a text that says something; None for anything else."""
    return value if isinstance(value, str) and value else None
