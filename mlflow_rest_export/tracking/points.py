"""Which points a store already holds. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from mlflow_rest_export.records import Metric

SQL_INFINITY = 1.7976931348623157e308
"""SQL stores keep an infinity as the largest finite number and give it back as such."""


def same_value(sent: float, stored: float) -> bool:
    """Say whether ``stored`` is how a store gives back ``sent``."""
    if math.isnan(sent):
        return math.isnan(stored)
    if math.isinf(sent):
        return stored == sent or stored == math.copysign(SQL_INFINITY, sent)
    return sent == stored


def same_point(sent: Metric, stored: Metric) -> bool:
    """Say whether ``stored`` is the very point ``sent``."""
    return (
        sent.timestamp == stored.timestamp
        and sent.step == stored.step
        and same_value(sent.value, stored.value)
    )


def fingerprint(point: Metric) -> int:
    """Give 64 bits that tell points of one key apart, equal for what ``same_point`` calls equal."""
    value = point.value
    if math.isinf(value):
        value = math.copysign(SQL_INFINITY, value)
    # A text, since numbers hash badly: -1 and -2 have one hash, and so have 1 and 2**61.
    return hash(f"{point.timestamp} {point.step} {value + 0.0!r}")  # which makes -0.0 and 0.0 one


def without(points: Iterable[Metric], stored: Iterable[Metric]) -> Iterator[Metric]:
    """Leave out of ``points`` (all of one key) those that are among ``stored``.

    Memory: one number for each stored point.
    """
    known = {fingerprint(point) for point in stored}
    return (point for point in points if fingerprint(point) not in known)
