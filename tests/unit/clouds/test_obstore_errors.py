"""What ``obstore`` 0.12 says when something goes wrong, in our terms; its words were recorded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlflow_rest_export.artifacts.obstore_calls import as_ours
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.errors import ApiError, NoAnswer


class BaseError(Exception):
    """Stands for the library's own, which is not installed here."""


class NotFoundError(BaseError):
    """Stands for the library's own."""


class PermissionDeniedError(BaseError):
    """Stands for the library's own."""


class UnauthenticatedError(BaseError):
    """Stands for the library's own."""


FAILURES = SimpleNamespace(
    BaseError=BaseError,
    NotFoundError=NotFoundError,
    PermissionDeniedError=PermissionDeniedError,
    UnauthenticatedError=UnauthenticatedError,
)
HOW = "Error performing PUT http://127.0.0.1:9/b/k in 110.5ms, after 2 retries - "


@pytest.mark.parametrize(
    "words",
    [
        "HTTP error: error sending request",
        "Server returned non-2xx status code: 503 Service Unavailable: ",
        "Server returned non-2xx status code: 500 Internal Server Error: x",
    ],
)
def test_what_may_pass_is_tried_again(words: str) -> None:
    error = as_ours(
        BaseError(f"Generic S3 error: {HOW}{words}\n\nDebug source:\ncanary"), FAILURES, doing="d"
    )

    assert isinstance(error, NoAnswer)
    assert str(error) == f"d: the object store cannot be reached: Generic S3 error: {words}".strip()


@pytest.mark.parametrize(
    "words",
    [
        "Server returned non-2xx status code: 429 Too Many Requests: ",
        "Server returned non-2xx status code: 503 Service Unavailable: <Error><Code>SlowDown</Code></Error>",
        "Server returned non-2xx status code: 400 Bad Request: <Error><Code>SlowDown</Code></Error>",
        "Server returned non-2xx status code: 503 : <Error><Code>ServerBusy</Code></Error>",
    ],
)
def test_too_much_at_once_slows_everybody_down(words: str) -> None:
    error = as_ours(BaseError(f"Generic S3 error: {HOW}{words}"), FAILURES, doing="d")

    assert isinstance(error, ApiError)
    assert error.throttled


@pytest.mark.parametrize(
    ("kind", "words", "status"),
    [
        (PermissionDeniedError, "status code: 403 Forbidden: <Error><Code>ExpiredToken</Code></Error>", 403),
        (UnauthenticatedError, "The operation lacked valid authentication credentials", 401),
        (FileNotFoundError, "Object at location a/k not found", 404),
        (BaseError, "Received redirect without LOCATION, this normally indicates a wrong region", 400),
        (BaseError, "status code: 400 Bad Request: <Code>AuthorizationHeaderMalformed</Code>", 400),
    ],
)
def test_what_will_not_pass_is_told_at_once(kind: type[Exception], words: str, status: int) -> None:
    error = as_ours(kind(f"Generic S3 error: {HOW}{words}"), FAILURES, doing="d")

    assert isinstance(error, ApiError)
    assert (error.status, error.not_found, error.refused) == (status, status == 404, status in {401, 403})
    assert words in str(error)


@pytest.mark.parametrize(
    "words",
    [
        "Error performing PUT http://169.254.169.254/latest/api/token in 1.9ms - HTTP error: connect",
        "External AWS credential provider: SettingsError: no AWS credentials were found: set AWS_PROFILE",
    ],
)
def test_missing_credentials_close_the_way_with_advice(words: str) -> None:
    error = as_ours(BaseError(f"Generic S3 error: {words}"), FAILURES, doing="d")

    assert isinstance(error, RouteUnavailable)
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(error)
    assert "Error performing" not in str(error)


DEBUG = """

Debug source:
Generic {
    source: HttpError {
        source: Custom {
            error: InvalidCertificate(
                %s,
            ),
        },
    },
}"""


@pytest.mark.parametrize(
    ("debug", "why"),
    [
        ("UnknownIssuer", "UnknownIssuer"),
        (
            "Other(\n                    OtherError(\n                        CaUsedAsEndEntity",
            "CaUsedAsEndEntity",
        ),
        ("NotValidForNameContext {\n", "NotValidForNameContext"),
    ],
)
def test_a_certificate_that_is_not_trusted_closes_the_way_with_its_cause(debug: str, why: str) -> None:
    words = f"Generic S3 error: {HOW}HTTP error: error sending request{DEBUG % debug}"

    error = as_ours(BaseError(words), FAILURES, doing="d")

    assert isinstance(error, RouteUnavailable)
    assert f"is not trusted ({why}); give the CA bundle in MLFLOW_TRACKING_SERVER_CERT_PATH" in str(error)


def test_the_cause_of_a_broken_connection_is_told() -> None:
    debug = '\n\nDebug source:\nOs {\n code: 111,\n message: "Connection refused",\n}'

    error = as_ours(BaseError(f"{HOW}HTTP error: error sending request{debug}"), FAILURES, doing="d")

    assert str(error).endswith("HTTP error: error sending request (Connection refused)")


class PanicException(BaseException):
    """Stands for the library's own."""


PanicException.__module__ = "pyo3_runtime"


@pytest.mark.parametrize("error", [ValueError("no such path"), PanicException("called `unwrap()`")])
def test_what_the_library_cannot_do_closes_the_way_for_one_file(error: BaseException) -> None:
    closed = as_ours(error, FAILURES, doing="d")

    assert isinstance(closed, RouteUnavailable)
    assert not closed.for_all_files
