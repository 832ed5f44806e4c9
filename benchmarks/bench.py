"""What every measurement needs: the programs, a server, and the commands of both sides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from environments import HERE, Environments
from measuring import Command
from servers import Line, MlflowServer, reached, server

PEERS = HERE / "peers"
Found = dict[str, object]


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs.

    Args:
        environments: the programs.
        work: where data and servers live.
        rounds: how often each side runs.
        quick: smaller data, to see that everything works.
    """

    environments: Environments
    work: Path
    rounds: int
    quick: bool

    def small(self, count: int) -> int:
        """Give a tenth of a count when quick."""
        return max(2, count // 10) if self.quick else count

    @contextlib.contextmanager
    def server(self, line: Line = Line.LOOPBACK) -> Iterator[tuple[MlflowServer, str]]:
        """Run a server at the other end of a line; give it and its address."""
        with (
            server(self.environments, self.work / "server", line) as running,
            reached(self.environments, running, line) as url,
        ):
            yield running, url

    def ours(self, root: Path, ids: list[str], url: str, experiment: str, *more: str) -> Command:
        """Give the command of an export of ours."""
        tool = self.environments.tool("ours", "mlflow-rest-export")
        return Command([tool, "export", *ids, *_settings(url, experiment), *more], home(root))

    def theirs(self, root: Path, ids: list[str], url: str, experiment: str, *more: str) -> Command:
        """Give the command of an export of the launcher: the same line."""
        tool = self.environments.tool("launcher", "nemo-evaluator-launcher")
        return Command([tool, "export", *ids, *_settings(url, experiment), *more], home(root))

    def peer(self, name: str, url: str, experiment: str, folder: Path) -> Command:
        """Give the command of a script of ``peers``."""
        environment = "server" if name.startswith("sdk") else "ours"
        python = self.environments.tool(environment)
        return Command([python, str(PEERS / f"{name}.py"), url, experiment, str(folder)], home(self.work))


def _settings(url: str, experiment: str) -> list[str]:
    """Give what both sides are told alike."""
    told = {
        "tracking_uri": url,
        "experiment_name": experiment,
        "log_config_params": "false",
        "copy_logs": "false",
    }
    overrides = [word for key, value in told.items() for word in ("-o", f"export.mlflow.{key}={value}")]
    return ["--dest", "mlflow", *overrides]


def home(root: Path) -> dict[str, str]:
    """Give the variables of a program that finds its jobs below a home folder and sends nothing home."""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0"}
    return {"HOME": str(root), **quiet}
