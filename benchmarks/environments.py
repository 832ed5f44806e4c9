"""The environments that are compared: ours, the launcher's with mlflow, mlflow-skinny, and the server's."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent
MLFLOW = "3.17.2"
REQUIREMENTS = {
    "ours": (str(PROJECT),),
    "launcher": ("nemo-evaluator-launcher==0.2.6", f"mlflow=={MLFLOW}"),
    "skinny": (f"mlflow-skinny=={MLFLOW}",),
    "server": (f"mlflow=={MLFLOW}",),
    "bare": (),
}


@dataclass(frozen=True, slots=True)
class Environments:
    """Where each environment lies; what is not given is built below ``folder`` when it is first asked for.

    Args:
        folder: where environments are built.
        given: name -> folder of an environment that exists already.
    """

    folder: Path
    given: dict[str, Path]

    def at(self, name: str) -> Path:
        """Give the folder of an environment.

        Raises:
            SystemExit: a given one has no Python.
            subprocess.CalledProcessError: it could not be built.
        """
        if name in self.given:
            if not (self.given[name] / "bin/python").exists():
                raise SystemExit(f"{self.given[name]} is no environment of Python")
            return self.given[name].absolute()
        place = self.folder / name
        if not (place / "complete").exists():
            self._build(name, place)
        return place

    def renew(self) -> None:
        """Put the working tree as it is now into our environment, if it is one that was built here."""
        place = self.folder / "ours"
        if "ours" not in self.given and (place / "complete").exists():
            options = ("-qq", "--no-deps", "--force-reinstall", str(PROJECT))
            subprocess.run([self.tool("ours"), "-m", "pip", "install", *options], check=True)

    def tool(self, name: str, tool: str = "python") -> str:
        """Give the path of a program of an environment."""
        return str(self.at(name) / "bin" / tool)

    def megabytes(self, name: str) -> float:
        """Give the size of what is installed beyond a bare environment, in MB (10^6 bytes)."""
        return (_bytes(self.at(name)) - _bytes(self.at("bare"))) / 1e6

    def _build(self, name: str, place: Path) -> None:
        print(f"building the environment {name} (minutes at the first time)", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
        venv.create(place, with_pip=True)
        if REQUIREMENTS[name]:
            install = ("-m", "pip", "install", "-qq", *REQUIREMENTS[name])
            subprocess.run([str(place / "bin/python"), *install], check=True)
        (place / "complete").touch()


def _bytes(place: Path) -> int:
    """Add up all files that an installation brings; bytecode is made later, by whoever runs it."""
    files = (file for file in place.rglob("*") if "__pycache__" not in file.parts and not file.is_symlink())
    return sum(file.stat().st_size for file in files if file.is_file())
