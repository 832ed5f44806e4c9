"""The public Python API as users type it; never run, only checked by mypy (strict)."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import assert_type

from mlflow_rest_export import connect, export_results
from mlflow_rest_export.client import Client
from mlflow_rest_export.live_run import LiveRun
from mlflow_rest_export.tracking.protocol import Experiment, StoredRun, Tracking
from mlflow_rest_export.tracking.rest import RestTracking


def exporting() -> None:
    assert_type(export_results("8abcd123"), dict[str, object])
    assert_type(export_results(["8abcd123"], dest="mlflow", config={"tags": {"a": "b"}}), dict[str, object])


def training() -> None:
    client = assert_type(connect("http://mlflow:5000", workers=4, timeout=60.0), Client)
    with client.run(experiment="x", name="y", tags={"team": "eval"}, description="*why*") as run:
        assert_type(run, LiveRun)
        assert_type(run.run_id, str)
        run.log_params({"lr": 1e-4, "layers": [1, 2]})
        run.log_metrics({"loss": 0.5, "epoch": 1}, step=1)
        run.log_metric("loss", 0.4, step=2)
        run.set_tags({"phase": "warm-up"})
        run.log_artifact(Path("model.bin"))
        run.log_artifact("plots", "figures")
        run.log_text("done", "notes/end.txt")
        run.flush()


def looking() -> None:
    assert_type(connect().tracking, Tracking)
    rest = assert_type(connect().rest, RestTracking)
    assert_type(rest.find_experiment("x"), Experiment | None)
    assert_type(list(rest.search_runs(["1"], "metrics.acc > 0.5")), list[StoredRun])


def wrong() -> None:
    connect(5000)  # type: ignore[arg-type]
    connect().run(experiment=1)  # type: ignore[arg-type]
    with connect().run() as run:
        run.log_metrics({"loss": "0.5"})  # type: ignore[dict-item]
