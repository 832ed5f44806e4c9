"""Eight processes export one invocation into one new experiment at the same time: one run a job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from attempts import invocation
from mlflow_server import MlflowServer, Variant
from processes import ExportingProcess, exporting_processes
from server_pool import Pool, Tally
from stored_runs import StoredRuns

pytestmark = pytest.mark.race

PROCESSES = 8
NAMES = ["job one", "job two"]


@pytest.fixture(scope="module")
def processes() -> Iterator[list[ExportingProcess]]:
    """The racers; starting them takes longer than a race."""
    with exporting_processes(PROCESSES) as racers:
        yield racers


def test_processes_that_export_the_same_at_once_leave_one_run_a_job(
    server: MlflowServer,
    pool: Pool,
    processes: list[ExportingProcess],
    experiment: str,
    tmp_path: Path,
    long_run: bool,
    tally: Tally,
) -> None:
    two_workers = Variant(files=server.variant.files, workers=2)
    busy = pool.get(server.version, two_workers) if long_run else server
    records = invocation(tmp_path, *NAMES)
    rounds = 20 if long_run else 2
    wrong: dict[int, list[str]] = {}

    for number in range(rounds):
        name = f"{experiment} {number}"
        if server.variant.files:  # two who create one experiment at once may get two of this name there
            requests.post(
                f"{busy.url}/api/2.0/mlflow/experiments/create", json={"name": name}, timeout=30
            ).raise_for_status()
        for process in processes:
            process.order(uri=busy.url, experiment=name, folder=str(tmp_path), names=NAMES)
        answers = [process.answer() for process in processes]
        store = StoredRuns(busy, name)
        if found := store.faults_of_a_race(records, answers):
            wrong[number] = found

    tally.add(f"races of {PROCESSES}, MLflow {server.kind}", rounds, len(wrong))
    assert not wrong
