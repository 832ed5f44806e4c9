"""From a record to what will be sent."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import PlanError
from mlflow_rest_export.limits import STRICTEST, Limits, for_server
from mlflow_rest_export.planning.export_plan import ExportPlan, FileFacts, Wishes
from mlflow_rest_export.planning.fitting import CUT
from mlflow_rest_export.planning.plan import build
from mlflow_rest_export.records import Adjustment, Dataset, Lookup, Metric, RunRecord, RunStatus

NEWEST = for_server((3, 17, 2))
RECORD = RunRecord(
    key="nemo:abc.0",
    label="abc.0",
    lookup=Lookup("invocation_id", "abc"),
    run_name="eval-abc-mmlu",
    start_time=1_000,
    end_time=2_000,
    metrics=(Metric("mmlu_score_micro", 0.5, 2_000), Metric("mmlu_accuracy", 0.25, 2_000)),
    params={"model": "llama", "timestamp": "now"},
    tags={"invocation_id": "abc", "job_id": "abc.0", "task": "mmlu"},
    twin={"job_id": "abc.0"},
    volatile=frozenset({"timestamp"}),
)


def facts(*paths: str, data: bytes = b"data") -> tuple[FileFacts, ...]:
    return tuple(FileFacts(path, BytesContent(data), "sha") for path in paths)


def made(record: RunRecord = RECORD, *paths: str, limits: Limits = STRICTEST, **wishes: object) -> ExportPlan:
    return build(record, facts(*paths), Wishes(**wishes), limits)  # type: ignore[arg-type]  # by name


def reasons(plan: ExportPlan) -> list[tuple[str, str, str]]:
    return [(change.field, change.before, change.after) for change in plan.adjustments]


def full_values(plan: ExportPlan) -> object:
    (file,) = (file for file in plan.files if file.path == marks.FULL_VALUES)
    return json.loads(b"".join(file.content.chunks()))


def test_what_fits_arrives_as_it_is() -> None:
    record = replace(RECORD, metrics=(Metric("acc", 0.1, 7, 3),))
    plan = made(record, "artifacts/results.yml", experiment_name="exp", user="me")

    assert (plan.label, plan.key, plan.experiment, plan.run_name) == (
        "abc.0",
        record.key,
        "exp",
        "eval-abc-mmlu",
    )
    assert (plan.start_time, plan.end_time, plan.status) == (1_000, 2_000, RunStatus.FINISHED)
    assert plan.params == RECORD.params
    assert {key: value for key, value in plan.tags.items() if key != "mlflow.note.content"} == {
        **RECORD.tags,
        "mlflow.source.name": "mlflow-rest-export",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": "me",
        marks.KEY: RECORD.key,
        marks.DIGEST: plan.digest,
    }
    assert list(plan.metrics) == [Metric("acc", 0.1, 7, 3)]
    assert (plan.metric_points, plan.metric_keys, plan.single_points) == (1, 1, True)
    assert [file.path for file in plan.files] == ["artifacts/results.yml"]
    assert plan.size == 4
    assert plan.adjustments == ()


def test_metrics_are_read_anew_at_each_iteration_and_never_held() -> None:
    reads = []

    class Stream:
        def __iter__(self) -> Iterator[Metric]:
            reads.append(1)
            return (Metric("m", step / 2, step, step) for step in range(10_000))

    plan = made(replace(RECORD, metrics=Stream()))

    assert len(list(plan.metrics)) == len(list(plan.metrics)) == plan.metric_points == 10_000
    assert (plan.metric_keys, plan.single_points, len(reads)) == (1, False, 3)


@pytest.mark.parametrize("verbatim", [False, True])
def test_names_that_mlflow_refuses_are_changed_and_told(verbatim: bool) -> None:
    record = replace(
        RECORD,
        metrics=(Metric("pass@1", 0.5, 1),),
        params={"a%b": "1"},
        tags={**RECORD.tags, "x#y": "2"},
        verbatim_names=verbatim,
    )
    plan = made(record, "a#b.txt")

    assert [point.key for point in plan.metrics] == ["pass_at_1"]
    assert plan.params == {"a_b": "1"}
    assert plan.tags["x_y"] == "2"
    assert [file.path for file in plan.files] == ["a_b.txt"]
    assert reasons(plan) == [
        ("metric pass@1", "pass@1", "pass_at_1"),
        ("tag x#y", "x#y", "x_y"),
        ("param a%b", "a%b", "a_b"),
        ("artifact a#b.txt", "a#b.txt", "a_b.txt"),
    ]


@pytest.mark.parametrize("what", ["param", "tag"])
@pytest.mark.parametrize("over", [-1, 0, 1, 5000])
def test_a_value_over_the_limit_ends_up_whole_in_a_file(what: str, over: int) -> None:
    limits = replace(NEWEST, param_value=500, tag_value=700)
    longest = 500 if what == "param" else 700
    value = "ü" * (longest + over - 1) + "."
    values = {**RECORD.tags, "long": value}
    plan = made(
        replace(RECORD, tags=values) if what == "tag" else replace(RECORD, params=values), limits=limits
    )
    stored = (plan.tags if what == "tag" else plan.params)["long"]

    if over <= 0:
        assert stored == value
        assert (plan.files, plan.adjustments) == ((), ())
    else:
        assert stored == value[: longest - len(CUT)] + CUT
        assert len(stored) == longest
        assert full_values(plan) == {f"{what}s": {"long": value}}
        (change,) = plan.adjustments
        assert (
            change.reason
            == f"{len(value)} characters, the store keeps {longest}; whole in {marks.FULL_VALUES}"
        )


@pytest.mark.parametrize(("length", "kept"), [(166, 166), (167, 163), (400, 163), (600, 163)])
def test_a_value_is_cut_by_bytes_where_the_store_counts_them(length: int, kept: int) -> None:
    limits = replace(NEWEST, param_value=500, lengths_in_bytes=True)
    plan = made(replace(RECORD, params={"long": "中" * length}), limits=limits)

    if length == kept:
        assert (plan.params, plan.adjustments) == ({"long": "中" * length}, ())
    else:
        assert plan.params["long"] == "中" * kept + CUT
        assert full_values(plan) == {"params": {"long": "中" * length}}
        assert plan.adjustments[0].reason.startswith(f"{3 * length} bytes, the store keeps 500; whole in")


def test_nobody_is_sent_to_a_file_that_is_not_uploaded() -> None:
    plan = made(replace(RECORD, params={"p": "x" * 300}), "f", log_artifacts=False)

    assert plan.files == ()
    assert [change.reason for change in plan.adjustments] == ["300 bytes, the store keeps 250"]


def test_a_file_of_full_values_that_came_along_is_kept_beside_ours() -> None:
    record = replace(RECORD, params={"p": "x" * 300})
    plan = made(record, marks.RECEIPT, marks.FULL_VALUES, "mine")

    assert [file.path for file in plan.files] == [marks.OTHER_FULL_VALUES, "mine", marks.FULL_VALUES]
    assert full_values(plan) == {"params": {"p": "x" * 300}}


def test_characters_that_no_store_keeps_are_taken_out_and_told() -> None:
    plan = made(replace(RECORD, params={"p": "a\0b\ud800c"}, tags={**RECORD.tags, "t": "\0"}))

    assert plan.params == {"p": "ab?c"}
    assert plan.tags["t"] == ""
    assert [change.field for change in plan.adjustments] == ["tag t", "param p"]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ((), {"mmlu_score_micro", "mmlu_pass_at_1"}),
        (("pass@1",), {"mmlu_pass_at_1"}),
        (("pass_at_1",), {"mmlu_pass_at_1"}),
        (("PASS@",), {"mmlu_pass_at_1"}),
        (("Score", "nothing"), {"mmlu_score_micro"}),
        (("mmlu",), {"mmlu_score_micro", "mmlu_pass_at_1"}),
    ],
)
def test_log_metrics_keeps_what_contains_one_of_the_texts_in_any_case(
    filters: tuple[str, ...], kept: set[str]
) -> None:
    metrics = (Metric("mmlu_score_micro", 0.5, 1), Metric("mmlu_pass@1", 0.25, 1))
    lower = replace(RECORD, metrics=metrics)
    upper = replace(RECORD, metrics=[replace(point, key=point.key.upper()) for point in metrics])
    for record in (lower, upper):
        plan = made(record, log_metrics=filters)

        assert {point.key.lower() for point in plan.metrics} == kept
        assert plan.metric_points == len(kept)


def test_log_metrics_knows_a_metric_by_the_name_of_the_results_when_mlflow_has_another() -> None:
    stored = replace(RECORD, metrics=(Metric("mmlu_pass_at_1", 0.5, 1),), verbatim_names=True)

    assert [point.key for point in made(stored, log_metrics=("pass@1",)).metrics] == ["mmlu_pass_at_1"]


ODD = (Metric("n", math.nan, 1), Metric("i", math.inf, 1), Metric("m", -math.inf, 1), Metric("fine", 1.0, 1))


def test_odd_values_are_noted_in_tags_and_told() -> None:
    plan = made(replace(RECORD, metrics=ODD))

    assert [point.key for point in plan.metrics] == ["fine"]
    assert (plan.metric_points, plan.metric_keys) == (1, 1)
    assert {key: plan.tags[key] for key in plan.tags if key.startswith("nonfinite.")} == {
        "nonfinite.n": "NaN",
        "nonfinite.i": "Infinity",
        "nonfinite.m": "-Infinity",
    }
    assert reasons(plan) == [
        ("metric n", "NaN", "nonfinite.n"),
        ("metric i", "Infinity", "nonfinite.i"),
        ("metric m", "-Infinity", "nonfinite.m"),
    ]


def test_odd_values_are_left_out_and_told_where_no_tag_is_wanted() -> None:
    plan = made(replace(RECORD, metrics=ODD), nan="skip")

    assert not [key for key in plan.tags if key.startswith("nonfinite")]
    assert [after for _, _, after in reasons(plan)] == ["", "", ""]


def test_odd_values_are_an_error_where_that_is_wanted() -> None:
    with pytest.raises(PlanError, match="metric n is NaN; with nan: skip or nan: tag it would be left out"):
        made(replace(RECORD, metrics=ODD), nan="fail")


def test_odd_values_of_metrics_nobody_wants_are_no_error() -> None:
    plan = made(replace(RECORD, metrics=ODD), nan="fail", log_metrics=("fine",))

    assert [point.key for point in plan.metrics] == ["fine"]
    assert plan.adjustments == ()


def test_odd_values_within_a_curve_cost_only_themselves() -> None:
    curve = [Metric("loss", math.nan if step % 2 else float(step), step, step) for step in range(60)]
    plan = made(replace(RECORD, metrics=curve))

    assert [point.step for point in plan.metrics] == list(range(0, 60, 2))
    told = plan.tags["nonfinite.loss"]
    assert told.startswith("NaN at step 1, NaN at step 3, ")
    assert told.endswith(" and 10 more")


@pytest.mark.parametrize(("keeps", "verbatim"), list(product([True, False], repeat=2)))
def test_odd_values_are_kept_only_where_the_store_keeps_them_and_an_mlflow_had_them(
    keeps: bool, verbatim: bool
) -> None:
    limits = replace(NEWEST, keeps_nan=keeps, keeps_infinity=keeps)
    plan = made(replace(RECORD, metrics=ODD, verbatim_names=verbatim), limits=limits)

    assert plan.metric_points == (4 if keeps and verbatim else 1)


def test_user_tags_win_over_those_of_the_results() -> None:
    plan = made(tags={"task": "mine", "team": "a"}, description="why")

    assert (plan.tags["task"], plan.tags["team"]) == ("mine", "a")
    assert plan.tags["mlflow.note.content"].startswith("why")
    assert plan.adjustments == ()


@pytest.mark.parametrize(
    "name",
    [
        "invocation_id",
        "job_id",
        " job_id",
        "job_id ",
        "/job_id",
        "mlflow.runName",
        " mlflow.runName",
        "mlflow.parentRunId",
        marks.KEY,
        marks.DIGEST,
        marks.COMPLETE,
        f" {marks.COMPLETE}",
        "mlflow_rest__export.owner",
        "mlflow_rest#export.error",
    ],
)
def test_no_tag_of_the_user_can_break_what_finds_the_run_again(name: str) -> None:
    plan = made(tags={name: "broken"})

    assert "broken" not in plan.tags.values()
    assert [(field, before) for field, before, _ in reasons(plan)] == [(f"tag {name}", "broken")]
    assert (plan.tags["job_id"], plan.tags[marks.KEY]) == ("abc.0", RECORD.key)


@pytest.mark.parametrize("name", [marks.CLAIM, f"{marks.TAKEOVER}1", f" {marks.CLAIM}"])
def test_no_param_can_pass_for_a_claim(name: str) -> None:
    for plan in (
        made(replace(RECORD, params={name: "x"})),
        made(replace(RECORD, params={}), extra_metadata={name: "x"}),
    ):
        assert plan.params == {}
        assert reasons(plan) == [(f"param {name}", "x", "")]


def test_no_tag_of_the_results_can_pass_for_a_mark() -> None:
    plan = made(replace(RECORD, tags={**RECORD.tags, marks.COMPLETE: "x", f" {marks.OWNER}": "y"}))

    assert not {marks.COMPLETE, marks.OWNER} & set(plan.tags)
    assert [field for field, _, _ in reasons(plan)] == [f"tag {marks.COMPLETE}", f"tag  {marks.OWNER}"]


def test_a_run_name_of_the_results_own_tags_does_not_contradict_the_name() -> None:
    plan = made(replace(RECORD, tags={**RECORD.tags, "mlflow.runName": "other"}), run_name="mine")

    assert plan.run_name == "mine"
    assert "mlflow.runName" not in plan.tags


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("a\nb\t c ", "a b c"),
        ("\0", "nemo:abc.0"),
        ("", "nemo:abc.0"),
        ("n" * 251, "n" * 241 + CUT),
        ("n" * 250, "n" * 250),
    ],
)
def test_a_run_name_is_one_line_that_every_store_takes(wanted: str, name: str) -> None:
    plan = made(replace(RECORD, run_name=wanted))

    assert plan.run_name == name
    assert (plan.adjustments == ()) == (wanted == name)


def test_long_experiment_names_stay_apart() -> None:
    one, other = (made(experiment_name="e" * 300 + end) for end in "ab")

    assert len(one.experiment) == len(other.experiment) == 256
    assert one.experiment != other.experiment
    assert [field for field, _, _ in reasons(one)] == ["experiment name"]
    assert made(experiment_name="e" * 256).adjustments == ()


def test_a_record_of_another_mlflow_keeps_its_experiment_and_its_open_end() -> None:
    moved = replace(RECORD, experiment="theirs", end_time=None, verbatim_names=True)

    assert (made(moved).experiment, made(moved).end_time) == ("theirs", None)
    assert made(replace(RECORD, end_time=None)).end_time == 1_000
    assert made(replace(RECORD, start_time=-5, end_time=-3)).start_time == 0
    assert made(replace(RECORD, start_time=-5, end_time=-3)).end_time == 0


def test_datasets_are_named_where_the_server_knows_them_and_told_where_not() -> None:
    record = replace(RECORD, datasets=(Dataset("squad", "d1"),))

    assert made(record, limits=NEWEST).datasets == record.datasets
    old = made(record, limits=for_server((2, 3, 2)))
    assert old.datasets == ()
    assert reasons(old) == [("dataset squad", "d1", "")]


def test_what_the_source_changed_is_told_first() -> None:
    told = Adjustment("score", "x", "", "no number")
    plan = made(replace(RECORD, adjustments=(told,), params={"a%": "1"}))

    assert plan.adjustments[0] == told
    assert len(plan.adjustments) == 2


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The same content at another place."""

    data: bytes = b"data"
    path: Path = Path("/moved/here")

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        yield self.data[start:end]


