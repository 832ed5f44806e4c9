"""The base install, without any extra, from the command line: what it exports, and what it never says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from azureml_workspace import Workspace, WorkspaceRuns
from cloud_standins import S3, SageMaker, given
from cloud_sweep import StoreRuns
from store_servers import StoreServer

SAMPLE = next((Path(__file__).parents[2] / "fixtures/results").glob("*-*"))
SECRET = re.compile(
    r"canary|X-Amz-(Signature|Security-Token|Credential)=[^*]|sig=[^*]|Signature=[0-9a-f]", re.IGNORECASE
)


def _export(
    config: pytest.Config, home: Path, variables: Mapping[str, str], *arguments: str
) -> tuple[int, dict[str, object], str]:
    """Run the command line; give its exit code, what ``--json`` says, and everything it said anywhere."""
    python = given(config, "--base-env")
    log = home / "log"
    command = [str(python), "-m", "mlflow_rest_export", "export", str(SAMPLE), "-vv", "--log-file", str(log)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **variables}
    done = subprocess.run(
        [*command, "--json", *arguments],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr + (log.read_text() if log.exists() else "")
    return done.returncode, json.loads(done.stdout or "{}"), said


def test_the_base_install_has_no_cloud_library(pytestconfig: pytest.Config) -> None:
    python = given(pytestconfig, "--base-env")
    code = "import importlib.util as u; print([n for n in ('boto3', 'botocore', 'obstore', 'azure', 'google')"
    done = subprocess.run(
        [python, "-c", f"{code} if u.find_spec(n)])"], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_it_exports_to_sagemaker_with_keys_of_the_environment(
    pytestconfig: pytest.Config, sagemaker: SageMaker, s3: S3, experiment: str, tmp_path: Path
) -> None:
    s3.guard.expired = 1
    sagemaker.guard.throttled = 1
    arguments = ("--tracking-uri", sagemaker.arn, "--experiment-name", experiment)

    code, answer, said = _export(pytestconfig, tmp_path, sagemaker.variables(), *arguments)

    assert code == 0, said[-3000:]
    assert answer["success"] is True
    assert {run["info"]["status"] for run in StoreRuns(sagemaker.server, experiment).runs()} == {"FINISHED"}
    assert "presigned" in said
    assert not SECRET.search(said)


def test_it_exports_to_azure_ml_with_a_service_principal(
    pytestconfig: pytest.Config,
    workspace: Workspace,
    disk_server: StoreServer,
    experiment: str,
    tmp_path: Path,
) -> None:
    attempt = workspace.attempt(experiment)
    variables = {
        **attempt.connection.environment,
        "MLFLOW_TRACKING_SERVER_CERT_PATH": attempt.connection.server_cert_path,
        "MLFLOW_TRACKING_URI": attempt.uri,
    }

    code, answer, said = _export(pytestconfig, tmp_path, variables, "--experiment-name", experiment)

    assert code == 0, said[-3000:]
    assert answer["success"] is True
    runs = WorkspaceRuns(disk_server, experiment, workspace).runs()
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
    assert not SECRET.search(said)


@pytest.mark.parametrize(
    ("variables", "words", "exit_code"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "canary-wrong"}, "check AWS_SECRET_ACCESS_KEY", 4),
        ({"AWS_SESSION_TOKEN": "canary-old"}, "renew the AWS credentials", 4),
        ({"AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID is not set", 2),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "pip install 'mlflow-rest-export[aws]'", 2),
        ({"SAGEMAKER_MLFLOW_ASSUME_ROLE_ARN": "arn:aws:iam::1:role/r"}, "mlflow-rest-export[aws]", 2),
    ],
)
def test_what_is_wrong_with_the_keys_is_said_without_them(  # fixtures
    pytestconfig: pytest.Config,
    sagemaker: SageMaker,
    experiment: str,
    tmp_path: Path,
    variables: dict[str, str],
    words: str,
    exit_code: int,
) -> None:
    environment = sagemaker.variables() | variables
    arguments = ("--tracking-uri", sagemaker.arn, "--experiment-name", experiment)

    code, _, said = _export(pytestconfig, tmp_path, environment, *arguments)

    assert (code, words in said) == (exit_code, True), said[-3000:]
    assert not SECRET.search(said)
