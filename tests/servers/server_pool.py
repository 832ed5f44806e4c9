"""The servers of one test session, and what the official SDK finds on them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mlflow_server import ADMIN, MlflowServer, Variant

READER = Path(__file__).with_name("sdk_read.py")
READ_TIMEOUT = 300.0
"""Seconds the SDK may take: importing it alone takes several."""

Reader = Callable[..., Any]


@dataclass(slots=True)
class Tally:
    """What the sweeps counted; shown at the end of the session, passed or failed."""

    lines: list[str] = field(default_factory=list)

    def add(self, what: str, cases: int, wrong: int) -> None:
        """Note the number of cases and of those that went wrong."""
        self.lines.append(f"{what}: {cases} cases, {wrong} wrong")


class Pool:
    """Servers by kind and variant, started when first asked for and kept until the session ends."""

    def __init__(self, installed: dict[str, Path], folder: Path) -> None:
        self.installed = installed
        self._folder = folder
        self._running: dict[tuple[str, Variant], MlflowServer] = {}

    def get(self, version: str, variant: Variant) -> MlflowServer:
        if (version, variant) not in self._running:
            folder = self._folder / f"{version}-{len(self._running)}"
            server = MlflowServer(version, self.installed[version], folder, variant)
            self._running[version, variant] = server.start()
        return self._running[version, variant]

    @property
    def running(self) -> list[MlflowServer]:
        return list(self._running.values())

    def close(self) -> None:
        for server in self._running.values():
            server.stop()


def newest(pool: Pool) -> str:
    """Give the newest installed version, from 3.x on: the variants are tested on it alone."""
    version = list(pool.installed)[-1] if pool.installed else "0"
    if int(version.split(".")[0]) < 3:
        pytest.skip("no MLflow 3.x is installed here")
    return version


def read_back(server: MlflowServer, experiment: str, *, home: Path, hashes: bool = True) -> Any:
    """Read an experiment with the SDK of the server's own version.

    Returns:
        What ``sdk_read.py`` prints; None when the server has no such experiment.
    """
    command = [str(server.python), str(READER), server.url, experiment, *([] if hashes else ["--no-hashes"])]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
        "MLFLOW_TRACKING_URI": server.url,
        "MLFLOW_TRACKING_USERNAME": ADMIN[0],
        "MLFLOW_TRACKING_PASSWORD": ADMIN[1],
    }
    said = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=READ_TIMEOUT
    )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)
