"""The command line. Imports ``argparse`` alone: each command brings what it needs when it runs."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from mlflow_rest_export import __version__
from mlflow_rest_export.cli.arguments import Misuse, parser


def run() -> None:
    """Entry point of the console script."""
    code = main(sys.argv[1:])
    if sys.implementation.name == "cpython":
        gc.freeze()  # else it looks through all there is before it ends, which takes it 45 ms
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code: 0 all there, 1 a run failed, 2 usage or settings, 3 some runs only on disk,
        4 credentials refused, 130 or 143 after a signal.
    """
    known = parser(__version__)
    try:
        chosen, unknown = known.parse_known_args(arguments)
        _module("usage").check(known, chosen, unknown)
    except SystemExit as end:  # argparse has shown what was asked for
        return int(end.code or 0)
    except Misuse as misuse:
        return int(_module("refusal").refuse(known, misuse, arguments))
    return int(_module(chosen.command).main(chosen))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"mlflow_rest_export.cli.{name}")


__all__ = ["main", "run"]
