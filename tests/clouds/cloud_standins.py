"""What a test is handed of each stand-in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aws_doors import Keys, S3Door, SageMakerDoor
from fault_proxy import FaultProxy
from front_door import FrontDoor
from store_servers import StoreServer


def given(config: pytest.Config, option: str) -> Path:
    """Give a program that the session was told of."""
    value: str = config.getoption(option)
    if not value:
        pytest.skip(f"{option} was not given")
    return Path(value)


@dataclass(frozen=True, slots=True)
class S3:
    """An S3 that checks signatures.

    Args:
        proxy: the way in; what passes can be broken.
        door: checks who comes.
        guard: who may come in.
        keys: the right ones.
        port: of the store itself, which checks nothing.
    """

    proxy: FaultProxy
    door: FrontDoor
    guard: S3Door
    keys: Keys
    port: int

    @property
    def variables(self) -> dict[str, str]:
        """How somebody with the right keys reaches it directly."""
        return {**self.keys.variables(), "MLFLOW_S3_ENDPOINT_URL": self.proxy.url, "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class SageMaker:
    """The stand-in for one resource of SageMaker."""

    arn: str
    door: FrontDoor
    guard: SageMakerDoor
    server: StoreServer

    def variables(self, endpoint: str = "") -> dict[str, str]:
        """Give the environment in which it is reached."""
        return {**self.guard.keys.variables(), "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT": endpoint or self.door.url}


@contextlib.contextmanager
def sagemaker_at(arn: str, server: StoreServer) -> Iterator[SageMaker]:
    """Open a stand-in before a server."""
    guard = SageMakerDoor(arn, Keys(token="canary-session-token"))
    with FrontDoor(guard, server.port) as door:
        yield SageMaker(arn, door, guard, server)


@dataclass(frozen=True, slots=True)
class Blobs:
    """An azurite with one container."""

    port: int
    connection_string: str


ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What the documentation of azurite tells everybody."""


def connection_string(port: int) -> str:
    """Give azurite's own."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={ACCOUNT_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )
