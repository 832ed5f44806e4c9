"""What people see and use, against real servers: the doctor, runs of training scripts, the description."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from mlflow_server import MlflowServer

from mlflow_rest_export import connect
from mlflow_rest_export.cli import main
from mlflow_rest_export.records import Lookup, RunStatus

RESULTS = Path(__file__).parents[2] / "fixtures" / "results"


def test_the_doctor_finds_every_layer_well(
    server: MlflowServer, experiment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["doctor", "--tracking-uri", server.url, "--experiment-name", experiment, "--write"])

    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    states = {layer: state for state, layer, _ in lines}
    assert code == 0, lines
    assert states.pop("features") == ("ok" if server.release >= (2, 1) else "warning")
    assert set(states.values()) == {"ok"}
    assert {"server", "experiment", "run", "artifacts"} <= states.keys()
    found = connect(server.url).rest
    kept = found.find_experiment(experiment)
    assert kept is not None
    assert list(found.search_runs([kept.experiment_id])) == []  # its run is deleted again


def test_a_training_script_fills_a_run(server: MlflowServer, experiment: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    client = connect(server.url)
    with client.run(experiment=experiment, name="y", tags={"team": "eval"}) as run:
        run.log_params({"lr": 1e-4})
        for step in range(2500):
            run.log_metrics({"loss": 1 / (step + 1)}, step=step)
        run.log_metrics({"odd": math.inf})
        run.log_artifact(tmp_path / "model.bin", "models")

    stored = client.tracking.get_run(run.run_id)
    assert stored.status is RunStatus.FINISHED
    assert stored.params == {"lr": "0.0001"}
    assert stored.metrics["loss"].step == 2499
    assert stored.tags["nonfinite.odd"] == "Infinity"
    assert sum(1 for _ in client.tracking.metric_history(run.run_id, "loss")) == 2500
    assert client.artifacts.listing(stored) == {"models/model.bin": 7}


def test_an_exported_run_has_its_scores_in_the_description(server: MlflowServer, experiment: str) -> None:
    assert main(["export", str(RESULTS), "--tracking-uri", server.url, "--experiment-name", experiment]) == 0

    client = connect(server.url)
    found = client.tracking.find_experiment(experiment)
    assert found is not None
    lookup = Lookup("invocation_id", "4d4685867b13b968")
    notes = [
        run.tags["mlflow.note.content"] for run in client.tracking.find_runs(found.experiment_id, [lookup])
    ]
    assert len(notes) == 2
    assert any("| `aa_lcr_accuracy` | 0.25 ± 0.25 |" in note for note in notes)
