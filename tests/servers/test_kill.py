"""SIGKILL at any point of an export, then the same export: one complete run."""

from __future__ import annotations

from pathlib import Path

import pytest
from attempts import Attempt, invocation
from fault_proxy import FaultProxy
from faults import Seen
from mlflow_server import MlflowServer, Variant
from processes import ExportingProcess, exporting_processes
from server_pool import Pool, Tally, newest
from stored_runs import StoredRuns

from mlflow_rest_export import marks

pytestmark = pytest.mark.kill

NAMES = ["a job", "another job"]


class Killer:
    """Kills a process when request ``number`` comes, before or after the server has seen it."""

    def __init__(self, process: ExportingProcess, number: int) -> None:
        self._process = process
        self._number = number

    def __call__(self, seen: Seen) -> None:
        if seen.number == self._number:
            self._process.kill()


def killed_at(server: MlflowServer, experiment: str, folder: Path, *, number: int, after: bool) -> list[str]:
    """Kill an export at one request, export again, and say what is wrong then."""
    with exporting_processes(1) as (process,):
        killer = Killer(process, number)
        hooks = {"after": killer} if after else {"before": killer}
        with FaultProxy(server.port, **hooks) as proxy:  # type: ignore[arg-type]
            process.order(uri=proxy.url, experiment=experiment, folder=str(folder), names=NAMES)
            died = process.answer() is None
    records = invocation(folder, *NAMES)
    results = Attempt(uri=server.url, experiment=experiment).export(*records)
    store = StoredRuns(server, experiment)
    wrong = [f"{one.label}: {what}" for one in records for what in store.faults(one)]
    wrong += [f"{result.label}: {result.error}" for result in results if result.error]
    return wrong if died else [*wrong, "the process was not killed"]


def test_a_kill_at_any_request_leaves_what_the_next_export_completes(
    pool: Pool, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    server = pool.get(newest(pool), Variant())
    with FaultProxy(server.port) as proxy:
        Attempt(uri=proxy.url, experiment=f"{experiment} clean").export(*invocation(tmp_path, *NAMES))
        requests = len(proxy.seen)
    wrong: dict[str, list[str]] = {}
    cases = 0

    for number in range(1, requests + 1, 1 if long_run else 4):
        for after in (False, True) if long_run else (number % 8 == 1,):
            case = f"{'after' if after else 'before'} {number}"
            found = killed_at(server, f"{experiment} {case}", tmp_path, number=number, after=after)
            cases += 1
            if found:
                wrong[case] = found

    tally.add(f"kills, MLflow {server.kind}, {requests} requests", cases, len(wrong))
    assert not wrong


def test_a_kill_at_any_change_of_a_file_leaves_a_folder_the_next_export_completes(
    tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    results = tmp_path / "results"
    clean = tmp_path / "mlruns clean"
    Attempt(uri=str(clean), experiment="e").export(*invocation(results, *NAMES))
    wrong: dict[int, str] = {}
    number = cases = 0

    while kill_at_change(number + 1, root := tmp_path / f"mlruns {number}", results):
        number += 1 if long_run else 11
        cases += 1
        again = Attempt(uri=str(root), experiment="e").export(*invocation(results, *NAMES))
        if points(root) != points(clean) or any(result.error for result in again):
            wrong[number] = f"{again} {sorted({*points(root)} ^ {*points(clean)})}"

    tally.add(f"kills, file store, about {number} changes", cases, len(wrong))
    assert cases > 10
    assert not wrong


def kill_at_change(number: int, root: Path, results: Path) -> bool:
    """Export into a new file store and die at one change; False when there were fewer changes."""
    with exporting_processes(1) as (process,):
        order = {"uri": str(root), "experiment": "e", "folder": str(results), "names": NAMES}
        process.order(**order, die_at=number)
        return process.answer() is None


def points(root: Path) -> list[str]:
    """Give every line of every metric of every run in a file store, and every file beside them by name.

    Left out is what a killed writer may leave: staged files, which no reader sees, and the claims of whoever
    took over.
    """
    found = []
    for path in root.glob("[0-9]*/*/**/*"):
        place = "/".join(path.relative_to(root).parts[2:])
        if path.is_dir() or "/." in f"/{place}" or marks.TAKEOVER in place:
            continue
        found += [place, *(path.read_text().splitlines() if place.startswith("metrics/") else [])]
    return sorted(found)
