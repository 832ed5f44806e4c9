"""Tags to which MLflow itself gives a meaning."""

from __future__ import annotations

RUN_NAME = "mlflow.runName"
PARENT = "mlflow.parentRunId"
USER = "mlflow.user"
"""Who exported, which may be another person each time."""
NOTE = "mlflow.note.content"
"""The description of a run, in Markdown."""
SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"
CONTEXT = "mlflow.data.context"
"""Of a dataset: what it was used for."""