def digest(record: RunRecord = RECORD, files: tuple[FileFacts, ...] = facts("f"), **more: object) -> str:
    limits = more.pop("limits", STRICTEST)
    assert isinstance(limits, Limits)
    return build(record, files, Wishes(**more), limits).digest  # type: ignore[arg-type]  # by name


def test_the_digest_knows_nothing_of_times_paths_places_limits_or_who_exports() -> None:
    later = replace(
        RECORD,
        start_time=9_000,
        end_time=None,
        label="elsewhere",
        metrics=[replace(point, timestamp=point.timestamp + 5) for point in RECORD.metrics],
        params={**RECORD.params, "timestamp": "later"},
    )
    same = {
        digest(),
        digest(later),
        digest(files=(FileFacts("f", Elsewhere(), "sha"),)),
        digest(user="somebody"),
        digest(experiment_name="other"),
        *(digest(limits=for_server(version)) for version in (None, (1, 30, 1), (2, 22, 5), (3, 17, 2))),
    }

    assert len(same) == 1


def test_the_digest_knows_everything_else() -> None:
    first, second = RECORD.metrics
    different = [
        digest(),
        digest(replace(RECORD, metrics=(first,))),
        digest(replace(RECORD, metrics=(first, replace(second, value=0.3)))),
        digest(replace(RECORD, metrics=(first, replace(second, step=1)))),
        digest(replace(RECORD, metrics=(first, replace(second, value=math.nan)))),
        digest(replace(RECORD, metrics=(first, replace(second, value=math.nan))), nan="skip"),
        digest(replace(RECORD, params={"model": "other"})),
        digest(replace(RECORD, tags={**RECORD.tags, "task": "gsm8k"})),
        digest(replace(RECORD, status=RunStatus.FAILED)),
        digest(replace(RECORD, description="d")),
        digest(replace(RECORD, parent_key="p")),
        digest(replace(RECORD, run_name="n")),
        digest(replace(RECORD, datasets=(Dataset("squad", "1"),))),
        digest(files=facts("g")),
        digest(files=(FileFacts("f", BytesContent(b"data"), "other"),)),
        digest(files=(FileFacts("f", BytesContent(b"longer"), None),)),
        digest(log_artifacts=False),
        digest(tags={"team": "a"}),
        digest(extra_metadata={"k": "v"}),
        digest(log_metrics=("accuracy",)),
    ]

    assert len(set(different)) == len(different)


