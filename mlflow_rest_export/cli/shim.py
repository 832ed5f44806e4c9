"""The command ``shim``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlflow_rest_export import shim
from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.errors import ExportError


def main(chosen: argparse.Namespace) -> int:
    """Write the shim and say where it is."""
    try:
        place = shim.install(Path(chosen.folder).absolute())
    except ExportError as error:
        print(f"mlflow-rest-export: {error}", file=sys.stderr)
        return exit_codes.of_error(error)
    print(place)
    return exit_codes.GOOD
