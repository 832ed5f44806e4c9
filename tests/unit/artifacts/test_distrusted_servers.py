"""A server that only the results name leads us neither to an object store nor onto our own disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from clocks import conduct_of
from loopback import say, serving

from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import TrackingError
from mlflow_rest_export.exporting.stores import open_rest
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun

REFUSED = say(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "no"})


def run_at(uri: str) -> StoredRun:
    return StoredRun(run_id="r1", experiment_id="7", status=RunStatus.RUNNING, artifact_uri=uri)


@pytest.mark.parametrize(
    "place", ["wasbs://c@account.evil.example/r1", "s3://bucket/r1", "{folder}/r1/artifacts"]
)
def test_a_server_that_only_results_name_gets_no_file_there(tmp_path: Path, place: str) -> None:
    run = run_at(place.replace("{folder}", str(tmp_path)))
    secrets = {
        "AZURE_STORAGE_SAS_TOKEN": "sig=canary",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    with serving(REFUSED) as server:
        tracking = open_rest(server.url, Connection(environment=secrets), conduct_of(first_contact=1))
        artifacts = artifacts_of(tracking, trusted=False)

        with pytest.raises(TrackingError, match="only the results name this server; --tracking-uri says"):
            artifacts.upload(run, "f.txt", BytesContent(b"x"))
        with pytest.raises(TrackingError, match="only the results name this server"):
            list(artifacts.read(run, "f.txt"))

    assert list(tmp_path.iterdir()) == []


def test_a_server_that_the_user_names_may_share_a_disk(tmp_path: Path) -> None:
    listed = say(200, {"root_uri": "", "files": [{"path": "f.txt", "is_dir": False, "file_size": 1}]})
    with serving(REFUSED, listed) as server:
        tracking = open_rest(server.url, Connection(), conduct_of(first_contact=1))
        artifacts_of(tracking).upload(run_at(f"{tmp_path}/r1/artifacts"), "f.txt", BytesContent(b"x"))

    assert (tmp_path / "r1/artifacts/f.txt").read_bytes() == b"x"
