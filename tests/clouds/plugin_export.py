"""Writes a run with the official SageMaker plugin; run by an interpreter that has it."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow

arn, experiment, file = sys.argv[1:]
mlflow.set_tracking_uri(arn)
mlflow.set_experiment(experiment)
with mlflow.start_run(run_name="by the plugin") as run:
    mlflow.log_param("model", "a b+c/é")
    mlflow.log_metrics({"acc": 0.5, "f1": 0.25})
    mlflow.log_artifact(file, "d")
found = mlflow.search_runs(filter_string="params.model = 'a b+c/é'", output_format="list")
print(run.info.run_id, len(found), Path(file).name)
