"""Drives the official MLflow SDK against a workspace; run by an interpreter that has it.

Usage: ``python sdk_proof.py TRACKING_URI FOLDER``. Prints one JSON object with what the SDK saw.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag

EXPORTED = "/Users/user@example.com/exported"


def main(uri: str, folder: Path) -> dict[str, Any]:
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    seen: dict[str, Any] = {"relative": _refusal(lambda: client.create_experiment("relative"))}
    seen["missing"] = client.get_experiment_by_name("/Shared/none") is None
    seen["parent"] = _refusal(lambda: client.create_experiment("/Shared/not/there/x"))
    number = client.create_experiment("/Shared/from-the-sdk")
    seen["again"] = _refusal(lambda: client.create_experiment("/Workspace/Shared//from-the-sdk"))
    seen["found"] = client.get_experiment_by_name("/Shared/from-the-sdk").experiment_id == number
    run_id = client.create_run(number, tags={"who": "the SDK's"}, run_name="one").info.run_id
    points = [Metric("acc", value / 10, 1773500966000 + value, value) for value in range(5)]
    client.log_batch(run_id, points, [Param("model", "meta/llama")], [RunTag("more", "yes")])
    client.log_batch(run_id, points, [Param("model", "meta/llama")], [])
    seen["changed param"] = _refusal(lambda: client.log_param(run_id, "model", "other"))
    seen["history"] = [(each.step, each.value) for each in client.get_metric_history(run_id, "acc")]
    _files(client, run_id, folder, seen)
    client.set_terminated(run_id, "FINISHED", 1773500999000)
    found = client.search_runs([number], "tags.`more` = 'yes' AND tags.`who` LIKE 'the %'")
    seen["searched"] = [run.info.run_id for run in found] == [run_id]
    seen["status"] = found[0].info.status
    seen["ours"] = _ours(client, folder)
    return seen


def _files(client: mlflow.MlflowClient, run_id: str, folder: Path, seen: dict[str, Any]) -> None:
    place = folder / "out" / "sub dir"
    place.mkdir(parents=True)
    (place / "ü 1.json").write_text('{"a": 1}')
    (place / "empty.txt").write_text("")
    for number in range(4):
        (folder / "out" / f"f{number}.txt").write_text(f"file {number}")
    (folder / "out" / "large.bin").write_bytes(b"0123456789" * 600_000)
    client.log_artifacts(run_id, str(folder / "out"), "task")
    there: dict[str, int | None] = {}
    folders = [""]
    while folders:
        for entry in client.list_artifacts(run_id, folders.pop() or None):
            if entry.is_dir:
                folders.append(entry.path)
            else:
                there[entry.path] = entry.file_size
    seen["files"] = there
    back = Path(client.download_artifacts(run_id, "task", str(folder)))
    seen["different"] = [
        path.name
        for path in (folder / "out").rglob("*")
        if path.is_file() and (back / path.relative_to(folder / "out")).read_bytes() != path.read_bytes()
    ]


def _ours(client: mlflow.MlflowClient, folder: Path) -> dict[str, Any]:
    """Read what this package exported before, if anything."""
    experiment = client.get_experiment_by_name(EXPORTED)
    if experiment is None:
        return {}
    (run,) = client.search_runs([experiment.experiment_id])
    back = Path(client.download_artifacts(run.info.run_id, "", str(folder / "ours")))
    return {
        "status": run.info.status,
        "metrics": run.data.metrics,
        "params": run.data.params,
        "files": {
            path.relative_to(back).as_posix(): path.stat().st_size
            for path in back.rglob("*")
            if path.is_file()
        },
    }


def _refusal(call: Any) -> str:
    try:
        call()
    except mlflow.MlflowException as error:
        return str(error.error_code)
    return "nothing was refused"


if __name__ == "__main__":
    where = Path(sys.argv[2])
    where.mkdir(parents=True, exist_ok=True)
    (where / "ours").mkdir(exist_ok=True)
    print(json.dumps(main(sys.argv[1], where)))  # the answer
