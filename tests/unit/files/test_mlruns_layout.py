from __future__ import annotations

import itertools
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export.records import Dataset, Metric, RunStatus
from mlflow_rest_export.yaml_files import parse_yaml

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.builds(Metric, key=st.just("k"), value=st.floats(), timestamp=INT64, step=INT64))
def test_a_point_survives_its_line(point: Metric) -> None:
    again = layout.parse_metric_line(layout.metric_line(point), key="k")

    assert (point.timestamp, point.step) == (again.timestamp, again.step)
    assert point.value == again.value or (math.isnan(point.value) and math.isnan(again.value))


def test_lines_are_spelled_as_mlflow_spells_them() -> None:
    values = [0.1, 1.0, 1e-05, math.nan, math.inf, -math.inf]

    lines = [layout.metric_line(Metric("k", value, 17, 3)) for value in values]

    assert lines == ["17 0.1 3\n", "17 1.0 3\n", "17 1e-05 3\n", "17 nan 3\n", "17 inf 3\n", "17 -inf 3\n"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("17 0.5\n", Metric("k", 0.5, 17, 0)),
        ("17 1 3\n", Metric("k", 1.0, 17, 3)),
        ("17 0.5 3 gsm8k d1g3st\n", Metric("k", 0.5, 17, 3)),
        ("17 0.5 -3\n", Metric("k", 0.5, 17, -3)),
    ],
)
def test_lines_of_every_mlflow_are_understood(line: str, expected: Metric) -> None:
    assert layout.parse_metric_line(line, key="k") == expected


@pytest.mark.parametrize(
    "line", ["", "\n", "17", "x 0.5 3", "17 high 3", "17 0.5 3.5", f"{2**63} 0.5 0", f"1 1 {2**70}"]
)
def test_what_is_no_point_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        layout.parse_metric_line(line, key="k")


@pytest.mark.parametrize(("key", "parts"), [("a", ("a",)), ("a b/c.d", ("a b", "c.d")), (".a", (".a",))])
def test_a_key_is_a_path(key: str, parts: tuple[str, ...]) -> None:
    assert layout.key_parts(key) == parts


@pytest.mark.parametrize("key", ["", ".", "..", "../a", "/a", "a//b", "a/", "a/../b", "./a", "..a", "a\0"])
def test_a_key_that_is_not_its_own_path_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a file"):
        layout.key_parts(key)


@given(st.text())
def test_experiment_ids_fit_a_database_column_and_differ(name: str) -> None:
    ids = list(itertools.islice(layout.experiment_ids(name), 3))

    assert ids == list(itertools.islice(layout.experiment_ids(name), 3))
    assert len(set(ids)) == 3
    assert all(100_000_000 <= int(one) < 2**31 for one in ids)


def test_a_run_id_follows_from_experiment_and_key() -> None:
    def first(experiment: str, key: str) -> str:
        return next(layout.run_ids(experiment, key))

    assert first("1", "k") == first("1", "k")
    assert len({first("1", "k"), first("2", "k"), first("1", "j"), first("1", "\ud800")}) == 4
    assert layout.is_run_id(first("1", "k"))
    assert len(first("1", "k")) == 32
    assert len(set(itertools.islice(layout.run_ids("1", "k"), 5))) == 5


@pytest.mark.parametrize("text", ["", ".", "..", ".trash", "a/b", "a b", "-a", "a" * 257])
def test_what_mlflow_takes_for_no_id_is_none(text: str) -> None:
    assert not layout.is_run_id(text)
    assert not layout.is_experiment_id(text)


@given(
    st.dictionaries(
        st.text("abc_", min_size=1),
        st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_every_text_survives_a_meta_yaml(values: dict[str, object]) -> None:
    text = layout.meta_text(values)

    assert yaml.safe_load(text) == values
    assert parse_yaml(text, "meta.yaml") == values


def test_an_old_run_needs_no_run_id_no_name_and_no_lifecycle() -> None:
    old = {"run_uuid": "r", "experiment_id": 0, "name": "n", "start_time": 1, "end_time": None, "status": 3}

    meta = layout.RunMeta.model_validate(old)

    assert (meta.run_id, meta.experiment_id, meta.run_name, meta.status) == (
        "r",
        "0",
        "n",
        RunStatus.FINISHED,
    )
    assert meta.lifecycle_stage == layout.ACTIVE


def test_a_status_may_be_a_number_or_a_name_or_missing() -> None:
    common = {"run_id": "r", "experiment_id": "0", "start_time": 1}

    read = [
        layout.RunMeta.model_validate({**common, **more}).status
        for more in ({"status": 4}, {"status": "KILLED"}, {})
    ]

    assert read == [RunStatus.FAILED, RunStatus.KILLED, RunStatus.RUNNING]


def test_datasets_have_the_ids_that_mlflow_gives_them() -> None:
    data = Dataset("gsm8k", "d1g3st", "hf", "s")

    assert layout.dataset_id(data) == "cb9ecb448257dbde23e1cc7b20d5331a"  # as in fixtures/mlruns
    assert layout.input_meta(data)["tags"] == {}
    assert layout.dataset_meta(data)["schema"] is None
