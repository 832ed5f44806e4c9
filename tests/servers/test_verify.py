"""``--verify`` on running servers: it passes what arrived and names what somebody changed since."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from command_line import run
from launcher_folders import FOLDER, INVOCATION, LCR, OUTPUT
from mlflow_server import MlflowServer
from stored_runs import StoredRuns

from mlflow_rest_export import marks

JOB = f"{INVOCATION}.1"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / FOLDER / LCR
    shutil.copytree(OUTPUT / FOLDER / LCR, folder)
    return folder


def test_what_arrived_is_verified_and_what_was_changed_since_is_named(
    server: MlflowServer, experiment: str, results: Path, tmp_path: Path
) -> None:
    command = ["export", str(results), "--tracking-uri", server.url, "--experiment-name", experiment]
    command += ["--verify", "--json"]

    first = run(*command, home=tmp_path)
    second = run(*command, home=tmp_path)
    (stored,) = StoredRuns(server, experiment).runs()
    metric = tamper(server, stored)
    third = run(*command, home=tmp_path)
    fourth = run(*command, home=tmp_path)

    assert (first.code, first.outcomes) == (0, {JOB: "exported"}), first.err
    assert (second.code, second.outcomes) == (0, {JOB: "unchanged"}), second.err
    assert (third.code, third.outcomes) == (1, {JOB: "failed"})
    said = third.json["runs"][0]["error"]["message"].partition(": ")[2]
    assert said.removesuffix(" (export again to mend it)").split("; ") == [
        "tag task_name has another value",
        f"metric {metric} is -1.0",
        "artifact config.yaml has other bytes",
        "artifact mlflow_rest_export/receipt.json is not that of this export",
    ]
    assert (fourth.code, fourth.outcomes) == (0, {JOB: "exported"}), fourth.err


def test_a_name_that_old_servers_cannot_send_is_compared_by_its_size_and_told(
    server: MlflowServer, experiment: str, results: Path, tmp_path: Path
) -> None:
    for name in ("\u6a21\u578b.json", "caf\u00e9.json"):
        (results / "artifacts" / name).write_text('{"a": 1}')
    command = ["export", str(results), "--tracking-uri", server.url, "--experiment-name", experiment]
    command += ["--verify", "--json", "--only-required", "false", "--timeout", "20"]

    said = [run(*command, home=tmp_path) for _ in range(2)]

    assert [one.outcomes for one in said] == [{JOB: "exported"}, {JOB: "unchanged"}], said[0].err
    told = [change for change in said[0].json["runs"][0]["adjustments"] if change["after"] == "not read back"]
    unread: set[str] = set() if server.version == "3.17.2" else {"\u6a21\u578b.json", "caf\u00e9.json"}
    assert {change["before"].rpartition("/")[2] for change in told} == unread


def test_a_touched_table_is_verified_and_nothing_of_it_is_sent_again(
    server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    """The times of its points are its file's; its steps fall, and a row comes twice, a step thrice."""
    rows = ["9,.5,.25", "8,.5,.25", "8,.5,.25", "8,.75,.5", "7,.5,.25"]
    table = tmp_path / "losses.csv"
    table.write_text("\n".join(["step,loss,acc", *rows, ""]))
    command = ["export", str(table), "--tracking-uri", server.url, "--experiment-name", experiment]
    command += ["--verify", "--json"]

    said = []
    for time in (1_700_000_000, 1_700_001_000, 1_600_000_000):
        os.utime(table, (time, time))
        said.append(run(*command, home=tmp_path))

    assert [one.code for one in said] == [0, 0, 0], [one.out for one in said]
    assert [list(one.outcomes.values()) for one in said] == [["exported"], ["unchanged"], ["unchanged"]]
    store = StoredRuns(server, experiment)
    (stored,) = store.runs()
    assert len(store.history(stored["info"]["run_id"], "loss")) == 4


def tamper(server: MlflowServer, stored: dict[str, Any]) -> str:
    """Change a tag, a metric, a file and the receipt of a run; give the metric."""
    run_id = stored["info"]["run_id"]
    last = stored["data"]["metrics"][0]
    point = {**last, "run_id": run_id, "value": -1.0, "timestamp": last["timestamp"] + 5}
    _post(server, "log-metric", point)
    _post(server, "set-tag", {"run_id": run_id, "key": "task_name", "value": "another"})
    store = StoredRuns(server, "")
    config = store.content(stored, "config.yaml")
    _put(server, stored, "config.yaml", bytes(reversed(config)))
    _put(server, stored, marks.RECEIPT, b'{"state": "updating"}')
    return str(last["key"])


def _post(server: MlflowServer, path: str, body: dict[str, Any]) -> None:
    requests.post(f"{server.url}/api/2.0/mlflow/runs/{path}", json=body, timeout=30).raise_for_status()


def _put(server: MlflowServer, stored: dict[str, Any], path: str, content: bytes) -> None:
    root = stored["info"]["artifact_uri"].removeprefix("mlflow-artifacts:").strip("/")
    url = f"{server.url}/api/2.0/mlflow-artifacts/artifacts/{quote(root)}/{quote(path)}"
    requests.put(url, data=content, timeout=30).raise_for_status()
