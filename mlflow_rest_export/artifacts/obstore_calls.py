"""Calls to ``obstore``: insisted on with the patience that all calls share, and their failures in our terms.

It has an HTTP client and retries of its own; what it gives up is tried again here.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.errors import ApiError, Interrupted, NoAnswer
from mlflow_rest_export.extras import install_line, require
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.insisting import wait_or_give_up
from mlflow_rest_export.redaction import without_secrets

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
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_CAUSE = re.compile(r"message: \"([^\"]+)\"|(InvalidMessage)\(|(TimedOut)")
"""What the library tells of a broken connection to those alone who debug it."""
_CA_ADVICE = "give the CA bundle in MLFLOW_TRACKING_SERVER_CERT_PATH or REQUESTS_CA_BUNDLE"
_TOO_MUCH = re.compile(r"status code: 429|SlowDown|ServerBusy", re.IGNORECASE)
_PASSING = re.compile(r"HTTP error|timed? ?out|status code: (408|5\d\d)", re.IGNORECASE)


@dataclass(slots=True)
class Attempt:
    """What the one who waits for an attempt and the thread that makes it tell each other."""

    places: int
    """Requests that it may have under way."""
    moved: float
    """When something last went forward."""
    given_up: bool = False
    failed: Exception | None = None
    """Why our own side, the file, gave no more."""

    def check(self) -> None:
        """Stop whoever goes on for nobody: an end without an error would pass for the end of the file."""
        if self.given_up:
            raise Interrupted("nobody waits for this any more")


@dataclass(frozen=True, slots=True)
class StoreCalls:
    """Calls of one export to object stores."""

    conduct: Conduct

    def insist(
        self, begin: Callable[[Attempt], _Said], *, limit: float, doing: str, places: int = 1
    ) -> _Said:
        """Do it, again and again while what goes wrong may pass and there is patience.

        Args:
            begin: does it, in a thread of its own.
            limit: seconds that may pass while nothing goes forward.
            doing: the beginning of an error's sentence.
            places: how many of the requests under way it could use.

        Raises:
            ApiError: the store refuses, or its fault did not pass.
            NoAnswer: it gave no answer in the time there was.
            RouteUnavailable: there are no credentials, or the library cannot do this.
            Interrupted: a signal came.
        """
        conduct = self.conduct
        with conduct.patience.running():
            for number in itertools.count():
                conduct.stop.check()
                try:
                    with conduct.pace.turn(conduct.stop.check, most=places) as held:
                        result = self._once(begin, Attempt(held, time.monotonic()), limit, doing=doing)
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

    def _once(
        self, begin: Callable[[Attempt], _Said], attempt: Attempt, limit: float, *, doing: str
    ) -> _Said:
        """Wait for the library, but not through a wish to stop, nor through a silence.

        In a thread, not in an event loop: the caller may be in one, and what the library begins in a loop may
        outlive the interpreter, which kills the process.
        """
        done: concurrent.futures.Future[_Said] = concurrent.futures.Future()
        threading.Thread(target=_settle, args=(done, begin, attempt), daemon=True).start()
        try:
            while not concurrent.futures.wait([done], timeout=LOOK).done:
                self.conduct.stop.check()
                if time.monotonic() - attempt.moved > limit:
                    said = f"{doing}: the object store did not answer in time"
                    raise NoAnswer(said, may_have_arrived=True)
        finally:
            attempt.given_up = True
        if attempt.failed is not None:
            raise attempt.failed
        with _ours(doing):
            return done.result()


def _settle(
    done: concurrent.futures.Future[_Said], begin: Callable[[Attempt], _Said], attempt: Attempt
) -> None:
    try:
        done.set_result(begin(attempt))
    except BaseException as error:  # noqa: BLE001  # for whoever waits
        done.set_exception(error)


@contextlib.contextmanager
def _ours(doing: str) -> Iterator[None]:
    """Name what ``obstore`` raises in our terms."""
    failures = require("obstore.exceptions", for_what="the object store")
    try:
        yield
    except (failures.BaseError, FileNotFoundError, ValueError) as error:
        raise as_ours(error, failures, doing=doing) from None
    except BaseException as error:
        if not _panic(error):
            raise
        raise as_ours(error, failures, doing=doing) from None


def _panic(error: BaseException) -> bool:
    """Say whether the library met what its authors held to be impossible; the type has no public name."""
    return type(error).__module__ == "pyo3_runtime"


def as_ours(error: BaseException, failures: Any, *, doing: str) -> Exception:  # noqa: ANN401  # a module
    """Name an error of ``obstore``, which has a class for some and a text for the others."""
    words, _, debug = str(error).partition("\n\nDebug source")
    told = " ".join(words.split())
    said = without_secrets(_HOW.sub("", told))[:400]
    if isinstance(error, ValueError) or _panic(error):
        return RouteUnavailable(f"the library for it cannot do this: {said}", for_all_files=False)
    closed = _why_closed(told, said, debug)
    if closed:
        return RouteUnavailable(closed)
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
        cause = _CAUSE.search(debug)
        why = f"{said} ({cause[cause.lastindex or 0]})" if cause and "HTTP error" in said else said
        return NoAnswer(f"{doing}: the object store cannot be reached: {why}", may_have_arrived=True)
    return ApiError(refused, status=400, reason=said)


def _why_closed(told: str, said: str, debug: str) -> str:
    """Say what no file of this store will get around, "" when it is nothing of that kind."""
    if METADATA in told or "SettingsError" in told:
        why = said.partition("SettingsError: ")[2] or said
        return f"there are no credentials for the store ({why}); {_ADVICE}"
    untrusted = _CERTIFICATE.search(debug)
    return f"the store's certificate is not trusted ({untrusted[1]}); {_CA_ADVICE}" if untrusted else ""
