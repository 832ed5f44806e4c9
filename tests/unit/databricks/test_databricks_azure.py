"""Service principals of Azure: which login service, for which workspaces, with which answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks_standin.logins import login
from databricks_standin.tokens import AZURE_DATABRICKS, AZURE_MANAGEMENT
from databricks_standin.workspace import Workspace

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError, SettingsError
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.targets.databricks_azure import azure_cloud
from mlflow_rest_export.targets.databricks_settings import WorkspaceSettings
from mlflow_rest_export.tracking.rest import RestTracking

WAY = "azure-client-secret"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


def client(workspace: Workspace, folder: Path, **more: str) -> RestTracking:
    variables = {**login(WAY, workspace.url, folder).environment, **more}
    target = choose("databricks", Connection(environment=variables))
    return RestTracking(target, target.transport(Conduct.ordinary(timeout=10)))


def test_a_principal_shows_two_tokens_and_asks_the_workspace_for_its_tenant(
    workspace: Workspace, tmp_path: Path
) -> None:
    assert client(workspace, tmp_path).find_experiment("/Shared/none") is None

    assert [form["resource"] for form in workspace.tokens.asked] == [AZURE_DATABRICKS, AZURE_MANAGEMENT]
    assert len(workspace.calls("/aad/auth")) == 2


def test_both_tokens_are_replaced_when_the_workspace_refuses_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    tracking = client(workspace, tmp_path)
    tracking.find_experiment("/Shared/none")
    workspace.tokens.revoke()

    assert tracking.find_experiment("/Shared/none") is None
    assert len(workspace.tokens.asked) == 4


def test_a_principal_with_a_wrong_secret_is_told_without_it(workspace: Workspace, tmp_path: Path) -> None:
    tracking = client(workspace, tmp_path, ARM_CLIENT_SECRET="canary-wrong")

    with pytest.raises(
        ApiError, match=r"401 invalid_client: AADSTS7000215: .*; check ARM_CLIENT_ID"
    ) as caught:
        tracking.find_experiment("/Shared/none")

    assert caught.value.refused
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ARM_ENVIRONMENT", "GERMANY", "ARM_ENVIRONMENT must be one of"),
        ("AZURE_AUTHORITY_HOST", "https://[", "AZURE_AUTHORITY_HOST is no address"),
    ],
)
def test_a_login_service_that_is_none_is_told_before_anything_is_asked(
    variable: str, value: str, said: str, workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=said):
        client(workspace, tmp_path, **{variable: value})

    assert workspace.asked == []


@pytest.mark.parametrize(
    ("host", "named", "login"),
    [
        ("https://adb-1.2.azuredatabricks.net", "", "https://login.microsoftonline.com"),
        ("https://adb-1.2.databricks.azure.us", "", "https://login.microsoftonline.us"),
        ("https://adb-1.2.databricks.azure.cn", "", "https://login.chinacloudapi.cn"),
        ("https://adb-1.2.azuredatabricks.net", "AzureUSGovernment", "https://login.microsoftonline.us"),
        ("https://adb-1.2.azuredatabricks.net", "usgovernment", "https://login.microsoftonline.us"),
        ("https://adb-1.2.databricks.azure.cn", "AzurePublicCloud", "https://login.microsoftonline.com"),
    ],
)
def test_each_cloud_of_azure_has_its_login_service(host: str, named: str, login: str) -> None:
    assert azure_cloud(WorkspaceSettings(host=host, azure_environment=named))[0] == login


@pytest.mark.parametrize(
    ("host", "more", "chosen"),
    [
        ("https://adb-1.2.azuredatabricks.net", {}, True),
        ("https://x.cloud.databricks.com", {"DATABRICKS_AZURE_RESOURCE_ID": "/s"}, True),
        ("https://x.cloud.databricks.com", {"DATABRICKS_AUTH_TYPE": "azure-client-secret"}, True),
        ("https://x.cloud.databricks.com", {}, False),
    ],
)
def test_a_principal_of_azure_is_chosen_for_workspaces_on_azure(
    host: str, more: dict[str, str], chosen: bool, tmp_path: Path
) -> None:
    principal = {"ARM_CLIENT_ID": "app", "ARM_CLIENT_SECRET": "s", "ARM_TENANT_ID": "t"}
    variables = {"DATABRICKS_HOST": host, "PATH": path_with_the_command_line(tmp_path), **principal, **more}
    agent = choose("databricks", Connection(environment=variables)).headers["User-Agent"]

    assert agent.endswith("auth/azure-client-secret" if chosen else "auth/databricks-cli")


def test_a_login_service_of_azure_gets_no_secret_in_the_clear() -> None:
    settings = WorkspaceSettings(host="https://h", azure_authority="http://login.example/")

    with pytest.raises(SettingsError, match=r"AZURE_AUTHORITY_HOST would get a secret in the clear"):
        azure_cloud(settings)


def test_an_unknown_cloud_of_azure_is_told() -> None:
    with pytest.raises(SettingsError, match=r"ARM_ENVIRONMENT must be one of PUBLIC, USGOVERNMENT, CHINA"):
        azure_cloud(WorkspaceSettings(azure_environment="GERMANY"))


def path_with_the_command_line(folder: Path) -> str:
    """A program called databricks; gives the PATH that has it."""
    program = folder / "databricks"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
