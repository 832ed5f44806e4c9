"""Keeps the recipe of ``docs/adding-a-format.md`` working: its module is run as it stands there."""

from __future__ import annotations

import re
import types
from pathlib import Path

from result_samples import one, reason, values, written

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-format.md"


def recipe() -> types.ModuleType:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    module = types.ModuleType("suite")
    exec(compile(code[1], "suite.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # our own page
    return module


def test_the_module_of_the_page_reads_the_result_of_the_page(tmp_path: Path) -> None:
    suite = recipe()
    sample = re.search(r"^`(\{.*\})`", PAGE.read_text(), re.MULTILINE)
    assert sample is not None
    path = written(tmp_path, "scores.json", sample[1])

    record = one(suite.read, path)

    assert suite.recognises(path)
    assert values(record) == {"mmlu/acc": 0.5, "mmlu/acc_stderr": 0.01, "mmlu/n_samples": 100.0}
    assert record.params == {"model_id": "org/m", "benchmark_suite": "suite", "seed": "1"}
    assert record.end_time == 1767225600000


def test_the_module_of_the_page_tells_what_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, "scores.json", {"benchmark_suite": "s", "tasks": 3})

    assert reason(recipe().read, path) == f"{path}: tasks: input should be a valid dictionary"


def test_the_page_is_short() -> None:
    assert len(PAGE.read_text().splitlines()) < 130
