"""Taking over a run that exists already, or waiting for whoever is at work on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from clocks import Clock, Waits
from folder_exports import START, a_record, created, plan_of

from mlflow_rest_export import marks
from mlflow_rest_export.errors import Interrupted
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.exporting.joining import Fate, Joiner
from mlflow_rest_export.exporting.owner import Owner
from mlflow_rest_export.records import Metric, RunStatus
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import StoredRun

ELSEWHERE = "another machine:12:34:token:x"


class Scene:
    """A run in a store, somebody who made it, and we who come later."""

    def __init__(self, root: Path) -> None:
        self.store = FileTracking(root)
        self.plan = plan_of(a_record(), self.store)
        self.clock = Clock()
        self.during: list[Callable[[], None]] = []
        self.waits = Waits(self.clock, meanwhile=self._meanwhile)
        self.joiner = Joiner(
            tracking=self.store, owner=Owner.of_this_process(), stop=self.waits, clock=self.clock
        )

    def _meanwhile(self) -> None:
        if self.during:
            self.during.pop(0)()

    def run(self, mark: str) -> StoredRun:
        return created(self.store, self.plan, mark)

    def end(self, run: StoredRun, status: RunStatus = RunStatus.FINISHED) -> None:
        self.store.update_run(run.run_id, status=status, end_time=1, run_name="x")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "mlruns")


def test_a_complete_run_is_left_alone(scene: Scene) -> None:
    run = scene.run(ELSEWHERE)
    scene.end(run)

    joined = scene.joiner.join(scene.plan, scene.store.get_run(run.run_id))

    assert (joined.fate, joined.mark) == (Fate.COMPLETE, "")
    assert joined.run.params == {}


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.KILLED])
def test_what_an_interrupted_export_left_is_taken_over_at_once(scene: Scene, status: RunStatus) -> None:
    run = scene.run(ELSEWHERE)
    scene.end(run, status)

    joined = scene.joiner.join(scene.plan, scene.store.get_run(run.run_id))

    assert joined.fate is Fate.OURS
    assert claims.owner_of(joined.run) == joined.mark
    assert scene.waits.seconds == []


def test_what_a_dead_process_of_this_machine_left_is_taken_over_at_once(scene: Scene) -> None:
    gone = Owner.of_this_process()  # never at work

    joined = scene.joiner.join(scene.plan, scene.run(gone.mark()))

    assert joined.fate is Fate.OURS


def test_a_run_somebody_is_at_work_on_is_not_touched(scene: Scene) -> None:
    other = Owner.of_this_process()
    with other.at_work():
        run = scene.run(other.mark())

        assert scene.joiner.join(scene.plan, run).fate is Fate.BUSY
    assert scene.store.get_run(run.run_id).params == {}


def test_a_run_of_another_tool_may_be_in_work(scene: Scene) -> None:
    run = replace(scene.run(ELSEWHERE), tags={"job_id": "1"})

    assert scene.joiner.join(scene.plan, run).fate is Fate.BUSY


def delivered_while_running(scene: Scene) -> StoredRun:
    """A run that holds an export from another machine whole, of a source that is still growing."""
    run = scene.run(ELSEWHERE)
    scene.store.log_values(
        run.run_id,
        params=claims.kept("an older digest", ELSEWHERE),
        tags={marks.DIGEST: "an older digest", marks.COMPLETE: "an older digest"},
    )
    return scene.store.get_run(run.run_id)


def test_a_run_is_taken_over_at_once_when_it_is_running_only_since_its_source_is(scene: Scene) -> None:
    joined = scene.joiner.join(scene.plan, delivered_while_running(scene))

    assert joined.fate is Fate.OURS


def test_somebody_who_has_claimed_such_a_run_for_newer_data_is_at_work_on_it(scene: Scene) -> None:
    run = delivered_while_running(scene)
    scene.store.log_values(run.run_id, params=claims.takeover(run, "a newer digest", ELSEWHERE))

    joined = scene.joiner.join(scene.plan, scene.store.get_run(run.run_id))

    assert joined.fate is Fate.BUSY


def test_of_two_who_find_the_same_left_over_run_one_gets_it(scene: Scene) -> None:
    found = scene.run(Owner.of_this_process().mark())
    second = replace(scene.joiner, owner=Owner.of_this_process())

    with scene.joiner.owner.at_work():
        first = scene.joiner.join(scene.plan, found)
        late = second.join(scene.plan, found)  # with what it read before

    assert (first.fate, late.fate) == (Fate.OURS, Fate.BUSY)


def test_a_run_can_be_taken_over_again_and_again(scene: Scene) -> None:
    run = scene.run(Owner.of_this_process().mark())
    for number in range(3):
        joined = replace(scene.joiner, owner=Owner.of_this_process()).join(scene.plan, run)
        assert joined.fate is Fate.OURS
        run = joined.run
        assert len(run.params) == number + 1

    assert sorted(run.params) == [marks.CLAIM, f"{marks.TAKEOVER}1", f"{marks.TAKEOVER}2"]


def test_superseded_and_deleted_runs_are_gone(scene: Scene) -> None:
    run = scene.run(ELSEWHERE)
    scene.store.log_values(run.run_id, params=claims.superseded())
    out = scene.store.get_run(run.run_id)
    scene.store.delete_run(run.run_id)
    deleted = scene.store.get_run(run.run_id)

    assert scene.joiner.join(scene.plan, out).fate is Fate.GONE
    assert scene.joiner.join(scene.plan, replace(deleted, params={})).fate is Fate.GONE


def test_a_run_deleted_since_it_was_read_is_gone(scene: Scene) -> None:
    run = scene.run(Owner.of_this_process().mark())
    scene.store.delete_run(run.run_id)

    assert scene.joiner.join(scene.plan, run).fate is Fate.GONE


def test_waiting_ends_when_the_run_is_complete(scene: Scene) -> None:
    run = scene.run(ELSEWHERE)
    scene.during = [lambda: None, lambda: scene.end(run)]

    joined = scene.joiner.wait(scene.plan, run, since=scene.clock.now)

    assert joined.fate is Fate.COMPLETE
    assert sum(scene.waits.seconds) == 1.0


def test_somebody_elsewhere_who_shows_no_sign_of_life_is_gone_after_a_minute(scene: Scene) -> None:
    run = scene.run(ELSEWHERE)

    joined = scene.joiner.wait(scene.plan, run, since=scene.clock.now)

    assert joined.fate is Fate.OURS
    assert 60 <= sum(scene.waits.seconds) <= 61


def test_the_minute_begins_when_somebody_was_first_seen_at_work(scene: Scene) -> None:
    run = scene.run(ELSEWHERE)
    scene.clock.pass_by(100)

    joined = scene.joiner.wait(scene.plan, run, since=scene.clock.now - 100)

    assert joined.fate is Fate.OURS
    assert scene.waits.seconds == []


@pytest.mark.parametrize("kind", ["tag", "point"])
def test_every_visible_change_is_a_sign_of_life(scene: Scene, kind: str) -> None:
    run = scene.run(ELSEWHERE)
    beat = scene.joiner.patience * 0.9 / scene.joiner.poll

    def work(number: int) -> None:
        point = Metric("loss", math.nan, START + number, number)
        if kind == "tag":
            scene.store.log_values(run.run_id, tags={"beat": str(number)})
        else:
            scene.store.log_values(run.run_id, metrics=[point])

    scene.during = [
        (lambda number=number: work(number) if number % beat == 0 else None)  # type: ignore[misc]
        for number in range(int(3 * beat))
    ]

    joined = scene.joiner.wait(scene.plan, run, since=scene.clock.now)

    assert joined.fate is Fate.OURS
    assert sum(scene.waits.seconds) > 3 * scene.joiner.patience * 0.9


def test_a_process_that_is_there_is_given_more_time(scene: Scene) -> None:
    other = Owner.of_this_process()
    with other.at_work():
        run = scene.run(other.mark())

        joined = scene.joiner.wait(scene.plan, run, since=scene.clock.now)

    assert joined.fate is Fate.OURS
    assert 600 <= sum(scene.waits.seconds) <= 601


def test_a_process_that_dies_is_not_waited_for(scene: Scene) -> None:
    other = Owner.of_this_process()
    with other.at_work():
        run = scene.run(other.mark())
        busy = scene.joiner.join(scene.plan, run)

    joined = scene.joiner.wait(scene.plan, busy.run, since=scene.clock.now)

    assert (busy.fate, joined.fate) == (Fate.BUSY, Fate.OURS)
    assert scene.waits.seconds == []


def test_a_signal_ends_the_waiting(scene: Scene) -> None:
    run = scene.run(ELSEWHERE)
    scene.during = [scene.waits.set]

    with pytest.raises(Interrupted):
        scene.joiner.wait(scene.plan, run, since=scene.clock.now)


class Forgetful(FileTracking):
    """A store that lets two write a param at once and keeps the one of the other."""

    def log_values(self, run_id: str, **values: object) -> None:
        params = values.get("params")
        if isinstance(params, dict) and not self.get_run(run_id).params:
            params = dict.fromkeys(params, f"kept:data:{ELSEWHERE}")
        super().log_values(run_id, params=params)  # type: ignore[arg-type]


def test_a_claim_is_read_back_where_a_store_may_take_two(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "mlruns")
    run = scene.run(Owner.of_this_process().mark())
    joiner = replace(scene.joiner, tracking=Forgetful(tmp_path / "mlruns"))

    assert joiner.join(scene.plan, run).fate is Fate.BUSY
