"""Data that lost something since the last export: what stays in the run is told, and verified as told."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import START, WISHES, Folder, a_record
from mlruns_stores import all_files

from mlflow_rest_export import marks
from mlflow_rest_export.errors import VerifyError
from mlflow_rest_export.exporting.exporter import Habits
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.planning.export_plan import Wishes
from mlflow_rest_export.records import Metric, RunRecord, RunStatus

LEFT = "an earlier export left it, and nothing is removed from a run"
LEFT_POINTS = "points of an earlier export stay in its history; the newest value is the one shown"
SPOILT = "the store holds a point of it twice, and MLflow removes none"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder; what is exported to it is verified."""
    return Folder(tmp_path / "mlruns", habits=Habits(verify=True))


def exported(folder: Folder, *records: RunRecord, wishes: Wishes = WISHES) -> RunResult:
    """Export one after the other, each twice; each must arrive, be verified, and be unchanged then."""
    for record in records:
        (result,) = replace(folder, wishes=wishes).export(record)
        (again,) = replace(folder, wishes=wishes).export(record)
        assert (result.outcome, result.error) == (Outcome.EXPORTED, None)
        assert (again.outcome, again.error) == (Outcome.UNCHANGED, None)
    return result


def left(result: RunResult) -> list[tuple[str, str]]:
    return [(change.field, change.reason) for change in result.adjustments]


def told_in_receipt(folder: Folder) -> list[tuple[str, str]]:
    told = json.loads(folder.files()[marks.RECEIPT])["adjustments"]
    return [(change["field"], change["reason"]) for change in told]


def curve(values: Sequence[float]) -> list[Metric]:
    return [Metric("loss", value, START + step, step) for step, value in enumerate(values)]


def test_a_metric_a_param_and_a_file_that_are_no_longer_in_the_data_are_told(folder: Folder) -> None:
    points = [Metric("acc", 0.9, START), Metric("f1", 0.5, START)]
    before = a_record(metrics=points, params={"p": "1", "q": "2"}, files={"a.txt": b"a", "old.txt": b"o"})
    after = a_record(metrics=points[:1], params={"p": "1"}, files={"a.txt": b"a"})

    result = exported(folder, before, replace(after, tags={}))

    expected = [("metric f1", LEFT), ("param q", LEFT), ("tag t", LEFT), ("artifact old.txt", LEFT)]
    assert left(result) == expected
    assert told_in_receipt(folder) == expected
    assert [change.after for change in result.adjustments] == ["0.5", "2", "u", "old.txt"]
    again = exported(folder, a_record(metrics=points[:1], params={"p": "1"}, files={"a.txt": b"A"}))
    assert left(again) == [("metric f1", LEFT), ("param q", LEFT), ("artifact old.txt", LEFT)]


def test_what_comes_back_into_the_data_is_left_no_more(folder: Folder) -> None:
    points = [Metric("acc", 0.9, START), Metric("f1", 0.5, START)]
    whole, part = a_record(metrics=points), a_record(metrics=points[:1])

    assert left(exported(folder, whole, part, whole)) == []


def test_a_metric_that_became_odd_is_told_and_its_tag_is_emptied_when_it_is_a_number_again(
    folder: Folder,
) -> None:
    keeps_none = replace(WISHES, nan="tag")
    good, odd = (
        a_record(metrics=[Metric("acc", 0.9, START)]),
        a_record(metrics=[Metric("acc", math.nan, START)]),
    )
    better = a_record(metrics=[Metric("acc", 0.8, START)])

    middle = exported(folder, good, odd, wishes=keeps_none)
    tags = folder.run().tags
    exported(folder, better, wishes=keeps_none)

    assert ("metric acc", LEFT) in left(middle)
    assert (tags["nonfinite.acc"], folder.run().tags["nonfinite.acc"]) == ("NaN", "")
    assert folder.run().metrics["acc"].value == 0.8


def test_a_history_that_became_shorter_shows_its_new_end_and_tells_what_stays(folder: Folder) -> None:
    result = exported(
        folder, a_record(metrics=curve([0.9] * 10)), a_record(metrics=curve([0.4, 0.3, 0.2, 0.1]))
    )

    assert folder.run().metrics["loss"] == Metric("loss", 0.1, START + 10, 9)
    assert left(result) == [("metric loss", LEFT_POINTS)]


def test_a_history_that_became_longer_leaves_nothing_to_tell(folder: Folder) -> None:
    result = exported(folder, a_record(metrics=curve([0.9, 0.8])), a_record(metrics=curve([0.9, 0.7, 0.6])))

    assert left(result) == []
    assert folder.run().metrics["loss"].value == 0.6


def test_a_history_that_became_one_value_shows_it_and_tells_what_stays(folder: Folder) -> None:
    result = exported(folder, a_record(metrics=curve([0.9, 0.8])), a_record(metrics=curve([0.1])))

    assert left(result) == [("metric loss", LEFT_POINTS)]
    assert folder.run().metrics["loss"].value == 0.1


def test_of_points_at_one_step_and_time_the_newest_data_is_shown_though_its_value_is_lower(
    folder: Folder,
) -> None:
    before = [Metric("loss", 0.5, START), Metric("loss", 0.6, START + 1)]
    after = [before[0], Metric("loss", 0.4, START + 1)]

    result = exported(folder, a_record(metrics=before), a_record(metrics=after))

    assert folder.run().metrics["loss"] == Metric("loss", 0.4, START + 2)
    assert left(result) == [("metric loss", LEFT_POINTS)]


