"""Whole exports into a folder: what is there afterwards, and after doing it again."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import START, WISHES, Folder, a_record
from mlruns_stores import all_files

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import BytesContent, Content
from mlflow_rest_export.errors import ApiError, Interrupted, SourceError, StoreError, VerifyError
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.exporting.exporter import Habits
from mlflow_rest_export.exporting.file_facts import HASHED_UP_TO
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.records import Artifact, Dataset, Metric, RunRecord, RunStatus, Unreadable
from mlflow_rest_export.tracking.protocol import StoredRun

FILES = {"a.txt": b"aaa", "deep/b.txt": b"bbb", "empty": b""}
MEND = " (export again to mend it)"
HISTORY = [Metric("loss", 1 / step, START + step, step) for step in range(1, 4)]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mlruns")


def test_a_run_has_everything_and_is_finished(folder: Folder) -> None:
    (result,) = folder.export(a_record(files=FILES, metrics=HISTORY))

    run = folder.run()
    assert (result.outcome, result.run_id) == (Outcome.EXPORTED, run.run_id)
    assert (run.status, run.end_time, run.run_name) == (RunStatus.FINISHED, START + 1000, "run job")
    assert list(folder.store.metric_history(run.run_id, "loss")) == HISTORY
    assert run.params["p"] == "1"
    assert run.tags["t"] == "u"
    receipt = json.loads(folder.files()[marks.RECEIPT])
    assert {path: data for path, data in folder.files().items() if path != marks.RECEIPT} == FILES
    assert (receipt["state"], receipt["metrics"], set(receipt["files"])) == ("complete", 3, set(FILES))


def test_exporting_again_touches_nothing(folder: Folder) -> None:
    folder.export(a_record(files=FILES))
    before = all_files(folder.root)

    (result,) = folder.export(a_record(files=FILES))

    assert result.outcome is Outcome.UNCHANGED
    assert all_files(folder.root) == before


def test_changed_data_goes_into_the_same_run(folder: Folder) -> None:
    (first,) = folder.export(a_record(files=FILES, params={"p": "1", "q": "1"}))
    changed = a_record(
        files={**FILES, "a.txt": b"AAA"}, params={"p": "2", "r": "1"}, metrics=[Metric("acc", 0.1, START)]
    )

    (again,) = folder.export(changed)

    run = folder.run()
    assert (again.outcome, again.run_id) == (Outcome.EXPORTED, first.run_id)
    assert folder.files()["a.txt"] == b"AAA"
    assert run.metrics["acc"] == Metric("acc", 0.1, START + 1)
    assert {key: value for key, value in run.params.items() if len(key) == 1} == {
        "p": "1",
        "q": "1",
        "r": "1",
    }
    assert [change.field for change in again.adjustments] == ["param p", "param q"]
    assert json.loads(folder.files()[marks.RECEIPT])["adjustments"][0]["field"] == "param p"
    assert folder.export(changed)[0].outcome is Outcome.UNCHANGED


def test_with_skip_existing_a_finished_run_is_left_alone_and_an_unfinished_one_completed(
    folder: Folder,
) -> None:
    skipping = replace(folder, habits=Habits(skip_existing=True))
    folder.export(a_record())
    run = folder.run()

    (skipped,) = skipping.export(a_record(params={"p": "2"}))
    folder.store.update_run(run.run_id, status=RunStatus.FAILED, end_time=None, run_name="x")
    (completed,) = skipping.export(a_record())

    assert (skipped.outcome, skipped.run_id) == (Outcome.SKIPPED, run.run_id)
    assert completed.outcome is Outcome.EXPORTED
    assert folder.run().status is RunStatus.FINISHED


def test_a_run_without_files_has_a_receipt_too_unless_nothing_may_be_uploaded(folder: Folder) -> None:
    folder.export(a_record("one"))
    assert list(folder.files()) == [marks.RECEIPT]

    silent = replace(folder, root=folder.root.with_name("other"), wishes=replace(WISHES, log_artifacts=False))
    silent.export(a_record("two", files=FILES))
    assert silent.files() == {}


def test_an_evaluation_that_failed_is_exported_as_such_and_once(folder: Folder) -> None:
    failed = replace(a_record(), status=RunStatus.FAILED)

    outcomes = [folder.export(failed)[0].outcome for _ in range(2)]

    assert outcomes == [Outcome.EXPORTED, Outcome.UNCHANGED]
    assert folder.run().status is RunStatus.FAILED


def test_a_result_that_cannot_be_read_costs_itself_alone(folder: Folder, tmp_path: Path) -> None:
    missing = replace(
        a_record("missing"), artifacts=(replace(a_record(files=FILES).artifacts[0], content=tmp_path / "no"),)
    )

    results = folder.export(a_record("good"), Unreadable("bad", "no YAML"), missing)

    assert [result.outcome for result in results] == [Outcome.EXPORTED, Outcome.FAILED, Outcome.FAILED]
    assert str(results[1].error) == "no YAML"
    assert isinstance(results[2].error, SourceError)
    assert "no such file" in str(results[2].error).lower()
    assert len(folder.runs()) == 1


PASSES_OF_PLAN = 2
"""Times that a plan reads the points: the survey, and the table in the description."""


class Breaking:
    """A stream of points that breaks off, as a damaged file does."""

    def __init__(self, points: list[Metric], *, at: int) -> None:
        self._points = points
        self._at = at
        self._passes = itertools.count()

    def __iter__(self) -> Iterator[Metric]:
        planned = next(self._passes) < PASSES_OF_PLAN
        for number, point in enumerate(self._points):
            if number == self._at and not planned:
                raise SourceError("line 7: half a number")
            yield point


def test_a_failed_run_says_so_and_the_next_export_takes_it_back(folder: Folder) -> None:
    points = [Metric(f"m{number}", 0.5, START) for number in range(5)]
    broken = replace(a_record(), metrics=Breaking(points, at=3))

    (failed,) = folder.export(broken)
    marked = folder.run()
    (mended,) = folder.export(a_record(metrics=points))

    assert (failed.outcome, str(failed.error)) == (Outcome.FAILED, "line 7: half a number")
    assert (marked.status, marked.tags[marks.ERROR]) == (RunStatus.FAILED, "line 7: half a number")
    assert (mended.outcome, mended.run_id) == (Outcome.EXPORTED, failed.run_id)
    assert (folder.run().status, folder.run().tags[marks.ERROR]) == (RunStatus.FINISHED, "")
    assert len(folder.run().metrics) == 5


def test_a_bug_in_one_run_is_told_and_costs_no_other(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    bug = replace(a_record("bug"), start_time=None)  # type: ignore[arg-type]

    results = folder.export(bug, a_record("good"))

    assert [result.outcome for result in results] == [Outcome.FAILED, Outcome.EXPORTED]
    assert isinstance(results[0].error, TypeError)
    assert "unexpected error while exporting bug" in caplog.text


def test_children_name_the_run_of_their_parent_in_any_order(folder: Folder) -> None:
    parent = a_record("parent")
    children = [a_record(name, parent=parent.key) for name in ("a", "b")]

    folder.export(children[0], parent, children[1])

    ids = {run.tags[marks.KEY]: run for run in folder.runs()}
    above = ids[parent.key].run_id
    assert [ids[child.key].tags.get(mlflow_tags.PARENT) for child in children] == [above, above]
    assert mlflow_tags.PARENT not in ids[parent.key].tags


def test_a_child_exported_alone_finds_its_parent(folder: Folder) -> None:
    parent, child = a_record("parent"), a_record("child", parent="key:parent")

    folder.export(parent)
    folder.export(child)

    ids = {run.tags[marks.KEY]: run for run in folder.runs()}
    assert ids[child.key].tags[mlflow_tags.PARENT] == ids[parent.key].run_id


def test_a_child_that_came_first_is_tied_to_its_parent_by_the_next_export_of_both(folder: Folder) -> None:
    parent, child = a_record("parent"), a_record("child", parent="key:parent")
    folder.export(child)
    (lonely,) = folder.runs()

    results = folder.export(parent, child)

    ids = {run.tags[marks.KEY]: run for run in folder.runs()}
    assert mlflow_tags.PARENT not in lonely.tags
    assert [result.outcome for result in results] == [Outcome.EXPORTED, Outcome.UNCHANGED]
    assert ids[child.key].tags[mlflow_tags.PARENT] == ids[parent.key].run_id


def test_runs_that_are_each_others_parents_are_exported(folder: Folder) -> None:
    results = folder.export(a_record("a", parent="key:b"), a_record("b", parent="key:a"))

    assert [result.outcome for result in results] == [Outcome.EXPORTED, Outcome.EXPORTED]


def test_waves_do_not_change_what_is_exported(folder: Folder) -> None:
    small = replace(folder, habits=Habits(wave=2, workers=2))
    records = [a_record(f"r{number}", parent="key:r0" if number else None) for number in range(7)]

    results = small.export(*records)

    assert [result.label for result in results] == [record.label for record in records]
    assert {result.outcome for result in results} == {Outcome.EXPORTED}
    first = results[0].run_id
    tags = {run.tags[marks.KEY]: run.tags.get(mlflow_tags.PARENT) for run in folder.runs()}
    assert tags == {record.key: first if record.parent_key else None for record in records}


def test_the_same_result_twice_in_one_call_is_one_run(folder: Folder) -> None:
    results = folder.export(a_record(files=FILES), a_record(files=FILES))

    assert sorted(result.outcome.value for result in results) == ["exported", "unchanged"]
    assert len({result.run_id for result in results}) == 1
    assert folder.run().status is RunStatus.FINISHED


@pytest.mark.parametrize("attempt", range(3))
def test_exporters_at_the_same_time_leave_one_run_with_each_point_once(folder: Folder, attempt: int) -> None:
    del attempt
    records = [a_record(f"r{number}", files=FILES, metrics=HISTORY) for number in range(3)]
    together = threading.Barrier(6)

    def export(_: int) -> list[Outcome]:
        together.wait()
        return [result.outcome for result in folder.export(*records)]

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(itertools.chain(*pool.map(export, range(6))))

    assert sorted(outcome.value for outcome in outcomes) == ["exported"] * 3 + ["unchanged"] * 15
    assert len(folder.runs()) == 3
    for run in folder.runs():
        assert list(folder.store.metric_history(run.run_id, "loss")) == HISTORY
        assert run.status is RunStatus.FINISHED
        assert claims.is_claimed(run)


def test_a_signal_marks_what_is_under_way_and_the_next_export_completes_it(folder: Folder) -> None:
    conduct = Conduct.ordinary()

    class Signalled(Breaking):
        def __iter__(self) -> Iterator[Metric]:
            for number, point in enumerate(self._points):
                if number == self._at and next(self._passes) >= PASSES_OF_PLAN:
                    conduct.stop.set()
                    conduct.stop.check()
                yield point

    points = [Metric(f"m{number}", 0.5, START) for number in range(5)]
    record: RunRecord = replace(a_record(files=FILES), metrics=Signalled(points, at=2))

    with pytest.raises(Interrupted):
        folder.export(record, conduct=conduct)
    marked = folder.run()
    (again,) = folder.export(a_record(files=FILES, metrics=points))

    assert (marked.status, marked.tags[marks.ERROR]) == (RunStatus.KILLED, "interrupted")
    assert (again.outcome, again.run_id) == (Outcome.EXPORTED, marked.run_id)
    assert len(folder.run().metrics) == 5


def test_verify_reads_everything_back(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True))

    outcomes = [careful.export(a_record(files=FILES, metrics=HISTORY))[0].outcome for _ in range(2)]

    assert outcomes == [Outcome.EXPORTED, Outcome.UNCHANGED]


def test_verify_names_what_was_changed_or_lost_since(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True))
    points = [*HISTORY, Metric("acc", 0.5, START), Metric("lost", 1.0, START)]
    record = a_record(files={**FILES, "c.txt": b"ccc"}, metrics=points, params={"p": "1", "q": "2"})
    careful.export(record)
    run = folder.run()
    place = folder.root / run.experiment_id / run.run_id
    (place / "params/p").unlink()
    (place / "params/q").write_text("3")
    (place / "tags/t").write_text("v")
    (place / "metrics/lost").unlink()
    (place / "metrics/acc").write_text(f"{START} 0.25 0\n")
    (place / "metrics/loss").write_text(f"{START + 1} 1.0 1\n")
    (place / "artifacts/a.txt").write_bytes(b"xyz")
    (place / "artifacts/deep/b.txt").write_bytes(b"b")
    (place / "artifacts/c.txt").unlink()
    (place / "artifacts" / marks.RECEIPT).write_bytes(b"{}")

    (result,) = careful.export(record)

    assert isinstance(result.error, VerifyError)
    said = str(result.error).partition(": ")[2].removesuffix(MEND).split("; ")
    assert said == [
        "param p is missing",
        "param q has another value",
        "tag t has another value",
        "metric loss lacks 2 points",
        "metric acc lacks 1 points",
        "metric lost is missing",
        "artifact a.txt has other bytes",
        "artifact deep/b.txt has 1 bytes, not 3",
        "artifact c.txt is missing",
        "artifact mlflow_rest_export/receipt.json is not that of this export",
    ]


def test_verify_excuses_params_whose_old_value_the_receipt_tells(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True))
    folder.export(a_record(params={"p": "1"}, files=FILES))
    changed = a_record(params={"p": "2"}, files=FILES)

    outcomes = [careful.export(changed)[0].outcome for _ in range(2)]

    assert outcomes == [Outcome.EXPORTED, Outcome.UNCHANGED]


def test_a_lost_single_value_is_told_with_what_stands_there(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True))
    careful.export(a_record())
    run = folder.run()
    (folder.root / run.experiment_id / run.run_id / "metrics/acc").write_text(f"{START} 0.25 0\n")
    folder.store.update_run(run.run_id, status=RunStatus.FINISHED, end_time=None, run_name="x")

    (result,) = careful.export(a_record())

    assert str(result.error).endswith(f"metric acc is 0.25{MEND}")


def test_verify_excuses_where_and_by_whom_the_data_was_read_at_first(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True), wishes=replace(WISHES, user="one"))
    here = replace(a_record(params={"dir": "/here"}), volatile=frozenset({"dir"}))
    careful.export(here)
    by_another = replace(careful, wishes=replace(WISHES, user="another"))

    (result,) = by_another.export(replace(here, params={"dir": "/there"}))

    assert result.error is None
    assert result.outcome is Outcome.UNCHANGED


class Garbling(FileArtifacts):
    """A store that spoils a file on its way."""

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        spoilt = BytesContent(b"x" * content.size) if path == "a.txt" else content
        super().upload(run, path, spoilt)


def test_what_verify_found_spoilt_is_sent_again_by_the_next_export(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True))
    record = a_record(files=FILES)

    (spoilt,) = careful.export(record, artifacts=Garbling())
    marked = folder.run()
    (mended,) = careful.export(record)

    assert isinstance(spoilt.error, VerifyError)
    assert marked.status is RunStatus.FAILED
    assert mended.outcome is Outcome.EXPORTED
    assert folder.files()["a.txt"] == FILES["a.txt"]


def test_what_verify_found_lost_or_damaged_since_is_mended_by_the_next_export(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True))
    record = a_record(files=FILES)
    careful.export(record)
    run = folder.run()
    place = folder.root / run.experiment_id / run.run_id / "artifacts"
    (place / "a.txt").unlink()
    (place / "deep/b.txt").write_bytes(b"xyz")

    (found,) = careful.export(record)
    marked = folder.run()
    (mended,) = folder.export(record)

    assert isinstance(found.error, VerifyError)
    assert str(found.error).endswith(MEND)
    assert (marked.status, marked.tags[marks.ERROR][:3]) == (RunStatus.FAILED, "run")
    assert mended.outcome is Outcome.EXPORTED
    assert {path: data for path, data in folder.files().items() if path != marks.RECEIPT} == FILES
    assert careful.export(record)[0].outcome is Outcome.UNCHANGED


class ReadOnly(FileArtifacts):
    """A store that lets nobody write."""

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        del content
        raise ApiError(f"storing {path} in run {run.run_id}: no", status=403)


def test_whoever_may_not_write_is_told_what_verify_found(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    careful = replace(folder, habits=Habits(verify=True))
    record = a_record(files=FILES)
    careful.export(record)
    run = folder.run()
    (folder.root / run.experiment_id / run.run_id / "artifacts" / "a.txt").unlink()

    (found,) = careful.export(record, artifacts=ReadOnly())

    assert isinstance(found.error, VerifyError)
    assert "could not be reopened: storing mlflow_rest_export/receipt.json" in caplog.text


def test_of_an_evaluation_that_failed_what_verify_found_spoilt_is_sent_again(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True))
    record = replace(a_record(files=FILES), status=RunStatus.FAILED)

    (spoilt,) = careful.export(record, artifacts=Garbling())
    (mended,) = folder.export(record)

    assert isinstance(spoilt.error, VerifyError)
    assert mended.outcome is Outcome.EXPORTED
    assert folder.files()["a.txt"] == FILES["a.txt"]


class Breaks(FileArtifacts):
    """A store that is out of reach for one file, or for a complete receipt."""

    def __init__(self, *, at: str) -> None:
        self._at = at

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        if path == self._at and b"updating" not in b"".join(content.chunks()):
            raise StoreError(f"storing {path}: out of reach")
        super().upload(run, path, content)


def test_exports_of_failed_evaluations_that_broke_off_in_turns_never_look_complete(folder: Folder) -> None:
    one, other = (replace(a_record(files={"a.txt": text}), status=RunStatus.FAILED) for text in (b"1", b"2"))
    folder.export(other)

    for record, place in ((one, marks.RECEIPT), (other, "a.txt")):
        assert folder.export(record, artifacts=Breaks(at=place))[0].outcome is Outcome.FAILED
    (mended,) = folder.export(other)

    assert mended.outcome is Outcome.EXPORTED
    assert folder.files()["a.txt"] == b"2"


def test_a_large_file_is_hashed_on_its_way_and_not_sent_again(folder: Folder, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(b"0123456789" * (HASHED_UP_TO // 10 + 1))
    record = replace(
        a_record(files=FILES), artifacts=(Artifact("large.bin", large), *a_record(files=FILES).artifacts)
    )
    folder.export(record)
    receipt = json.loads(folder.files()[marks.RECEIPT])
    sent: list[str] = []

    class Noting(FileArtifacts):
        """Notes what is sent."""

        def upload(self, run: StoredRun, path: str, content: Content) -> None:
            sent.append(path)
            super().upload(run, path, content)

    (again,) = folder.export(replace(record, params={"p": "2"}), artifacts=Noting())

    assert receipt["files"]["large.bin"] == {
        "size": large.stat().st_size,
        "sha256": hashlib.sha256(large.read_bytes()).hexdigest(),
    }
    assert again.outcome is Outcome.EXPORTED
    assert sent == [marks.RECEIPT]
    assert json.loads(folder.files()[marks.RECEIPT])["files"] == receipt["files"]


def test_datasets_are_named_once(folder: Folder) -> None:
    record = replace(a_record(), datasets=(Dataset("gsm8k", "d1", "hf", "s", context="eval"),))

    folder.export(record)
    folder.store.update_run(folder.run().run_id, status=RunStatus.FAILED, end_time=1, run_name="x")
    folder.export(record)

    run = folder.run()
    assert len(list((folder.root / run.experiment_id / run.run_id / "inputs").iterdir())) == 1


def test_a_receipt_that_cannot_be_read_vouches_for_nothing(folder: Folder) -> None:
    folder.export(a_record(files=FILES))

    class Lost(FileArtifacts):
        """Lists the receipt, but cannot give it."""

        def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
            raise ApiError(f"reading {path} of {run.run_id}: gone", status=404)

    (result,) = folder.export(a_record(files={**FILES, "a.txt": b"AAA"}), artifacts=Lost())

    assert result.outcome is Outcome.EXPORTED
    assert folder.files()["a.txt"] == b"AAA"


def test_verify_tells_a_few_differences_and_counts_the_others(folder: Folder) -> None:
    careful = replace(folder, habits=Habits(verify=True))
    record = a_record(params={f"p{number}": "1" for number in range(15)})
    careful.export(record)
    run = folder.run()
    for number in range(15):
        (folder.root / run.experiment_id / run.run_id / f"params/p{number}").unlink()

    (result,) = careful.export(record)

    assert str(result.error).endswith(f"param p9 is missing and 5 more{MEND}")


def test_runs_with_many_files_make_waves_of_few_runs(folder: Folder) -> None:
    """What is known of each file is kept until its wave is done, so a wave holds so many files only."""
    read: list[str] = []

    def records() -> Iterator[RunRecord]:
        for name in "abcde":
            read.append(name)
            yield a_record(name, files={f"{number}.txt": b"x" for number in range(2)})

    exporter = replace(folder, habits=Habits(files=4)).exporter()
    seen = [len(read) for _ in exporter.export(records())]

    assert seen == [2, 2, 4, 4, 5]


def test_a_second_job_of_one_key_is_placed_although_its_parent_comes_later(folder: Folder) -> None:
    parent = a_record("parent")
    twice = [a_record("a"), a_record("a", parent=parent.key)]

    results = folder.export(parent, *twice)

    assert [result.error for result in results] == [None, None, None]
