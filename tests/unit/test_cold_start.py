"""What a command may import: times differ from machine to machine, the modules do not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from launcher_folders import make_job

PACKAGE = "mlflow_rest_export"
HEAVY = {
    "pydantic",
    "pydantic_core",
    "yaml",
    "requests",
    "urllib3",
    "tqdm",
    "email",
    "ssl",
    "asyncio",
    "importlib.metadata",
}


def imported(code: str, *arguments: str) -> set[str]:
    """Give the modules that are there after ``code`` ran in an interpreter of its own."""
    script = f"""
import atexit, json, sys
atexit.register(lambda: print("\\n" + json.dumps(sorted(sys.modules)), file=sys.stderr))
{code}
"""
    said = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    return set(json.loads(said.stderr.splitlines()[-1]))


def run(*arguments: str) -> set[str]:
    return imported(f"from {PACKAGE}.cli import main; sys.exit(main(sys.argv[1:]))", *arguments)


def own(modules: set[str]) -> set[str]:
    return {name.removeprefix(f"{PACKAGE}.") for name in modules if name.startswith(f"{PACKAGE}.")}


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_argparse_and_nothing_that_takes_time(argument: str) -> None:
    modules = run(argument)

    bare = imported("import argparse, gettext")
    assert not HEAVY & (modules - bare)
    assert own(modules) == {"cli", "cli.arguments"}


def test_the_completion_with_which_a_shell_begins_imports_nothing_that_takes_time() -> None:
    assert not {"pydantic", "yaml", "requests"} & run("completion", "bash")


def test_importing_the_package_imports_no_dependency() -> None:
    assert not HEAVY & (imported(f"import {PACKAGE}") - imported("pass"))


def test_an_export_imports_neither_other_hosts_nor_their_routes(tmp_path: Path) -> None:
    job = make_job(tmp_path / "results" / "20261122_190618-feedbeef00000001" / "t.t.0")
    store = ["--tracking-uri", "http://127.0.0.1:9", "--timeout", "0.1"]

    modules = own(run("export", str(job), *store))

    others = {"databricks", "databricks_files", "azureml", "sagemaker"}
    assert "exporting.exporter" in modules
    assert not {f"targets.{name}" for name in others} & modules
    assert not {f"artifacts.{name}" for name in others} & modules
    assert "tracking.files" not in modules


def test_an_export_by_id_imports_no_other_format(tmp_path: Path) -> None:
    formats = {"lm_eval", "inspect_ai", "lighteval", "helm", "every_eval_ever", "mlruns", "table", "junit"}

    modules = own(
        run("export", "feedbeef00000001", "--tracking-uri", "http://127.0.0.1:9", "--job-dirs", str(tmp_path))
    )

    assert "sources.nemo.launcher" in modules
    assert not {f"sources.{name}" for name in formats} & modules


def test_a_plain_export_imports_no_sdk_and_no_extra() -> None:
    extras = {"mlflow", "botocore", "boto3", "obstore", "azure", "google.auth", "pandas", "numpy", "pyarrow"}

    assert not extras & imported(f"import {PACKAGE}.cli.export")
