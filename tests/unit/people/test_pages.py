"""README and docs: what is documented runs, and pages that follow from the code are up to date."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import ROOT, blocks, commands
from reference_pages import PAGES

from mlflow_rest_export import __version__
from mlflow_rest_export.cli import main
from mlflow_rest_export.cli.arguments import parser

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SERVER = re.compile(r"https?://mlflow[a-z.]*:5000")
SHELLS = ("bash", "shell", "sh", "yaml")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like this project to who runs its examples."""
    (tmp_path / "fixtures").mkdir()
    shutil.copytree(ROOT / "fixtures" / "results", tmp_path / "fixtures" / "results")
    shutil.copytree(ROOT / "fixtures" / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "store"))
    return tmp_path


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse of 3.13 writes options in another way")
def test_pages_that_follow_from_the_code_are_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")

    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "run python tests/reference_pages.py"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_documented_call_is_one_that_the_command_line_takes(document: Path) -> None:
    for block in blocks(document, *SHELLS):
        for words in commands(block, "mlflow-rest-export"):
            parser(__version__).parse_args(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_example_in_python_runs(document: Path, place: Path) -> None:
    for block in blocks(document, "python"):
        text = SERVER.sub(str(place / "mlruns"), block).replace('"8abcd123"', '"results"')
        names: dict[str, Any] = {"__name__": "example"}
        exec(compile(text, str(document), "exec"), names)  # noqa: S102  # that is the test
        if "export" in names:  # the function that Airflow calls
            names["export"]("results")
            with pytest.raises(RuntimeError, match="no job is known"):
                names["export"]("nowhere")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_inside_the_project_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_manifest_is_yaml() -> None:
    texts = [block for document in DOCUMENTS for block in blocks(document, "yaml")]

    assert all(isinstance(yaml.safe_load(text), dict) for text in texts)


def test_the_first_screen_shows_what_is_seen(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown, changes = blocks(ROOT / "README.md", "text")[:2]
    main(["export", "fixtures/results", "--tracking-uri", "./mlruns"])

    told = capsys.readouterr()
    seen = told.out.replace(f"file://{place}/", "file:///.../")
    assert [line.split() for line in seen.splitlines()] == [line.split() for line in shown.splitlines()]
    assert {line.partition(":")[0] for line in told.err.splitlines()} == {"changed"}
    assert set(changes.splitlines()) <= set(told.err.splitlines())
