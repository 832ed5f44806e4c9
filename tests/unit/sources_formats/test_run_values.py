from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_rest_export.records import Metric
from mlflow_rest_export.sources.result import Result, runs
from mlflow_rest_export.sources.run_values import RUN, RunValues


def taken(value: object) -> RunValues:
    values = RunValues()
    values.score("t", "s", value)
    return values


@pytest.mark.parametrize("value", [0.1, 1, -3, 1e300, math.inf, 2**53])
def test_numbers_are_metrics_as_they_are(value: float) -> None:
    assert taken(value).points(7) == (Metric("t/s", value, 7),)
    assert not taken(value).adjustments


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), ("high", "high"), ([1, 2], "[1, 2]")]
)
def test_what_is_no_number_is_a_param(value: object, text: str) -> None:
    assert taken(value).points(0) == ()
    assert taken(value).params == {"t.s": text}


@pytest.mark.parametrize("value", [None, "", "N/A", "null", "None", "-", {}, []])
def test_nothing_leaves_no_trace(value: object) -> None:
    values = taken(value)

    assert values.points(0) == ()
    assert values.params == {}


def test_objects_are_taken_member_by_member() -> None:
    values = taken({"p50": 1.5, "inner": {"n": 2, "kind": "x"}})

    assert values.points(0) == (Metric("t/s/p50", 1.5, 0), Metric("t/s/inner/n", 2.0, 0))
    assert values.params == {"t.s/inner/kind": "x"}


@pytest.mark.parametrize(
    ("value", "kept", "reason"),
    [
        (2**53 + 1, float(2**53), "metrics are double-precision numbers"),
        (10**400, None, "too large for a metric, which is a double-precision number"),
    ],
)
def test_numbers_a_double_cannot_hold_are_noted(value: int, kept: float | None, reason: str) -> None:
    values = taken(value)

    assert [point.value for point in values.points(0)] == ([] if kept is None else [kept])
    (note,) = values.adjustments
    assert (note.field, note.before, note.reason) == ("metric t/s", str(value), reason)


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, math.nan]), max_size=8))
def test_of_equal_names_every_value_arrives(numbers: list[float]) -> None:
    values = RunValues()
    for number in numbers:
        values.score("t", "s", number)

    points = values.points(0)
    assert len({point.key for point in points}) == len(points)
    assert [repr(point.value) for point in points] == [repr(number) for number in numbers]
    assert len(values.adjustments) == max(0, len(numbers) - 1)


def test_a_name_that_comes_very_often_costs_no_more_each_time() -> None:
    values = RunValues()
    for number in range(20_000):
        values.score("t", "s", number)

    assert len(values.points(0)) == 20_000
    assert values.values["t/s-20000"] == 19_999


def test_settings_are_dotted_and_empty_ones_are_left() -> None:
    values = RunValues()
    values.settings(
        {"a": {"b": [1], "c": None, "d": {}, "e": 0, "f": ""}, "g": 0.1, "h": "x"}, ["a", "g", "z"]
    )
    values.setting("task", "", {"k": 1})
    values.tag("none", None)
    values.tag("list", ["é"])

    assert values.params == {"a.b": "[1]", "a.e": "0", "g": "0.1", "task.k": "1"}
    assert values.tags == {"list": '["é"]'}


def test_of_equal_params_and_tags_every_text_arrives_and_the_same_text_once() -> None:
    values = RunValues()
    for value in ("a", "b", "a", 3):
        values.setting("t", "s", value)
        values.tag("g", value)

    assert values.params == {"t.s": "a", "t.s-2": "b", "t.s-3": "3"}
    assert values.params_of("t") == values.params
    assert values.tags == {"g": "a", "g-2": "b", "g-3": "3"}
    assert [(note.field, note.before, note.after) for note in values.adjustments[:2]] == [
        ("param t.s", "b", "t.s-2"),
        ("tag g", "b", "g-2"),
    ]


@pytest.mark.parametrize(
    ("task", "name", "value", "expected"),
    [
        ("t", "acc", 0.5, 0),
        ("t", "n_samples", 5, 1),
        ("t", "acc", "0.5", 1),
        (RUN, "usage/m/tokens", 5, 1),
        (RUN, "all/em", 1, 0),
    ],
)
def test_a_result_that_holds_no_score_says_so(task: str, name: str, value: object, expected: int) -> None:
    values = RunValues()
    values.score(task, name, value)
    result = Result(
        format="f", identity="0", label="l", evaluator="e", model="", start_time=1, end_time=2, values=values
    )

    (record,) = runs(result, per_task=False)

    assert [note.reason for note in record.adjustments] == ["the result holds no score"] * expected


def test_what_a_result_itself_calls_model_id_does_not_replace_the_model() -> None:
    values = taken(1.0)
    values.setting(RUN, "model_id", "other")
    result = Result(
        format="f", identity="0", label="l", evaluator="e", model="m", start_time=1, end_time=2, values=values
    )

    (record,) = runs(result, per_task=False)

    assert record.params == {"model_id": "m", "model_id-2": "other"}
    assert [(note.field, note.before) for note in record.adjustments] == [("param model_id", "other")]


def test_secrets_are_masked_in_params_and_tags() -> None:
    values = RunValues()
    secret = "q7" * 12
    values.settings({"args": {"api_key": secret, "max_tokens": 5}})
    values.tag("token", secret)

    assert values.params == {"args.api_key": "***", "args.max_tokens": "5"}
    assert values.tags == {"token": "***"}
    assert secret not in repr(values)


def test_the_run_of_one_task_is_named_after_it_and_has_no_children() -> None:
    values = taken(1.0)
    values.score(RUN, "usage", 3)
    result = Result(
        format="f", identity="00", label="l", evaluator="e", model="", start_time=1, end_time=2, values=values
    )

    (record,) = runs(result, per_task=True)

    assert record.run_name == "t"
    assert record.tags == {"harness": "e", "task_name": "t"}
    assert record.lookup.prefix is False
    assert [point.key for point in record.metrics] == ["t/s", "usage"]
    assert Path(record.label).name == "l"
