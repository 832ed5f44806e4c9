"""Keeps the recipe of ``docs/adding-a-format.md`` working: its module is run as it stands there."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from result_samples import one, reason, values, written

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-format.md"


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the page, imported."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    written(tmp_path, "suite_of_the_page.py", code[1])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "suite_of_the_page", raising=False)
    return importlib.import_module("suite_of_the_page")


def test_the_module_of_the_page_reads_the_result_of_the_page(tmp_path: Path, suite: ModuleType) -> None:
    sample = re.search(r"^`(\{.*\})`", PAGE.read_text(), re.MULTILINE)
    assert sample is not None
    path = written(tmp_path, "scores.json", sample[1])

    record = one(suite.read, path)

    assert suite.recognises(path)
    assert values(record) == {"mmlu/acc": 0.5, "mmlu/acc_stderr": 0.01, "mmlu/n_samples": 100.0}
    assert record.params == {"model_id": "org/m", "benchmark_suite": "suite", "seed": "1"}
    assert record.end_time == 1767225600000


def test_the_module_of_the_page_tells_what_is_wrong(tmp_path: Path, suite: ModuleType) -> None:
    path = written(tmp_path, "scores.json", {"benchmark_suite": "s", "tasks": 3})

    assert reason(suite.read, path) == f"{path}: tasks: it should be an object"


def test_the_page_is_short() -> None:
    assert len(PAGE.read_text().splitlines()) < 100
