"""Optional third-party packages: imported where they are needed, missed with the line that installs them."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from mlflow_rest_export.errors import SettingsError

EXTRAS = {"botocore": "aws", "obstore": "objectstore", "azure": "azure", "google": "gcp"}
"""Top-level package: the extra of this project that brings it."""


def install_line(package: str) -> str:
    """Give the command that installs the extra with ``package``."""
    return f"pip install 'mlflow-rest-export[{EXTRAS[package]}]'"


def is_installed(module: str) -> bool:
    """Say whether ``module`` could be imported, without importing it.

    Args:
        module: dotted name; ``azure`` and ``google`` alone are names that many packages share.
    """
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of what stands above it
        return False


def require(module: str, *, for_what: str) -> ModuleType:
    """Import a module of an extra.

    Args:
        module: dotted name.
        for_what: what needs it, the beginning of the error's sentence.

    Raises:
        SettingsError: it is not installed; the sentence says how to install it.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError:
        raise SettingsError(f"{for_what} needs {package}: {install_line(package)}") from None
