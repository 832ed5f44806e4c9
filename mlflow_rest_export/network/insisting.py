"""What is done between two attempts at a call: wait as long as it makes sense, or give up."""

from __future__ import annotations

import logging

from mlflow_rest_export.errors import ApiError, NoAnswer
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.passing_faults import is_clear, may_pass

_log = logging.getLogger("mlflow_rest_export")


def wait_or_give_up(
    conduct: Conduct, error: ApiError | NoAnswer, number: int, *, repeatable: bool = True
) -> None:
    """Wait before what failed for time ``number`` (from 0) is tried again.

    Args:
        conduct: patience, pace and the wish to stop.
        error: how it failed.
        number: of the attempt.
        repeatable: whether it may be sent again although it may have arrived.

    Raises:
        ApiError: it will not pass, or patience is at its end; it is ``error`` itself.
        NoAnswer: the same.
        Interrupted: a signal came.
    """
    asked = error.retry_after if isinstance(error, ApiError) else None
    if is_clear(error):
        conduct.patience.progress()  # a clear word is contact, too
    elif asked is not None:
        conduct.patience.meet()  # so is a request to wait, but nothing went forward
    if not may_pass(error, number) or (error.may_have_arrived and not repeatable):
        raise error
    wait = conduct.backoff.wait(number, asked=asked, chance=conduct.chance())
    left = conduct.patience.left()
    if left <= 0:
        raise _telling(error, conduct.patience.spent)
    if asked is not None and wait > left:
        raise _telling(error, f"it asks us to wait {asked:g} s, and {left:.0f} s are all that is left")
    wait = min(wait, left)  # so that the last try comes when the time is up, not long before
    _log.info("%s; trying again in %.1f s", error, wait)
    if asked is not None or (isinstance(error, ApiError) and error.throttled):
        conduct.pace.slow_down(wait)
    conduct.stop.wait(wait)


def _telling(error: ApiError | NoAnswer, what: str) -> ApiError | NoAnswer:
    """Give the same error with a word on the time, so that its reader knows that we did insist."""
    error.args = (f"{error.args[0]} ({what})",)
    return error
