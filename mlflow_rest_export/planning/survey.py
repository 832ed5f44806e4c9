"""One pass over a record's metrics before anything is sent: names, number, digest, odd values. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from mlflow_rest_export.errors import PlanError
from mlflow_rest_export.records import Adjustment, Metric

NONFINITE = "nonfinite."
"""How the tags begin that tell of values which are no metrics."""
NAMED_STEPS = 20
"""Steps of odd values that are named in a tag; the others are counted."""

NAMED_METRICS = 5
"""Metrics that an error about a filter names."""


@dataclass(slots=True)
class OddValues:
    """The NaNs and infinities of one metric: how many, which, and where the first ones are."""

    count: int = 0
    kinds: set[str] = field(default_factory=set)
    first: list[Metric] = field(default_factory=list)

    def add(self, point: Metric) -> None:
        """Note one point, in bounded memory."""
        self.count += 1
        self.kinds.add(_name(point.value))
        if len(self.first) < NAMED_STEPS:
            self.first.append(point)

    def told(self) -> str:
        """Say the values, and at which steps when there are several."""
        if self.count == 1 and self.first[0].step == 0:
            return _name(self.first[0].value)
        told = ", ".join(f"{_name(point.value)} at step {point.step}" for point in self.first)
        more = self.count - len(self.first)
        return f"{told} and {more} more" if more else told


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over the points showed; ``keys`` are the raw names of metrics with a point to send."""

    keys: tuple[str, ...]
    points: int
    digest: str
    tags: dict[str, str]
    adjustments: list[Adjustment]
    keeps: Callable[[float], bool]
    """Whether a point with this value is sent as a metric."""
    has_odd: bool = False
    """Whether a value is NaN or infinite, be it sent or not."""
    filtered: bool = False
    """Whether the settings leave a metric out."""


def survey(
    points: Iterable[Metric],
    *,
    log_metrics: tuple[str, ...] = (),
    nan: Literal["skip", "tag", "fail"] = "tag",
    keeps_nan: bool = False,
    keeps_infinity: bool = False,
) -> Survey:
    """Read all points once.

    Args:
        points: the record's metrics under their raw names.
        log_metrics: keep a metric when one of these is part of its name, in any case and be it spelled as
            in the results (``pass@1``) or as in MLflow (``pass_at_1``); none: keep all.
        nan: what becomes of NaN and infinities that are not kept.
        keeps_nan: NaN is sent as it is.
        keeps_infinity: infinities are sent as they are.

    Raises:
        PlanError: ``log_metrics`` keeps none of them, or a value is not finite, not kept, and ``nan`` is
            "fail".
    """

    def keeps(value: float) -> bool:
        return math.isfinite(value) or (keeps_nan if math.isnan(value) else keeps_infinity)

    filters = [_spelled(text) for text in log_metrics]
    wanted: dict[str, bool] = {}
    sent: dict[str, None] = {}
    odd: dict[str, OddValues] = {}
    digest = hashlib.sha256()
    count, has_odd = 0, False
    for point in points:
        if point.key not in wanted:
            name = _spelled(point.key)
            wanted[point.key] = not filters or any(text in name for text in filters)
        if not wanted[point.key]:
            continue
        has_odd = has_odd or not math.isfinite(point.value)
        digest.update(f"{point.key}\0{point.value!r}\0{point.step}\n".encode("utf-8", "surrogatepass"))
        if keeps(point.value):
            sent[point.key] = None
            count += 1
        else:
            odd.setdefault(point.key, OddValues()).add(point)
    if wanted and not any(wanted.values()):
        raise PlanError(_nothing_kept(log_metrics, list(wanted)))
    tags, adjustments = _odd_values(odd, nan)
    return Survey(
        tuple(sent), count, digest.hexdigest(), tags, adjustments, keeps, has_odd, not all(wanted.values())
    )


def _nothing_kept(log_metrics: tuple[str, ...], names: list[str]) -> str:
    more = f" and {len(names) - NAMED_METRICS} more" if len(names) > NAMED_METRICS else ""
    there = ", ".join(names[:NAMED_METRICS]) + more
    return f"log_metrics {', '.join(log_metrics)}: part of no metric's name; there are {there}"


def _odd_values(
    odd: dict[str, OddValues], nan: Literal["skip", "tag", "fail"]
) -> tuple[dict[str, str], list[Adjustment]]:
    tags: dict[str, str] = {}
    adjustments: list[Adjustment] = []
    for key, values in odd.items():
        said = ", ".join(sorted(values.kinds))
        if nan == "fail":
            raise PlanError(f"metric {key} is {said}; with nan: skip or nan: tag it would be left out")
        after = f"{NONFINITE}{key}" if nan == "tag" else ""
        if after:
            tags[after] = values.told()
        reason = "stores alter or refuse this value" + (f"; it is in the tag {after}" if after else "")
        adjustments.append(Adjustment(f"metric {key}", said, after, reason))
    return tags, adjustments


def _spelled(name: str) -> str:
    return name.casefold().replace("@", "_at_")


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
