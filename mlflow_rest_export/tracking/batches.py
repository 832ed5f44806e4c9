"""Splits values into bodies for ``log-batch`` that no store refuses. Pure.

The server parses a body up to the first wrong JSON type and silently drops the rest (measured on 1.30 to
3.17), so every value takes its final JSON type here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlflow_rest_export.limits import Limits
from mlflow_rest_export.records import Metric

_OVERHEAD = 200
"""Bytes of a body beside its entries: the run id, brackets and names."""


@dataclass(slots=True)
class Batch:
    """The entries of one ``log-batch``; ``size`` in bytes of JSON."""

    metrics: list[Metric] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    size: int = _OVERHEAD
    metric_keys: set[str] = field(default_factory=set)

    @property
    def entries(self) -> int:
        """Metrics, params and tags together."""
        return len(self.metrics) + len(self.params) + len(self.tags)

    def body(self, run_id: str) -> bytes:
        """Give the JSON body."""
        parts = [f'"run_id":{json.dumps(run_id)}']
        if self.metrics:
            parts.append('"metrics":[' + ",".join(map(metric_json, self.metrics)) + "]")
        if self.params:
            parts.append('"params":[' + ",".join(pair_json(*pair) for pair in self.params.items()) + "]")
        if self.tags:
            parts.append('"tags":[' + ",".join(pair_json(*pair) for pair in self.tags.items()) + "]")
        return ("{" + ",".join(parts) + "}").encode()


def metric_json(metric: Metric) -> str:
    """Write one point; numbers are exact (``repr``), non-finite ones the texts that every server reads."""
    value = repr(metric.value) if math.isfinite(metric.value) else json.dumps(special(metric.value))
    key = json.dumps(metric.key)
    return f'{{"key":{key},"value":{value},"timestamp":{metric.timestamp:d},"step":{metric.step:d}}}'


def special(value: float) -> str:
    """Spell a number that JSON has no form for as MLflow does; ``nan`` would be stored as 0."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def pair_json(key: str, value: str) -> str:
    """Write one param or tag."""
    return f'{{"key":{json.dumps(key)},"value":{json.dumps(value)}}}'


def split(
    *, metrics: Iterable[Metric], params: Mapping[str, str], tags: Mapping[str, str], limits: Limits
) -> Iterator[Batch]:
    """Spread values over batches, params first, so that a refused param refuses before anything is written.

    Args:
        metrics: a stream; it is read once and never held.
        params: all params.
        tags: all tags.
        limits: how much a batch may hold.

    Yields:
        Batches in order; none for no values. Order and multiset of the points are kept.
    """
    batch = Batch()
    for key, value in params.items():
        size = len(pair_json(key, value)) + 1
        if len(batch.params) >= limits.batch_params or _full(batch, size, limits):
            yield batch
            batch = Batch()
        batch.params[key] = value
        batch.size += size
    for key, value in tags.items():
        size = len(pair_json(key, value)) + 1
        if len(batch.tags) >= limits.batch_tags or _full(batch, size, limits):
            yield batch
            batch = Batch()
        batch.tags[key] = value
        batch.size += size
    for metric in metrics:
        size = len(metric_json(metric)) + 1
        new_key = metric.key not in batch.metric_keys
        too_many_keys = new_key and len(batch.metric_keys) >= limits.batch_metric_keys
        if len(batch.metrics) >= limits.batch_metrics or too_many_keys or _full(batch, size, limits):
            yield batch
            batch = Batch()
        batch.metrics.append(metric)
        batch.metric_keys.add(metric.key)
        batch.size += size
    if batch.entries:
        yield batch


def _full(batch: Batch, size: int, limits: Limits) -> bool:
    too_long = batch.size + size > limits.batch_bytes and batch.entries > 0
    return too_long or batch.entries >= limits.batch_entries
