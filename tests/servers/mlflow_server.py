"""A real MLflow server as a child process: started, waited for, and ended with all its own children."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT = 120.0
"""Seconds until ``/health`` must answer; 8-20 are usual on an idle machine."""
STOP_TIMEOUT = 10.0
"""Seconds between asking a server to stop and killing it."""
TAIL = 4000
"""Characters of the log that are shown when something went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How a server is run: its store, its artifacts and its front."""

    files: bool = False
    """Keep runs in a file store, not in sqlite."""
    serve_artifacts: bool = True
    static_prefix: str = ""
    auth: bool = False
    """The basic-auth app; its administrator is ``ADMIN``."""
    workers: int = 1
    """Processes that answer."""
    host: str = "127.0.0.1"
    """Where it listens; one that listens anywhere is still asked at 127.0.0.1."""


ADMIN = ("admin", "canary-password-1234")


@dataclass(slots=True)
class MlflowServer:
    """A running server.

    Args:
        version: its release, such as ``3.17.2``.
        python: the interpreter of the environment it is installed in.
        folder: where its store, artifacts and log go; its own.
        variant: how it is run.
    """

    version: str
    python: Path
    folder: Path
    variant: Variant = field(default_factory=Variant)
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The tracking URI."""
        return f"http://127.0.0.1:{self.port}{self.variant.static_prefix}"

    @property
    def kind(self) -> str:
        """The version and what is special about the store, as ``--servers`` names it."""
        return f"{self.version}-files" if self.variant.files else self.version

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, to compare."""
        return tuple(int(part) for part in self.version.split("."))

    @property
    def log(self) -> Path:
        """What the server has printed."""
        return self.folder / "server.log"

    def start(self) -> MlflowServer:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it ended, or did not answer in time; with the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"MLflow {self.version} did not start; its log ends:\n{self.log_tail()}")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """End the whole process group: the parent alone would leave gunicorn's workers alive."""
        if self._process is None:
            return
        _signal_group(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT)
        _signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT)
        self._process = None

    def forget(self) -> None:
        """Throw away what a file store holds: with each request it reads all the experiments there are."""
        for folder in (self.folder / "mlruns").iterdir() if self.variant.files else ():
            if folder.name not in {"0", ".trash"}:
                shutil.rmtree(folder, ignore_errors=True)

    def log_tail(self) -> str:
        """Give the end of the log without what went well."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if '" 200 OK' not in line and "INFO" not in line)[-TAIL:]

    def _command(self) -> list[str]:
        store = (self.folder / "mlruns").as_uri() if self.variant.files else f"sqlite:///{self.folder}/m.db"
        artifacts = self.folder / "artifacts"
        command = [str(self.python.with_name("mlflow")), "server", "--host", self.variant.host]
        command += [
            "--port",
            str(self.port),
            "--workers",
            str(self.variant.workers),
            "--backend-store-uri",
            store,
        ]
        if self.variant.serve_artifacts:
            command += ["--serve-artifacts", "--artifacts-destination", str(artifacts)]
        else:
            command += ["--no-serve-artifacts", "--default-artifact-root", str(artifacts)]
        if self.variant.static_prefix:
            command += ["--static-prefix", self.variant.static_prefix]
        if self.variant.auth:
            command += ["--app-name", "basic-auth"]
        return command

    def _environment(self) -> dict[str, str]:
        environment = {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', '')}",  # 1.x looks for gunicorn
            "HOME": str(self.folder),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes in place of about 10 on 3.17
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "PYTHONWARNINGS": "ignore",
        }
        if self.variant.auth:
            settings = self.folder / "auth.ini"
            settings.write_text(
                "[mlflow]\ndefault_permission = READ\n"
                f"database_uri = sqlite:///{self.folder}/auth.db\n"
                f"admin_username = {ADMIN[0]}\nadmin_password = {ADMIN[1]}\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            )
            environment["MLFLOW_FLASK_SERVER_SECRET_KEY"] = "canary-flask-key"
            environment["MLFLOW_AUTH_CONFIG_PATH"] = str(settings)
        return environment

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:  # noqa: S310  # loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
