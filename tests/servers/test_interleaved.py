"""Three exporters of one job whose requests come in an order drawn by lot: one run in the end, always."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from attempts import Attempt, invocation, record
from fault_proxy import FaultProxy
from faults import COMMITTED_LATE
from interleaving import Turns
from mlflow_server import MlflowServer
from server_pool import Tally
from stored_runs import StoredRuns

from mlflow_rest_export.exporting.outcomes import Outcome

pytestmark = pytest.mark.race

EXPORTERS = 3
NAMES = ["one", "two"]


LATE_CREATION = [0] * 3 + [1] * 6 + [0] * 2
"""Exporter 0 has searched (version, experiment, search); 1 does so, too, creates its two runs and looks;
then 0 creates its own, which 1 never sees."""


def wrong_after(
    server: MlflowServer, experiment: str, folder: Path, turns: Turns, exporters: int
) -> list[str]:
    """Let the exporters take their turns, and say what is wrong then."""
    records = invocation(folder, *NAMES)
    with turns.proxies(server.port, exporters) as proxies, ThreadPoolExecutor(exporters) as pool:
        attempts = [Attempt(uri=proxy.url, experiment=experiment, workers=1) for proxy in proxies]
        answers = list(pool.map(lambda attempt: attempt.export(*records), attempts))
    store = StoredRuns(server, experiment)
    wrong = [f"{one.label}: {what}" for one in records for what in store.faults(one)]
    results = [result for answer in answers for result in answer]
    wrong += [f"{result.label}: {result.error}" for result in results if result.error]
    outcomes = [result.outcome for result in results]
    if outcomes.count(Outcome.EXPORTED) != len(NAMES) or len(store.runs()) != len(NAMES):
        wrong.append(f"{[outcome.value for outcome in outcomes]}, {len(store.runs())} runs")
    return wrong and [*wrong, f"order {turns.order}"]


def test_whatever_the_order_of_requests_three_exporters_leave_one_run_a_job(
    server: MlflowServer, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    seeds = range(100 if long_run else 3)

    found = {
        seed: wrong_after(server, f"{experiment} {seed}", tmp_path, Turns(seed), EXPORTERS) for seed in seeds
    }

    wrong = {seed: faults for seed, faults in found.items() if faults}
    tally.add(f"interleaved exports of {EXPORTERS}, MLflow {server.kind}", len(seeds), len(wrong))
    assert not wrong


def test_a_run_created_after_everybody_else_has_looked_is_the_only_one_or_none(
    server: MlflowServer, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    """Which of the two has the smaller id is a matter of luck, so it is done several times."""
    seeds = range(20 if long_run else 5)
    for seed in seeds:
        requests.post(
            f"{server.url}/api/2.0/mlflow/experiments/create",
            json={"name": f"{experiment} {seed}"},
            timeout=30,
        ).raise_for_status()

    found = {
        seed: wrong_after(server, f"{experiment} {seed}", tmp_path, Turns(seed, first=LATE_CREATION), 2)
        for seed in seeds
    }

    wrong = {seed: faults for seed, faults in found.items() if faults}
    tally.add(f"creations after the look, MLflow {server.kind}", len(seeds), len(wrong))
    assert not wrong


def test_a_creation_that_failed_and_arrives_after_all_is_the_exporters_own(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    """Which of the two has the smaller id is a matter of luck here, too."""
    wanted = record(tmp_path)
    seeds = range(20 if long_run else 5)
    wrong = {}
    for seed in seeds:
        proxy.forget()
        proxy.inject(COMMITTED_LATE, path="runs/create$")
        (result,) = Attempt(uri=proxy.url, experiment=f"{experiment} {seed}").export(wanted)
        store = StoredRuns(server, f"{experiment} {seed}")
        found = store.faults(wanted)
        if found or result.outcome is not Outcome.EXPORTED or len(store.runs("DELETED_ONLY")) != 1:
            wrong[seed] = [*found, result.outcome.value, str(result.error)]

    tally.add(f"creations committed late, MLflow {server.kind}", len(seeds), len(wrong))
    assert not wrong
