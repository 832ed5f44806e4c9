from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from launcher_folders import SHAPES

from mlflow_rest_export.sources.nemo.results import scores
from mlflow_rest_export.yaml_files import load_yaml


def task(*, metric: str = "m", **said: Any) -> dict[str, Any]:
    """One entry with one metric; ``said`` is score -> value, or -> a whole score."""
    whole = {name: value if isinstance(value, dict) else {"value": value} for name, value in said.items()}
    return {"metrics": {metric: {"scores": whole}}}


def values(results: object) -> dict[str, float]:
    return dict(scores(results).values)


def test_names_are_those_of_the_launcher() -> None:
    results = {"tasks": {"t": {"metrics": {"acc": {"scores": {"acc": {"value": 1}, "macro": {"value": 2}}}}}}}

    assert values(results) == {"t_acc": 1.0, "t_acc_macro": 2.0}


@pytest.mark.parametrize(
    ("shape", "some"),
    [
        (
            "bigcode_humaneval",
            {"humaneval_pass@1": 0.5304878048780488, "humaneval_pass@10": 0.7134146341463414},
        ),
        ("genai_perf", {"genai_perf_input_sequence_length_p99": 1045.0}),
        ("mtbench", {"mtbench:gpt-4_average_score": 6.84375, "mtbench:gpt-4_average_score_num_missing": 2.0}),
        ("safety_aegis", {"aegis_v2_safety_rate": 0.8716904276985743}),
    ],
)
def test_the_shapes_of_other_harnesses_are_read_without_a_loss(shape: str, some: dict[str, float]) -> None:
    document = load_yaml(SHAPES / f"{shape}.results.yml")
    assert isinstance(document, dict)
    found = scores(document["results"])

    assert found.adjustments == ()
    assert some.items() <= found.values.items()


def test_nested_groups_prefix_their_names() -> None:
    results = {"groups": {"g": {"groups": {"a": {"groups": {"b": task(s=1)}}}, **task(s=2)}}}

    assert values(results) == {"g_a_b_m_s": 1.0, "g_m_s": 2.0}


def test_statistics_of_a_score_and_of_its_metric_follow_its_name() -> None:
    metric = {"scores": {"m": {"value": 1, "stats": {"stderr": 0.1, "count": 3}}}, "stats": {"mean": 2}}

    assert values({"tasks": {"t": {"metrics": {"m": metric}}}}) == {
        "t_m": 1.0,
        "t_m_stderr": 0.1,
        "t_m_count": 3.0,
        "t_m_mean": 2.0,
    }


def test_a_statistic_that_is_no_number_is_told_and_one_that_is_absent_is_not() -> None:
    stats = {"stderr": None, "note": "high", "flag": True, "hist": {"a": 1}, "count": "7"}
    found = scores({"tasks": {"t": task(s={"value": 1, "stats": stats})}})

    assert dict(found.values) == {"t_m_s": 1.0, "t_m_s_count": 7.0}
    assert [note.field for note in found.adjustments] == [
        f"metric tasks.t.metrics.m.scores.s.stats.{name}" for name in ("note", "flag", "hist")
    ]


@pytest.mark.parametrize("value", [0.5, math.nan, math.inf])
def test_a_task_repeated_as_a_group_with_the_same_value_is_one_metric(value: float) -> None:
    found = scores({"groups": {"t": task(s=value)}, "tasks": {"t": task(s=value)}})

    assert [(key, repr(number)) for key, number in found.values.items()] == [("t_m_s", repr(value))]
    assert found.adjustments == ()


def test_of_two_values_the_group_has_the_plain_name_and_the_task_is_kept_beside_it() -> None:
    found = scores(
        {
            "tasks": {"t": task(s={"value": 2, "stats": {"stderr": 0.2}})},
            "groups": {"t": task(s={"value": 1, "stats": {"stderr": 0.1}})},
        }
    )

    assert dict(found.values) == {
        "t_m_s": 1.0,
        "t_m_s_task": 2.0,
        "t_m_s_stderr": 0.1,
        "t_m_s_task_stderr": 0.2,
    }
    (note,) = found.adjustments
    assert (note.before, note.after) == ("t_m_s", "t_m_s_task")
    assert note.reason == "t_m_s is 1.0, this is 2.0"


def test_scores_get_their_names_before_statistics() -> None:
    found = scores({"tasks": {"t": task(s={"value": 1, "stats": {"x": 9}}, s_x={"value": 2})}})

    assert dict(found.values) == {"t_m_s": 1.0, "t_m_s_x": 2.0, "t_m_s_x_task": 9.0}


