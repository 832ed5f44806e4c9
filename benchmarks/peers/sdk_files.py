"""MLflow's own way for files: ``mlflow.log_artifacts``. Usage: sdk_files.py URL EXPERIMENT FOLDER."""

from __future__ import annotations

import sys

import mlflow

url, experiment, folder = sys.argv[1:]
mlflow.set_tracking_uri(url)
mlflow.set_experiment(experiment)
with mlflow.start_run():
    mlflow.log_artifacts(folder)
