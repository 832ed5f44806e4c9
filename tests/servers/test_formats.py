"""Every genuine result of every format, exported as a user does it and read back with MLflow's own SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow_server import MlflowServer
from result_samples import (
    BUNDLES,
    EEE,
    HELM,
    INSPECT_EVAL,
    INSPECT_ZSTD,
    JUNIT,
    LIGHTEVAL,
    LIGHTEVAL_OLD,
    LM_EVAL,
    SAMPLES,
    TABLES,
)
from server_pool import Reader

from mlflow_rest_export import connect, marks
from mlflow_rest_export.cli import main
from mlflow_rest_export.content import sha256
from mlflow_rest_export.exporting.file_facts import facts_of
from mlflow_rest_export.planning.export_plan import ExportPlan, Wishes
from mlflow_rest_export.planning.plan import build
from mlflow_rest_export.records import RunRecord
from mlflow_rest_export.sources import selection
from mlflow_rest_export.sources.options import ReadOptions

OTHER_EEE = next((SAMPLES / "every-eval-ever").glob("*.json"))
GENUINE = [
    *(BUNDLES, EEE, OTHER_EEE, HELM, INSPECT_EVAL, INSPECT_ZSTD, JUNIT, LIGHTEVAL, LIGHTEVAL_OLD, LM_EVAL),
    *sorted(TABLES.iterdir()),
]
OURS = ("mlflow.", "mlflow_rest_export.")
"""How the tags and params begin that are no matter of a format."""


def plans(server: MlflowServer, experiment: str) -> dict[str, ExportPlan]:
    """Give what the runs shall be, by key."""
    things = [str(path) for path in GENUINE]
    records = list(selection.read(things, ReadOptions(per_task=True), format_name="auto", exec_db=Path("no")))
    limits = connect(server.url).tracking.limits()
    wishes = Wishes(experiment_name=experiment)
    return {
        record.key: build(record, facts_of(record), wishes, limits)
        for record in records
        if isinstance(record, RunRecord)
    }


def foreign(texts: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if not name.startswith(OURS)}


def differences(plan: ExportPlan, run: dict[str, Any]) -> list[str]:
    """Say in what a stored run is not as planned."""
    metrics: dict[str, list[list[float]]] = {}
    for point in plan.metrics:
        metrics.setdefault(point.key, []).append([point.value, point.step, point.timestamp])
    files = {file.path: sha256(file.content) for file in plan.files}
    stored = {path: file.get("sha256") for path, file in run["artifacts"].items() if path != marks.RECEIPT}
    pairs: dict[str, tuple[Any, Any]] = {
        "status": (plan.status.name, run["status"]),
        "times": ((plan.start_time, plan.end_time), (run["start_time"], run["end_time"])),
        "params": (foreign(dict(plan.params)), foreign(run["params"])),
        "tags": (foreign(dict(plan.tags)), foreign(run["tags"])),
        "metrics": ({key: sorted(points) for key, points in metrics.items()}, _sorted(run["metrics"])),
        "files": (files, stored),
    }
    return [
        f"{name}: {stored} instead of {wanted}"
        for name, (wanted, stored) in pairs.items()
        if wanted != stored
    ]


def _sorted(metrics: dict[str, list[list[float]]]) -> dict[str, list[list[float]]]:
    return {key: sorted(points) for key, points in metrics.items()}


def test_every_genuine_result_arrives_exactly_with_a_run_for_each_task(
    server: MlflowServer, experiment: str, sdk_reader: Reader
) -> None:
    things = [str(path) for path in GENUINE]
    command = ["export", *things, "--per-task", "--tracking-uri", server.url, "--experiment-name", experiment]

    assert main([*command, "--quiet"]) == 0

    wanted = plans(server, experiment)
    runs = {run["tags"][marks.KEY]: run for run in sdk_reader(server, experiment)["runs"]}
    assert runs.keys() == wanted.keys()
    assert len(wanted) > len(GENUINE)
    assert {plan.label: differences(plan, runs[key]) for key, plan in wanted.items()} == {
        plan.label: [] for plan in wanted.values()
    }
    for plan in wanted.values():
        if plan.parent_key is not None:
            parent = runs[plan.parent_key]["run_id"]
            assert runs[plan.key]["tags"]["mlflow.parentRunId"] == parent
