"""Parts of a backlog."""

from __future__ import annotations

from pathlib import Path

import pytest
from folder_exports import Folder, a_record
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.exporting.shards import Shard, shard_of
from mlflow_rest_export.records import Unreadable

ARRAY = {
    "SLURM_ARRAY_TASK_ID": "14",
    "SLURM_ARRAY_TASK_MIN": "10",
    "SLURM_ARRAY_TASK_MAX": "16",
    "SLURM_ARRAY_TASK_STEP": "2",
    "SLURM_ARRAY_TASK_COUNT": "4",
}


@given(st.text(), st.integers(1, 60))
def test_each_result_belongs_to_exactly_one_part(label: str, count: int) -> None:
    holders = [number for number in range(1, count + 1) if Shard(number, count).holds(Unreadable(label, ""))]

    assert len(holders) == 1


def test_a_large_backlog_is_spread_evenly() -> None:
    sizes = [
        sum(Shard(number, 8).holds(Unreadable(f"job {job}", "")) for job in range(8000))
        for number in range(1, 9)
    ]

    assert all(900 < size < 1100 for size in sizes)


def test_a_parent_and_all_under_it_belong_to_one_part() -> None:
    parent = a_record("parent")
    family = [parent, *(a_record(f"job {job}", parent=parent.key) for job in range(20))]

    assert sum(any(map(Shard(number, 8).holds, family)) for number in range(1, 9)) == 1


def test_a_run_that_came_before_its_parent_is_linked_by_a_second_pass(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    family = [a_record("a"), a_record("b", parent="key:a"), a_record("c", parent="key:b")]
    for part in (family[2:], family[:2], family[2:]):
        results = folder.export(*part)

    runs = {run.run_name: run for run in folder.runs()}
    assert runs["run c"].tags["mlflow.parentRunId"] == runs["run b"].run_id
    assert results[0].outcome is Outcome.UNCHANGED


def test_a_part_is_written_as_number_and_count() -> None:
    assert Shard(3, 8) == shard_of("3/8", {})


@pytest.mark.parametrize("text", ["0/8", "9/8", "1/0", "3", "a/b", "1/2/3", "-1/2", "SLURM", ""])
def test_a_part_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--shard"):
        shard_of(text, ARRAY)


def test_slurm_counts_from_the_first_task_in_steps() -> None:
    assert Shard(3, 4) == shard_of("slurm", ARRAY)


@pytest.mark.parametrize("name", sorted(ARRAY))
def test_slurm_outside_of_an_array_is_refused(name: str) -> None:
    environment = {key: value for key, value in ARRAY.items() if key != name}

    with pytest.raises(SettingsError, match=f"no task of a Slurm array \\({name} is not set\\)"):
        shard_of("slurm", environment)


@pytest.mark.parametrize("task", ["3", "7"])
def test_an_array_with_gaps_is_refused_to_each_of_its_tasks(task: str) -> None:
    """``sbatch --array=3,7`` counts two tasks, in steps of one."""
    environment = {"ID": task, "MIN": "3", "MAX": "7", "STEP": "1", "COUNT": "2"}

    with pytest.raises(SettingsError, match="2 tasks from 3 to 7 are an array with gaps"):
        shard_of("slurm", {f"SLURM_ARRAY_TASK_{name}": value for name, value in environment.items()})


@pytest.mark.parametrize("last", ["9", "10"])
def test_an_array_may_end_within_a_step(last: str) -> None:
    """``sbatch --array=1-10:4`` is 1, 5 and 9."""
    environment = {"ID": "9", "MIN": "1", "MAX": last, "STEP": "4", "COUNT": "3"}

    assert Shard(3, 3) == shard_of(
        "slurm", {f"SLURM_ARRAY_TASK_{name}": value for name, value in environment.items()}
    )


def test_what_was_named_but_is_not_there_is_told_by_every_part() -> None:
    lost, inside = (
        Unreadable("no/such/file.json", ""),
        [Unreadable(f"job {number}", "") for number in range(20)],
    )

    parts = [list(Shard(number, 2).of([lost, *inside], named={"no/such/file.json"})) for number in (1, 2)]

    assert all(lost in part for part in parts)
    assert sum(map(len, parts)) == 22


@pytest.mark.parametrize("task", ["8", "13", "99"])
def test_a_task_outside_of_its_array_is_refused(task: str) -> None:
    with pytest.raises(SettingsError, match=f"task {task} is outside of its array of 4"):
        shard_of("slurm", {**ARRAY, "SLURM_ARRAY_TASK_ID": task})


def test_the_array_of_slurm_is_never_taken_without_asking() -> None:
    assert Shard(1, 1) == shard_of("1/1", ARRAY)
