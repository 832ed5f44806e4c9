"""A server behind an API gateway of AWS: every request is signed, streamed files by their hash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attempts import Attempt, record
from aws_doors import Keys, wrong_signature
from botocore.auth import SigV4Auth
from cloud_standins import given
from front_door import Asked, FrontDoor, Said
from mlflow_server import MlflowServer
from stored_runs import StoredRuns

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.exporting.outcomes import Outcome

KEYS = Keys(token="canary-session")


def _gateway(asked: Asked) -> Said | None:
    wrong = wrong_signature(asked, KEYS, ("eu-west-1", "execute-api"), auth=SigV4Auth)
    return None if wrong is None else Said.json(403, {"message": wrong[1]})


@pytest.fixture(scope="module")
def serving_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MlflowServer]:
    """A real MLflow server that serves its artifacts."""
    server = MlflowServer("3.17.2", given(pytestconfig, "--cloud-env"), tmp_path_factory.mktemp("serving"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_an_export_through_an_api_gateway_is_signed_throughout(
    serving_server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)
    with FrontDoor(_gateway, serving_server.port) as door:
        connection = Connection(environment=KEYS.variables() | {"AWS_REGION": "eu-west-1"}, aws_sigv4=True)
        (result,) = Attempt(uri=door.url, experiment=experiment, connection=connection).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not StoredRuns(serving_server, experiment).faults(wanted)
    assert not door.refused
    sent = {asked.headers["x-amz-content-sha256"] for asked in door.seen if asked.method == "PUT"}
    assert len(sent) == 6


def test_another_region_is_refused(serving_server: MlflowServer, experiment: str, tmp_path: Path) -> None:
    with FrontDoor(_gateway, serving_server.port) as door:
        connection = Connection(environment=KEYS.variables() | {"AWS_REGION": "us-east-1"}, aws_sigv4=True)
        (result,) = Attempt(uri=door.url, experiment=experiment, connection=connection).export(
            record(tmp_path)
        )

    assert result.outcome is Outcome.FAILED
    assert "Credential should be scoped to" in str(result.error)
