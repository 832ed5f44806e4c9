"""Words that make no sense: one line that says what to do, and never what may be a password."""

# ruff: noqa: E501  # a sentence is compared as it is printed

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlflow_rest_export.cli import main

Captured = pytest.CaptureFixture[str]
SECRET = "http://u:CANARY@h:5000"
EXPORT = "see mlflow-rest-export export --help"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DATABRICKS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_text('{"acc": 0.5}')
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x.json", "--traking-uri", SECRET], f"there is no option --traking-uri; did you mean --tracking-uri?; {EXPORT}"),
        (["x.json", f"--traking-uri={SECRET}"], f"there is no option --traking-uri; did you mean --tracking-uri?; {EXPORT}"),
        (["x.json", "-pCANARY"], f"there is no option -p; {EXPORT}"),
        (["x.json", "-q", "CANARY", "CANARY"], ("2 words too many: what the command is about stands in one place, before all "
         f"options; {EXPORT}")),
        (["x.json", "-o", "export.mlflow.tracking_uri", SECRET], ("1 word too many: an override is one word, "
         f"-o export.mlflow.KEY=VALUE; {EXPORT}")),
        (["--log-metrics", "score", "x.json"], ("the following arguments are required: ID|PATH; --log-metrics took what stands "
         f"behind it, so give them before it; {EXPORT}")),
        (["--tracking-uri", "./x"], f"the following arguments are required: ID|PATH; {EXPORT}"),
        (["x.json", "--tracking-uri", ""], ("--tracking-uri is empty, as an unset variable is: give it a value, or leave it out; "
         f"{EXPORT}")),
        (["", "--tracking-uri", "./x"], f"ID|PATH is empty, as an unset variable is: give it a value, or leave it out; {EXPORT}"),
        (["x.json", "--idle", "3"], f"there is no option --idle; {EXPORT}"),
    ],
)  # fmt: skip
def test_one_line_says_what_to_do(words: list[str], said: str, capsys: Captured) -> None:
    assert main(["export", *words]) == 2
    assert capsys.readouterr() == ("", f"mlflow-rest-export: {said}\n")

    assert main(["export", *words, "--json"] if "ID|PATH;" not in said else ["export", "--json", *words]) == 2
    told = capsys.readouterr()
    assert told.err == f"mlflow-rest-export: {said}\n"
    assert json.loads(told.out)["metadata"] == {"error": said}


@pytest.mark.parametrize("flag", ["--experiment-name", "--run-name", "--spool", "--config", "--shard"])
def test_an_empty_flag_is_refused_before_anything_is_sent(flag: str, place: Path, capsys: Captured) -> None:
    assert main(["export", "x.json", "--tracking-uri", "./mlruns", flag, ""]) == 2
    assert f"{flag} is empty" in capsys.readouterr().err
    assert not (place / "mlruns").exists()


def test_a_choice_that_there_is_not_is_told_without_its_secrets(capsys: Captured) -> None:
    assert main(["export", "x.json", "--format", SECRET]) == 2
    assert main(["watch", "x", "--idle", SECRET]) == 2
    assert main([SECRET]) == 2
    err = capsys.readouterr().err
    assert "CANARY" not in err
    assert err.count("\n") == 3


@pytest.mark.parametrize("words", [[], ["--json"], ["-v"], ["--dry-run"], ["--dry-run", "--json"]])
def test_an_address_in_the_place_of_a_result_is_told_without_its_secrets(
    words: list[str], capsys: Captured
) -> None:
    assert main(["export", SECRET, "x.json", "--tracking-uri", "./mlruns", *words]) == 1
    told = capsys.readouterr()
    assert "CANARY" not in told.out + told.err
    assert "http://h:5000" in told.err


@pytest.mark.parametrize(
    "words",
    [
        ["export", "x.json", "--tracking-uri", "./mlruns"],
        ["export", "x.json", "--tracking-uri", "./mlruns", "--json"],
        ["doctor", "--tracking-uri", "./mlruns", "--json"],
        ["completion", "bash"],
        ["shim", "shim"],
    ],
)
def test_an_answer_that_cannot_be_written_is_a_failure(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mlflow_rest_export", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == (
        "mlflow-rest-export: the answer cannot be written to stdout: no space left on device\n"
    )
