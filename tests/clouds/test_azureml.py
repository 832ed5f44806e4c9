"""Exports to the stand-in of an Azure ML workspace, over https with a certificate of one's own."""

from __future__ import annotations

import re
from pathlib import Path

from attempts import Attempt, record
from azureml_door import WORKSPACE
from azureml_workspace import Workspace, WorkspaceRuns
from store_servers import StoreServer

from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import RunRecord


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
    workspace.guard.revoked = workspace.guard.logins

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