def test_what_was_left_is_told_though_the_export_that_left_it_broke_off(folder: Folder) -> None:
    before = a_record(metrics=[Metric("acc", 0.9, START), Metric("f1", 0.5, START)], files={"a": b"a"})
    after = a_record(metrics=[Metric("acc", 0.9, START)], files={"a": b"A", "b": b"b"})
    exported(folder, before)
    run = folder.run()
    exported(folder, after)
    receipt = folder.root / run.experiment_id / run.run_id / "artifacts" / marks.RECEIPT
    told = json.loads(receipt.read_bytes())
    receipt.write_text(json.dumps({"state": "updating", "delivered": told["delivered"]}))
    folder.store.update_run(run.run_id, status=RunStatus.FAILED, end_time=1, run_name="x")

    (result,) = folder.export(after)

    assert left(result) == [("metric f1", LEFT)]


def test_what_others_added_to_a_run_is_theirs(folder: Folder) -> None:
    record = a_record(files={"a.txt": b"a"})
    exported(folder, record)
    run = folder.run()
    folder.store.log_values(
        run.run_id,
        metrics=[Metric("human_score", 1.0, START)],
        params={"reviewer": "somebody"},
        tags={"reviewed": "yes", "mlflow.note.content": "a fine run"},
    )
    place = folder.root / run.experiment_id / run.run_id / "artifacts" / "plot.png"
    place.write_bytes(b"png")

    (unchanged,) = folder.export(record)
    changed = exported(folder, a_record(files={"a.txt": b"A"}))

    assert (unchanged.outcome, unchanged.error) == (Outcome.UNCHANGED, None)
    assert left(changed) == []
    assert folder.run().metrics["human_score"].value == 1.0


@pytest.mark.parametrize("metrics", [[Metric("acc", 0.5, START)], curve([0.9, 0.8])])
def test_a_point_that_a_store_holds_twice_is_found_by_verify_and_then_told(
    folder: Folder, metrics: list[Metric]
) -> None:
    record = a_record(metrics=metrics)
    exported(folder, record)
    run = folder.run()
    path = folder.root / run.experiment_id / run.run_id / "metrics" / metrics[0].key
    path.write_text(path.read_text() * 2)

    (found,) = folder.export(record)
    mended = exported(folder, record)

    assert isinstance(found.error, VerifyError)
    assert f"metric {metrics[0].key}: {SPOILT}" in str(found.error)
    assert left(mended) == [(f"metric {metrics[0].key}", SPOILT)]


def test_a_point_that_a_store_holds_twice_is_found_whatever_its_time(folder: Folder) -> None:
    points = curve([0.9, 0.8])[::-1]
    exported(folder, a_record(metrics=points))
    run = folder.run()
    path = folder.root / run.experiment_id / run.run_id / "metrics" / "loss"
    path.write_text(path.read_text() * 2)

    (found,) = folder.export(
        a_record(metrics=[replace(point, timestamp=point.timestamp + 7) for point in points])
    )

    assert f"metric loss: {SPOILT}" in str(found.error)
    assert "lacks" not in str(found.error)


def test_without_a_receipt_nothing_is_anybodys_leftover(folder: Folder) -> None:
    silent = replace(WISHES, log_artifacts=False)
    points = [Metric("acc", 0.9, START), Metric("f1", 0.5, START)]

    result = exported(folder, a_record(metrics=points), a_record(metrics=points[:1]), wishes=silent)

    assert left(result) == []


SILENT = replace(WISHES, log_artifacts=False)
KEPT = "the run has this param; MLflow never changes one"


@pytest.mark.parametrize("metrics", [[Metric("acc", 0.5, START)], curve([0.9, 0.8])])
def test_without_a_receipt_what_mlflow_cannot_change_is_told_each_time_and_never_written_again(
    folder: Folder, metrics: list[Metric]
) -> None:
    silent, (before, after) = (
        replace(folder, wishes=SILENT),
        (a_record(params={"p": value}, metrics=metrics) for value in "12"),
    )
    exported(folder, before, after, wishes=SILENT)
    run, key = folder.run(), metrics[0].key
    path = folder.root / run.experiment_id / run.run_id / "metrics" / key
    path.write_text(path.read_text() * 2)
    there = all_files(folder.root)

    (result,) = silent.export(after)

    assert (result.outcome, result.error) == (Outcome.UNCHANGED, None)
    assert left(result) == [("param p", KEPT), (f"metric {key}", SPOILT)]
    assert all_files(folder.root) == there


def test_a_run_without_files_lacks_no_receipt_when_it_was_exported_without_one(folder: Folder) -> None:
    silent, (one, two) = replace(folder, wishes=SILENT), (a_record(params={"p": value}) for value in "12")

    outcomes = [
        to.export(record)[0].outcome
        for to, record in ((silent, one), (folder, one), (folder, two), (silent, one), (folder, one))
    ]

    assert outcomes == [
        Outcome.EXPORTED,
        Outcome.UNCHANGED,
        Outcome.EXPORTED,
        Outcome.EXPORTED,
        Outcome.UNCHANGED,
    ]


def test_a_run_with_files_gets_them_and_a_receipt_after_an_export_without(folder: Folder) -> None:
    record = a_record(files={"a.txt": b"a"})
    exported(folder, record, wishes=SILENT)

    exported(folder, record)

    assert folder.files().keys() == {"a.txt", marks.RECEIPT}
