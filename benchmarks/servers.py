"""The real server, which is that of the tests, and the lines that make it far away."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from environments import HERE, MLFLOW, PROJECT, Environments

sys.path.insert(0, str(PROJECT / "tests/servers"))
from fault_proxy import FaultProxy  # from the tests, it counts requests
from mlflow_server import MlflowServer, Variant  # the same

ROUND_TRIP = 0.05
"""Seconds."""
ANY = "0.0.0.0"  # noqa: S104  # the far end of the long line has an address of its own


class Line(Enum):
    """What lies between both sides; the value is for titles."""

    LOOPBACK = "loopback"
    LONG = "50 ms round trip"
    PROXY = "50 ms round trip, through a proxy that ends the connections"


@contextlib.contextmanager
def server(environments: Environments, folder: Path, line: Line) -> Iterator[MlflowServer]:
    """Run a server with an empty sqlite store and a folder for artifacts, and four workers, its default."""
    shutil.rmtree(folder, ignore_errors=True)
    python = Path(environments.tool("server"))
    variant = Variant(workers=4, host=ANY) if line is Line.LONG else Variant(workers=4)
    running = MlflowServer(version=MLFLOW, python=python, folder=folder, variant=variant)
    running.start()
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder / "artifacts", ignore_errors=True)


@contextlib.contextmanager
def reached(environments: Environments, running: MlflowServer, line: Line) -> Iterator[str]:
    """Lay a line to a server; give the server's address at the near end."""
    if line is Line.LOOPBACK:
        yield running.url
        return
    words = ["long_link.py"] if line is Line.LONG else ["delaying_proxy.py", str(running.port)]
    command = [environments.tool("ours"), str(HERE / words[0]), *words[1:], str(ROUND_TRIP)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as carrier:
        try:
            assert carrier.stdout is not None
            said = carrier.stdout.readline().strip()
            if not said:
                raise SystemExit(f"{words[0]} did not start")
            yield f"http://{said}:{running.port}" if line is Line.LONG else f"http://127.0.0.1:{said}"
        finally:
            carrier.terminate()


def drop_artifacts(running: MlflowServer) -> None:
    """Throw away what was uploaded, so that the disk does not fill up."""
    artifacts = running.folder / "artifacts"
    for path in artifacts.iterdir() if artifacts.exists() else ():
        shutil.rmtree(path, ignore_errors=True)


__all__ = ["FaultProxy", "Line", "MlflowServer", "drop_artifacts", "reached", "server"]
