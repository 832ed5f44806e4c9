"""The ``results`` of a NeMo Evaluator ``results.yml`` as metrics. Pure.

Names are those of nemo-evaluator-launcher 0.2.6 (``exporters/utils.py``): ``<task>_<metric>_<score>``, or
``<task>_<metric>`` where score and metric are called alike. Statistics, which it loses, are added as
``<name of the score>_<statistic>``. What is odd costs itself only and is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count

from mlflow_rest_export.records import Adjustment

_SECTIONS = {"groups": "group", "tasks": "task"}
"""The sections in the order of strength: where both say different things, the group has the plain name."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a results file says in numbers, under raw names."""

    values: Mapping[str, float]
    adjustments: tuple[Adjustment, ...]


@dataclass(frozen=True, slots=True)
class _Score:
    """One score as it was found."""

    key: str
    kind: str
    """``group`` or ``task``."""
    place: str
    value: object
    stats: tuple[object, ...]


@dataclass(slots=True)
class _Taken:
    """The names given so far."""

    values: dict[str, float] = field(default_factory=dict)
    adjustments: list[Adjustment] = field(default_factory=list)

    def offer(self, key: str, value: float) -> bool:
        """Give a value its name; False when the name stands for another value. NaN is taken to equal NaN."""
        known = self.values.setdefault(key, value)
        return known == value or (math.isnan(known) and math.isnan(value))

    def under_another_name(self, score: _Score, key: str, value: float) -> str:
        names = chain([f"{key}_{score.kind}"], (f"{key}_{number}" for number in count(2)))
        name = next(name for name in names if self.offer(name, value))
        self.adjustments.append(
            Adjustment(
                f"metric {score.place}", key, name, f"{key} is {self.values[key]!r}, this is {value!r}"
            )
        )
        return name

    def left_out(self, place: str, value: object, reason: str) -> None:
        self.adjustments.append(Adjustment(f"metric {place}", f"{value!r:.80}", "", reason))


def scores(results: object) -> Scores:
    """Collect the metrics of the section ``results``.

    Scores get their names before statistics and groups before tasks. The same value again, usual where a
    harness repeats its task as a group, is one metric; another value under a name that is taken is kept as
    ``<name>_task`` (or ``_group``, then ``_2``, ``_3``, ...).

    Args:
        results: the parsed section, whatever it turned out to be.
    """
    taken = _Taken()
    named: list[tuple[_Score, str]] = []
    late: list[tuple[_Score, float]] = []
    for score in _in_sections(results, taken):
        value = _number(score.value)
        if value is None:
            taken.left_out(score.place, score.value, "its value is no number")
        elif not taken.offer(score.key, value):
            late.append((score, value))
            continue
        named.append((score, score.key))
    named += [(score, taken.under_another_name(score, score.key, value)) for score, value in late]
    for score, key in named:
        for stats in score.stats:
            _add_stats(score, key, stats, taken)
    return Scores(taken.values, tuple(taken.adjustments))


def _in_sections(results: object, taken: _Taken) -> Iterator[_Score]:
    for section, kind in _SECTIONS.items():
        entries = results.get(section) if isinstance(results, dict) else None
        for name, entry in _members(entries, section, taken):
            yield from _in_entry(str(name), kind, f"{section}.{name}", entry, taken)


def _in_entry(name: str, kind: str, place: str, entry: object, taken: _Taken) -> Iterator[_Score]:
    if not isinstance(entry, dict):
        taken.left_out(place, entry, "it is no mapping")
        return
    for inner, group in _members(entry.get("groups"), f"{place}.groups", taken):
        yield from _in_entry(f"{name}_{inner}", kind, f"{place}.groups.{inner}", group, taken)
    for metric, content in _members(entry.get("metrics"), f"{place}.metrics", taken):
        where = f"{place}.metrics.{metric}"
        if not isinstance(content, dict) or not isinstance(content.get("scores"), dict):
            taken.left_out(where, content, "it has no scores")
            continue
        for score, said in content["scores"].items():
            key = f"{name}_{metric}" if score == metric else f"{name}_{metric}_{score}"
            value, stats = (said.get("value"), said.get("stats")) if isinstance(said, dict) else (said, None)
            yield _Score(key, kind, f"{where}.scores.{score}", value, (stats, content.get("stats")))


def _members(value: object, place: str, taken: _Taken) -> Iterator[tuple[object, object]]:
    """Give the members of a mapping that may be missing."""
    if isinstance(value, dict):
        yield from value.items()
    elif value is not None:
        taken.left_out(place, value, "it is no mapping")


def _add_stats(score: _Score, key: str, stats: object, taken: _Taken) -> None:
    for stat, said in _members(stats, f"{score.place}.stats", taken):
        value = None if isinstance(said, bool) else _number(said)
        if value is not None and not taken.offer(f"{key}_{stat}", value):
            taken.under_another_name(score, f"{key}_{stat}", value)
        elif value is None and said is not None:
            taken.left_out(f"{score.place}.stats.{stat}", said, "a statistic that is no number")


def _number(value: object) -> float | None:
    """Read a number as the launcher does: also a truth value, and text such as ``1e-05``."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
