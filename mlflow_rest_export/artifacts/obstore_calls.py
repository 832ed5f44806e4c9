"""Calls to ``obstore``: insisted on with the patience that all calls share, and their failures in our terms.

It has an HTTP client and retries of its own; what it gives up is tried again here.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.errors import ApiError, NoAnswer
from mlflow_rest_export.extras import install_line, require
from mlflow_rest_export.network.answers import without_secrets
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.insisting import wait_or_give_up

_Said = TypeVar("_Said")
LOOK = 0.2
"""Seconds between two looks at the wish to stop."""
METADATA = "169.254.169.254"
"""Where the last link of every chain of credentials asks; mentioned only when nothing else was found."""
_ADVICE = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS or "
    f"AZURE_STORAGE_ACCESS_KEY; for AWS profiles: {install_line('botocore')}"
)
_HOW = re.compile(r"Error performing \w+ \S+ in .*? - ")
"""What ``obstore`` tells of its own attempts."""
_TOO_MUCH = re.compile(r"status code: 429|SlowDown|ServerBusy", re.IGNORECASE)
_PASSING = re.compile(r"HTTP error|timed? ?out|status code: (408|5\d\d)", re.IGNORECASE)


@dataclass(slots=True)
class Moved:
    """When something last went forward, and the seconds that may pass without that."""

    limit: float = 0.0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class StoreCalls:
    """Calls of one export to object stores."""

    conduct: Conduct

    def insist(
        self, begin: Callable[[int], Awaitable[_Said]], moved: Moved, *, doing: str, places: int = 1
    ) -> _Said:
        """Do it, again and again while what goes wrong may pass and there is patience.

        Args:
            begin: begins it; told how many requests it may have under way.
            moved: noted by whoever sees that it goes forward.
            doing: the beginning of an error's sentence.
            places: how many of the requests under way it could use.

        Raises:
            ApiError: the store refuses, or its fault did not pass.
            NoAnswer: it gave no answer in the time there was.
            RouteUnavailable: there are no credentials.
            Interrupted: a signal came.
        """
        conduct = self.conduct
        with conduct.patience.running():
            for number in itertools.count():
                conduct.stop.check()
                try:
                    with conduct.pace.turn(conduct.stop.check, most=places) as held, _ours(doing):
                        result = asyncio.run(self._watched(begin, held, moved, doing=doing))
                except (ApiError, NoAnswer) as error:
                    wait_or_give_up(conduct, error, number)
                else:
                    conduct.patience.progress()
                    conduct.pace.went_well()
                    return result
        raise AssertionError  # pragma: no cover - the loop has no end

    def pieces(self, stream: Iterable[Any], *, doing: str) -> Iterator[bytes]:
        """Give what a stored file is read in; errors as ``insist``."""
        with _ours(doing):
            for piece in stream:
                self.conduct.stop.check()
                self.conduct.patience.progress()
                yield bytes(piece)

    async def _watched(
        self, begin: Callable[[int], Awaitable[_Said]], held: int, moved: Moved, *, doing: str
    ) -> _Said:
        """Wait for ``obstore``, but not through a wish to stop, nor through a silence."""
        moved.at = time.monotonic()
        task = asyncio.ensure_future(begin(held))
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=LOOK)
                self.conduct.stop.check()
                if not task.done() and time.monotonic() - moved.at > moved.limit:
                    raise NoAnswer(f"{doing}: the object store did not answer in time", may_have_arrived=True)
            return task.result()
        finally:
            task.cancel()


@contextlib.contextmanager
def _ours(doing: str) -> Iterator[None]:
    """Name what ``obstore`` raises in our terms."""
    failures = require("obstore.exceptions", for_what="the object store")
    try:
        yield
    except (failures.BaseError, FileNotFoundError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # our own file, not the store's object
            raise
        raise as_ours(error, failures, doing=doing) from None


def as_ours(error: Exception, failures: Any, *, doing: str) -> Exception:  # noqa: ANN401  # a module
    """Name an error of ``obstore``, which has a class for some and a text for the others."""
    told = " ".join(str(error).split("\n\nDebug source")[0].split())
    said = without_secrets(_HOW.sub("", told))[:400]
    if METADATA in told or "SettingsError" in told:
        why = said.partition("SettingsError: ")[2] or said
        return RouteUnavailable(f"there are no credentials for the store ({why}); {_ADVICE}")
    refused = f"{doing}: the object store said: {said}"
    for kind, status, code in (
        ((failures.NotFoundError, FileNotFoundError), 404, "RESOURCE_DOES_NOT_EXIST"),
        (failures.PermissionDeniedError, 403, "PERMISSION_DENIED"),
        (failures.UnauthenticatedError, 401, "UNAUTHENTICATED"),
    ):
        if isinstance(error, kind):
            return ApiError(refused, status=status, code=code, reason=said)
    if _TOO_MUCH.search(said):
        return ApiError(refused, status=429, code="SlowDown", reason=said)
    if _PASSING.search(said):
        return NoAnswer(f"{doing}: the object store cannot be reached: {said}", may_have_arrived=True)
    return ApiError(refused, status=400, reason=said)
