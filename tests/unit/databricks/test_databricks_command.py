"""The command as a process of its own, with nothing but what its user has: what it does, says and logs."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from databricks_standin.contents import files_of
from databricks_standin.logins import LOGINS, login
from databricks_standin.stores import PLACES
from databricks_standin.tokens import AZURE_CLIENT, CLIENT, GITHUB_BEARER, JWT, PASSWORD, PAT
from databricks_standin.workspace import Workspace

from mlflow_rest_export import marks

RESULTS = Path(__file__).parents[3] / "fixtures" / "results"
SECRETS = (
    *(PAT, PASSWORD[1], CLIENT[1], AZURE_CLIENT[1], JWT, GITHUB_BEARER, "canary-signature"),
    base64.b64encode(":".join(PASSWORD).encode()).decode(),
    base64.b64encode(":".join(CLIENT).encode()).decode(),
)


def run(workspace: Workspace, way: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as the user of a way to log in would."""
    connection = login(way, workspace.url, folder)
    variables = {"PATH": os.environ["PATH"], **connection.environment, "HOME": str(folder)}
    variables.pop("DATABRICKS_ACCOUNT_ID", None)
    return subprocess.run(
        [sys.executable, "-m", "mlflow_rest_export", *words],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_logins_of_this_test_have_nothing_but_what_they_need(tmp_path: Path) -> None:
    assert login("pat", "u", tmp_path).environment.keys() - {"DATABRICKS_ACCOUNT_ID"} == {
        "DATABRICKS_HOST",
        "DATABRICKS_TOKEN",
    }
    assert login("profile", "u", tmp_path).environment == {}


@pytest.mark.parametrize("way", LOGINS)
def test_an_export_leaves_whole_runs_and_tells_no_secret(way: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    place = PLACES[LOGINS.index(way) % len(PLACES)]
    with Workspace(place) as workspace:
        words = ("export", str(RESULTS), "--tracking-uri", "databricks", "-vv", "--log-file", str(log))
        done = run(workspace, way, tmp_path, *words)

        assert done.returncode == 0, done.stderr[-3000:]
        runs = workspace.runs.runs.values()
        assert {each.info["status"] for each in runs} == {"FINISHED"}
        assert all(marks.RECEIPT in files_of(workspace, each) for each in runs)
        assert done.stdout.splitlines()[-1].startswith(f"{workspace.url}/ml/experiments/")
        heard = done.stdout + done.stderr + log.read_text()
        for secret in (*SECRETS, *workspace.tokens.given):
            assert secret not in heard
        assert "receipt.json" in log.read_text()  # the addresses were logged, without what signs them


@pytest.mark.parametrize("way", LOGINS)
def test_the_doctor_finds_everything_in_order(way: str, tmp_path: Path) -> None:
    with Workspace() as workspace:
        done = run(workspace, way, tmp_path, "doctor", "--tracking-uri", "databricks", "--write")

        assert done.returncode == 0, done.stdout + done.stderr
        assert "params up to 500 bytes, tags up to 5000" in done.stdout
        for secret in (*SECRETS, *workspace.tokens.given):
            assert secret not in done.stdout + done.stderr


def test_the_doctor_says_what_to_do_about_a_wrong_secret(tmp_path: Path) -> None:
    with Workspace() as workspace:
        workspace.spoil(
            "/oidc/v1/token", 401, {"error": "invalid_client", "error_description": "no"}, times=9
        )
        done = run(workspace, "machine", tmp_path, "doctor", "--tracking-uri", "databricks")

        assert done.returncode == 4, done.stdout + done.stderr
        assert "check the client id and the OAuth secret of the service principal" in done.stdout


@pytest.mark.parametrize(
    ("host", "said"),
    [("http://[::1", "DATABRICKS_HOST is no address"), ("https://me:canary-word@x:abc", "is no address")],
)
def test_a_host_that_is_none_is_an_error_of_usage(host: str, said: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlflow_rest_export", "export", str(RESULTS), "--tracking-uri", "databricks"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DATABRICKS_HOST": host,
            "DATABRICKS_TOKEN": PAT,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in done.stderr
    assert "canary-word" not in done.stdout + done.stderr


def test_a_password_in_the_host_is_not_printed_with_the_address_of_the_run(tmp_path: Path) -> None:
    with Workspace() as workspace:
        connection = login("pat", workspace.url.replace("://", "://me:canary-word@"), tmp_path)
        words = ("export", str(RESULTS), "--tracking-uri", "databricks", "--json", "-vv")
        done = subprocess.run(
            [sys.executable, "-m", "mlflow_rest_export", *words],
            env={"PATH": os.environ["PATH"], **connection.environment, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert done.returncode == 0, done.stderr[-3000:]
    assert {each["outcome"] for each in json.loads(done.stdout)["runs"]} == {"exported"}
    assert "canary-word" not in done.stdout + done.stderr
