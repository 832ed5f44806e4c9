"""The first lines of the pages about SageMaker and Azure ML, as they stand, before the stand-ins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from azureml_door import WORKSPACE
from azureml_workspace import Workspace
from cloud_standins import SageMaker
from documented_shell import Shell
from pages import ROOT, blocks


def first_lines(page: str, variables: Mapping[str, str]) -> str:
    """Give the first block of a page with the credentials of a stand-in."""
    (text,) = blocks(ROOT / "docs" / "targets" / page, "bash")
    for name in re.findall(r"\b([A-Z_]+)=\S*\.\.\.", text):
        text = re.sub(rf"\b{name}=\S*\.\.\.", f"{name}={variables[name]}", text)
    return text


def test_the_lines_about_sagemaker_export(sagemaker: SageMaker, experiment: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, {**sagemaker.variables(), "MLFLOW_EXPERIMENT_NAME": experiment})
    text = first_lines("sagemaker.md", shell.variables)
    text = text.replace("arn:aws:sagemaker:us-west-2:123456789012:mlflow-tracking-server/NAME", sagemaker.arn)

    done = shell.run(shell.put_in(text, {"RESULTS": "results"}))

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" exported ") == 2


def test_the_lines_about_azure_ml_export(workspace: Workspace, experiment: str, tmp_path: Path) -> None:
    connection = workspace.attempt(experiment).connection
    trusted = {
        "MLFLOW_TRACKING_SERVER_CERT_PATH": connection.server_cert_path,
        "MLFLOW_EXPERIMENT_NAME": experiment,
    }
    shell = Shell(tmp_path, {**connection.environment, **trusted})
    uri = f"azureml://{workspace.door.url.removeprefix('https://')}/mlflow/v1.0{WORKSPACE}"
    asked = "ml workspace show -n NAME -g GROUP --query mlflow_tracking_uri -o tsv"
    shell.program("az", f'#!/bin/sh\n[ "$*" = "{asked}" ] && echo "{uri}"\n')

    done = shell.run(shell.put_in(first_lines("azureml.md", shell.variables), {"RESULTS": "results"}))

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" exported ") == 2
