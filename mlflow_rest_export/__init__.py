"""Evaluation results on disk, in any MLflow, without MLflow installed.

Importing the package does nothing and costs little: what is asked for is imported then.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow_rest_export.api import connect, export_results

__all__ = ["__version__", "connect", "export_results"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Give the public functions, imported when first used (PEP 562)."""
    if name in {"connect", "export_results"}:
        return getattr(importlib.import_module("mlflow_rest_export.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
