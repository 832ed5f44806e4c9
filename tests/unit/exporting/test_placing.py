"""Finding, creating, losing and taking over runs, in stores that fail or that others change meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import WISHES, Folder, a_record, created, plan_of

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.errors import ApiError, Conflict, Interrupted, NoAnswer
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.exporting.experiments import Experiments
from mlflow_rest_export.exporting.exporter import Exporter
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.owner import Owner
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.records import Lookup, RunRecord, RunStatus
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import Each, Experiment, NewRun, StoredRun

LOST = NoAnswer("searching for runs: host broke the connection", may_have_arrived=True)


class Troubled(FileTracking):
    """A folder in which something happens before a search, or a creation, is answered."""

    def __init__(
        self,
        root: Path,
        *,
        before_search: Callable[[int], None] = lambda _: None,
        after_create: Callable[[StoredRun], None] = lambda _: None,
    ) -> None:
        super().__init__(root)
        self._before_search = before_search
        self._after_create = after_create
        self.searches = 0

    def find_runs(
        self, experiment_id: str, lookups: Sequence[Lookup], *, each: Each = map
    ) -> Iterator[StoredRun]:
        self.searches += 1
        self._before_search(self.searches)
        return super().find_runs(experiment_id, lookups, each=each)

    def create_run(self, new: NewRun) -> StoredRun:
        run = super().create_run(new)
        self._after_create(run)
        return run


def export(store: FileTracking, *records: RunRecord) -> list[RunResult]:
    exporter = Exporter(
        tracking=store, artifacts=FileArtifacts(), conduct=Conduct.ordinary(), wishes=lambda _: WISHES
    )
    return list(exporter.export(records))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mlruns")


def test_a_search_that_fails_is_never_read_as_no_runs(folder: Folder) -> None:
    def fail(number: int) -> None:
        del number
        raise LOST

    results = export(Troubled(folder.root, before_search=fail), a_record("a"), a_record("b"))

    assert [result.error for result in results] == [LOST, LOST]
    assert folder.runs() == []


def test_a_look_that_fails_leaves_a_run_that_says_so_and_is_completed_later(folder: Folder) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise LOST

    (failed,) = export(Troubled(folder.root, before_search=fail), a_record())
    marked = folder.run()
    (completed,) = folder.export(a_record())

    assert failed.error is LOST
    assert (marked.status, marked.tags[marks.ERROR]) == (RunStatus.FAILED, str(LOST))
    assert (completed.outcome, completed.run_id) == (Outcome.EXPORTED, marked.run_id)


def test_a_signal_during_a_search_ends_the_export(folder: Folder) -> None:
    def stop(number: int) -> None:
        del number
        raise Interrupted("stopped by a signal")

    with pytest.raises(Interrupted):
        export(Troubled(folder.root, before_search=stop), a_record())


def test_a_new_run_that_somebody_superseded_is_replaced(folder: Folder) -> None:
    seen: list[str] = []

    def supersede(run: StoredRun) -> None:
        if not seen:
            folder.store.log_values(run.run_id, params=claims.superseded())
        seen.append(run.run_id)

    (result,) = export(Troubled(folder.root, after_create=supersede), a_record())

    assert result.outcome is Outcome.EXPORTED
    assert len(seen) == 2
    assert folder.run().run_id == result.run_id == seen[1]


def test_a_new_run_that_somebody_deleted_is_replaced(folder: Folder) -> None:
    seen: list[str] = []

    def delete(run: StoredRun) -> None:
        if not seen:
            folder.store.log_values(run.run_id, params=claims.superseded())
            folder.store.delete_run(run.run_id)
        seen.append(run.run_id)

    (result,) = export(Troubled(folder.root, after_create=delete), a_record())

    assert result.outcome is Outcome.EXPORTED
    assert folder.run().run_id == result.run_id == seen[1]


def test_an_export_whose_runs_are_superseded_again_and_again_gives_up(folder: Folder) -> None:
    def supersede(run: StoredRun) -> None:
        folder.store.log_values(run.run_id, params=claims.superseded())

    (result,) = export(Troubled(folder.root, after_create=supersede), a_record())

    assert isinstance(result.error, Conflict)
    assert "as fast as they are made" in str(result.error)
    assert folder.runs() == []


def test_a_new_run_that_somebody_took_over_is_waited_for(folder: Folder) -> None:
    """Somebody found our run before we had claimed it, took us for dead and is at work on it."""
    plan = plan_of(a_record(), folder.store)
    other = Owner.of_this_process()
    done = threading.Event()

    def complete(run_id: str) -> None:
        done.wait(0.3)
        folder.store.update_run(run_id, status=RunStatus.FINISHED, end_time=1, run_name="theirs")

    with other.at_work(), ThreadPoolExecutor(1) as pool:

        def take(run: StoredRun) -> None:
            folder.store.log_values(run.run_id, params=claims.takeover(run, plan.digest, other.mark()))
            pool.submit(complete, run.run_id)

        (result,) = export(Troubled(folder.root, after_create=take), a_record())

    assert result.outcome is Outcome.UNCHANGED
    assert folder.run().run_name == "theirs"
    assert "p" not in folder.run().params


def test_a_run_whose_owner_ends_without_completing_it_is_completed_by_whoever_waits(folder: Folder) -> None:
    record = a_record(files={"a.txt": b"a"})
    other = Owner.of_this_process()
    with other.at_work():
        run = created(folder.store, plan_of(record, folder.store), other.mark())
        waiting = ThreadPoolExecutor(1).submit(folder.export, record, a_record("another"))
        threading.Event().wait(0.7)
        assert not waiting.done()
        assert len(folder.runs()) == 2
        assert [one.status for one in folder.runs() if one.run_id != run.run_id] == [RunStatus.FINISHED]

    results = waiting.result(timeout=20)

    assert [result.outcome for result in results] == [Outcome.EXPORTED, Outcome.EXPORTED]
    assert results[0].run_id == run.run_id
    assert {one.status for one in folder.runs()} == {RunStatus.FINISHED}


def test_a_run_without_owner_and_key_is_taken_over_as_its_twin(folder: Folder) -> None:
    """The official exporter left a finished run of the same job."""
    store = folder.store
    experiment = store.create_experiment("exp")
    theirs = store.create_run(
        NewRun(
            experiment_id=experiment.experiment_id,
            run_name="theirs",
            start_time=1,
            tags={"job_id": "job.0", "invocation_id": "job"},
        )
    )
    store.log_values(theirs.run_id, params={"p": "0"})
    store.update_run(theirs.run_id, status=RunStatus.FINISHED, end_time=2, run_name="theirs")
    record = a_record()
    twin = {"job_id": "job.0"}
    ours = RunRecord(
        key=record.key,
        label="job.0",
        lookup=Lookup("invocation_id", "job"),
        run_name="ours",
        start_time=1,
        end_time=2,
        metrics=record.metrics,
        params={"p": "1"},
        tags={**twin, "invocation_id": "job"},
        twin=twin,
    )

    outcomes = [folder.export(ours)[0] for _ in range(2)]

    assert [one.outcome for one in outcomes] == [Outcome.EXPORTED, Outcome.UNCHANGED]
    assert {one.run_id for one in outcomes} == {theirs.run_id}
    assert [change.field for change in outcomes[0].adjustments] == ["param p"]
    assert folder.run().params["p"] == "0"
    assert not claims.is_of(folder.run(), folder.run().tags[marks.DIGEST])


class Counting(FileTracking):
    """A folder that counts how often it is asked for an experiment, and fails then as told."""

    def __init__(self, root: Path, *errors: Exception) -> None:
        super().__init__(root)
        self.asked = 0
        self._errors = list(errors)

    def find_experiment(self, name: str) -> Experiment | None:
        self.asked += 1
        if self._errors:
            raise self._errors.pop(0)
        return super().find_experiment(name)


def test_an_experiment_is_asked_for_once(tmp_path: Path) -> None:
    store = Counting(tmp_path / "mlruns")
    experiments = Experiments(store, restore=False)

    assert experiments.open("e") == experiments.open("e")
    assert store.asked == 1


def test_an_expected_experiment_is_looked_for_ahead_and_a_failure_is_told_when_it_is_opened(
    tmp_path: Path,
) -> None:
    there, failing = Counting(tmp_path / "a"), Counting(tmp_path / "b", LOST)
    with ThreadPoolExecutor(1) as pool:
        for store in (there, failing):
            experiments = Experiments(store, restore=False)
            experiments.expect("e", pool)
            if store is failing:
                with pytest.raises(NoAnswer):
                    experiments.open("e")
            assert experiments.open("e").name == "e"

    assert (there.asked, failing.asked) == (1, 2)


def test_a_refusal_is_not_asked_for_again_but_a_passing_fault_is(tmp_path: Path) -> None:
    refusal = ApiError("not allowed", status=403)
    refusing = Counting(tmp_path / "a", refusal, refusal)
    passing = Counting(tmp_path / "b", LOST, ApiError("busy", status=503))

    for store, asked in ((refusing, 1), (passing, 3)):
        experiments = Experiments(store, restore=False)
        for _ in range(2):
            with pytest.raises((ApiError, NoAnswer)):
                experiments.open("e")
        if store is passing:
            experiments.open("e")
        assert store.asked == asked


def test_a_deleted_experiment_is_refused_with_advice_or_restored(folder: Folder) -> None:
    folder.export(a_record())
    experiment = folder.store.find_experiment("exp")
    assert experiment is not None
    (folder.root / ".trash").mkdir(exist_ok=True)
    place = folder.root / experiment.experiment_id
    meta = place / "meta.yaml"
    meta.write_text(meta.read_text().replace("lifecycle_stage: active", "lifecycle_stage: deleted"))
    place.rename(folder.root / ".trash" / experiment.experiment_id)

    with pytest.raises(Conflict, match="--restore-experiment"):
        Experiments(folder.store, restore=False).open("exp")
    Experiments(folder.store, restore=True).open("exp")

    found = folder.store.find_experiment("exp")
    assert found is not None
    assert not found.deleted


def test_a_new_run_in_which_a_store_has_another_value_already_is_ours_all_the_same(folder: Folder) -> None:
    def set_param(run: StoredRun) -> None:
        folder.store.log_values(run.run_id, params={"p": "0"})

    (result,) = export(Troubled(folder.root, after_create=set_param), a_record(params={"p": "1", "q": "1"}))

    assert result.outcome is Outcome.EXPORTED
    assert [change.field for change in result.adjustments] == ["param p"]
    assert {key: value for key, value in folder.run().params.items() if len(key) == 1} == {"p": "0", "q": "1"}


def test_a_failure_is_not_marked_on_a_run_that_somebody_else_has_taken_over(folder: Folder) -> None:
    """Somebody elsewhere took us for dead, and completed the run before our own attempt failed."""

    def take_and_fail(number: int) -> None:
        if number == 2:
            (run,) = folder.runs()
            plan = plan_of(a_record(), folder.store)
            folder.store.log_values(run.run_id, params=claims.takeover(run, plan.digest, "elsewhere:1:2:3:4"))
            folder.store.update_run(run.run_id, status=RunStatus.FINISHED, end_time=1, run_name="theirs")
            raise LOST

    (result,) = export(Troubled(folder.root, before_search=take_and_fail), a_record())

    assert result.outcome is Outcome.FAILED
    assert (folder.run().status, folder.run().tags.get(marks.ERROR)) == (RunStatus.FINISHED, None)


class Laconic(FileTracking):
    """A folder that answers a creation without tags, and whose searches lag behind."""

    def create_run(self, new: NewRun) -> StoredRun:
        return replace(super().create_run(new), tags={})

    def find_runs(
        self, experiment_id: str, lookups: Sequence[Lookup], *, each: Each = map
    ) -> Iterator[StoredRun]:
        del experiment_id, lookups, each
        return iter(())


def test_our_own_run_takes_part_in_the_election_though_no_search_shows_it_yet(folder: Folder) -> None:
    (result,) = export(Laconic(folder.root), a_record())

    assert result.outcome is Outcome.EXPORTED
    assert folder.run().status is RunStatus.FINISHED


class Twofold(FileTracking):
    """A store in which a creation that was answered with an error, and repeated, has come to pass as well."""

    def create_run(self, new: NewRun) -> StoredRun:
        key = new.tags[marks.KEY]
        runs = []
        for number in (1, 2):
            made = super().create_run(replace(new, tags={**new.tags, marks.KEY: f"{key}{number}"}))
            super().log_values(made.run_id, tags={marks.KEY: key})
            runs.append(self.get_run(made.run_id))
        return max(runs, key=lambda run: run.run_id)


def test_a_creation_that_failed_and_came_to_pass_all_the_same_is_our_own_run(folder: Folder) -> None:
    (result,) = export(Twofold(folder.root), a_record(files={"a.txt": b"a"}))

    assert (result.outcome, result.error) == (Outcome.EXPORTED, None)
    assert folder.run().run_id == result.run_id
    assert (folder.run().status, folder.run().params["p"]) == (RunStatus.FINISHED, "1")


class Meeting(FileTracking):
    """A folder asked search by search, as servers are, in which two searches wait for each other."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.both = threading.Barrier(2, timeout=20)

    def find_runs(
        self, experiment_id: str, lookups: Sequence[Lookup], *, each: Each = map
    ) -> Iterator[StoredRun]:
        def one(lookup: Lookup) -> list[StoredRun]:
            self.both.wait()
            return list(super(Meeting, self).find_runs(experiment_id, [lookup]))

        return (run for found in each(one, lookups) for run in found)


def test_the_searches_for_several_invocations_are_under_way_together(folder: Folder) -> None:
    records = [replace(a_record(name), lookup=Lookup("invocation_id", name)) for name in ("a", "b")]

    results = export(Meeting(folder.root), *records)

    assert [result.outcome for result in results] == [Outcome.EXPORTED] * 2
