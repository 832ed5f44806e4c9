from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks_standin.tokens import PAT
from databricks_standin.workspace import Workspace

from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.databricks import path_of
from mlflow_rest_export.artifacts.databricks_files import LARGEST
from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import BytesContent, FileContent
from mlflow_rest_export.errors import ApiError, TrackingError
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

VOLUME = "dbfs:/Volumes/main/ml/evals/7/abc/artifacts"
OLD = "dbfs:/mine/7/abc/artifacts"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


@pytest.fixture
def artifacts(workspace: Workspace) -> ChosenRoutes:
    environment = {"DATABRICKS_HOST": workspace.url, "DATABRICKS_TOKEN": PAT}
    target = choose("databricks", Connection(environment=environment))
    return artifacts_of(RestTracking(target, target.transport(Conduct.ordinary(timeout=10))))


def run_at(uri: str) -> StoredRun:
    return StoredRun(run_id="abc", experiment_id="7", status=RunStatus.RUNNING, artifact_uri=uri)


@pytest.mark.parametrize("uri", [VOLUME, OLD, OLD.replace("dbfs:", "dbfs://prod@databricks")])
def test_files_go_to_folders_and_come_back(artifacts: ChosenRoutes, uri: str) -> None:
    run = run_at(uri)
    contents = {"a b/ü#.json": b"{}", "empty": b"", "f1": b"1", "f2": b"2", "a b/c/d": b"deep"}
    assert artifacts.listing(run) == {}

    for path, data in contents.items():
        artifacts.upload(run, path, BytesContent(b"first"))
        artifacts.upload(run, path, BytesContent(data))

    assert artifacts.listing(run) == {path: len(data) for path, data in contents.items()}
    assert {path: b"".join(artifacts.read(run, path)) for path in contents} == contents


@pytest.mark.parametrize("uri", [VOLUME, OLD])
def test_a_file_that_is_not_there_is_not_found(artifacts: ChosenRoutes, uri: str) -> None:
    with pytest.raises(ApiError) as caught:
        list(artifacts.read(run_at(uri), "none"))

    assert caught.value.not_found


@pytest.mark.parametrize("uri", [VOLUME, OLD])
def test_a_folder_that_may_not_be_listed_is_an_error(
    artifacts: ChosenRoutes, workspace: Workspace, uri: str
) -> None:
    for ending in ("/artifacts", "/dbfs/list"):
        workspace.spoil(ending, 403, {"error_code": "PERMISSION_DENIED", "message": "no READ VOLUME"})

    with pytest.raises(ApiError, match=r"listing the artifacts of run abc: .* no READ VOLUME"):
        artifacts.listing(run_at(uri))


def test_a_folder_of_which_one_page_comes_for_ever_is_an_error(
    artifacts: ChosenRoutes, workspace: Workspace
) -> None:
    workspace.spoil("/artifacts", 200, {"contents": [], "next_page_token": "again"}, times=999)

    with pytest.raises(ApiError, match=r"listing the artifacts of run abc: the workspace gives one page for"):
        artifacts.listing(run_at(VOLUME))


@pytest.mark.parametrize("uri", [VOLUME, OLD])
def test_a_file_that_may_not_be_read_is_an_error(
    artifacts: ChosenRoutes, workspace: Workspace, uri: str
) -> None:
    workspace.spoil("/artifacts/a", 403, {"error_code": "PERMISSION_DENIED", "message": "no READ VOLUME"})

    with pytest.raises(ApiError, match=r"reading a of run abc: .* no READ VOLUME"):
        list(artifacts.read(run_at(uri), "a"))


def test_a_file_above_what_one_put_holds_has_no_way(artifacts: ChosenRoutes, tmp_path: Path) -> None:
    huge = FileContent(tmp_path / "huge", LARGEST + 1)

    with pytest.raises(TrackingError, match=r"Databricks Files API: one PUT holds 5 GiB at most"):
        artifacts.upload(run_at(VOLUME), "huge", huge)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("dbfs:/Volumes/a", "/Volumes/a"),
        ("dbfs://prod@databricks/databricks/mlflow-tracking/1", "/databricks/mlflow-tracking/1"),
        ("s3://bucket/x", ""),
        ("", ""),
    ],
)
def test_the_path_of_an_artifact_uri_is_read_as_it_stands(uri: str, path: str) -> None:
    assert path_of(uri) == path
