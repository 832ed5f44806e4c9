"""The tags and params by which this tool knows its runs again."""

from __future__ import annotations

KEY = "mlflow_rest_export.key"
"""Tag: identity of the data (``RunRecord.key``)."""
DIGEST = "mlflow_rest_export.digest"
"""Tag: digest of the content. A run with the right digest that is FINISHED is complete."""
OWNER = "mlflow_rest_export.owner"
"""Tag: who is filling the run, ``<host>:<process>:<random>``; unique for each created run."""
ERROR = "mlflow_rest_export.error"
"""Tag: why the run could not be completed."""
CLAIM = "mlflow_rest_export.claim"
"""Param, write-once: ``kept`` on the one run of a key, ``superseded`` on its rivals."""
TAKEOVER = "mlflow_rest_export.takeover."
"""Prefix of params, write-once: number N holds the owner who completes what owner N - 1 left."""
FOLDER = "mlflow_rest_export"
"""Folder of our own files in a run."""
RECEIPT = f"{FOLDER}/receipt.json"
FULL_VALUES = f"{FOLDER}/full_values.json"

KEPT = "kept"
SUPERSEDED = "superseded"
