"""The real server, which is that of the tests, and the link that makes it far away."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from environments import HERE, MLFLOW, PROJECT, Environments

sys.path.insert(0, str(PROJECT / "tests/servers"))
from fault_proxy import FaultProxy  # from the tests, it counts requests
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


@contextlib.contextmanager
def far(environments: Environments, running: MlflowServer, round_trip: float) -> Iterator[str]:
    """Lay a link of so many seconds to a server; give the address at its near end."""
    python = environments.tool("ours")
    command = [python, str(HERE / "far_link.py"), str(running.port), str(round_trip)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as link:
        try:
            assert link.stdout is not None
            yield f"http://127.0.0.1:{int(link.stdout.readline())}"
        finally:
            link.terminate()


def drop_artifacts(running: MlflowServer) -> None:
    """Throw away what was uploaded, so that the disk does not fill up."""
    artifacts = running.folder / "artifacts"
    for path in artifacts.iterdir() if artifacts.exists() else ():
        shutil.rmtree(path, ignore_errors=True)


__all__ = ["ROUND_TRIP", "FaultProxy", "MlflowServer", "drop_artifacts", "far", "server"]
