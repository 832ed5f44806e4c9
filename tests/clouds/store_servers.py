"""Child processes: an MLflow server with its artifacts in a store, ``moto`` as S3, ``azurite`` as Azure."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_server import MlflowServer, free_port

START_TIMEOUT = 60.0


@dataclass(slots=True)
class StoreServer(MlflowServer):
    """An MLflow server that serves no artifacts.

    Args:
        root: where they are kept, such as ``s3://bucket/prefix``.
        variables: what the server needs to reach that store.
    """

    root: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    def _command(self) -> list[str]:
        command = [
            str(self.python),
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/m.db"]
        return [*command, "--no-serve-artifacts", "--default-artifact-root", self.root]

    def _environment(self) -> dict[str, str]:
        return {**MlflowServer._environment(self), **self.variables}


@contextlib.contextmanager
def listening(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """Run a command while the block lasts; the block begins when it listens.

    Raises:
        RuntimeError: it ended, or did not listen in time; with the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


@contextlib.contextmanager
def moto(python: Path, folder: Path) -> Iterator[int]:
    """Run an S3 in memory; give its port."""
    port = free_port()
    with listening([str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port, folder):
        yield port


@contextlib.contextmanager
def azurite(program: Path, folder: Path) -> Iterator[int]:
    """Run Azure's blob storage in memory; give its port."""
    port = free_port()
    command = [str(program), "--blobPort", str(port), "--blobHost", "127.0.0.1", "--inMemoryPersistence"]
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    with listening(command, port, folder):
        yield port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
