"""Print, as JSON, all that an MLflow reads from a file store. Runs inside that MLflow's own environment.

Usage: ``MLFLOW_ALLOW_FILE_STORE=true python read_store.py FOLDER_OR_DATABASE_URI``
"""

from __future__ import annotations

import json
import sys
from typing import Any

import mlflow
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient


def artifacts(client: Any, run_id: str, path: str | None = None) -> dict[str, int]:
    """Give every file of a run with its size in bytes."""
    files: dict[str, int] = {}
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            files |= artifacts(client, run_id, entry.path)
        else:
            files[entry.path] = entry.file_size
    return files


def inputs(run: Any) -> list[dict[str, Any]]:
    """Give the dataset inputs of a run; MLflow before 2.4 has none."""
    found = getattr(getattr(run, "inputs", None), "dataset_inputs", [])
    return [
        {**{k: v for k, v in dict(one.dataset).items() if v}, "tags": {t.key: t.value for t in one.tags}}
        for one in found
    ]


def run_of(client: Any, run_id: str) -> dict[str, Any]:
    """Give everything about one run."""
    run = client.get_run(run_id)
    info = run.info
    return {
        "experiment_id": info.experiment_id,
        "run_name": info.run_name,
        "status": info.status,
        "start_time": info.start_time,
        "end_time": info.end_time,
        "lifecycle_stage": info.lifecycle_stage,
        "artifact_uri": info.artifact_uri,
        "params": dict(run.data.params),
        "tags": dict(run.data.tags),
        "latest": {key: repr(value) for key, value in run.data.metrics.items()},
        "history": {
            key: [[m.timestamp, repr(float(m.value)), m.step] for m in client.get_metric_history(run_id, key)]
            for key in run.data.metrics
        },
        "artifacts": artifacts(client, run_id),
        "inputs": inputs(run),
    }


def every_run(client: Any, experiment_ids: list[str]) -> list[str]:
    """Give the ids of all runs, deleted ones too."""
    ids, token = [], None
    while True:
        page = client.search_runs(experiment_ids, "", ViewType.ALL, 1000, None, token)
        ids += [run.info.run_id for run in page]
        token = page.token
        if not token:
            return ids


def main(uri: str) -> None:
    """Print everything below a tracking URI."""
    client = MlflowClient(uri)
    experiments = list(client.search_experiments(view_type=ViewType.ALL))
    active = [e.experiment_id for e in experiments if e.lifecycle_stage == "active"]
    seen = {
        "version": mlflow.__version__,
        "experiments": {
            e.experiment_id: {"name": e.name, "lifecycle_stage": e.lifecycle_stage, "tags": dict(e.tags)}
            for e in experiments
        },
        "runs": {run_id: run_of(client, run_id) for run_id in every_run(client, active)},
    }
    print(json.dumps(seen, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
