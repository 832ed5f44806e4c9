"""The official SDK speaks to the stand-in, and reads what was exported to it: so the stand-in is believed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import databricks_standin
import pytest
from attempts import Attempt, record
from databricks_standin.logins import login
from databricks_standin.stores import DBFS, PLACES
from databricks_standin.tokens import CLIENT, PAT
from databricks_standin.workspace import Workspace

from mlflow_rest_export.records import RunRecord

PROOF = Path(databricks_standin.__file__).with_name("sdk_proof.py")
WAYS = {
    "pat": {"DATABRICKS_TOKEN": PAT},
    "machine": {"DATABRICKS_CLIENT_ID": CLIENT[0], "DATABRICKS_CLIENT_SECRET": CLIENT[1]},
}
SMALL_PARTS = {
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(5 << 20),
    "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 << 20),
}
QUIET = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


def sizes(wanted: RunRecord) -> dict[str, int]:
    """Give the size of every file of a record."""
    return {artifact.path: Path(str(artifact.content)).stat().st_size for artifact in wanted.artifacts}


def said_by_the_sdk(python: Path, uri: str, folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run the proof in an interpreter that has the SDK."""
    done = subprocess.run(
        [str(python), str(PROOF), uri, str(folder / "sdk")],
        env={"HOME": str(folder), "PATH": os.environ["PATH"], **SMALL_PARTS, **QUIET, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WAYS)
def test_the_sdk_and_the_stand_in_understand_each_other(
    place: str, way: str, tmp_path: Path, sdk: Path
) -> None:
    wanted = record(tmp_path)
    with Workspace(place) as workspace:
        Attempt(
            uri="databricks", experiment="exported", connection=login(way, workspace.url, tmp_path)
        ).export(wanted)
        environment = {"DATABRICKS_HOST": workspace.url, **WAYS[way]}
        seen = said_by_the_sdk(sdk, "databricks", tmp_path, environment)

    assert seen["relative"] == "INVALID_PARAMETER_VALUE"
    assert seen["parent"] == "RESOURCE_DOES_NOT_EXIST"
    assert seen["again"] == "RESOURCE_ALREADY_EXISTS"
    assert seen["changed param"] == "INVALID_PARAMETER_VALUE"
    assert (seen["missing"], seen["found"], seen["searched"]) == (True, True, True)
    assert seen["different"] == (["empty.txt"] if place == DBFS else [])  # there the SDK reads {} for nothing
    assert seen["history"] == [[step, step / 10] for step in range(5)]
    assert seen["files"]["task/large.bin"] == 6_000_000
    assert len(seen["files"]) == 7
    assert seen["status"] == seen["ours"]["status"] == "FINISHED"
    for path, size in sizes(wanted).items():
        assert seen["ours"]["files"][path] == (size or (2 if place == DBFS else 0))


def test_the_sdk_reads_what_was_exported(tmp_path: Path, sdk: Path) -> None:
    wanted = record(tmp_path)
    with Workspace() as workspace:
        (result,) = Attempt(
            uri="databricks", experiment="exported", connection=login("pat", workspace.url, tmp_path)
        ).export(wanted)
        (tmp_path / ".databrickscfg").write_text(f"[prod]\nhost = {workspace.url}\ntoken = {PAT}\n")
        variable = {"MLFLOW_DISABLE_DATABRICKS_SDK_FOR_RUN_ARTIFACTS": "true"}  # it would ignore the profile
        ours = said_by_the_sdk(sdk, "databricks://prod", tmp_path, variable)["ours"]

    assert result.run_url is not None
    assert ours["status"] == "FINISHED"
    assert {key: ours["params"][key] for key in wanted.params} == dict(wanted.params)
    assert ours["metrics"]["acc_7"] == 1.0
    assert {path: ours["files"][path] for path in sizes(wanted)} == sizes(wanted)
