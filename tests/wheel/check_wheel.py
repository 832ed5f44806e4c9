"""Install the built wheel into a fresh environment and look at it from outside.

Usage: check_wheel.py DIST FRESH, with the folder of the distributions and an environment with only pip.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

EXPECTED = {
    "mlflow-rest-export",
    "requests",
    "certifi",
    "charset-normalizer",
    "idna",
    "urllib3",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-extensions",
    "typing-inspection",
    "pyyaml",
    "tqdm",
}
"""Everything a base install may bring; ``pip`` and ``setuptools`` were there before."""
LIMIT = 20_000_000
"""Bytes a base install may add to a bare environment; bytecode, which differs by Python, not counted."""
INSPECTION = """
import json, sys
import mlflow_rest_export
light = sorted(sys.modules)
import mlflow_rest_export.cli, mlflow_rest_export.api
from importlib import metadata
print(json.dumps({
    "file": mlflow_rest_export.__file__,
    "version": mlflow_rest_export.__version__,
    "light": light,
    "all": sorted(sys.modules),
    "installed": sorted({d.metadata["Name"].lower().replace("_", "-") for d in metadata.distributions()}),
}))
"""
EXTRAS = {"boto3", "botocore", "zstandard", "pyarrow", "pandas", "azure", "google", "mlflow"}


def size(folder: Path) -> tuple[int, int]:
    """Give the bytes of all files below ``folder``: of the files that are delivered, of compiled bytecode."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    compiled = sum(path.lstat().st_size for path in files if path.suffix == ".pyc")
    return sum(path.lstat().st_size for path in files) - compiled, compiled


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed and give what it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def check_contents(dist: Path) -> Path:
    """Compare the files of both distributions with those of the checkout; give the wheel."""
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    ours = {str(path) for path in Path("mlflow_rest_export").rglob("*") if path.suffix in {".py", ".typed"}}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == ours, f"the wheel differs from the checkout in {sorted(packed ^ ours)}"
    assert any(name.endswith("licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in ("noxfile.py", "README.md", "CHANGELOG.md", "LICENSE", "tests/wheel/check_wheel.py", *ours):
        assert needed in names, f"the sdist lacks {needed}"
    assert any(name.startswith("fixtures/results/") for name in names), "the sdist lacks the sample results"
    return wheel


def check_install(wheel: Path, fresh: Path) -> str:
    """Install the wheel without a network, from a wheelhouse, and try it; say how much that added."""
    python = fresh / "bin/python"
    house = wheel.parent / "wheelhouse"
    run(python, "-m", "pip", "wheel", "--quiet", "--wheel-dir", house, wheel, cwd=fresh)
    before = size(fresh)
    offline = ("--no-index", "--find-links", house)
    run(python, "-m", "pip", "install", "--quiet", *offline, "mlflow-rest-export", cwd=fresh)
    added, bytecode = (now - then for now, then in zip(size(fresh), before, strict=True))
    seen = json.loads(run(python, "-c", INSPECTION, cwd=fresh))
    assert Path(seen["file"]).is_relative_to(fresh), seen["file"]
    assert set(seen["installed"]) - {"pip", "setuptools"} == EXPECTED, seen["installed"]
    assert not EXTRAS & set(seen["all"]), "an extra was imported"
    assert not {"requests", "pydantic", "yaml", "tqdm"} & set(seen["light"]), "the package alone costs much"
    for command in (["bin/mlflow-rest-export"], ["bin/python", "-m", "mlflow_rest_export"]):
        said = run(fresh / command[0], *command[1:], "--version", cwd=fresh)
        assert seen["version"] in said, said
        assert "export" in run(fresh / command[0], *command[1:], "--help", cwd=fresh)
    sample, store = Path("fixtures/results").resolve(), fresh / "mlruns"
    said = run(fresh / "bin/mlflow-rest-export", "export", sample, "--tracking-uri", store, cwd=fresh)
    assert said.count("exported") == 2, said
    told = f"a base install adds {added / 1e6:.1f} MB and {bytecode / 1e6:.1f} MB of bytecode"
    assert added < LIMIT, told
    return told


def main() -> None:
    """Check both distributions and say how large an install is."""
    dist, fresh = (Path(argument).resolve() for argument in sys.argv[1:])
    told = check_install(check_contents(dist), fresh)
    print(f"the wheel is right; {told}, in {len(EXPECTED)} distributions")


if __name__ == "__main__":
    main()
