"""Calls that name one result twice, and results that bring settings or name a server of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from launcher_folders import make_job, row, write_database
from loopback import say, serving

from mlflow_rest_export.cli import main
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.sources.nemo.folders import METADATA
from mlflow_rest_export.targets.foreign import refuse_credentials

Captured = pytest.CaptureFixture[str]
INVOCATION = "aaaabbbbccccdddd"
TOKEN = "very-secret-token"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DATABRICKS_", "NEMO_", "HTTP", "ALL_PROXY", "http")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def job(out: str, number: int, *, score: float = 0.5, **stored: Any) -> Path:
    """Make a job whose stored ``export.mlflow`` is ``stored``."""
    results = {"tasks": {"t": {"metrics": {"m": {"scores": {"s": {"value": score}}}}}}}
    config = {"launcher_resolved_config": {"export": {"mlflow": stored}}}
    folder = Path(out) / f"20261122_190618-{INVOCATION}" / f"h.t.{number}"
    return make_job(folder, {f"artifacts/{METADATA}": config}, results=results)


def told(capsys: Captured, *words: object) -> tuple[int, Any]:
    code = main(["export", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def outcomes(answer: Any) -> list[str]:
    return [run["outcome"] for run in answer["runs"]]


def test_a_job_and_an_earlier_export_of_it_are_one_result(place: Path, capsys: Captured) -> None:
    name = ("--experiment-name", "e", "--tracking-uri")
    folder = job("out", 0)
    told(capsys, "out", *name, "one")

    code, answer = told(capsys, "out", "one", *name, "two")

    assert (code, outcomes(answer)) == (0, ["exported"])
    assert told(capsys, "out", "one", *name, "two")[1]["metadata"]["successful_jobs"] == 1

    job("out", 0, score=0.75)
    code, answer = told(capsys, "out", "one", *name, "two")

    assert (code, outcomes(answer)) == (1, ["exported", "failed"])
    message = answer["runs"][1]["error"]["message"]
    assert message.startswith(f"{place / 'one'}/")
    assert f"{place / folder} holds, too, with other content" in message
    assert outcomes(told(capsys, "out", "one", *name, "two")[1]) == ["unchanged", "failed"]


def test_jobs_and_an_earlier_export_of_them_below_a_parent(capsys: Captured) -> None:
    name = ("--experiment-name", "e", "--tracking-uri")
    for number in range(2):
        job("out", number)
    told(capsys, "out", "-o", "group_by=invocation", *name, "one")

    _, answer = told(capsys, "out", "one", *name, "two")

    assert "no run yet" not in json.dumps(answer)
    assert outcomes(answer).count("exported") == 3


def test_a_dry_run_tells_a_result_once_and_that_it_asks_nobody(capsys: Captured) -> None:
    job("out", 0)
    assert main(["export", "out", "./out", "--dry-run"]) == 0

    said = capsys.readouterr()
    assert said.err.count("planned for what every MLflow takes") == 1
    assert "dataset" not in said.err


def test_stored_group_by_and_skip_existing_count_for_their_own_jobs(capsys: Captured) -> None:
    job("out", 0, group_by="invocation", skip_existing=True)
    where = ("--tracking-uri", "./mlruns")
    assert [run["job_id"] for run in told(capsys, "out", *where)[1]["runs"]] == [
        INVOCATION,
        f"{INVOCATION}.0",
    ]

    job("out", 0, score=0.75, group_by="invocation", skip_existing=True)

    assert outcomes(told(capsys, "out", *where)[1]) == ["unchanged", "skipped"]


def test_a_failed_job_in_the_middle_leaves_one_parent(capsys: Captured) -> None:
    for number in range(3):
        job("out", number)
    (job("out", 1) / "artifacts/results.yml").unlink()
    words = ("out", "-o", "group_by=invocation", "--tracking-uri", "./mlruns")

    first, again = (outcomes(told(capsys, *words)[1]) for _ in range(2))

    assert first == ["exported", "exported", "failed", "exported"]
    assert again == ["unchanged", "unchanged", "failed", "unchanged"]


def test_credentials_go_to_no_address_that_only_the_results_name(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(say(500)) as door:
        url = door.url
        job("out", 0, tracking_uri=url)
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)

        code, answer = told(capsys, "out")

        assert (code, outcomes(answer)) == (2, ["failed"])
        message = answer["runs"][0]["error"]["message"]
        assert "MLFLOW_TRACKING_TOKEN" in message
        assert f"--tracking-uri {url}" in message
        assert TOKEN not in message
        assert not door.received


def refused(uri: str, **given: Any) -> bool:
    try:
        refuse_credentials(uri, Connection(**given))
    except SettingsError:
        return True
    return False


@pytest.mark.parametrize(
    "given",
    [
        {"token": "t"},
        {"username": "u", "password": "p"},
        {"token_file": "f"},
        {"token_command": "c"},
        {"auth": "kubernetes"},
        {"aws_sigv4": True},
        {"headers": {"X": "1"}},
    ],
)
def test_every_kind_of_credentials_is_kept_back(given: dict[str, Any]) -> None:
    assert refused("https://theirs.example", **given)
    assert not refused("databricks://profile", **given)


def test_without_credentials_the_results_may_name_a_server() -> None:
    assert not refused("https://user:theirs@theirs.example")
    assert refused("azureml://theirs.example/mlflow/v1.0/subscriptions/s")


def test_the_launchers_own_database_is_trusted(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(say(403, {"error_code": "PERMISSION_DENIED"})) as door:
        stored = {"export": {"mlflow": {"tracking_uri": door.url}}}
        folder = job("out", 0)
        data = {"output_dir": str(folder)}
        database = write_database(Path("db"), [row(f"{INVOCATION}.0", data=data, config=stored)])
        monkeypatch.setenv("NEMO_EVALUATOR_EXEC_DB_FILE", str(database))
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)

        code, _ = told(capsys, INVOCATION)

        assert code == 4
        assert door.received


def test_two_names_of_one_setting_that_differ_are_an_error(capsys: Captured) -> None:
    job("out", 0)
    words = ["export", "out", "--tracking-uri", "./mlruns"]

    assert main([*words, "--log-logs", "true", "--copy-logs", "false"]) == 2
    assert "copy_logs and log_logs are equal names" in capsys.readouterr().err.replace(
        "log_logs and copy_logs", "copy_logs and log_logs"
    )
    assert main([*words, "--log-logs", "--copy-logs", "yes"]) == 0
