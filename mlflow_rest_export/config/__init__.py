"""Settings: what a person may say, in which places, and which place wins."""

from __future__ import annotations

from mlflow_rest_export.config.documents import check_destination
from mlflow_rest_export.config.environment import Environment, read_environment
from mlflow_rest_export.config.layers import Layers, resolve
from mlflow_rest_export.config.reference import SettingRow, setting_rows
from mlflow_rest_export.config.settings import Settings

__all__ = [
    "Environment",
    "Layers",
    "SettingRow",
    "Settings",
    "check_destination",
    "read_environment",
    "resolve",
    "setting_rows",
]
