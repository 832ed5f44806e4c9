"""Workspaces of Azure ML, by their tracking URI, and whose token goes there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import requests
from cloud_clients import hurried

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.extras import is_installed
from mlflow_rest_export.network import oauth
from mlflow_rest_export.network.token_auth import TokenAuth
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.targets.azureml import cloud_of
from mlflow_rest_export.targets.azureml_auth import CLOUDS, AzureIdentity, login_of
from mlflow_rest_export.targets.choice import choose

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
URI = f"azureml://westeurope.api.azureml.ms/mlflow/v1.0{WORKSPACE}"


@pytest.mark.parametrize(
    "uri",
    [
        URI,
        f"{URI}?x=y",
        f"{URI}/",
        URI.replace("v1.0", "v2.0"),
    ],
)
def test_the_version_and_the_query_of_the_uri_do_not_matter(uri: str) -> None:
    target = choose(uri, Connection(token="t"))

    assert target.base_url == f"https://westeurope.api.azureml.ms/mlflow/v2.0{WORKSPACE}"


def test_a_private_link_is_kept() -> None:
    host = "abc.workspace.westeurope.api.azureml.ms:8443"

    assert host in choose(URI.replace("westeurope.api.azureml.ms", host), Connection(token="t")).base_url


@pytest.mark.parametrize("uri", ["azureml:", "azureml://host/x", f"azureml://{WORKSPACE}"])
def test_other_uris_are_refused_with_an_example(uri: str) -> None:
    with pytest.raises(SettingsError, match="az ml workspace show"):
        choose(uri, Connection(token="t"))


@pytest.mark.parametrize(
    ("host", "named", "cloud"),
    [
        ("westeurope.api.azureml.ms", "", "AzureCloud"),
        ("chinaeast2.api.ml.azure.cn:443", "", "AzureChinaCloud"),
        ("usgovvirginia.api.ml.azure.us", "", "AzureUSGovernment"),
        ("westeurope.api.azureml.ms", "AzureChinaCloud", "AzureChinaCloud"),
    ],
)
def test_the_cloud_follows_the_host_unless_it_is_named(host: str, named: str, cloud: str) -> None:
    assert cloud_of(host, named) is CLOUDS[cloud]


def test_an_unknown_cloud_is_told() -> None:
    with pytest.raises(SettingsError, match="must be one of AzureCloud, AzureChinaCloud"):
        cloud_of("h", "AzureMoon")


def _authorization(connection: Connection) -> str:
    auth = choose(URI, connection).auth
    return auth(requests.Request("GET", "https://h/").prepare()).headers["Authorization"]


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("canary-first")
    auth = choose(URI, Connection(token_file=str(file))).auth

    seen = []
    for text in ("canary-first", "canary-second"):
        file.write_text(text)
        seen.append(auth(requests.Request("GET", "https://h/").prepare()).headers["Authorization"])

    assert seen == ["Bearer canary-first", "Bearer canary-second"]


def test_a_token_command_is_asked(tmp_path: Path) -> None:
    program = tmp_path / "token"
    program.write_text(f"#!{sys.executable}\nprint('canary-printed')")
    program.chmod(0o755)

    assert _authorization(Connection(token_command=(str(program),))) == "Bearer canary-printed"


@pytest.mark.skipif(is_installed("azure.identity"), reason="the library comes first")
def test_the_azure_command_line_is_asked_where_it_is_installed(tmp_path: Path) -> None:
    az = tmp_path / "az"
    wanted = ["account", "get-access-token", "--resource", "https://management.azure.com/"]
    az.write_text(f"#!{sys.executable}\nimport sys\nassert sys.argv[1:5] == {wanted}\nprint('canary-az')")
    az.chmod(0o755)

    assert _authorization(Connection(environment={"PATH": str(tmp_path)})) == "Bearer canary-az"


def test_two_exports_of_one_process_share_a_token() -> None:
    principal = {"AZURE_TENANT_ID": "t-9", "AZURE_CLIENT_ID": "c-9", "AZURE_CLIENT_SECRET": "canary"}
    first, second = (choose(URI, Connection(environment=principal)).auth for _ in range(2))
    other = choose(URI, Connection(environment=principal | {"AZURE_CLIENT_SECRET": "canary-2"})).auth

    assert isinstance(first, TokenAuth)
    assert first is second
    assert other is not first
    assert not [key for key in oauth._kept if "canary" in key]


@pytest.mark.skipif(is_installed("azure.identity"), reason="says what is missing")
def test_the_library_is_asked_for_by_its_extra() -> None:
    with pytest.raises(SettingsError, match=r"pip install 'mlflow-rest-export\[azure\]'"):
        AzureIdentity("https://management.azure.com/.default", "https://login")(Transport(conduct=hurried()))


@pytest.mark.parametrize(
    ("given", "login"),
    [
        ({}, "https://login.chinacloudapi.cn"),
        ({"AZURE_AUTHORITY_HOST": "login.example.com/"}, "https://login.example.com"),
        ({"AZURE_AUTHORITY_HOST": "https://login.example.com"}, "https://login.example.com"),
    ],
)
def test_a_login_service_of_ones_own_wins_over_the_clouds(given: dict[str, str], login: str) -> None:
    assert login_of(given, CLOUDS["AzureChinaCloud"].login) == login


LIBRARY = {
    "azure/core/exceptions.py": "class ClientAuthenticationError(Exception):\n    pass\n",
    "azure/identity/__init__.py": """
import time, types
class DefaultAzureCredential:
    def __init__(self, authority):
        self.authority = authority
    def get_token(self, scope):
        return types.SimpleNamespace(token=f"{self.authority} {scope}", expires_on=time.time() + 60)
""",
}


@pytest.mark.skipif(is_installed("azure.identity"), reason="stands in for what is missing")
def test_the_library_asks_the_login_service_of_the_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, code in LIBRARY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    cloud = CLOUDS["AzureUSGovernment"]

    token = AzureIdentity(f"{cloud.management}.default", cloud.login)(Transport(conduct=hurried()))

    assert token.value == f"{cloud.login} {cloud.management}.default"
    for name in [name for name in sys.modules if name.partition(".")[0] == "azure"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["azure.identity", "google.auth"])
def test_a_folder_of_other_packages_is_not_taken_for_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if is_installed(name):
        pytest.skip("the library is there")
    (tmp_path / name.partition(".")[0] / "other").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)

    assert not is_installed(name)
