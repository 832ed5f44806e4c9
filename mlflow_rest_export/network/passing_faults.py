"""Which failures may pass when the same is asked again. Pure."""

from __future__ import annotations

from mlflow_rest_export.errors import ApiError, NoAnswer
from mlflow_rest_export.network import failures
from mlflow_rest_export.network.answers import is_permanent

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
TRIES_OF_500 = 4
"""A 500 is mostly a fault that comes again; a passing one was seen on freshly started servers."""
TRIES_OF_CUT_BODY = 3
"""A good status with half a body passes; a web page in its place does not."""


def is_clear(error: ApiError | NoAnswer) -> bool:
    """Say whether the server is in order and means what it says."""
    return isinstance(error, ApiError) and error.status not in RETRIED and not error.throttled


def may_pass(error: ApiError | NoAnswer, number: int) -> bool:
    """Say whether failed attempt ``number`` (from 0) may go better when it is made again."""
    if isinstance(error, NoAnswer):
        return failures.may_pass(error)
    if (error.status in RETRIED or error.throttled) and not is_permanent(error):
        return error.status != 500 or number + 1 < TRIES_OF_500
    return error.status < 300 and number + 1 < TRIES_OF_CUT_BODY


def is_outage(error: Exception) -> bool:
    """Say whether the server could not be reached or had no time, so that a later try may go well."""
    if isinstance(error, ApiError):
        return (error.status in RETRIED or error.throttled) and not is_permanent(error)
    return isinstance(error, NoAnswer)
