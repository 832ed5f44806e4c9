"""Parts of a backlog."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.exporting.shards import Shard, shard_of
from mlflow_rest_export.records import Unreadable

ARRAY = {
    "SLURM_ARRAY_TASK_ID": "14",
    "SLURM_ARRAY_TASK_MIN": "10",
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


def test_a_task_outside_of_its_array_is_refused() -> None:
    with pytest.raises(SettingsError, match="task 99 is outside of its array of 4"):
        shard_of("slurm", {**ARRAY, "SLURM_ARRAY_TASK_ID": "99"})


def test_the_array_of_slurm_is_never_taken_without_asking() -> None:
    assert Shard(1, 1) == shard_of("1/1", ARRAY)
