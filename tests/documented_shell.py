"""Runs documented shell blocks as they stand, in a real shell, on a machine as they expect it.

Only addresses and placeholders are put in. ``mlflow-rest-export`` is this project's own; ``pip`` and
``docker`` are stand-ins that note their words: tests/wheel runs the lines with pip with the real one.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pages import ROOT

RESULTS = ROOT / "fixtures" / "results"
_PROGRAM = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mlflow_rest_export "$@"\n'
_NOTING = '#!/bin/sh\necho "$(basename "$0") $*" >> {notes}\n'
_PYTHON = '#!/bin/sh\nif [ "$1 $2" = "-m pip" ]; then shift 2; exec pip "$@"; fi\nexec {python} "$@"\n'


@dataclass(slots=True)
class Shell:
    """A folder that looks like this project, with programs of its own.

    Args:
        folder: an empty one.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put everything there."""
        for name in ("results", "fixtures/results"):
            shutil.copytree(RESULTS, self.folder / name)
        self.bin.mkdir()
        self.program("mlflow-rest-export", _PROGRAM)
        self.program("python", _PYTHON.format(python=shlex.quote(sys.executable)))
        for name in ("pip", "docker"):
            self.program(name, _NOTING.format(notes=shlex.quote(str(self.notes))))

    @property
    def bin(self) -> Path:
        """The folder of its programs."""
        return self.folder / "bin"

    @property
    def store(self) -> Path:
        """What stands for every server."""
        return self.folder / "store"

    @property
    def notes(self) -> Path:
        """What the stand-ins were told."""
        return self.folder / "told"

    def program(self, name: str, text: str) -> None:
        """Put a program on the PATH."""
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def put_in(self, text: str, places: Mapping[str, str] | None = None) -> str:
        """Replace addresses and placeholders."""
        text = re.sub(r"https?://mlflow[a-z.]*(?::5000)?(?![\w.])", str(self.store), text)
        for name, place in (places or {}).items():
            text = re.sub(rf"(?<![\w./-]){re.escape(name)}(?![\w.])", place, text)
        return text

    def environment(self) -> dict[str, str]:
        """Give the variables in which a block runs: none of this machine's that could matter."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "SLURM"))}
        own = {"HOME": str(self.folder), "PATH": f"{self.bin}:{os.environ['PATH']}"}
        own["MLFLOW_TRACKING_URI"] = str(self.store)
        return {**kept, **own, **self.variables}

    def run(self, text: str, *, by: str = "bash") -> subprocess.CompletedProcess[str]:
        """Run a text of commands; the first that fails ends it."""
        return subprocess.run(
            [by, "-eu", "-c", text],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def runs(self, store: Path | None = None) -> list[Path]:
        """Give the runs that were exported."""
        return [tag.parent.parent for tag in (store or self.store).glob("*/*/tags/job_id")]
