"""Exports to the stand-in of an Azure ML workspace, over https with a certificate of one's own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from attempts import Attempt, record
from azureml_door import WORKSPACE, AzureMlDoor
from cloud_standins import ACCOUNT_KEY, Blobs
from cloud_sweep import CloudSweep
from fault_proxy import FaultProxy
from front_door import FrontDoor
from store_servers import StoreServer
from stored_runs import StoredRuns

from mlflow_rest_export import oauth
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import RunRecord


@dataclass(frozen=True, slots=True)
class Workspace:
    """The stand-in for one workspace."""

    door: FrontDoor
    guard: AzureMlDoor
    proxy: FaultProxy
    """Before the blobs."""
    certificate: Path

    def attempt(self, experiment: str, *, secret: str = "") -> Attempt:
        host = self.door.url.removeprefix("https://")
        variables = {
            "AZURE_TENANT_ID": "tenant-1",
            "AZURE_CLIENT_ID": "app-1",
            "AZURE_CLIENT_SECRET": secret or self.guard.secret,
            "AZURE_AUTHORITY_HOST": self.door.url,
        }
        connection = Connection(environment=variables, server_cert_path=str(self.certificate))
        uri = f"azureml://{host}/mlflow/v1.0{WORKSPACE}"
        return Attempt(uri=uri, experiment=experiment, patience=8.0, connection=connection)


@dataclass(frozen=True, slots=True)
class WorkspaceRuns(StoredRuns):
    """Runs whose files are blobs."""

    workspace: Workspace

    def files(self, run_id: str, folder: str = "") -> dict[str, int]:
        del folder
        return dict.fromkeys(self.workspace.guard.announced.get(run_id, ()), -1)

    def content(self, run: dict[str, Any], path: str) -> bytes:
        url = self.workspace.guard.signed(run["info"]["run_id"], path, "r")
        answer = requests.get(url.replace(str(self.workspace.proxy.port), str(_port(self))), timeout=30)
        answer.raise_for_status()
        return answer.content


def _port(runs: WorkspaceRuns) -> int:
    return runs.workspace.proxy.upstream_port


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, with its key in the same file."""
    folder = tmp_path_factory.mktemp("certificate")
    key, cert, both = folder / "key", folder / "cert", folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=door"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


@pytest.fixture
def workspace(disk_server: StoreServer, blobs: Blobs, certificate: Path) -> Iterator[Workspace]:
    oauth._kept.clear()
    with FaultProxy(blobs.port) as proxy:
        blob_url = f"{proxy.url}/devstoreaccount1"
        guard = AzureMlDoor(disk_server.port, blob_url, ACCOUNT_KEY, "evals")
        with FrontDoor(guard, certificate=certificate) as door:
            guard.url = door.url
            yield Workspace(door, guard, proxy, certificate)


def test_an_export_needs_nothing_but_a_service_principal(
    workspace: Workspace, disk_server: StoreServer, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)

    (result,) = workspace.attempt(experiment).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not WorkspaceRuns(disk_server, experiment, workspace).faults(wanted)
    assert workspace.guard.logins == 1
    assert re.fullmatch(
        rf"https://ml\.azure\.com/experiments/id/\d+/runs/{result.run_id}\?wsid={WORKSPACE}", result.run_url
    )


def test_exporting_again_changes_nothing(
    workspace: Workspace, disk_server: StoreServer, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)
    workspace.attempt(experiment).export(wanted)

    (again,) = workspace.attempt(experiment).export(wanted)

    assert again.outcome is Outcome.UNCHANGED
    assert not WorkspaceRuns(disk_server, experiment, workspace).faults(wanted)


def test_a_token_that_is_refused_is_renewed(workspace: Workspace, experiment: str, tmp_path: Path) -> None:
    workspace.attempt(experiment).export(record(tmp_path, name="first"))
    workspace.guard.logins += 1

    (result,) = workspace.attempt(experiment).export(record(tmp_path, name="second"))

    assert result.outcome is Outcome.EXPORTED, result.error


def test_a_wrong_secret_is_told(workspace: Workspace, experiment: str, tmp_path: Path) -> None:
    error = _error(workspace.attempt(experiment, secret="canary-wrong"), record(tmp_path))

    assert "check AZURE_TENANT_ID" in error
    assert "canary" not in error


def _error(attempt: Attempt, wanted: RunRecord) -> str:
    try:
        (result,) = attempt.export(wanted)
    except Exception as error:  # noqa: BLE001  # whichever way it is told
        return str(error)
    return str(result.error)


@pytest.mark.parametrize("writes_again", [True, False])
def test_a_fault_anywhere_leaves_exactly_one_whole_run(  # fixtures
    workspace: Workspace,
    disk_server: StoreServer,
    experiment: str,
    tmp_path: Path,
    long_run: bool,
    writes_again: bool,
) -> None:
    workspace.guard.writes_again = writes_again
    sweep = CloudSweep(
        attempt=workspace.attempt,
        stored=lambda name: WorkspaceRuns(disk_server, name, workspace),
        proxies=(workspace.proxy,),
        wanted=record(tmp_path, files=3, metrics=5, steps=0),
    )
    sweep.run(experiment, long_run=long_run)

    print(f"faults, blobs of Azure ML: {sweep.cases} cases, {len(sweep.wrong)} wrong")
    assert not sweep.wrong
