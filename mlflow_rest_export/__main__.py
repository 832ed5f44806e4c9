"""``python -m mlflow_rest_export``."""

from mlflow_rest_export.cli import run

run()