CARRIED = replace(
    RECORD,
    digest="given",
    verbatim_names=True,
    tags={**RECORD.tags, "t_at_g": "1", mlflow_tags.NOTE: "said\n\n| metric | value |"},
)


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"run_name": RECORD.run_name, "description": "said", "nan": "skip", "experiment_name": "elsewhere"},
        {"tags": {"t@g": "1"}, "extra_metadata": dict(RECORD.params), "log_metrics": ("",)},
    ],
)
def test_a_digest_that_a_run_brings_along_is_kept_while_no_wish_changes_what_it_stands_for(
    wishes: dict[str, Any],
) -> None:
    plan = made(CARRIED, **wishes)

    assert plan.digest == "given"
    assert plan.tags[mlflow_tags.NOTE] == CARRIED.tags[mlflow_tags.NOTE]


@pytest.mark.parametrize(
    "wishes",
    [
        {"run_name": "other"},
        {"description": "other"},
        {"tags": {"t@g": "2"}},
        {"extra_metadata": {"new": "1"}},
        {"log_metrics": ("nothing is called so",)},
        {"log_artifacts": False},
    ],
)
def test_a_digest_that_a_run_brings_along_does_not_hide_what_a_wish_changes(
    wishes: dict[str, Any],
) -> None:
    plan = made(CARRIED, "f", **wishes)

    assert plan.digest not in {"given", made(replace(CARRIED, digest=None), "f").digest}


