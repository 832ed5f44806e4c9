"""The official SageMaker plugin gets through the stand-in, and only with the right keys: a fair one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from cloud_standins import SageMaker, given
from cloud_sweep import StoreRuns

SCRIPT = Path(__file__).with_name("plugin_export.py")


def _run(config: pytest.Config, sagemaker: SageMaker, experiment: str, home: Path, **variables: str) -> str:
    file = home / "a.txt"
    file.write_text("content")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SAGEMAKER_PRESIGNED_URL_UPLOAD_ENABLED": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        **sagemaker.variables(),
        **variables,
    }
    command = [str(given(config, "--plugin-env")), str(SCRIPT), sagemaker.arn, experiment, str(file)]
    done = subprocess.run(
        command, env=environment, cwd=home, capture_output=True, text=True, timeout=300, check=False
    )
    return done.stdout if done.returncode == 0 else f"failed: {done.stderr[-3000:]}"


def test_the_official_plugin_gets_through(
    pytestconfig: pytest.Config, sagemaker: SageMaker, experiment: str, tmp_path: Path
) -> None:
    said = _run(pytestconfig, sagemaker, experiment, tmp_path)

    stored = StoreRuns(sagemaker.server, experiment)
    (run,) = stored.runs()
    assert said.split()[-3:] == [run["info"]["run_id"], "1", "a.txt"]
    assert stored.content(run, "d/a.txt") == b"content"
    assert not sagemaker.door.refused


def test_the_official_plugin_with_a_wrong_key_does_not(
    pytestconfig: pytest.Config, sagemaker: SageMaker, experiment: str, tmp_path: Path
) -> None:
    said = _run(pytestconfig, sagemaker, experiment, tmp_path, AWS_SECRET_ACCESS_KEY="canary-wrong")

    assert said.startswith("failed:")
    assert {answer.status for answer in sagemaker.door.refused} == {403}
