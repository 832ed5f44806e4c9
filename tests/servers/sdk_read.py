"""Read one experiment back with the official SDK and print it as JSON.

Run by an interpreter that has MLflow (any version from 1.28 on), never by the tests' own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient


def files(client: Any, run_id: str, folder: str | None = None) -> Iterator[Any]:
    """Give every file below ``folder`` of the run's artifacts."""
    for entry in client.list_artifacts(run_id, folder):
        if entry.is_dir:
            yield from files(client, run_id, entry.path)
        else:
            yield entry


def artifact(client: Any, run_id: str, entry: Any) -> dict[str, Any]:
    """Download a file and describe it; the SDK's error in place of the hash when it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            content = Path(client.download_artifacts(run_id, entry.path, folder)).read_bytes()
        except Exception as error:  # noqa: BLE001  # whatever the SDK of that version raises
            return {"size": entry.file_size or 0, "error": repr(error)}
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def described(client: Any, run: Any, *, hashes: bool) -> dict[str, Any]:
    """Give one run as plain data."""
    run_id = run.info.run_id
    return {
        "run_id": run_id,
        "run_name": run.data.tags.get("mlflow.runName"),
        "status": run.info.status,
        "lifecycle_stage": run.info.lifecycle_stage,
        "start_time": run.info.start_time,
        "end_time": run.info.end_time,
        "params": run.data.params,
        "tags": run.data.tags,
        "metrics": {
            key: [
                [point.value, point.step, point.timestamp] for point in client.get_metric_history(run_id, key)
            ]
            for key in sorted(run.data.metrics)
        },
        "artifacts": {
            entry.path: artifact(client, run_id, entry) if hashes else {"size": entry.file_size or 0}
            for entry in files(client, run_id)
        },
    }


def main() -> None:
    """Print the experiment's runs, deleted ones too; ``null`` when there is no such experiment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uri")
    parser.add_argument("experiment")
    parser.add_argument("--no-hashes", action="store_true", help="do not download artifacts")
    arguments = parser.parse_args()
    client = MlflowClient(arguments.uri)
    experiment = client.get_experiment_by_name(arguments.experiment)
    if experiment is None:
        json.dump(None, sys.stdout)
        return
    found = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, max_results=1000)
    runs = [described(client, run, hashes=not arguments.no_hashes) for run in found]
    answer = {"experiment_id": experiment.experiment_id, "lifecycle_stage": experiment.lifecycle_stage}
    json.dump({**answer, "runs": sorted(runs, key=lambda run: str(run["run_name"]))}, sys.stdout)


if __name__ == "__main__":
    main()
