"""Names and texts come from files of others: a terminal gets lines it can show, and nothing it would obey."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mlflow_rest_export.cli import main

HOSTILE = "\x1b]0;owned\x07a\nb\x9b31m\u202e\u2028"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DATABRICKS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", [["--dry-run"], ["-vv"], ["--json"], ["--dry-run", "--json"], ["--verify"]])
def test_every_line_is_printable(words: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = place / f"{HOSTILE}.json"
    good.write_text(json.dumps({HOSTILE: 1, f"{HOSTILE}2": HOSTILE, "a": "x\ny"}))
    bad = place / f"{HOSTILE}2.json"
    bad.write_text('{"acc":}')

    main(["export", str(good), str(bad), "--tracking-uri", str(place / "mlruns"), "--no-progress", *words])

    out, err = capsys.readouterr()
    assert [line for line in (out + err).split("\n") if not line.isprintable()] == []
    assert len([line for line in err.split("\n") if line.startswith("failed:")]) == 1
    if "--json" in words:
        assert [run["job_id"] for run in json.loads(out)["runs"]] == [str(good), str(bad)]


def test_the_log_file_holds_printable_lines(place: Path) -> None:
    bad = place / f"{HOSTILE}.json"
    bad.write_text('{"acc":}')

    main(["export", str(bad), "--tracking-uri", str(place / "mlruns"), "--log-file", "log", "--no-progress"])

    assert all(line.isprintable() for line in (place / "log").read_text().split("\n"))
