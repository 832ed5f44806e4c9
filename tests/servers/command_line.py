"""The command line as a user runs it: a process of its own, with an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 300.0
"""Seconds after which a command counts as hanging."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object of ``--json``."""
        return json.loads(self.out)

    @property
    def outcomes(self) -> dict[str, str]:
        """Job -> outcome."""
        return {run["job_id"]: run["outcome"] for run in self.json["runs"]}


def run(*arguments: str | Path, home: Path, environment: Mapping[str, str] | None = None) -> Said:
    """Run ``mlflow-rest-export`` with a small environment of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "mlflow_rest_export", *map(str, arguments)],
        cwd=home,
        env={
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "USER": "somebody",
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    return Said(done.returncode, done.stdout, done.stderr)