def test_a_run_that_was_delivered_without_files_keeps_its_digest_without_files() -> None:
    bare = replace(CARRIED, without_files=True)

    assert made(bare, log_artifacts=False).digest == made(bare).digest == "given"


TEXT = st.text(max_size=12) | st.text("x", min_size=245, max_size=255)
VALUES: st.SearchStrategy[Mapping[str, str]] = st.dictionaries(TEXT, TEXT, max_size=5)


@given(params=VALUES, tags=VALUES, wanted=VALUES, values=st.dictionaries(TEXT, st.floats(), max_size=5))
def test_whatever_comes_fits_and_what_is_not_there_is_told(
    params: Mapping[str, str], tags: Mapping[str, str], wanted: Mapping[str, str], values: Mapping[str, float]
) -> None:
    record = replace(
        RECORD,
        params=params,
        tags={**tags, **RECORD.tags},
        metrics=[Metric(key, value, 1) for key, value in values.items()],
    )
    plan = made(record, tags=wanted)
    told = {change.field for change in plan.adjustments}

    for values_, longest in ((plan.params, STRICTEST.param_value), (plan.tags, STRICTEST.tag_value)):
        assert all(
            len(key.encode()) <= 250 and len(value.encode()) <= longest for key, value in values_.items()
        )
    sent = {point.key: point.value for point in plan.metrics}
    assert all(math.isfinite(value) for value in sent.values())
    for what, before, after in (("param", params, plan.params), ("metric", values, sent)):
        for key, value in before.items():
            assert after.get(key) == value or f"{what} {key}" in told
    for key, value in {**record.tags, **wanted}.items():
        assert plan.tags.get(key) == value or f"tag {key}" in told or key == "mlflow.runName"


def test_a_filter_that_keeps_no_metric_is_told_with_the_names_of_some() -> None:
    record = replace(RECORD, metrics=[Metric(f"acc_{number}", 0.5, 1) for number in range(7)])

    (told,) = made(record, log_metrics=("acuracy", "f1")).adjustments

    assert told.before == "acc_0, acc_1, acc_2, acc_3, acc_4 and 2 more"
    assert told.reason == "log_metrics keeps none: acuracy, f1 is in no name"
    assert not made(replace(record, metrics=()), log_metrics=("acuracy",)).adjustments
