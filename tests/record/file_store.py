"""Record ``fixtures/mlruns/<version>`` with a real MLflow: run by an interpreter that has it.

Usage: ``MLFLOW_ALLOW_FILE_STORE=true python tests/record/file_store.py fixtures/mlruns``
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

HOME = "/home/someone/mlruns"
"""Where the store seems to come from: what its files say about its place is wrong, as in any moved folder."""
START = 1_700_000_000_000
"""Milliseconds since 1970."""


def write(client: Any, folder: Path) -> None:
    """Fill a store: nested runs, histories, notes, artifacts, a deleted run, a deleted experiment."""
    experiment = client.create_experiment("älter als REST")
    parent = started(client, experiment, "parent", {"mlflow.note.content": "a *note*", "team": "eval"})
    client.log_batch(
        parent,
        metrics=[Metric("loss", 1 / (step + 1), START + step, step) for step in range(5)]
        + [Metric("val/acc", value, START + 9, 0) for value in (0.25, float("nan"))]
        + [Metric("edge", float("-inf"), START, -3)],
        params=[Param("model/name", "m-7b"), Param("prompt", "line 1\nline 2 ü"), Param("empty", "")],
        tags=[RunTag("owner.name", "someone")],
    )
    file = folder / "r #1.txt"
    file.write_text("hello\n", encoding="utf-8")
    client.log_artifact(parent, str(file), "sub folder")
    log_dataset(client, parent)
    client.set_terminated(parent, "FINISHED", START + 60_000)
    child = started(client, experiment, "child", {"mlflow.parentRunId": parent})
    client.log_metric(child, "acc", 1, START, 0)
    client.set_terminated(child, "FAILED", START + 30_000)
    started(client, experiment, "still going", {})
    client.delete_run(started(client, experiment, "deleted", {}))
    gone = client.create_experiment("gone")
    client.log_metric(started(client, gone, "in the bin", {}), "acc", 0.5, START, 0)
    client.delete_experiment(gone)


def started(client: Any, experiment: str, name: str, tags: dict[str, str]) -> str:
    """Create a run and give its id."""
    run = client.create_run(experiment, START, {"mlflow.runName": name, **tags})
    run_id: str = run.info.run_id
    return run_id


def log_dataset(client: Any, run_id: str) -> None:
    """Name a dataset of the run, where this MLflow knows them."""
    if not hasattr(client, "log_inputs"):
        return
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415  # 1.30 has none of them

    data = Dataset("gsm8k", "d1g3st", "hf", '{"path": "gsm8k"}', None, '{"rows": 8}')
    client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "eval")])])


def without_this_machine(store: Path) -> None:
    """Replace what is true on the recording machine only."""
    places = [f"file://{store}", str(store)]
    for path in store.rglob("*"):
        if path.is_file() and (path.name == "meta.yaml" or path.parent.name == "tags"):
            text = path.read_text(encoding="utf-8")
            for place in places:
                text = text.replace(place, place.replace(str(store), HOME))
            path.write_text(text, encoding="utf-8")


def main(target: Path) -> None:
    """Record the store of this MLflow's version."""
    os.environ["USER"] = os.environ["LOGNAME"] = "someone"
    with tempfile.TemporaryDirectory() as name:
        store = Path(name).resolve() / "mlruns"
        write(MlflowClient(store.as_uri()), Path(name))
        without_this_machine(store)
        shutil.rmtree(target / mlflow.__version__, ignore_errors=True)
        shutil.copytree(store, target / mlflow.__version__)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
