"""Run every documented line with pip, and the Dockerfile's, with the built wheel and the real pip.

Usage: check_documents.py DIST WORK, with the folder of the distributions and one for environments.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from check_wheel import size

DOCUMENTS = [Path("README.md"), *sorted(Path("docs").rglob("*.md"))]
LIMIT = 25_000_000
"""Bytes that the Dockerfile of the recipes may add to its base, bytecode and all."""
IN_THE_IMAGE = "/tmp/"  # noqa: S108  # where the Dockerfile puts the wheel
_PIP = re.compile(r"(?:python -m )?pip (?:install|download|wheel) [^&|\n`<]+")
_BLOCK = re.compile(r"^```dockerfile\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ELSEWHERE = {
    "python -m pip install nox": "who runs this has done so",
    "python -m pip install mlflow": "tests/servers/test_readme.py has the MLflow of a server environment",
    "python -m pip install .": "tests/servers/test_readme.py",
}


class Environment:
    """A fresh environment in a folder of its own, with the distributions where pip looks for them."""

    def __init__(self, folder: Path, links: Path | None) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        path = f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}"
        found = {"PIP_FIND_LINKS": str(links)} if links else {}
        self._variables = {**os.environ, **found, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(self, line: str, *, cwd: Path | None = None) -> str:
        """Run a line in a shell; it must succeed."""
        command = ["bash", "-eu", "-c", line]
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=self._variables, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{line} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout


def pip_lines() -> Iterator[str]:
    """Give every documented line with pip, each once, in the order of the pages."""
    found = (line.strip() for page in DOCUMENTS for line in _PIP.findall(page.read_text(encoding="utf-8")))
    yield from (line for line in dict.fromkeys(found) if IN_THE_IMAGE not in line and line not in ELSEWHERE)


def check_lines(dist: Path, work: Path) -> int:
    """Run the lines with pip; the ones without a network in an environment that has none."""
    online, offline = Environment(work / "online", dist), Environment(work / "offline", None)
    lines = list(pip_lines())
    for line in lines:
        if "--no-index" in line:
            shutil.copytree(online.folder / "wheelhouse", offline.folder / "wheelhouse", dirs_exist_ok=True)
            offline.run(line)
            offline.run("mlflow-rest-export --version")
        elif "pip wheel" in line:
            online.run(
                f"{line} --quiet".replace("--wheel-dir dist", f"--wheel-dir {online.folder}"), cwd=Path()
            )
            assert list(online.folder.glob("mlflow_rest_export-*.whl")), line
        else:
            online.run(line)
    online.run("mlflow-rest-export --version")
    return len(lines)


def check_dockerfile(dist: Path, work: Path) -> int:
    """Do what the Dockerfile does, and weigh all that it adds: the layer with the wheel stays, too."""
    (text,) = _BLOCK.findall(Path("docs/recipes.md").read_text(encoding="utf-8"))
    steps = [line.split(maxsplit=1) for line in text.splitlines()]
    assert [word for word, _ in steps] == ["FROM", "COPY", "RUN", "USER", "ENTRYPOINT"], text
    image = Environment(work / "image", None)
    (wheel,) = dist.glob("*.whl")
    before = sum(size(image.folder))
    assert steps[1][1] == f"dist/mlflow_rest_export-*.whl {IN_THE_IMAGE}"
    tmp = image.folder / "tmp"
    tmp.mkdir()
    shutil.copy(wheel, tmp)
    image.run(steps[2][1].replace(IN_THE_IMAGE, f"{tmp}/"))
    added = sum(size(image.folder)) - before + wheel.stat().st_size
    (program,) = re.findall(r'\["([^"]+)"\]', steps[4][1])
    assert "mlflow-rest-export" in image.run(f"{program} --version")
    assert added < LIMIT, f"the image grows by {added / 1e6:.1f} MB"
    return added


def main() -> None:
    """Run everything and say what was run."""
    dist, work = (Path(argument).resolve() for argument in sys.argv[1:])
    lines, added = check_lines(dist, work), check_dockerfile(dist, work)
    print(f"{lines} documented lines with pip work; the image adds {added / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
