"""Values in bodies that no store refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.limits import Limits, for_server
from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.batches import Batch, metric_json, pair_json, special, split

RUN = "0123456789abcdef0123456789abcdef"
TEXT = st.text(max_size=8) | st.sampled_from(["é" * 50, "🙂" * 30, "\0", "\ud800", '"\\'])
PAIRS = st.dictionaries(TEXT, TEXT, max_size=12)
NUMBERS = st.floats() | st.sampled_from([-0.0, 0.1, 5e-324, 1.7976931348623157e308, 2.0**53 + 2])
INT64 = st.integers(-(2**63), 2**63 - 1)
POINTS = st.lists(
    st.builds(Metric, st.sampled_from(["a", "b/c", "é🙂"]) | TEXT, NUMBERS, INT64, INT64), max_size=30
)
SMALL = st.builds(
    Limits,
    batch_metrics=st.integers(1, 5),
    batch_metric_keys=st.integers(1, 3),
    batch_params=st.integers(1, 4),
    batch_tags=st.integers(1, 4),
    batch_entries=st.integers(1, 8),
    batch_bytes=st.integers(300, 1200),
)


def batches(
    limits: Limits,
    metrics: Sequence[Metric] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> list[Batch]:
    return list(split(metrics=iter(metrics), params=params or {}, tags=tags or {}, limits=limits))


@given(limits=SMALL, metrics=POINTS, params=PAIRS, tags=PAIRS)
def test_no_batch_is_ever_over_a_limit(
    limits: Limits, metrics: list[Metric], params: dict[str, str], tags: dict[str, str]
) -> None:
    for batch in batches(limits, metrics, params, tags):
        assert 0 < batch.entries <= limits.batch_entries
        assert len(batch.metrics) <= limits.batch_metrics
        assert len({point.key for point in batch.metrics}) <= limits.batch_metric_keys
        assert len(batch.params) <= limits.batch_params
        assert len(batch.tags) <= limits.batch_tags
        assert len(batch.body(RUN)) <= batch.size
        assert batch.size <= limits.batch_bytes or batch.entries == 1  # one value may be as long as it is


@given(limits=SMALL, metrics=POINTS, params=PAIRS, tags=PAIRS)
def test_nothing_is_lost_doubled_or_put_out_of_order(
    limits: Limits, metrics: list[Metric], params: dict[str, str], tags: dict[str, str]
) -> None:
    made = batches(limits, metrics, params, tags)

    assert [repr(point) for batch in made for point in batch.metrics] == [repr(point) for point in metrics]
    assert [pair for batch in made for pair in batch.params.items()] == list(params.items())
    assert [pair for batch in made for pair in batch.tags.items()] == list(tags.items())


@given(metrics=POINTS, params=PAIRS, tags=PAIRS)
def test_every_value_comes_out_of_the_json_as_the_server_must_read_it(
    metrics: list[Metric], params: dict[str, str], tags: dict[str, str]
) -> None:
    for batch in batches(for_server((3, 17, 2)), metrics, params, tags):
        body = json.loads(batch.body(RUN))

        assert body["run_id"] == RUN
        assert {pair["key"]: pair["value"] for pair in body.get("params", [])} == batch.params
        assert {pair["key"]: pair["value"] for pair in body.get("tags", [])} == batch.tags
        for told, point in zip(body.get("metrics", []), batch.metrics, strict=True):
            assert (told["key"], told["timestamp"], told["step"]) == (point.key, point.timestamp, point.step)
            assert all(type(told[name]) is int for name in ("timestamp", "step"))
            if math.isfinite(point.value):
                assert repr(told["value"]) == repr(point.value)
            else:
                assert told["value"] == special(point.value)


@given(batch=st.builds(Batch, POINTS, PAIRS, PAIRS))
def test_the_size_counts_every_byte_of_every_entry(batch: Batch) -> None:
    (whole,) = batches(
        replace(for_server((3, 17, 2)), batch_params=99), batch.metrics, batch.params, batch.tags
    ) or [Batch()]
    entries = sum(len(metric_json(point)) + 1 for point in batch.metrics)
    entries += sum(len(pair_json(*pair)) + 1 for pair in (*batch.params.items(), *batch.tags.items()))

    assert whole.size - Batch().size == entries
    assert entries <= len(whole.body(RUN)) <= whole.size


def test_params_come_first_so_that_a_refused_param_refuses_before_anything_is_written() -> None:
    limits = replace(for_server(None), batch_params=2)
    made = batches(limits, [Metric("m", 1.0, 1)], {"a": "1", "b": "2", "c": "3"}, {"t": "1"})

    assert [(len(batch.params), len(batch.tags), len(batch.metrics)) for batch in made] == [
        (2, 0, 0),
        (1, 1, 1),
    ]


def test_a_body_has_no_list_that_is_empty() -> None:
    assert json.loads(Batch(params={"a": "b"}).body(RUN)) == {
        "run_id": RUN,
        "params": [{"key": "a", "value": "b"}],
    }


def test_no_values_need_no_batch() -> None:
    assert batches(for_server(None)) == []


@pytest.mark.parametrize(
    ("version", "count"), [((3, 9, 0), [100, 100, 50]), ((3, 10, 0), [250]), (None, [100, 100, 50])]
)
def test_servers_that_refuse_many_keys_twice_get_a_hundred_at_once(
    version: tuple[int, int, int] | None, count: list[int]
) -> None:
    metrics = [Metric(f"m{number}", 1.0, 1) for number in range(250)]

    assert [len(batch.metrics) for batch in batches(for_server(version), metrics)] == count


def test_a_thousand_points_of_one_metric_go_at_once_whatever_the_server() -> None:
    points = [Metric("m", 1.0, step, step) for step in range(2001)]

    assert [len(batch.metrics) for batch in batches(for_server(None), points)] == [1000, 1000, 1]


def test_points_are_read_one_by_one_as_batches_are_asked_for() -> None:
    read = []

    def stream() -> Iterator[Metric]:
        for step in range(10_000):
            read.append(step)
            yield Metric("m", 1.0, 1, step)

    next(split(metrics=stream(), params={}, tags={}, limits=for_server(None)))

    assert len(read) == 1001


@pytest.mark.parametrize(
    ("value", "said"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_numbers_that_json_lacks_are_spelled_as_every_server_reads_them(value: float, said: str) -> None:
    assert json.loads(metric_json(Metric("m", value, 1)))["value"] == said
