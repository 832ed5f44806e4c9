"""What an Azure ML workspace answers, as its plugin and its issues tell, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from cloud_clients import FIXTURES, artifacts, client, run
from replay import replay

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import ApiError, NotMlflow, SettingsError
from mlflow_rest_export.network import oauth

WORKSPACE = "/subscriptions/s-1/resourceGroups/g-1/providers/Microsoft.MachineLearningServices/workspaces/w"
URI = f"azureml://westeurope.api.azureml.ms/mlflow/v1.0{WORKSPACE}"
RUN = run(f"{URI}/experiments/my evals/runs/0123456789abcdef0123456789abcdef/artifacts")
PATH = "d/a b.json"
ABC = BytesContent(b"abc")
READY = Connection(token="canary-token")
PRINCIPAL = {"AZURE_TENANT_ID": "tenant-1", "AZURE_CLIENT_ID": "app-1"}


@pytest.fixture
def forgotten_tokens() -> None:
    """The process remembers no tokens of other tests."""
    oauth._kept.clear()


@pytest.mark.parametrize("case", ["found", "throttled"])
def test_an_experiment_is_found(case: str) -> None:
    with replay(FIXTURES / f"azureml/{case}.yaml"):
        found = client(URI, READY).find_experiment("evals")

    assert found is not None
    assert found.experiment_id == "e-1"


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("limit", "400 INVALID_PARAMETER_VALUE: A field of the entity is over the size limit"),
        ("service_error", "403 UserError: The caller is not authorised"),
    ],
)
def test_its_own_shape_of_errors_is_read(case: str, words: str) -> None:
    with replay(FIXTURES / f"azureml/{case}.yaml"), pytest.raises(ApiError) as raised:
        client(URI, READY).find_experiment("evals")

    assert words in str(raised.value)


@pytest.mark.parametrize(
    "case",
    [
        "upload",
        "upload_again",
        "upload_again_409",
        "upload_same_read_only",
        "upload_other_written_anew",
        "upload_announced_only",
    ],
)
def test_a_file_arrives(case: str) -> None:
    with replay(FIXTURES / f"azureml/{case}.yaml"):
        artifacts(URI, READY).upload(RUN, PATH, ABC)


def test_an_empty_file_arrives() -> None:
    with replay(FIXTURES / "azureml/upload_empty.yaml"):
        artifacts(URI, READY).upload(RUN, PATH, BytesContent(b""))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("upload_other_read_only", "Azure ML keeps a file as it was first uploaded"),
        ("upload_refused", "Azure ML refuses the file: Artifact path is too long"),
        ("upload_no_place", "it gave no place for the file"),
        ("upload_forbidden", "The caller is not authorised"),
    ],
)
def test_a_file_that_cannot_be_stored_is_an_error(case: str, words: str) -> None:
    with replay(FIXTURES / f"azureml/{case}.yaml"), pytest.raises(ApiError) as raised:
        artifacts(URI, READY).upload(RUN, PATH, ABC)

    assert words in str(raised.value)
    assert "canary" not in str(raised.value)


def test_a_file_is_read_back() -> None:
    with replay(FIXTURES / "azureml/read.yaml"):
        assert b"".join(artifacts(URI, READY).read(RUN, PATH)) == b"abc"


def test_a_file_that_is_not_there_is_told_so() -> None:
    with replay(FIXTURES / "azureml/read_missing.yaml"), pytest.raises(ApiError) as raised:
        list(artifacts(URI, READY).read(RUN, PATH))

    assert raised.value.not_found


def _login(case: str, tmp_path: Path) -> Mapping[str, str]:
    assertion = tmp_path / "assertion"
    assertion.write_text("canary-assertion\n")
    logins = {
        "login_secret": PRINCIPAL | {"AZURE_CLIENT_SECRET": "canary-secret"},
        "login_refused": PRINCIPAL | {"AZURE_CLIENT_SECRET": "canary-secret"},
        "login_federated": PRINCIPAL | {"AZURE_FEDERATED_TOKEN_FILE": str(assertion)},
        "login_app_service": {
            "IDENTITY_ENDPOINT": "http://127.0.0.1:41741/msi/token",
            "IDENTITY_HEADER": "canary-header",
            "AZURE_CLIENT_ID": "app-1",
        },
        "login_compute": {
            "MSI_ENDPOINT": "http://127.0.0.1:46808/MSI/auth",
            "MSI_SECRET": "canary-msi",
            "DEFAULT_IDENTITY_CLIENT_ID": "default-1",
        },
        "login_compute_as_asked": {
            "MSI_ENDPOINT": "http://127.0.0.1:46808/MSI/auth",
            "MSI_SECRET": "canary-msi",
            "DEFAULT_IDENTITY_CLIENT_ID": "default-1",
            "AZURE_CLIENT_ID": "app-1",
        },
        "login_machine_as_asked": {"AZURE_CLIENT_ID": "app-1"},
    }
    return {"PATH": str(tmp_path), **logins.get(case, {})}


@pytest.mark.parametrize(
    "case",
    [
        "login_secret",
        "login_federated",
        "login_app_service",
        "login_compute",
        "login_compute_as_asked",
        "login_machine",
        "login_machine_as_asked",
    ],
)
@pytest.mark.usefixtures("forgotten_tokens")
def test_a_token_is_had_without_any_library(case: str, tmp_path: Path) -> None:
    with replay(FIXTURES / f"azureml/{case}.yaml"):
        tracking = client(URI, Connection(environment=_login(case, tmp_path)))

        assert tracking.find_experiment("evals") is not None


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("login_refused", "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET: secrets expire"),
        ("login_machine_without", "Identity not found; set AZURE_TENANT_ID"),
    ],
)
@pytest.mark.usefixtures("forgotten_tokens")
def test_a_refused_login_says_what_to_check(case: str, words: str, tmp_path: Path) -> None:
    with replay(FIXTURES / f"azureml/{case}.yaml"), pytest.raises(ApiError) as raised:
        client(URI, Connection(environment=_login(case, tmp_path))).find_experiment("evals")

    assert words in str(raised.value)
    assert raised.value.refused
    assert "canary" not in str(raised.value)


@pytest.mark.usefixtures("forgotten_tokens")
def test_an_endpoint_that_gives_no_token_is_told(tmp_path: Path) -> None:
    with replay(FIXTURES / "azureml/login_no_token.yaml"), pytest.raises(NotMlflow, match="holds no token"):
        client(URI, Connection(environment=_login("", tmp_path))).find_experiment("evals")


@pytest.mark.usefixtures("forgotten_tokens")
def test_an_identity_endpoint_that_is_not_there_gives_advice(tmp_path: Path) -> None:
    gone = {"IDENTITY_ENDPOINT": "http://127.0.0.1:9/msi", "IDENTITY_HEADER": "h", "PATH": str(tmp_path)}

    with pytest.raises(SettingsError, match=r"nobody answers; set AZURE_TENANT_ID.*export\[azure\]"):
        client(URI, Connection(environment=gone), seconds=0.05).find_experiment("evals")
