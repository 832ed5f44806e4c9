"""What a workspace holds of an experiment, read from its memory, against what was exported."""

from __future__ import annotations

from databricks_standin.files import root_of
from databricks_standin.runs import Run
from databricks_standin.workspace import Workspace
from mlflow_rest_export import marks
from mlflow_rest_export.records import RunRecord


def runs_of(workspace: Workspace, experiment: str) -> list[Run]:
    """Give the active runs of an experiment."""
    numbers = [number for number, each in workspace.folders.experiments.items() if each["name"] == experiment]
    return [
        run
        for run in workspace.runs.runs.values()
        if run.info["experiment_id"] in numbers and run.info["lifecycle_stage"] == "active"
    ]


def files_of(workspace: Workspace, run: Run) -> dict[str, bytes]:
    """Give the files of a run."""
    root = root_of(run) + "/"
    files = workspace.files
    objects = {**workspace.stores.objects, **files.volumes, **files.dbfs}
    return {key[len(root) :]: body for key, body in objects.items() if key.startswith(root)}


def differences(workspace: Workspace, experiment: str, record: RunRecord) -> list[str]:
    """Say everything in which an experiment differs from exactly one whole run of ``record``."""
    runs = [run for run in runs_of(workspace, experiment) if run.tags.get(marks.KEY) == record.key]
    if len(runs) != 1:
        return [f"{len(runs)} runs instead of one: {[run.info['status'] for run in runs]}"]
    (run,) = runs
    wrong = [] if run.info["status"] == "FINISHED" else [f"status {run.info['status']}"]
    wrong += [f"param {key}" for key, value in record.params.items() if run.params.get(key) != value]
    wrong += [f"tag {key}" for key, value in record.tags.items() if run.tags.get(key) != value]
    wanted = sorted((point.key, point.step, point.timestamp, point.value) for point in record.metrics)
    stored = sorted(
        (key, point["step"], point["timestamp"], point["value"])
        for key, points in run.points.items()
        for point in points
    )
    wrong += [] if stored == wanted else [f"points {stored} instead of {wanted}"]
    contents = {
        artifact.path: artifact.content
        if isinstance(artifact.content, bytes)
        else artifact.content.read_bytes()
        for artifact in record.artifacts
    }
    there = files_of(workspace, run)
    there.pop(marks.RECEIPT, None)
    return wrong if there == contents else [*wrong, f"files {sorted(there)} instead of {sorted(contents)}"]
