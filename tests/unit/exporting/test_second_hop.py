"""A run that goes over a folder arrives as if it were sent at once; what is changed there arrives, too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import START, WISHES, Folder, a_record
from mlruns_stores import all_files, records

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import Conflict, StoreError
from mlflow_rest_export.exporting.file_facts import facts_of
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.limits import for_server
from mlflow_rest_export.planning import plan
from mlflow_rest_export.planning.export_plan import ExportPlan, Wishes
from mlflow_rest_export.records import Metric, RunRecord, RunStatus
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import StoredRun

NOTE = "mlflow.note.content"
ALL = a_record(
    metrics=[Metric("acc", 0.5, START), Metric("f1", 0.6, START)], files={"a.txt": b"a", "b/c.txt": b"c"}
)


@pytest.fixture
def spool(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "spool")


@pytest.fixture
def target(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "target")


def on_the_way(folder: Folder, options: ReadOptions | None = None) -> RunRecord:
    (record,) = records(folder.root, options)
    return record


def planned(record: RunRecord, version: tuple[int, int, int] | None, wishes: Wishes = WISHES) -> ExportPlan:
    return plan.build(record, facts_of(record), wishes, for_server(version))


def told(planned: ExportPlan) -> Mapping[str, object]:
    """Give what a plan delivers."""
    return {
        "digest": planned.digest,
        "tags": planned.tags,
        "params": planned.params,
        "metrics": sorted(planned.metrics, key=lambda point: point.key),
        "files": {file.path: b"".join(file.content.chunks()) for file in planned.files},
        "changes": {(change.field, change.after) for change in planned.adjustments},
    }


LONG = "x" * 9000 + "THE END"
DIFFICULT = replace(
    a_record(
        metrics=[Metric(key, 1.0, START) for key in ("acc", "acc/math", "pass@1", "a__b", "x" * 240)],
        params={"big": LONG, "p": "1", "p/q": "2", "lo@ng/x": "3", "lo@ng": "4"},
        files={"f": b"1", "f/g": b"2", "mlflow_rest_export": b"3"},
    ),
    tags={"t": "1", "t/u": "2", "large": LONG, "mlflow.runName/x": "3"},
    description="what it is",
)


@pytest.mark.parametrize("version", [None, (1, 30, 1), (2, 22, 5), (3, 17, 2)])
def test_a_run_that_went_over_a_folder_is_planned_like_one_that_is_sent_at_once(
    spool: Folder, version: tuple[int, int, int] | None
) -> None:
    spool.export(DIFFICULT)

    assert told(planned(on_the_way(spool), version)) == told(planned(DIFFICULT, version))


def test_a_run_that_went_over_two_folders_is_planned_like_one_that_is_sent_at_once(
    spool: Folder, target: Folder
) -> None:
    spool.export(DIFFICULT)
    target.export(on_the_way(spool))

    assert told(planned(on_the_way(target), (3, 17, 2))) == told(planned(DIFFICULT, (3, 17, 2)))
    assert target.export(DIFFICULT)[0].outcome is Outcome.UNCHANGED


def test_the_settings_of_the_first_export_change_nothing_when_they_are_given_again(
    spool: Folder,
) -> None:
    wishes = replace(
        WISHES,
        tags={"more@": "1"},
        extra_metadata={"pass@1": "2"},
        run_name="named",
        description="text",
        log_metrics=("pass@",),
    )
    Folder(spool.root, wishes=wishes).export(DIFFICULT)

    over, at_once = (planned(one, (3, 17, 2), wishes) for one in (on_the_way(spool), DIFFICULT))

    assert told(over) == told(at_once)


def test_without_files_too_the_digest_is_the_same(spool: Folder) -> None:
    bare = replace(WISHES, log_artifacts=False)
    Folder(spool.root, wishes=bare).export(ALL)

    for options in (ReadOptions(), ReadOptions(copy_artifacts=False)):
        assert planned(on_the_way(spool, options), None, bare).digest == planned(ALL, None, bare).digest


def test_what_a_filter_held_back_comes_without_it(spool: Folder, target: Folder) -> None:
    spool.export(ALL)
    some = Folder(target.root, wishes=replace(WISHES, log_metrics=("acc",), log_artifacts=False))
    some.export(on_the_way(spool, ReadOptions(copy_artifacts=False)))
    assert (list(target.run().metrics), target.files()) == (["acc"], {})

    (result,) = target.export(on_the_way(spool))

    assert result.outcome is Outcome.EXPORTED
    assert list(target.run().metrics) == ["acc", "f1"]
    assert target.files().keys() == {"a.txt", "b/c.txt", marks.RECEIPT}
    assert target.export(on_the_way(spool))[0].outcome is Outcome.UNCHANGED
    assert target.export(ALL)[0].outcome is Outcome.UNCHANGED


def by_mlflow(run: Path) -> None:
    (run / "metrics/by_hand").write_text("17 0.5 0\n")


def by_renaming(run: Path) -> None:
    meta = run / "meta.yaml"
    meta.write_text(meta.read_text().replace("run_name: run job", "run_name: renamed"))


@pytest.mark.parametrize(
    ("change", "arrived"),
    [
        (by_mlflow, lambda target: target.run().metrics["by_hand"].value == 0.5),
        (by_renaming, lambda target: target.run().run_name == "renamed"),
        (
            lambda run: (run / f"tags/{NOTE}").write_text("reviewed"),
            lambda target: target.run().tags[NOTE] == "reviewed",
        ),
        (
            lambda run: (run / "params/new").write_text("1"),
            lambda target: target.run().params["new"] == "1",
        ),
        (
            lambda run: (run / "artifacts/a.txt").write_text("b"),
            lambda target: target.files()["a.txt"] == b"b",
        ),
    ],
)
def test_what_somebody_changes_in_the_folder_later_arrives(
    spool: Folder,
    target: Folder,
    change: Callable[[Path], object],
    arrived: Callable[[Folder], bool],
) -> None:
    spool.export(ALL)
    target.export(on_the_way(spool))
    change(spool.root / spool.run().experiment_id / spool.run().run_id)

    (result,) = target.export(on_the_way(spool))

    assert result.outcome is Outcome.EXPORTED
    assert arrived(target)
    assert target.export(on_the_way(spool))[0].outcome is Outcome.UNCHANGED


def test_what_our_own_client_adds_to_a_finished_run_breaks_its_seal(spool: Folder) -> None:
    spool.export(ALL)
    run = spool.run()
    spool.store.log_values(run.run_id, metrics=[Metric("human", 1.0, START)])
    spool.store.update_run(run.run_id, status=RunStatus.FINISHED, end_time=START, run_name=run.run_name)

    assert on_the_way(spool).digest is None


def test_an_update_in_the_folder_is_delivered_under_its_own_digest(spool: Folder) -> None:
    spool.export(ALL)
    newer = a_record(metrics=[Metric("acc", 0.7, START)], files={"a.txt": b"new"})
    spool.export(newer)

    assert planned(on_the_way(spool), None).digest == planned(newer, None).digest


@pytest.mark.parametrize("data", [b"no json", b'{"params": 1}'])
def test_a_damaged_file_of_full_values_goes_along_beside_the_new_one(spool: Folder, data: bytes) -> None:
    spool.export(a_record(params={"big": LONG}))
    run = spool.run()
    (spool.root / run.experiment_id / run.run_id / "artifacts" / marks.FULL_VALUES).write_bytes(data)

    files = told(planned(on_the_way(spool), (1, 30, 1)))["files"]

    assert isinstance(files, dict)
    assert files[marks.OTHER_FULL_VALUES] == data
    assert json.loads(files[marks.FULL_VALUES])["params"]["big"].endswith(" ...[cut]")


def test_each_child_comes_under_the_parent_of_its_own_experiment(tmp_path: Path) -> None:
    source, family = tmp_path / "source", (a_record("inv"), a_record("inv.0", parent="key:inv"))
    target = tmp_path / "target"
    names = ("exp", "exp2")
    for name in names:
        Folder(source, wishes=Wishes(experiment_name=name)).export(*family)

    Folder(target).export(*records(source))

    for name in names:
        runs = {run.run_name: run for run in Folder(target, wishes=Wishes(experiment_name=name)).runs()}
        assert runs["run inv.0"].tags["mlflow.parentRunId"] == runs["run inv"].run_id


def test_a_child_finds_its_parent_in_another_experiment(tmp_path: Path) -> None:
    parent = replace(a_record("inv"), experiment="above")
    child = replace(a_record("inv.0", parent="key:inv"), experiment="below")

    over, under = Folder(tmp_path / "target").export(parent, child)

    run = FileTracking(tmp_path / "target").get_run(under.run_id)
    assert run.tags["mlflow.parentRunId"] == over.run_id


def at(time: int, folder: Folder) -> Folder:
    return replace(folder, wishes=replace(WISHES, now=time))


OLD = a_record(metrics=[Metric("acc", 0.1, START)])
NEW = a_record(metrics=[Metric("acc", 0.9, START)])


def test_what_a_folder_kept_since_before_does_not_replace_what_was_exported_since(
    spool: Folder, target: Folder
) -> None:
    at(START, spool).export(OLD)
    at(START + 5000, target).export(NEW)

    (result,) = at(START + 9000, target).export(on_the_way(spool))

    assert result.outcome is Outcome.SKIPPED
    (change,) = (change for change in result.adjustments if change.field == "data")
    assert (change.before, change.after) == ("2023-11-14T22:13:20+00:00", "2023-11-14T22:13:25+00:00")
    assert target.run().metrics["acc"].value == 0.9


class Breaking(FileArtifacts):
    """A store that is out of reach for files."""

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        raise StoreError(f"storing {path} ({content.size} bytes) in run {run.run_id}: out of reach")


def test_newer_data_that_arrived_in_part_is_asked_for_again_and_not_replaced(
    spool: Folder, target: Folder
) -> None:
    at(START, spool).export(OLD)
    at(START, target).export(OLD)
    at(START + 5000, target).export(NEW, artifacts=Breaking())
    broken_off = all_files(target.root)

    (result,) = at(START + 9000, target).export(on_the_way(spool))
    kept = all_files(target.root)
    at(START + 9500, target).export(NEW)
    (after,) = at(START + 9900, target).export(on_the_way(spool))

    assert (result.outcome, result.run_id) == (Outcome.FAILED, target.run().run_id)
    assert isinstance(result.error, Conflict)
    assert "is FAILED and holds a part of data that was exported later than this" in str(result.error)
    assert "that export broke off or is still at work, so repeat it" in str(result.error)
    assert kept == broken_off
    assert after.outcome is Outcome.SKIPPED


def test_a_newer_evaluation_that_failed_is_whole_all_the_same(spool: Folder, target: Folder) -> None:
    at(START, spool).export(OLD)
    at(START + 5000, target).export(replace(NEW, status=RunStatus.FAILED))

    assert at(START + 9000, target).export(on_the_way(spool))[0].outcome is Outcome.SKIPPED


def test_what_a_folder_got_later_replaces_what_was_exported_before(spool: Folder, target: Folder) -> None:
    at(START, target).export(OLD)
    at(START + 5000, spool).export(NEW)

    (result,) = at(START + 9000, target).export(on_the_way(spool))

    assert result.outcome is Outcome.EXPORTED
    assert target.run().metrics["acc"].value == 0.9
    assert target.run().tags[marks.TIME] == str(START + 5000)


def test_results_themselves_and_what_was_changed_by_hand_are_never_too_old(
    spool: Folder, target: Folder
) -> None:
    at(START, spool).export(OLD)
    at(START + 5000, target).export(NEW)

    assert at(START, target).export(OLD)[0].outcome is Outcome.EXPORTED
    by_mlflow(spool.root / spool.run().experiment_id / spool.run().run_id)
    assert at(START, target).export(on_the_way(spool))[0].outcome is Outcome.EXPORTED


def test_the_same_data_is_completed_whenever_it_was_read(spool: Folder, target: Folder) -> None:
    at(START, spool).export(OLD)
    at(START + 5000, target).export(OLD)
    run = target.run()
    target.store.update_run(run.run_id, status=RunStatus.KILLED, end_time=START, run_name=run.run_name)

    assert target.export(on_the_way(spool))[0].outcome is Outcome.EXPORTED


@pytest.mark.parametrize("tag", ["", "x", "9" * 30])
def test_a_time_that_is_none_holds_nothing_back(spool: Folder, target: Folder, tag: str) -> None:
    for folder in (spool, target):
        at(START, folder).export(OLD if folder is spool else NEW)
        run = folder.run()
        (folder.root / run.experiment_id / run.run_id / "tags" / marks.TIME).write_text(tag)

    assert at(START, target).export(on_the_way(spool))[0].outcome is Outcome.EXPORTED


@pytest.mark.parametrize("names", [{"acc": "f1"}, {"acc": "x", "f1": "x"}])
def test_a_receipt_that_makes_one_name_of_two_is_not_believed(spool: Folder, names: dict[str, str]) -> None:
    spool.export(ALL)
    run = spool.run()
    receipt = spool.root / run.experiment_id / run.run_id / "artifacts" / marks.RECEIPT
    receipt.write_text(json.dumps({"names": {"metric": names}}))

    assert [point.key for point in on_the_way(spool).metrics] == ["acc", "f1"]


def test_a_metric_that_was_there_before_is_not_taken_for_its_successor(spool: Folder) -> None:
    spool.export(a_record(metrics=[Metric("acc", 0.1, START)]))
    newer = a_record(metrics=[Metric("acc", 0.9, START), Metric("acc/math", 0.8, START)])
    spool.export(newer)

    last = {point.key: point.value for point in on_the_way(spool).metrics}

    assert last == {"acc": 0.9, "acc/math": 0.8}
