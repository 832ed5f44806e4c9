"""One pass over a record's metrics before anything is sent: names, number, digest, odd values. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mlflow_rest_export.errors import PlanError
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.records import Adjustment, Metric

NAMED_STEPS = 20
"""Steps of odd values that are named in a tag; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over the points showed; ``keys`` are the raw names of metrics with a point to send."""

    keys: tuple[str, ...]
    points: int
    digest: str
    tags: dict[str, str]
    adjustments: list[Adjustment]
    nan_kept: bool
    infinity_kept: bool

    def keeps(self, value: float) -> bool:
        """Say whether a point with this value is sent as a metric."""
        if math.isnan(value):
            return self.nan_kept
        return self.infinity_kept or not math.isinf(value)


def survey(
    points: Iterable[Metric],
    *,
    log_metrics: tuple[str, ...],
    nan: Literal["skip", "tag", "fail"],
    limits: Limits,
) -> Survey:
    """Read all points once.

    Args:
        points: the record's metrics under their raw names.
        log_metrics: keep a metric when one of these is part of its name, in any case; none: keep all.
        nan: what becomes of NaN and infinities where the store would alter or refuse them.
        limits: what the store accepts.

    Raises:
        PlanError: a value is not finite and ``nan`` is "fail".
    """
    filters = [text.casefold() for text in log_metrics]
    wanted: dict[str, bool] = {}
    sent: dict[str, None] = {}
    odd: dict[str, list[Metric]] = {}
    digest = hashlib.sha256()
    count = 0
    for point in points:
        if point.key not in wanted:
            name = point.key.casefold()
            wanted[point.key] = not filters or any(text in name for text in filters)
        if not wanted[point.key]:
            continue
        digest.update(f"{point.key}\0{point.value!r}\0{point.step}\n".encode("utf-8", "surrogatepass"))
        if math.isfinite(point.value) or _kept(point.value, limits):
            sent[point.key] = None
            count += 1
        else:
            odd.setdefault(point.key, []).append(point)
    tags, adjustments = _odd_values(odd, nan)
    return Survey(
        tuple(sent), count, digest.hexdigest(), tags, adjustments, limits.keeps_nan, limits.keeps_infinity
    )


def _kept(value: float, limits: Limits) -> bool:
    return limits.keeps_nan if math.isnan(value) else limits.keeps_infinity


def _odd_values(
    odd: dict[str, list[Metric]], nan: Literal["skip", "tag", "fail"]
) -> tuple[dict[str, str], list[Adjustment]]:
    tags: dict[str, str] = {}
    adjustments: list[Adjustment] = []
    for key, points in odd.items():
        said = ", ".join(sorted({_name(point.value) for point in points}))
        if nan == "fail":
            raise PlanError(f"metric {key} is {said}; with nan: skip or nan: tag it would be left out")
        after = ""
        if nan == "tag":
            after = f"nonfinite.{key}"
            tags[after] = _told(points)
        adjustments.append(Adjustment(f"metric {key}", said, after, "the store alters or refuses this value"))
    return tags, adjustments


def _told(points: list[Metric]) -> str:
    if len(points) == 1 and points[0].step == 0:
        return _name(points[0].value)
    told = ", ".join(f"{_name(point.value)} at step {point.step}" for point in points[:NAMED_STEPS])
    more = len(points) - NAMED_STEPS
    return f"{told} and {more} more" if more > 0 else told


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
