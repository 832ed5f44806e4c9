"""The ways from an exporter to a cloud, each with a proxy before every host on it that can fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from attempts import LARGE, Attempt
from azureml_workspace import Workspace, WorkspaceRuns
from cloud_standins import S3, Blobs, sagemaker_at
from cloud_sweep import StoreRuns
from fault_proxy import FaultProxy
from front_door import Asked, FrontDoor, Said
from store_servers import StoreServer
from stored_runs import StoredRuns

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.network import oauth

PRESIGNED = "/api/2.0/mlflow/artifacts/presigned-upload-url"
SMALL = "/ajax-api/"
APP = "arn:aws:sagemaker:eu-central-1:123456789012:mlflow-app/app-0A1B2C3D4E5F"
SERVER = "arn:aws:sagemaker:us-west-2:123456789012:mlflow-tracking-server/demo"
SMALL_FILE = LARGE
LARGE_FILE = 9 << 20
"""Bytes of a file that obstore sends in two parts."""
IN_PARTS = ("direct S3", "direct Azure blobs")
Fixture = Callable[[str], Any]
"""Gives a fixture by its name."""


@dataclass(frozen=True, slots=True)
class Way:
    """One of them, open.

    Args:
        name: of ``WAYS``.
        one: an export as it is made there.
        stored: reads an experiment, past every proxy.
        proxies: those on the way.
        large: bytes of the largest file.
    """

    name: str
    one: Attempt
    stored: Callable[[str], StoredRuns]
    proxies: tuple[FaultProxy, ...]
    large: int = SMALL_FILE

    def attempt(self, experiment: str) -> Attempt:
        """Give an export into an experiment."""
        return replace(self.one, experiment=experiment)

    def order(self, experiment: str) -> dict[str, object]:
        """Give the same as an order for an exporting process."""
        connection = self.one.connection
        told = {
            "environment": dict(connection.environment),
            "server_cert_path": connection.server_cert_path,
        }
        return {"uri": self.one.uri, "experiment": experiment, "connection": told, "large": self.large}

    def forget(self) -> None:
        """Let every proxy begin to count anew, without rules, and let nobody be logged in."""
        oauth._kept.clear()
        for proxy in self.proxies:
            proxy.forget()


def attempt(uri: str, experiment: str = "", variables: Mapping[str, str] | None = None) -> Attempt:
    """Give an export with these variables in its environment."""
    connection = Connection(environment=variables or {})
    return Attempt(uri=uri, experiment=experiment, patience=8.0, connection=connection)


def closing(server: StoreServer, *closed: str) -> FrontDoor:
    """Give a door before a server that knows some endpoints no more, as gateways and old versions do."""

    def guard(asked: Asked) -> Said | None:
        if closed and asked.path.startswith(closed):
            return Said(404, {}, b"<html><title>404 Not Found</title></html>")
        return None

    return FrontDoor(guard, server.port)


def blob_variables(blobs: Blobs, port: int) -> dict[str, str]:
    """Give the environment in which blobs are reached at another port."""
    return {"AZURE_STORAGE_CONNECTION_STRING": blobs.connection_string.replace(str(blobs.port), str(port))}


@contextlib.contextmanager
def opened(name: str, fixture: Fixture) -> Iterator[Way]:
    """Open a way while the block lasts."""
    with WAYS[name](fixture) as (one, stored, proxies):
        yield Way(name, one, stored, proxies, large=LARGE_FILE if name in IN_PARTS else SMALL_FILE)


Open = tuple[Attempt, Callable[[str], StoredRuns], tuple[FaultProxy, ...]]


def _sagemaker(arn: str, *, direct: bool) -> Callable[[Fixture], contextlib.AbstractContextManager[Open]]:
    @contextlib.contextmanager
    def way(fixture: Fixture) -> Iterator[Open]:
        s3: S3 = fixture("s3")
        server: StoreServer = fixture("s3_server")
        with sagemaker_at(arn, server) as sagemaker, FaultProxy(sagemaker.door.port) as proxy:
            if direct:
                sagemaker.guard.denied.add("CreatePresignedUploadUrl")
                sagemaker.guard.hidden = (SMALL,)
            s3.guard.others = [sagemaker.guard.keys]
            variables = {**s3.variables, **sagemaker.variables(proxy.url)}
            yield attempt(arn, variables=variables), _runs_of(server), (proxy, s3.proxy)

    return way


@contextlib.contextmanager
def _direct_s3(fixture: Fixture) -> Iterator[Open]:
    s3: S3 = fixture("s3")
    server: StoreServer = fixture("s3_server")
    with closing(server, PRESIGNED, SMALL) as door, FaultProxy(door.port) as proxy:
        yield attempt(proxy.url, variables=s3.variables), _runs_of(server), (proxy, s3.proxy)


@contextlib.contextmanager
def _direct_azure(fixture: Fixture) -> Iterator[Open]:
    blobs: Blobs = fixture("blobs")
    server: StoreServer = fixture("blob_server")
    with (
        closing(server, SMALL) as door,
        FaultProxy(door.port) as proxy,
        FaultProxy(blobs.port) as blob_proxy,
    ):
        variables = blob_variables(blobs, blob_proxy.port)
        yield attempt(proxy.url, variables=variables), _runs_of(server), (proxy, blob_proxy)


def _on_disk(*closed: str) -> Callable[[Fixture], contextlib.AbstractContextManager[Open]]:
    @contextlib.contextmanager
    def way(fixture: Fixture) -> Iterator[Open]:
        server: StoreServer = fixture("disk_server")
        with closing(server, *closed) as door, FaultProxy(door.port) as proxy:
            yield attempt(proxy.url), _runs_of(server), (proxy,)

    return way


def _azureml(*, writes_again: bool) -> Callable[[Fixture], contextlib.AbstractContextManager[Open]]:
    @contextlib.contextmanager
    def way(fixture: Fixture) -> Iterator[Open]:
        workspace: Workspace = fixture("workspace")
        server: StoreServer = fixture("disk_server")
        workspace.guard.writes_again = writes_again
        yield (
            workspace.attempt(""),
            lambda name: WorkspaceRuns(server, name, workspace),
            (workspace.calls, workspace.proxy),
        )

    return way


def _runs_of(server: StoreServer) -> Callable[[str], StoredRuns]:
    return lambda name: StoreRuns(server, name)


WAYS: dict[str, Callable[[Fixture], contextlib.AbstractContextManager[Open]]] = {
    "SageMaker server, presigned": _sagemaker(SERVER, direct=False),
    "SageMaker server, direct": _sagemaker(SERVER, direct=True),
    "SageMaker app, presigned": _sagemaker(APP, direct=False),
    "SageMaker app, direct": _sagemaker(APP, direct=True),
    "direct S3": _direct_s3,
    "direct Azure blobs": _direct_azure,
    "shared disk": _on_disk(SMALL),
    "small uploads": _on_disk(),
    "Azure ML": _azureml(writes_again=True),
    "Azure ML, addresses that write once": _azureml(writes_again=False),
}
