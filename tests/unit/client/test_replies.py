"""What servers answer, read strictly where it matters and tolerantly where hosts differ."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.errors import NotMlflow
from mlflow_rest_export.records import Metric, RunStatus
from mlflow_rest_export.tracking import replies
from mlflow_rest_export.tracking.replies import parse

RUN = {
    "info": {
        "run_id": "r1",
        "run_uuid": "r1",
        "experiment_id": "7",
        "run_name": "eval",
        "status": "FINISHED",
        "start_time": 1700000000000,
        "end_time": 1700000000001,
        "artifact_uri": "mlflow-artifacts:/7/r1/artifacts",
        "lifecycle_stage": "active",
        "unknown": {"field": 1},
    },
    "data": {
        "metrics": [{"key": "acc", "value": 0.1, "timestamp": 5, "step": 2}],
        "params": [{"key": "p", "value": "v"}],
        "tags": [{"key": "t", "value": "w"}],
    },
    "inputs": {},
}


def test_a_run_is_read_with_all_its_values() -> None:
    run = parse(replies.RunReply, {"run": RUN}, doing="reading").run.as_run()

    assert (run.run_id, run.experiment_id, run.run_name) == ("r1", "7", "eval")
    assert (run.status, run.start_time, run.end_time) == (RunStatus.FINISHED, 1700000000000, 1700000000001)
    assert run.artifact_uri == "mlflow-artifacts:/7/r1/artifacts"
    assert run.metrics == {"acc": Metric("acc", 0.1, 5, 2)}
    assert (run.params, run.tags, run.deleted) == ({"p": "v"}, {"t": "w"}, False)


def test_what_is_absent_or_null_is_empty() -> None:
    bare = {"info": {"run_uuid": "r1"}}
    null = {
        "info": {"run_id": None, "run_uuid": "r1", "end_time": None, "run_name": None, "artifact_uri": None},
        "data": {"metrics": None, "params": None, "tags": None},
    }
    for told in (bare, null, {**bare, "data": None}):
        run = parse(replies.RunFields, told, doing="reading").as_run()

        assert (run.run_id, run.run_name, run.end_time) == ("r1", "", None)
        assert (run.metrics, run.params, run.tags) == ({}, {}, {})
    assert parse(replies.RunsPage, {}, doing="searching") == replies.RunsPage()


def test_numbers_may_be_texts_and_ids_may_be_numbers() -> None:
    told = {
        "info": {"run_id": "r", "experiment_id": 7, "start_time": "1700000000000", "status": 3},
        "data": {
            "metrics": [{"key": "m", "value": "0.5", "timestamp": "5", "step": "9"}],
            "params": [{"key": "p"}],
        },
    }
    run = parse(replies.RunFields, told, doing="reading").as_run()

    assert (run.experiment_id, run.start_time, run.status) == ("7", 1700000000000, RunStatus.FINISHED)
    assert run.metrics == {"m": Metric("m", 0.5, 5, 9)}
    assert run.params == {"p": ""}


@pytest.mark.parametrize(
    ("text", "value"), [("NaN", math.nan), ("Infinity", math.inf), ("-Infinity", -math.inf)]
)
def test_numbers_that_json_lacks_come_as_texts(text: str, value: float) -> None:
    point = parse(replies.MetricReply, {"key": "m", "value": text}, doing="reading").as_metric()

    assert repr(point.value) == repr(value)


@pytest.mark.parametrize("status", RunStatus)
def test_a_status_comes_by_name_or_by_number(status: RunStatus) -> None:
    for told in (status.name, status.value):
        info = parse(replies.RunInfo, {"run_id": "r", "status": told}, doing="reading")

        assert info.status is status


def test_the_name_of_a_run_may_be_in_its_tag_alone() -> None:
    told = {"info": {"run_id": "r"}, "data": {"tags": [{"key": "mlflow.runName", "value": "eval"}]}}

    assert parse(replies.RunFields, told, doing="reading").as_run().run_name == "eval"


@pytest.mark.parametrize("stage", ["active", "deleted"])
def test_what_is_deleted_says_so(stage: str) -> None:
    run = parse(replies.RunFields, {"info": {"run_id": "r", "lifecycle_stage": stage}}, doing="reading")
    experiment = parse(
        replies.ExperimentFields, {"experiment_id": 1, "lifecycle_stage": stage}, doing="reading"
    )

    assert run.as_run().deleted is experiment.as_experiment().deleted is (stage == "deleted")


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ({}, "run"),
        ({"run": []}, "run"),
        ({"run": {"info": {}}}, "run.info"),
        ({"run": {"info": {"run_id": "r", "status": "DONE"}}}, "run.info.status"),
        ({"run": {"info": {"run_id": "r"}, "data": {"metrics": [{"value": 1}]}}}, "run.data.metrics.0.key"),
        ({"run": {"info": {"run_id": "r"}, "data": {"tags": {"a": "b"}}}}, "run.data.tags"),
        ({"run": {"info": {"run_id": "r", "start_time": "noon"}}}, "run.info.start_time"),
    ],
)
def test_an_answer_that_is_not_mlflows_names_the_place_and_no_value(told: object, place: str) -> None:
    with pytest.raises(NotMlflow) as error:
        parse(replies.RunReply, told, doing="reading run r")

    assert str(error.value).startswith(
        f"reading run r: the answer is not what MLflow answers here ({place}: "
    )
    assert "noon" not in str(error.value)
    assert error.value.status == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["run", "info", "data", "metrics", "key", "value", "run_id"]), inner
        )
    ),
    max_leaves=12,
)


@given(told=JSON)
def test_whatever_json_comes_it_is_read_or_refused_in_one_way(told: object) -> None:
    for kind in (replies.RunReply, replies.RunsPage, replies.MetricsPage, replies.FilesPage):
        with contextlib.suppress(NotMlflow):
            parse(kind, told, doing="reading")
