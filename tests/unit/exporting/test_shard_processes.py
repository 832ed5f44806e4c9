"""A backlog shared by processes that know nothing of each other but their number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from launcher_folders import make_job

JOBS = 12
INVOCATION = "20261122_190618-feedbeef00000001"


@pytest.fixture
def backlog(tmp_path: Path) -> Path:
    """Make the jobs of one invocation."""
    for number in range(JOBS):
        job = make_job(tmp_path / "results" / INVOCATION / f"t.t.{number}")
        (job / "logs").mkdir()
        (job / "logs/stage.exit").write_text("0\n")
    return tmp_path / "results"


def start(backlog: Path, store: Path, shard: str, variables: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mlflow_rest_export", "export", str(backlog), "--shard", shard, "--json"]
    environment = {**os.environ, "HOME": str(store.parent), **variables}
    return subprocess.Popen(
        [*command, "--tracking-uri", str(store)], env=environment, stdout=subprocess.PIPE, text=True
    )


def outcomes(processes: list[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    """Wait for all processes, and give key and outcome of every run that one of them handled."""
    answers = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [(run["key"], run["outcome"]) for said in answers for run in json.loads(said)["runs"]]


def stored(store: Path) -> list[str]:
    return sorted(path.read_text() for path in store.glob("*/*/tags/mlflow_rest_export.key"))


@pytest.mark.parametrize("count", [1, 3, 5])
def test_processes_with_a_part_each_export_every_job_once(backlog: Path, tmp_path: Path, count: int) -> None:
    store = tmp_path / "mlruns"

    found = outcomes([start(backlog, store, f"{number}/{count}", {}) for number in range(1, count + 1)])

    assert Counter(outcome for _, outcome in found) == {"exported": JOBS}
    assert stored(store) == sorted(key for key, _ in found)
    assert len(set(stored(store))) == JOBS


def test_a_part_that_is_done_again_changes_nothing(backlog: Path, tmp_path: Path) -> None:
    store = tmp_path / "mlruns"
    first = outcomes([start(backlog, store, "1/2", {}), start(backlog, store, "2/2", {})])

    again = outcomes([start(backlog, store, "2/2", {})])

    assert {outcome for _, outcome in again} == {"unchanged"}
    assert stored(store) == sorted(key for key, _ in first)


def test_the_tasks_of_a_slurm_array_share_the_backlog_whatever_their_numbers_are(
    backlog: Path, tmp_path: Path
) -> None:
    store = tmp_path / "mlruns"
    numbers = {"MIN": "10", "MAX": "20", "STEP": "5", "COUNT": "3"}
    array = {f"SLURM_ARRAY_TASK_{name}": value for name, value in numbers.items()}

    processes = [
        start(backlog, store, "slurm", {**array, "SLURM_ARRAY_TASK_ID": str(task)}) for task in (10, 15, 20)
    ]

    assert Counter(outcome for _, outcome in outcomes(processes)) == {"exported": JOBS}
    assert len(set(stored(store))) == JOBS
