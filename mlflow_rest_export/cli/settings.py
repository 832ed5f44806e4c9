"""From the words of the command line to settings."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlflow_rest_export.config import Layers, check_destination, read_environment, resolve

FLAGS = (
    "format",
    "per_task",
    "include_deleted",
    "tracking_uri",
    "experiment_name",
    "run_name",
    "create_parents",
    "restore_experiment",
    "log_metrics",
    "log_artifacts",
    "log_logs",
    "copy_artifacts",
    "copy_logs",
    "only_required",
    "skip_existing",
    "workers",
    "timeout",
    "spool",
    "verify",
    "job_dirs",
)
"""Flags that are settings of the same name; a command has those that make sense for it."""


def layers_of(chosen: argparse.Namespace) -> Layers:
    """Merge the command line with the config file and the environment.

    Raises:
        SettingsError: something makes no sense.
    """
    if "dest" in chosen:
        check_destination(chosen.dest)
    flags: dict[str, object] = {name: getattr(chosen, name, None) for name in (*FLAGS, "map")}
    return resolve(
        environment=read_environment(),
        overrides=chosen.override,
        flags=flags,
        config_file=Path(chosen.config) if chosen.config else None,
    )
