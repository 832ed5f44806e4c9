"""Faults, kills and races on the way to Databricks: after at most one re-run there is one whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attempts import Attempt, invocation, record
from databricks_standin.contents import differences, runs_of
from databricks_standin.logins import login
from databricks_standin.workspace import Workspace
from fault_proxy import FaultProxy
from faults import FAULTS, Kind
from processes import ExportingProcess, Killer, exporting_processes
from server_pool import Tally

from mlflow_rest_export.exporting.outcomes import Outcome, RunResult

SAMPLE = 5
"""Without --long every fifth request is broken."""
NAMES = ["a job", "another job"]
PROCESSES = 8


def _attempt(url: str, way: str, folder: Path, experiment: str, answer_timeout: float = 30.0) -> Attempt:
    connection = login(way, url, folder)
    return Attempt(
        uri="databricks", experiment=experiment, connection=connection, answer_timeout=answer_timeout
    )


def _order(url: str, way: str, folder: Path, experiment: str) -> dict[str, Any]:
    connection = login(way, url, folder)
    told = {"environment": dict(connection.environment), "home": connection.home}
    whole = {"uri": "databricks", "experiment": experiment, "connection": told}
    return {**whole, "folder": str(folder), "names": NAMES}


def _errors(results: list[RunResult]) -> list[str]:
    return [f"{result.label}: {result.error}" for result in results if result.error]


def test_a_fault_anywhere_leaves_exactly_one_whole_run(
    way: str, place: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    wanted = record(tmp_path)
    wrong = []
    cases = 0
    with Workspace(place) as workspace, FaultProxy(workspace.port) as proxy:
        assert not _errors(_attempt(proxy.url, way, tmp_path, "/Shared/clean").export(wanted))
        requests = len(proxy.seen)
        for case, name in enumerate(FAULTS):
            for number in range(
                1 + (0 if long_run else case % SAMPLE), requests + 1, 1 if long_run else SAMPLE
            ):
                experiment = f"/Shared/{name} {number}"
                proxy.forget()
                proxy.inject(FAULTS[name], number=number)
                patience = 0.8 if FAULTS[name].kind is Kind.STALL else 30.0
                (first,) = _attempt(proxy.url, way, tmp_path, experiment, patience).export(wanted)
                proxy.forget()
                (second,) = _attempt(proxy.url, way, tmp_path, experiment).export(wanted)
                cases += 1
                found = differences(workspace, experiment, wanted)
                if second.outcome not in {Outcome.EXPORTED, Outcome.UNCHANGED}:
                    found.append(f"re-run {second.outcome}: {second.error}")
                if first.outcome is Outcome.EXPORTED:
                    found += [
                        f"re-run wrote {seen.path}"
                        for seen in proxy.writes
                        if not seen.path.endswith("/token")
                    ]
                wrong += [f"{name} at {number} ({first.error}): {what}" for what in found]
    tally.add(f"faults, Databricks, {way}, {place}", cases, len(wrong))
    assert not wrong


def test_a_killed_exporter_leaves_runs_that_the_next_one_completes(
    way: str, place: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    records = invocation(tmp_path, *NAMES)
    wrong: list[str] = []
    cases = 0
    with Workspace(place) as workspace, FaultProxy(workspace.port) as proxy:
        assert not _errors(_attempt(proxy.url, way, tmp_path, "/Shared/clean").export(*records))
        requests = len(proxy.seen)
        for number in range(1, requests + 1, 1 if long_run else 3 * SAMPLE):
            for after in (False, True) if long_run else (number % 2 == 0,):
                experiment = f"/Shared/killed {'after' if after else 'before'} {number}"
                proxy.forget()
                with exporting_processes(1) as (process,):
                    killer = Killer(process, number)
                    proxy.before, proxy.after = (None, killer) if after else (killer, None)
                    process.order(**_order(proxy.url, way, tmp_path, experiment))
                    died = process.answer() is None
                proxy.before = proxy.after = None
                proxy.settle()
                found = [] if died else ["was not killed"]
                found += _errors(_attempt(proxy.url, way, tmp_path, experiment).export(*records))
                found += [what for one in records for what in differences(workspace, experiment, one)]
                wrong += [f"{experiment}: {what}" for what in found]
                cases += 1
    tally.add(f"kills, Databricks, {way}, {place}", cases, len(wrong))
    assert not wrong


@pytest.fixture(scope="module")
def racers() -> Iterator[list[ExportingProcess]]:
    """Processes that export at the same time; starting them takes longer than a race."""
    with exporting_processes(PROCESSES) as processes:
        yield processes


def test_processes_that_export_the_same_at_once_leave_one_run_a_job(
    way: str, place: str, racers: list[ExportingProcess], tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    records = invocation(tmp_path, *NAMES)
    rounds = 20 if long_run else 1
    wrong: dict[int, list[str]] = {}
    with Workspace(place) as workspace:
        for number in range(rounds):
            experiment = f"/Shared/race {number}"
            order = _order(workspace.url, way, tmp_path, experiment)
            for racer in racers:
                racer.order(**order)
            answers = [racer.answer() for racer in racers]
            found = [what for one in records for what in differences(workspace, experiment, one)]
            found += [str(run["error"]) for answer in answers for run in answer if run["error"]]
            ids = {run["run_id"] for answer in answers for run in answer}
            if len(ids) != len(NAMES) or len(runs_of(workspace, experiment)) != len(NAMES):
                found.append(f"{len(ids)} run ids told, {len(runs_of(workspace, experiment))} runs there")
            if found:
                wrong[number] = found
    tally.add(f"races of {PROCESSES}, Databricks, {way}, {place}", rounds, len(wrong))
    assert not wrong
