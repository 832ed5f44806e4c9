"""The first page, followed to the letter: from nothing to the sample's runs in MLflow's own pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import environments
from pages import ROOT, blocks

INSTALL, LOOK = blocks(ROOT / "README.md", "bash")[:2]
BASH = shutil.which("bash") or "/bin/bash"
LEFT_OUT = (".git", ".nox", "*.egg-info", "__pycache__", ".*_cache", "build", "dist", "mlruns")


def ask(url: str, path: str, **body: object) -> dict[str, Any]:
    """Ask the API of a server."""
    request = urllib.request.Request(  # noqa: S310  # of this machine
        f"{url}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        said: dict[str, Any] = json.load(answer)
    return said


def until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a server that is starting."""
    while not answers(url):
        assert process.poll() is None, log.read_text()
        time.sleep(0.2)


def answers(url: str) -> bool:
    """Say whether a server is there."""
    try:
        urllib.request.urlopen(f"{url}/health", timeout=5).close()  # noqa: S310
    except OSError:
        return False
    return True


def test_the_first_page_leads_to_runs_that_are_seen(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    installed = environments(pytestconfig)
    if not installed:
        pytest.skip("no --mlflow-env")
    mlflow = list(installed.values())[-1].parent / "mlflow"
    project = tmp_path / "project"
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(*LEFT_OUT))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "fresh"], check=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    variables["PATH"] = f"{tmp_path / 'fresh' / 'bin'}:{os.environ['PATH']}"

    done = subprocess.run(
        [BASH, "-eu", "-c", INSTALL],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" exported ") == 2
    made, look = LOOK.splitlines()
    assert made == "python -m venv ui && ui/bin/python -m pip install mlflow"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = re.sub(r"\bui/bin/mlflow\b", f"exec {mlflow}", look) + f" --port {port}"
    # A variable before ``exec`` would be lost, and without it the shell would outlive its end.
    line = re.sub(r"^(\w+=\w+) exec", r"export \1; exec", line)
    log = tmp_path / "ui.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [BASH, "-eu", "-c", line],
            cwd=project,
            env=variables,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until_it_answers(url, process, log)
        found = ask(url, "api/2.0/mlflow/experiments/search", max_results=10)["experiments"]
        ids = [one["experiment_id"] for one in found]
        runs = ask(url, "api/2.0/mlflow/runs/search", experiment_ids=ids)["runs"]
        with urllib.request.urlopen(url, timeout=10) as page:
            assert b"<title>MLflow</title>" in page.read()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)

    assert sorted(len(run["data"]["metrics"]) for run in runs) == [3, 12]
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
