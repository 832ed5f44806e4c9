"""The real server, and the proxy that makes it far away; both are those of the tests."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from environments import MLFLOW, PROJECT, Environments

sys.path.insert(0, str(PROJECT / "tests/servers"))
from fault_proxy import FaultProxy  # from the tests
from mlflow_server import MlflowServer, Variant  # the same

ROUND_TRIP = 0.05
"""Seconds."""


@contextlib.contextmanager
def server(environments: Environments, folder: Path) -> Iterator[MlflowServer]:
    """Run a server with an empty sqlite store and a folder for artifacts, and four workers, its default."""
    shutil.rmtree(folder, ignore_errors=True)
    python = Path(environments.tool("server"))
    running = MlflowServer(version=MLFLOW, python=python, folder=folder, variant=Variant(workers=4))
    running.start()
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder / "artifacts", ignore_errors=True)


def drop_artifacts(running: MlflowServer) -> None:
    """Throw away what was uploaded, so that the disk does not fill up."""
    artifacts = running.folder / "artifacts"
    for path in artifacts.iterdir() if artifacts.exists() else ():
        shutil.rmtree(path, ignore_errors=True)


__all__ = ["ROUND_TRIP", "FaultProxy", "MlflowServer", "drop_artifacts", "server"]
