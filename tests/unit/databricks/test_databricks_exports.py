"""Whole exports to a workspace: what ends there is one whole run, and nothing secret is heard."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from attempts import START, Attempt, record
from clocks import Clock, Waits, conduct_of
from databricks_standin.contents import differences, files_of, runs_of
from databricks_standin.folders import USER
from databricks_standin.logins import LOGINS, login
from databricks_standin.stores import PLACES
from databricks_standin.tokens import AZURE_CLIENT, CLIENT, GITHUB_BEARER, JWT, PASSWORD, PAT, TENANT
from databricks_standin.workspace import Workspace
from fault_proxy import FaultProxy
from faults import FAULTS, Kind

from mlflow_rest_export import marks
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.records import Lookup, Metric, RunRecord
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.tracking.rest import RestTracking


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


def export(
    connection: Connection, experiment: str, *records: RunRecord, patience: float = 30.0
) -> list[RunResult]:
    attempt = Attempt(uri="databricks", experiment=experiment, connection=connection, answer_timeout=patience)
    return attempt.export(*records)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", LOGINS)
def test_every_login_exports_to_every_place_once(place: str, way: str, tmp_path: Path) -> None:
    wanted = record(tmp_path)
    with Workspace(place) as workspace:
        (first,) = export(login(way, workspace.url, tmp_path), "demo", wanted)
        before = len(workspace.asked)
        (again,) = export(login(way, workspace.url, tmp_path), "demo", wanted)

        assert (first.outcome, again.outcome) == (Outcome.EXPORTED, Outcome.UNCHANGED), first.error
        assert differences(workspace, f"/Users/{USER}/demo", wanted) == []
        writes = [asked for asked in workspace.asked[before:] if asked.method in {"PUT", "PATCH"}]
        assert not writes


def test_the_name_that_was_changed_is_told(workspace: Workspace, tmp_path: Path) -> None:
    (result,) = export(login("pat", workspace.url, tmp_path), "demo", record(tmp_path))

    changes = [change.after for change in result.adjustments if change.field == "experiment name"]
    assert changes == [f"/Users/{USER}/demo"]
    assert result.run_url is not None
    assert result.run_url.startswith(f"{workspace.url}/ml/experiments/2000000000000001/runs/")


def test_a_missing_folder_ends_the_export_with_advice(workspace: Workspace, tmp_path: Path) -> None:
    (result,) = export(login("pat", workspace.url, tmp_path), "/Shared/a/demo", record(tmp_path))

    assert result.outcome is Outcome.FAILED
    assert "--create-parents" in str(result.error)


@pytest.mark.parametrize("length", [400, 600])
@pytest.mark.parametrize("char", "é中")
def test_texts_beyond_ascii_are_cut_to_the_bytes_that_a_workspace_keeps(
    char: str, length: int, workspace: Workspace, tmp_path: Path
) -> None:
    texts = {"prompt": char * length, char * 200: "a long name"}
    wanted = record(tmp_path)
    wanted = dataclasses.replace(
        wanted,
        params={**wanted.params, **texts},
        tags={**wanted.tags, "note": char * 4000, char * 200: "another"},
        metrics=[*wanted.metrics, Metric(f"{char}" * 200, 0.5, START)],
    )
    (result,) = export(login("pat", workspace.url, tmp_path), "/Shared/demo", wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    (run,) = runs_of(workspace, "/Shared/demo")
    assert run.params["prompt"].startswith(char * 160)
    assert {change.field for change in result.adjustments} >= {"param prompt", "tag note"}
    whole = json.loads(files_of(workspace, run)[marks.FULL_VALUES])
    assert (whole["params"]["prompt"], whole["tags"]["note"]) == (char * length, char * 4000)


@pytest.mark.parametrize("way", ["pat", "machine"])
def test_a_fault_anywhere_leaves_exactly_one_whole_run(way: str, tmp_path: Path) -> None:
    wanted = record(tmp_path)
    chance = random.Random(way)
    with Workspace(chance.choice(PLACES)) as workspace, FaultProxy(workspace.port) as proxy:
        export(login(way, proxy.url, tmp_path), "/Shared/clean", wanted)
        requests = len(proxy.seen)
        for case, name in enumerate(sorted(FAULTS)):  # every request in every way: tests/clouds
            number = 1 + case * requests // len(FAULTS)
            experiment = f"/Shared/{name} {number}"
            proxy.forget()
            proxy.inject(FAULTS[name], number=number)
            patience = 0.8 if FAULTS[name].kind is Kind.STALL else 30.0
            (first,) = export(login(way, proxy.url, tmp_path), experiment, wanted, patience=patience)
            proxy.forget()
            (second,) = export(login(way, proxy.url, tmp_path), experiment, wanted)

            said = f"{name} at {number}: {first.error}, {second.error}"
            assert second.outcome in {Outcome.EXPORTED, Outcome.UNCHANGED}, said
            assert differences(workspace, experiment, wanted) == [], said


def test_exporters_at_the_same_time_leave_one_whole_run(workspace: Workspace, tmp_path: Path) -> None:
    for number in range(5):
        wanted = record(tmp_path, name=f"job{number}")
        together = threading.Barrier(4)

        def race(wanted: RunRecord = wanted, together: threading.Barrier = together) -> None:
            connection = login("pat", workspace.url, tmp_path)
            together.wait(10)
            export(connection, "/Shared/race", wanted)

        threads = [threading.Thread(target=race) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert differences(workspace, "/Shared/race", wanted) == []


def test_addresses_that_expire_all_the_time_cost_time_only(workspace: Workspace, tmp_path: Path) -> None:
    wanted = record(tmp_path, files=9)
    workspace.stores.fleeting = 3  # two for one file break the first export off, one is renewed in the second

    (result,) = Attempt(
        uri="databricks",
        experiment="/Shared/demo",
        connection=login("pat", workspace.url, tmp_path),
        workers=1,
    ).export(wanted)

    assert result.outcome is Outcome.FAILED
    (again,) = export(login("pat", workspace.url, tmp_path), "/Shared/demo", wanted)
    assert again.outcome in {Outcome.EXPORTED, Outcome.UNCHANGED}
    assert differences(workspace, "/Shared/demo", wanted) == []


def test_calls_that_a_workspace_counts_are_kept_apart_and_no_others(workspace: Workspace) -> None:
    """With rates so low that no machine is too slow to see them; what is waited for takes no time."""
    environment = {"DATABRICKS_HOST": workspace.url, "DATABRICKS_TOKEN": PAT}
    target = choose("databricks", Connection(environment=environment))
    waits = Waits(Clock())
    slow = {ending: rate / 10_000 for ending, rate in target.rates.items()}
    transport = dataclasses.replace(target, rates=slow).transport(conduct_of(waits=waits))
    tracking = RestTracking(target, transport)
    number = workspace.folders.create({"name": "/Shared/x"})["experiment_id"]
    calls: dict[str, Callable[[], object]] = {
        "/experiments/create": lambda: tracking.create_experiment(f"/Shared/{len(workspace.asked)}"),
        "/experiments/get-by-name": lambda: tracking.find_experiment("/Shared/none"),
        "/runs/search": lambda: list(tracking.find_runs(number, [Lookup("a", "b")])),
        "/experiments/get": lambda: tracking.get_experiment(number),
    }
    assert calls.keys() - {"/experiments/get"} == target.rates.keys()

    for ending, call in calls.items():
        before = len(waits.seconds)
        for _ in range(5):
            call()
        waited = waits.seconds[before:]
        assert waited == pytest.approx([2000, 4000] if ending in slow else [], rel=0.05)


def test_rate_limits_and_half_batches_cost_time_only(workspace: Workspace, tmp_path: Path) -> None:
    wanted = record(tmp_path)
    for ending in ("/runs/search", "/runs/create", "/runs/log-batch", "/credentials-for-write", "f2.txt"):
        workspace.rate_limit(ending, times=2)
    workspace.runs.half_batches = 1

    (result,) = export(login("pat", workspace.url, tmp_path), "/Shared/demo", wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert differences(workspace, "/Shared/demo", wanted) == []


@pytest.mark.parametrize("way", LOGINS)
def test_no_secret_is_heard_whatever_goes_wrong(
    way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard = io.StringIO()
    with Workspace() as workspace, redirect_stderr(heard), redirect_stdout(heard):
        connection = login(way, workspace.url, tmp_path)
        token = f"/{TENANT}/oauth2/token" if way == "azure-client-secret" else "/oidc/v1/token"
        for ending in ("/runs/log-batch", "f1.txt", token, "/artifacts/credentials-for-write"):
            workspace.spoil(ending, 400, f"bad: {PAT} {CLIENT[1]} {JWT} canary-signature", times=1)
            results = export(connection, "/Shared/demo", record(tmp_path))
            heard.write(repr(results) + str([result.as_json() for result in results]))
        heard.write(repr(connection))
    text = heard.getvalue() + caplog.text

    secrets = (PAT, PASSWORD[1], CLIENT[1], AZURE_CLIENT[1], JWT, GITHUB_BEARER)
    for secret in (*secrets, "canary1", "X-Amz-Signature=canary"):
        assert secret not in text, secret
