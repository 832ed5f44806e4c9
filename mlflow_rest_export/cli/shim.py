"""The command ``shim``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlflow_rest_export import shim
from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.errors import ExportError


def main(chosen: argparse.Namespace) -> int:
    """Write the shim and say where it is."""
    voice = Voice()
    try:
        place = shim.install(Path(chosen.folder).absolute())
    except ExportError as error:
        voice.error(str(error))
        return exit_codes.of_error(error)
    voice.line(str(place))
    return voice.code(exit_codes.GOOD)