def test_many_values_of_one_name_are_all_kept() -> None:
    groups = {
        "a": {"groups": {"b_c": task(s=1), "b": {"groups": {"c": task(s=2)}}}},
        "a_b": {"groups": {"c": task(s=3)}},
    }

    assert values({"groups": groups}) == {"a_b_c_m_s": 1.0, "a_b_c_m_s_group": 2.0, "a_b_c_m_s_2": 3.0}


@pytest.mark.parametrize("value", ["1e-05", " 0.5", True, 3])
def test_numeric_text_and_truth_values_are_numbers_as_the_launcher_has_it(value: object) -> None:
    assert values({"tasks": {"t": task(s=value)}}) == {"t_m_s": float(value)}  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["high", None, [1], 10**400])
def test_a_value_that_is_no_number_costs_itself_not_its_sibling_scores(value: object) -> None:
    found = scores({"tasks": {"t": task(a=value, b=1)}})

    assert dict(found.values) == {"t_m_b": 1.0}
    (note,) = found.adjustments
    assert note.field == "metric tasks.t.metrics.m.scores.a"
    assert note.after == ""
    assert len(note.before) <= 80


@pytest.mark.parametrize(
    ("odd", "place"),
    [
        ({"t": None}, "tasks.t"),
        ({"t": {"metrics": [1]}}, "tasks.t.metrics"),
        ({"t": {"metrics": {"m": None}}}, "tasks.t.metrics.m"),
        ({"t": {"metrics": {"m": {"scores": None}}}}, "tasks.t.metrics.m"),
        ({"t": {"metrics": {"m": {"scores": {"s": {}}}}}}, "tasks.t.metrics.m.scores.s"),
        ({"t": {"groups": 5}}, "tasks.t.groups"),
        ({"t": task(s={"value": 1, "stats": 5})}, "tasks.t.metrics.m.scores.s.stats"),
    ],
)
def test_an_odd_entry_costs_itself_only_and_its_place_is_told(odd: dict[str, Any], place: str) -> None:
    found = scores({"groups": None, "tasks": {**odd, "good": task(s=1)}})

    assert found.values["good_m_s"] == 1.0
    assert [note.field for note in found.adjustments] == [f"metric {place}"]


def test_empty_blocks_are_nothing_to_tell() -> None:
    empty = {"groups": {}, "tasks": {"t": {"metrics": None, "groups": None}, "u": {}}}

    assert scores(empty).adjustments == ()
    assert values(empty) == {}


@pytest.mark.parametrize("results", [None, [], "x", 5, {"tasks": None}, {"groups": {}}, {"other": task(s=1)}])
def test_results_that_hold_nothing_give_nothing(results: object) -> None:
    assert values(results) == {}


NAMES = st.sampled_from(["a", "b", "a_b", "m", "s", "stderr", 1, None])
NUMBERS: st.SearchStrategy[Any] = (
    st.floats(width=16) | st.integers(-2, 2) | st.sampled_from(["x", "1", None, True, [], 10**400])
)
STATS = st.dictionaries(NAMES, NUMBERS, max_size=2)
SCORES = st.dictionaries(
    NAMES, st.fixed_dictionaries({"value": NUMBERS}, optional={"stats": STATS}), max_size=3
)
METRICS = st.dictionaries(NAMES, st.fixed_dictionaries({"scores": SCORES}) | st.none(), max_size=2)
ENTRIES = st.recursive(
    st.fixed_dictionaries({"metrics": METRICS}),
    lambda inner: st.fixed_dictionaries(
        {"metrics": METRICS, "groups": st.dictionaries(NAMES, inner, max_size=2)}
    ),
    max_leaves=4,
)


def every_number(entry: Any) -> list[float]:
    found = [number for group in (entry.get("groups") or {}).values() for number in every_number(group)]
    for metric in (entry.get("metrics") or {}).values():
        for score in (metric or {"scores": {}})["scores"].values():
            stats = [stat for stat in score.get("stats", {}).values() if not isinstance(stat, bool)]
            found += [
                float(said) for said in (score["value"], *stats) if said not in ("x", None, [], 10**400)
            ]
    return found


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("groups", "tasks"), st.dictionaries(NAMES, ENTRIES, max_size=2))
    )
)
def test_no_number_is_lost_whatever_the_names(results: dict[str, Any]) -> None:
    found = scores(results)
    written = [
        number for section in results.values() for entry in section.values() for number in every_number(entry)
    ]

    assert {repr(number) for number in written if number} <= {
        repr(number) for number in found.values.values() if number
    }
    assert all(isinstance(key, str) for key in found.values)
