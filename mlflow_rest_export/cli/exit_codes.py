"""From what happened to the exit code; the first that applies. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_rest_export.errors import ApiError, SettingsError
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult

GOOD = 0
FAILED = 1
USAGE = 2
SPOOLED = 3
REFUSED = 4


def of_results(results: Sequence[RunResult]) -> int:
    """Give the exit code of a finished export."""
    failures = [result.error for result in results if result.outcome is Outcome.FAILED]
    if any(isinstance(error, SettingsError) for error in failures):
        return USAGE
    if any(isinstance(error, ApiError) and error.refused for error in failures):
        return REFUSED
    if failures:
        return FAILED
    return SPOOLED if any(result.outcome is Outcome.SPOOLED for result in results) else GOOD


def of_error(error: Exception) -> int:
    """Give the exit code of an export that ended as a whole."""
    if isinstance(error, SettingsError):
        return USAGE
    return REFUSED if isinstance(error, ApiError) and error.refused else FAILED
