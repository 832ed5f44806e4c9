"""Stand-ins for clouds: doors that check signatures, real stores behind them, a real MLflow server last.

``--base-env`` names a Python with this package and no extra; ``--cloud-env`` one with mlflow, boto3,
azure-storage-blob and moto; ``--plugin-env`` one with sagemaker-mlflow; ``--azurite`` its program. What is
not given is skipped.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from aws_doors import Keys, S3Door
from azureml_door import AzureMlDoor
from azureml_workspace import Workspace
from cloud_standins import ACCOUNT_KEY, S3, Blobs, SageMaker, connection_string, given, sagemaker_at
from counted import experiment, long_run, pytest_terminal_summary, tally
from fault_proxy import FaultProxy
from front_door import FrontDoor
from store_servers import StoreServer, azurite, moto
from ways import APP, SERVER, WAYS, Way, opened

from mlflow_rest_export.network import oauth

BUCKET = "evals"
MAKE_CONTAINER = """
import sys
from azure.storage.blob import BlobServiceClient
BlobServiceClient.from_connection_string(sys.argv[1]).create_container(sys.argv[2])
"""


__all__ = ["experiment", "long_run", "pytest_terminal_summary", "tally"]  # fixtures and a hook


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("clouds")
    group.addoption("--cloud-env", default="", metavar="PYTHON")
    group.addoption("--plugin-env", default="", metavar="PYTHON")
    group.addoption("--base-env", default="", metavar="PYTHON")
    group.addoption("--azurite", default="", metavar="PROGRAM")
    group.addoption("--long", action="store_true", help="the whole sweep instead of a representative part")


@pytest.fixture(scope="session")
def s3(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    python = given(pytestconfig, "--cloud-env")
    keys = Keys("AKIASTORE00000000001", "canary-store-secret")
    guard = S3Door(keys)
    with (
        moto(python, tmp_path_factory.mktemp("moto")) as port,
        FrontDoor(guard, port) as door,
        FaultProxy(door.port) as proxy,
    ):
        _make_bucket(port)
        yield S3(proxy, door, guard, keys, port)


@pytest.fixture(scope="session")
def s3_server(
    pytestconfig: pytest.Config, s3: S3, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreServer]:
    """A real MLflow server whose artifacts are in that S3, and not served."""
    variables = {**s3.variables, "AWS_DEFAULT_REGION": "us-east-1"}
    yield from _running(pytestconfig, tmp_path_factory, f"s3://{BUCKET}/a prefix", variables)


@pytest.fixture(params=[SERVER, APP], ids=["server", "app"])
def sagemaker(request: pytest.FixtureRequest, s3_server: StoreServer) -> Iterator[SageMaker]:
    with sagemaker_at(request.param, s3_server) as sagemaker:
        yield sagemaker


@pytest.fixture(scope="session")
def blobs(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blobs]:
    program = given(pytestconfig, "--azurite")
    python = given(pytestconfig, "--cloud-env")
    with azurite(program, tmp_path_factory.mktemp("azurite")) as port:
        subprocess.run([python, "-c", MAKE_CONTAINER, connection_string(port), BUCKET], check=True)
        yield Blobs(port, connection_string(port))


@pytest.fixture(scope="session")
def blob_server(
    pytestconfig: pytest.Config, blobs: Blobs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreServer]:
    """A real MLflow server whose artifacts are Azure blobs, and not served."""
    variables = {"AZURE_STORAGE_CONNECTION_STRING": blobs.connection_string}
    root = f"wasbs://{BUCKET}@devstoreaccount1.blob.core.windows.net/root"
    yield from _running(pytestconfig, tmp_path_factory, root, variables)


@pytest.fixture(scope="session")
def disk_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreServer]:
    """A real MLflow server whose artifacts are in a folder of this machine, and not served."""
    yield from _running(pytestconfig, tmp_path_factory, str(tmp_path_factory.mktemp("root") / "a"), {})


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
    """TLS outside, then the proxy that breaks calls, which knows no TLS, then the workspace itself."""
    oauth._kept.clear()
    with FaultProxy(blobs.port) as proxy:
        blob_url = f"{proxy.url}/devstoreaccount1"
        guard = AzureMlDoor(disk_server.port, blob_url, ACCOUNT_KEY, "evals")
        with (
            FrontDoor(guard) as inside,
            FaultProxy(inside.port) as calls,
            FrontDoor(lambda _: None, calls.port, certificate=certificate) as door,
        ):
            guard.url = door.url
            yield Workspace(door, guard, calls, proxy, certificate)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """Every way to a cloud in turn."""
    with opened(request.param, request.getfixturevalue) as way:
        yield way


def _running(
    config: pytest.Config, folders: pytest.TempPathFactory, root: str, variables: dict[str, str]
) -> Iterator[StoreServer]:
    python = given(config, "--cloud-env")
    server = StoreServer("3.17.2", python, folders.mktemp("mlflow"), root=root, variables=variables)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _make_bucket(port: int) -> None:
    requests.put(f"http://127.0.0.1:{port}/{BUCKET}", timeout=30).raise_for_status()
