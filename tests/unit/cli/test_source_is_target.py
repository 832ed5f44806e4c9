"""A folder of runs is never exported into itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_rest_export.cli import main

SAMPLE = Path(__file__).parents[3] / "fixtures" / "results"


def test_a_folder_of_runs_is_not_exported_into_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "mlruns"
    assert main(["export", str(SAMPLE), "--tracking-uri", str(store), "-q"]) == 0
    capsys.readouterr()

    code = main(["export", str(store), "--tracking-uri", str(store)])

    assert code == 2
    assert "the folder that is exported to: choose another one" in capsys.readouterr().err
