"""Modules that are imported when they are first needed: an export touches one host and one format.

Tables name them as ``module:name`` below this package. The architecture test reads those texts as imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(place: str) -> Any:  # noqa: ANN401  # a table's type says what its members are
    """Import a member of this package: ``artifacts.azureml:AzureMlRoute``, or ``targets.azureml`` itself."""
    module, _, name = place.partition(":")
    found = import_module(f"{__package__}.{module}")
    return getattr(found, name) if name else found
