"""What a run still lacks of its plan."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import START, a_record, created, plan_of
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export import marks
from mlflow_rest_export.content import BytesContent, FileContent
from mlflow_rest_export.exporting.completion import is_complete, is_delivered, missing_files, missing_values
from mlflow_rest_export.exporting.receipt import NOTHING, Receipt, complete, read_receipt, updating
from mlflow_rest_export.planning.export_plan import ExportPlan, FileFacts
from mlflow_rest_export.records import Adjustment, Metric, RunStatus
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import StoredRun


@pytest.fixture
def store(tmp_path: Path) -> FileTracking:
    return FileTracking(tmp_path / "mlruns")


def lacks(
    store: FileTracking, stored: list[Metric], wanted: list[Metric], *, again: bool = True
) -> list[Metric]:
    """Give the points that a run with ``stored`` lacks of ``wanted``; once they are there it lacks none."""
    plan = plan_of(a_record(metrics=wanted), store)
    run = created(store, plan, "m")
    store.log_values(run.run_id, metrics=stored)
    missing = list(missing_values(plan, store.get_run(run.run_id), store, NOTHING).metrics)
    store.log_values(run.run_id, metrics=missing)
    if again:
        assert list(missing_values(plan, store.get_run(run.run_id), store, NOTHING).metrics) == []
    return missing


def test_equal_values_get_no_point_and_new_ones_theirs(store: FileTracking) -> None:
    there, new = Metric("a", 0.1, START), Metric("b", 0.2, START)

    assert lacks(store, [there], [there, new]) == [new]


def test_an_equal_value_of_another_time_gets_no_point(store: FileTracking) -> None:
    assert lacks(store, [Metric("a", 0.1, START)], [Metric("a", 0.1, START + 5)]) == []


@pytest.mark.parametrize("time", [START - 7, START, START + 7])
def test_a_corrected_value_becomes_the_latest(store: FileTracking, time: int) -> None:
    missing = lacks(store, [Metric("a", 0.9, START, 3)], [Metric("a", 0.1, time)])

    assert missing == [Metric("a", 0.1, max(time, START + 1), 3)]


def test_nan_equals_nan(store: FileTracking) -> None:
    points = [Metric("a", math.nan, START)]
    record = replace(a_record(metrics=points), verbatim_names=True)
    plan = plan_of(record, store)
    run = created(store, plan, "m")
    store.log_values(run.run_id, metrics=points)

    assert list(missing_values(plan, store.get_run(run.run_id), store, NOTHING).metrics) == []


def test_of_a_history_only_what_is_not_there_is_written(store: FileTracking) -> None:
    points = [Metric("loss", 1 / step, START + step, step) for step in range(1, 10)]

    assert lacks(store, points[:4], points) == points[4:]


def test_a_corrected_point_of_a_history_becomes_the_latest_of_its_step(store: FileTracking) -> None:
    before = [Metric("loss", 1 / step, START, step) for step in range(1, 5)]
    after = [*before[:2], replace(before[2], value=0.01), before[3]]

    missing = lacks(store, before, after)

    assert missing == [Metric("loss", 0.01, START + 1, 3)]
    assert lacks(store, [], before) == [Metric("loss", 1 / 3, START + 2, 3)]  # and back again


def test_a_single_value_beside_a_history_is_corrected_like_any_other(store: FileTracking) -> None:
    history = [Metric("loss", 1 / step, START + step, step) for step in range(1, 4)]

    missing = lacks(store, [*history, Metric("acc", 0.9, START)], [*history, Metric("acc", 0.1, START)])

    assert missing == [Metric("acc", 0.1, START + 1)]


def test_a_history_whose_file_was_copied_since_is_not_written_again(store: FileTracking) -> None:
    before = [Metric("loss", 1 / step, START, step) for step in range(1, 4)]

    assert lacks(store, before[:2], [replace(point, timestamp=START + 99) for point in before]) == [
        replace(before[2], timestamp=START + 99)
    ]


def test_points_without_steps_are_told_apart_by_their_times(store: FileTracking) -> None:
    points = [Metric("loss", 0.5, START + number) for number in range(5)]

    assert lacks(store, [points[0], points[3]], points) == [points[1], points[2], points[4]]


@given(
    wanted=st.lists(
        st.builds(
            Metric,
            st.sampled_from(["a", "b"]),
            st.sampled_from([0.0, 0.5, -1.0]),
            st.integers(START, START + 3),
            st.integers(-1, 2),
        ),
        max_size=12,
        unique=True,
    ),
    sent=st.integers(0, 12),
)
def test_after_a_broken_off_export_exactly_the_rest_is_missing(
    wanted: list[Metric], sent: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = FileTracking(tmp_path_factory.mktemp("store") / "mlruns")

    missing = lacks(store, wanted[:sent], wanted)

    keys = [point.key for point in wanted]
    if len(set(keys)) < len(keys):  # at least one history: every point counts
        growing = {
            key
            for key in keys
            if (steps := [point.step for point in wanted if point.key == key]) == sorted(set(steps))
        }
        exact = [point for point in wanted[sent:] if point.key not in growing]
        assert [point for point in missing if point.key not in growing] == exact


def test_params_that_exist_with_another_value_are_kept_and_told(store: FileTracking) -> None:
    plan = plan_of(a_record(params={"p": "new", "q": "2", "r": "3"}), store)
    run = created(store, plan, "m")
    store.log_values(run.run_id, params={"p": "old", "q": "2"}, tags={"t": "other"})

    missing = missing_values(plan, store.get_run(run.run_id), store, NOTHING)

    assert missing.params == {"r": "3"}
    assert missing.tags == {"t": "u"}
    reason = "the run has this param; MLflow never changes one"
    assert missing.adjustments() == [Adjustment("param p", "new", "old", reason)]


def ended(plan: ExportPlan, status: RunStatus, **tags: str) -> StoredRun:
    return StoredRun(
        run_id="r",
        experiment_id="1",
        status=status,
        artifact_uri="",
        tags={marks.DIGEST: plan.digest, **{f"mlflow_rest_export.{key}": tags[key] for key in tags}},
    )


def test_a_run_is_complete_when_it_bears_the_digest_and_is_finished(store: FileTracking) -> None:
    plan = plan_of(a_record(), store)

    assert is_complete(plan, ended(plan, RunStatus.FINISHED))
    assert not is_complete(plan, ended(plan, RunStatus.FINISHED, digest="older"))
    assert not any(
        is_complete(plan, ended(plan, status)) for status in RunStatus if status is not RunStatus.FINISHED
    )
    assert [is_delivered(ended(plan, status)) for status in RunStatus] == [False, False, True, False, False]


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.KILLED, RunStatus.RUNNING])
def test_an_evaluation_that_failed_is_complete_only_with_the_mark_of_a_whole_delivery(
    store: FileTracking, status: RunStatus
) -> None:
    plan = plan_of(replace(a_record(), status=status), store)

    assert not is_complete(plan, ended(plan, status))
    assert not is_complete(plan, ended(plan, status, complete="older"))
    assert not is_complete(plan, ended(plan, RunStatus.FINISHED, complete=plan.digest))
    assert is_complete(plan, ended(plan, status, complete=plan.digest))


FILES = {"a.txt": b"aaa", "b.txt": b"bbb", "c.txt": b""}


def sent(
    plan: ExportPlan, stored: dict[str, int | None], receipt: Receipt | None, *, of_this_data: bool = False
) -> list[str]:
    return [file.path for file in missing_files(plan, stored, receipt, of_this_data=of_this_data)]


def receipt_of(plan: ExportPlan) -> Receipt:
    hashes = {file.path: file.sha256 or "" for file in plan.files}
    return read_receipt(complete(plan, hashes, ()))


def test_of_a_first_broken_off_export_files_of_the_right_size_are_right(store: FileTracking) -> None:
    plan = plan_of(a_record(files=FILES), store)

    assert sent(plan, {"a.txt": 3, "b.txt": 2}, None, of_this_data=True) == ["b.txt", "c.txt"]
    assert sent(plan, {"a.txt": None, "b.txt": 3, "c.txt": 0}, None, of_this_data=True) == ["a.txt"]


def test_without_a_receipt_files_of_other_data_prove_nothing(store: FileTracking) -> None:
    plan = plan_of(a_record(files=FILES), store)

    assert sent(plan, {"a.txt": 3, "b.txt": 3, "c.txt": 0}, None) == list(FILES)


def test_a_complete_receipt_vouches_for_equal_bytes_of_files_that_are_still_there(
    store: FileTracking,
) -> None:
    before = plan_of(a_record(files={**FILES, "b.txt": b"BBB"}), store)
    after = plan_of(a_record(files={**FILES, "d.txt": b"d"}), store)

    assert sent(after, {"a.txt": 3, "b.txt": 3, "c.txt": 0}, receipt_of(before)) == ["b.txt", "d.txt"]
    assert sent(after, {"a.txt": 2, "b.txt": 3}, receipt_of(before)) == list(after_paths(after))
    assert sent(after, {"a.txt": None, "b.txt": 3, "c.txt": 0}, receipt_of(before)) == ["b.txt", "d.txt"]


def after_paths(plan: ExportPlan) -> Iterator[str]:
    return (file.path for file in plan.files)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"state": "complete", "files": 3}', b"\xff", b"[1]"])
def test_a_receipt_that_is_damaged_or_being_updated_vouches_for_nothing(
    store: FileTracking, data: bytes
) -> None:
    plan = plan_of(a_record(files=FILES), store)
    there: dict[str, int | None] = {"a.txt": 3, "b.txt": 3, "c.txt": 0}

    assert sent(plan, there, read_receipt(data), of_this_data=True) == list(FILES)
    assert sent(plan, there, read_receipt(updating(plan)), of_this_data=True) == list(FILES)


def test_a_large_file_is_read_rather_than_sent_again(store: FileTracking, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * 1000)
    large = FileFacts("large.bin", FileContent(path, 1000), None)
    plan = replace(plan_of(a_record(), store), files=(large,))
    told = {"large.bin": hashlib.sha256(b"x" * 1000).hexdigest()}
    receipt = read_receipt(complete(plan, told, ()))

    assert sent(plan, {"large.bin": 1000}, receipt) == []
    path.write_bytes(b"y" * 1000)
    assert sent(plan, {"large.bin": 1000}, receipt) == ["large.bin"]


def test_a_receipt_tells_everything_that_was_delivered(store: FileTracking) -> None:
    plan = plan_of(a_record(files=FILES), store)
    change = Adjustment("param p", "a\ud800", "b", "why")

    receipt = read_receipt(complete(plan, dict.fromkeys(FILES, "0" * 64), (change,)))

    assert (receipt.state, receipt.digest) == ("complete", plan.digest)
    assert {path: told.size for path, told in receipt.files.items()} == {
        path: len(data) for path, data in FILES.items()
    }
    assert receipt.adjustments == (replace(change, before="a?"),)
    assert BytesContent(FILES["a.txt"]).size == receipt.files["a.txt"].size
