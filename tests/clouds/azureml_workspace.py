"""What a test is handed of the stand-in for Azure ML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from attempts import Attempt
from azureml_door import WORKSPACE, AzureMlDoor
from fault_proxy import FaultProxy
from front_door import FrontDoor
from stored_runs import StoredRuns

from mlflow_rest_export.connection import Connection


@dataclass(frozen=True, slots=True)
class Workspace:
    """The stand-in for one workspace."""

    door: FrontDoor
    guard: AzureMlDoor
    calls: FaultProxy
    """Before the workspace and the login service."""
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
        proxy = self.workspace.proxy
        answer = requests.get(url.replace(str(proxy.port), str(proxy.upstream_port)), timeout=30)
        answer.raise_for_status()
        return answer.content
