"""Each fault at each request of an export to Databricks: after at most one re-run there is one whole run."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

import pytest
from attempts import Attempt, record
from databricks_standin.contents import differences
from databricks_standin.logins import login
from databricks_standin.stores import STORES
from databricks_standin.workspace import Workspace
from fault_proxy import FaultProxy
from faults import FAULTS, Kind

from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.records import RunRecord

SAMPLE = 5
"""Without --long every fifth request is broken."""


def export(
    url: str, way: str, folder: Path, experiment: str, wanted: RunRecord, patience: float = 30.0
) -> RunResult:
    attempt = Attempt(
        uri="databricks",
        experiment=experiment,
        connection=login(way, url, folder),
        answer_timeout=patience,
    )
    (result,) = attempt.export(wanted)
    return result


def test_a_fault_anywhere_leaves_exactly_one_whole_run(
    way: str, store: str, tmp_path: Path, long_run: bool
) -> None:
    wanted = record(tmp_path)
    wrong = []
    with Workspace(store) as workspace, FaultProxy(workspace.port) as proxy:
        export(proxy.url, way, tmp_path, "/Shared/clean", wanted)
        requests = len(proxy.seen)
        for case, name in enumerate(FAULTS):
            for number in range(
                1 + (0 if long_run else case % SAMPLE), requests + 1, 1 if long_run else SAMPLE
            ):
                experiment = f"/Shared/{name} {number}"
                proxy.forget()
                proxy.inject(FAULTS[name], number=number)
                patience = 0.8 if FAULTS[name].kind is Kind.STALL else 30.0
                first = export(proxy.url, way, tmp_path, experiment, wanted, patience)
                proxy.forget()
                second = export(proxy.url, way, tmp_path, experiment, wanted)
                found = differences(workspace, experiment, wanted)
                if second.outcome not in {Outcome.EXPORTED, Outcome.UNCHANGED}:
                    found.append(f"re-run {second.outcome}: {second.error}")
                if first.outcome is Outcome.EXPORTED:
                    found += [
                        f"re-run wrote {seen.path}" for seen in proxy.writes if "/oidc/" not in seen.path
                    ]
                wrong += [f"{name} at {number} ({first.error}): {what}" for what in found]
    assert not wrong


@pytest.mark.parametrize("way", ["pat", "machine"])
def test_a_killed_exporter_leaves_a_run_that_the_next_one_completes(
    way: str, tmp_path: Path, long_run: bool
) -> None:
    wanted = record(tmp_path)
    chance = random.Random(way)
    fork = multiprocessing.get_context("fork")
    with Workspace(chance.choice(STORES)) as workspace:
        export(workspace.url, way, tmp_path, "/Shared/clean", wanted)
        requests = len(workspace.asked)
        for number in range(1, requests + 1, 1 if long_run else SAMPLE):
            experiment = f"/Shared/killed {number}"
            with FaultProxy(workspace.port) as proxy:
                proxy.inject(FAULTS[chance.choice(["stall_before", "stall_after"])], number=number)
                process = fork.Process(
                    target=export, args=(proxy.url, way, tmp_path, experiment, wanted), daemon=True
                )
                process.start()
                while process.is_alive() and not any(seen.fault for seen in proxy.seen):
                    process.join(0.02)
                process.kill()
                process.join()
            second = export(workspace.url, way, tmp_path, experiment, wanted)

            assert second.outcome in {Outcome.EXPORTED, Outcome.UNCHANGED}, f"{number}: {second.error}"
            assert differences(workspace, experiment, wanted) == [], number
