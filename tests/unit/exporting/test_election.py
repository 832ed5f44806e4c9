"""One run for one key, however many were created."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import a_record, created, plan_of

from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.exporting.election import RunsByIdentity, only_one
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import StoredRun


class Rivals:
    """Several runs with one key in one store."""

    def __init__(self, root: Path, number: int) -> None:
        self.store = FileTracking(root)
        self.plan: ExportPlan = plan_of(a_record(), self.store)
        self.ids = sorted(
            created(self.store, self.plan, f"m:{twin}", twin=twin).run_id for twin in range(number)
        )

    def runs(self) -> list[StoredRun]:
        return [self.store.get_run(run_id) for run_id in self.ids]

    def claim(self, place: int) -> None:
        run_id = self.ids[place]
        self.store.log_values(run_id, params=claims.kept(self.plan.digest, f"m:{place}"))

    def left(self) -> list[str]:
        return [run.run_id for run in self.runs() if not run.deleted]


@pytest.fixture
def rivals(tmp_path: Path) -> Callable[[int], Rivals]:
    return lambda number: Rivals(tmp_path / "mlruns", number)


def test_of_unclaimed_runs_the_smallest_id_is_left(rivals: Callable[[int], Rivals]) -> None:
    three = rivals(3)

    winner = only_one(three.store, three.runs())

    assert winner is not None
    assert three.left() == [winner.run_id] == three.ids[:1]


def test_a_claimed_run_wins_whatever_its_id(rivals: Callable[[int], Rivals]) -> None:
    three = rivals(3)
    three.claim(2)

    winner = only_one(three.store, three.runs())

    assert winner is not None
    assert three.left() == [winner.run_id] == three.ids[2:]


def test_a_run_claimed_after_the_look_wins_all_the_same(rivals: Callable[[int], Rivals]) -> None:
    three = rivals(3)
    looked = three.runs()
    three.claim(1)

    winner = only_one(three.store, looked)

    assert winner is not None
    assert three.left() == [winner.run_id] == [three.ids[1]]


def test_a_superseded_run_never_wins_and_is_deleted(rivals: Callable[[int], Rivals]) -> None:
    two = rivals(2)
    two.store.log_values(two.ids[0], params=claims.superseded())

    winner = only_one(two.store, two.runs())

    assert winner is not None
    assert two.left() == [winner.run_id] == [two.ids[1]]


def test_when_every_run_is_superseded_none_is_left(rivals: Callable[[int], Rivals]) -> None:
    one = rivals(1)
    one.store.log_values(one.ids[0], params=claims.superseded())

    assert only_one(one.store, one.runs()) is None
    assert one.left() == []


def test_a_rival_deleted_after_the_look_is_no_trouble(rivals: Callable[[int], Rivals]) -> None:
    two = rivals(2)
    looked = two.runs()
    two.store.delete_run(two.ids[1])

    winner = only_one(two.store, looked)

    assert winner is not None
    assert winner.run_id == two.ids[0]


def test_a_finished_run_is_preferred_to_one_under_way(rivals: Callable[[int], Rivals]) -> None:
    two = rivals(2)
    two.store.update_run(two.ids[1], status=RunStatus.FINISHED, end_time=1, run_name="x")

    winner = only_one(two.store, two.runs())

    assert winner is not None
    assert winner.run_id == two.ids[1]


class NoDeletions(FileTracking):
    """A store in which we may write, but not delete."""

    def delete_run(self, run_id: str) -> None:
        raise ApiError(f"deleting {run_id}: not allowed", status=403)


def test_where_deleting_is_refused_a_superseded_run_is_killed_and_stays_out(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    two = Rivals(root, 2)
    store = NoDeletions(root)

    winner = only_one(store, two.runs())

    assert winner is not None
    assert winner.run_id == two.ids[0]
    assert [run.status for run in two.runs()] == [RunStatus.RUNNING, RunStatus.KILLED]
    assert claims.is_superseded(two.runs()[1])
    again = only_one(store, two.runs())
    assert again is not None
    assert again.run_id == winner.run_id


def test_runs_are_found_by_their_key_alone(rivals: Callable[[int], Rivals]) -> None:
    two = rivals(2)
    other = plan_of(a_record("other"), two.store)

    known = RunsByIdentity(two.runs())

    assert [run.run_id for run in known.of(two.plan)] == two.ids
    assert known.of(other) == []


def test_what_a_search_found_is_not_replaced_by_what_we_remember(rivals: Callable[[int], Rivals]) -> None:
    one = rivals(1)
    (remembered,) = one.runs()
    one.store.log_values(one.ids[0], params=claims.superseded())
    known = RunsByIdentity(one.runs())

    known.add(remembered)

    assert [claims.is_superseded(run) for run in known.of(one.plan)] == [True]


def test_the_run_of_another_tool_is_taken_only_when_we_have_none(tmp_path: Path) -> None:
    store = FileTracking(tmp_path / "mlruns")
    plan = plan_of(a_record(), store)
    ours = created(store, plan, "m")
    twin = {"job_id": "a.0"}
    other = StoredRun(
        run_id="f" * 32,
        experiment_id=ours.experiment_id,
        status=RunStatus.FINISHED,
        artifact_uri="",
        tags=twin,
    )
    with_twin = replace(plan, twin=twin)

    assert RunsByIdentity([other]).of(with_twin) == [other]
    assert RunsByIdentity([other, ours]).of(with_twin) == [ours]
    assert RunsByIdentity([other]).of(plan) == []
