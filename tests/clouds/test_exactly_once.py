"""Faults, kills and races on every way to a cloud: each leaves exactly one whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attempts import invocation, record
from cloud_sweep import CloudSweep
from fault_proxy import FaultProxy
from processes import ExportingProcess, Killer, exporting_processes
from server_pool import Tally
from ways import Way

NAMES = ["a job", "another job"]
PROCESSES = 8


def test_a_fault_at_any_request_leaves_exactly_one_whole_run(
    way: Way, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    sweep = CloudSweep(
        attempt=way.attempt,
        stored=way.stored,
        proxies=way.proxies,
        forget=way.forget,
        wanted=record(tmp_path, files=3, metrics=5, steps=0, large=way.large),
    )

    sweep.run(experiment, long_run=long_run)

    tally.add(f"faults, {way.name}", sweep.cases, len(sweep.wrong))
    assert not sweep.wrong


def test_a_kill_at_any_request_leaves_what_the_next_export_completes(
    way: Way, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    way.forget()
    for result in way.attempt(f"{experiment} clean").export(*invocation(tmp_path, *NAMES, large=way.large)):
        assert result.error is None
    counts = [len(proxy.seen) for proxy in way.proxies]  # now: what is read later passes some of them, too
    wrong: dict[str, list[str]] = {}
    cases = 0

    for where, proxy in enumerate(way.proxies):
        for number in range(1, counts[where] + 1, 1 if long_run else 7):
            for after in (False, True) if long_run else (number % 2 == 0,):
                case = f"{where} {'after' if after else 'before'} {number}"
                found = _wrong_after_a_kill(
                    way, proxy, f"{experiment} {case}", tmp_path, number=number, after=after
                )
                cases += found is not None
                if found:
                    wrong[case] = found

    tally.add(f"kills, {way.name}", cases, len(wrong))
    assert not wrong


def _wrong_after_a_kill(
    way: Way, proxy: FaultProxy, experiment: str, folder: Path, *, number: int, after: bool
) -> list[str] | None:
    """Kill an export at one request, export again, and say what is wrong then.

    None when there was no such request: how many workers try a way that is closed depends on their timing.
    """
    way.forget()
    with exporting_processes(1) as (process,):
        killer = Killer(process, number)
        proxy.before, proxy.after = (None, killer) if after else (killer, None)
        process.order(**way.order(experiment), folder=str(folder), names=NAMES)
        died = process.answer() is None
    proxy.before = proxy.after = None
    for each in way.proxies:
        each.settle()
    if not died and len(proxy.seen) < number:
        return None
    wrong = [] if died else ["the process was not killed"]
    records = invocation(folder, *NAMES, large=way.large)
    results = way.attempt(experiment).export(*records)
    wrong += [f"{result.label}: {result.error}" for result in results if result.error]
    return wrong + [what for one in records for what in way.stored(experiment).faults(one)]


@pytest.fixture(scope="module")
def racers() -> Iterator[list[ExportingProcess]]:
    """Processes that export at the same time; starting them takes longer than a race."""
    with exporting_processes(PROCESSES) as processes:
        yield processes


def test_processes_that_export_the_same_at_once_leave_one_run_a_job(
    way: Way,
    racers: list[ExportingProcess],
    experiment: str,
    tmp_path: Path,
    long_run: bool,
    tally: Tally,
) -> None:
    way.forget()
    records = invocation(tmp_path, *NAMES, large=way.large)
    rounds = 20 if long_run else 1
    wrong: dict[int, list[str]] = {}

    for number in range(rounds):
        name = f"{experiment} {number}"
        for racer in racers:
            racer.order(**way.order(name), folder=str(tmp_path), names=NAMES)
        answers = [racer.answer() for racer in racers]
        store = way.stored(name)
        if found := store.faults_of_a_race(records, answers):
            wrong[number] = found

    tally.add(f"races of {PROCESSES}, {way.name}", rounds, len(wrong))
    assert not wrong
