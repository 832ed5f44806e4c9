"""What answers mean: errors in the shapes of all hosts, with advice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.errors import ApiError, NotMlflow
from mlflow_rest_export.network.answers import (
    REASON_LENGTH,
    Answer,
    error_of,
    is_permanent,
    json_of,
    retry_after,
)
from mlflow_rest_export.network.passing_faults import is_outage


def told(status: int, body: object = b"", **headers: str) -> ApiError:
    """The error that an answer becomes."""
    data = (
        body
        if isinstance(body, bytes)
        else body.encode()
        if isinstance(body, str)
        else json.dumps(body).encode()
    )
    named = {name.lower().replace("_", "-"): value for name, value in headers.items()}
    return error_of(Answer(status, named, data), doing="creating run r", host="h:5000")


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ({"error_code": "NOT_FOUND", "message": "no run"}, "NOT_FOUND", "no run"),
        ({"error_code": 403, "message": "Invalid access token."}, "403", "Invalid access token."),
        ({"__type": "com.amazon#ThrottlingException", "message": "slow"}, "ThrottlingException", "slow"),
        ({"Message": "Missing Authentication Token"}, "", "Missing Authentication Token"),
        ({"error": {"code": "UserError", "message": "no"}}, "UserError", "no"),
        ({"error": "invalid_client", "error_description": "wrong secret"}, "invalid_client", "wrong secret"),
        ({"error": "the gateway is closed"}, "", "the gateway is closed"),
        ({"errorCode": "E1", "errorSummary": "not known"}, "E1", "not known"),
        ({"detail": "Not Found"}, "", "Not Found"),
        ({"detail": [{"loc": ["body"], "msg": "missing"}]}, "", "[{'loc': ['body'], 'msg': 'missing'}]"),
        ("<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>", "NoSuchKey", "gone"),
        ("<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey", ""),
        ("<html><head><title>502 Bad\n Gateway</title></head></html>", "", "502 Bad Gateway"),
        ("<html><body><script>x()</script><p>Sorry,</p> <b>no</b></body></html>", "", "Sorry, no"),
        ("Invalid Host header - possible DNS rebinding", "", "Invalid Host header - possible DNS rebinding"),
        ("", "", ""),
        ("[" * 100_000, "", "[" * REASON_LENGTH),
        ([1, 2], "", "[1, 2]"),
        (b"\xff\xfe", "", "\ufffd\ufffd"),
    ],
)
def test_every_host_says_its_errors_in_a_shape_of_its_own(body: object, code: str, reason: str) -> None:
    error = told(400, body)

    assert (error.code, error.reason) == (code, reason)
    shown = code if code and not code.isdigit() else ""
    assert str(error).startswith(f"creating run r: h:5000 answered 400 {shown}".rstrip())


def test_what_a_server_says_is_cut_and_made_one_line() -> None:
    error = told(400, {"error_code": "BAD_REQUEST", "message": "a\nb\t c" + "x" * 10_000})

    assert error.reason.startswith("a b cx")
    assert len(error.reason) == REASON_LENGTH
    assert len(str(error)) < REASON_LENGTH + 200


@pytest.mark.parametrize(
    ("status", "body", "headers", "advice"),
    [
        (401, "no", {}, "MLFLOW_TRACKING_TOKEN"),
        (401, "no", {"WWW_Authenticate": 'Basic realm="mlflow"'}, "set MLFLOW_TRACKING_USERNAME and"),
        (401, "The access token expired", {}, "renews it by itself"),
        (401, "no", {"X_Databricks_Org_Id": "1"}, "check the Databricks credentials"),
        (403, {"error_code": 403, "message": "no"}, {"X_Databricks_Org_Id": "1"}, "Databricks credentials"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "no"}, {}, "not allowed to do this"),
        (403, "Invalid Host header", {}, "--allowed-hosts"),
        (404, "<html><title>Not Found</title></html>", {}, "check the path of the tracking URI"),
        (413, "too large", {}, "limits the size of requests"),
        (502, "", {}, "--spool"),
        (500, {"error_code": "FEATURE_DISABLED", "message": "no"}, {}, "leave MLFLOW_WORKSPACE unset"),
        (400, {"error_code": "QUOTA_EXCEEDED", "message": "no"}, {}, "quota"),
        (400, {"error_code": "E", "message": "exceeded maximum allowed number of runs"}, {}, "quota"),
        (
            400,
            {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "Node named 'x'"},
            {},
            "notebook or a folder",
        ),
    ],
)
def test_the_sentence_ends_with_what_to_do(
    status: int, body: object, headers: dict[str, str], advice: str
) -> None:
    assert advice in str(told(status, body, **headers)).rpartition("; ")[2]


def test_a_refusal_without_advice_is_told_as_it_is() -> None:
    error = told(409, {"error_code": "ABORTED", "message": "try later"})

    assert str(error) == "creating run r: h:5000 answered 409 ABORTED: try later"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (
            "https://login.example/x?state=canary",
            "redirects to https://login.example/x; that is a login page",
        ),
        ("", "redirects to nowhere"),
        ("https://accounts.google.com/o?x", "MLFLOW_TRACKING_AUTH=google-id-token"),
        ("https://me:canary@h/" + "x" * 900, "redirects to https://h/"),
    ],
)
def test_a_redirect_is_told_with_its_place(location: str, said: str) -> None:
    error = told(302, "", Location=location, X_Amz_Bucket_Region="eu-west-1")

    assert isinstance(error, NotMlflow)
    assert said in str(error)
    assert "canary" not in str(error)
    assert len(str(error)) < 500
    assert error.bucket_region == "eu-west-1"


@pytest.mark.parametrize(
    ("body", "mlflow"), [("<html>no</html>", False), ({"message": "no"}, True), ("no", True)]
)
def test_a_page_with_an_error_is_not_of_mlflow(body: object, mlflow: bool) -> None:
    assert isinstance(told(404, body), NotMlflow) is not mlflow


@pytest.mark.parametrize(
    "header", ["X-Request-Id", "x-amzn-RequestId", "x-ms-request-id", "X-Databricks-Request-Id"]
)
def test_the_id_of_a_request_is_kept_for_whoever_asks_the_host(header: str) -> None:
    assert error_of(Answer(500, {header.lower(): "q1"}, b""), doing="d", host="h").request_id == "q1"


@pytest.mark.parametrize(
    ("status", "properties"),
    [
        (401, {"refused", "about_credentials"}),
        (403, {"refused"}),
        (404, set()),
        (408, {"may_have_arrived"}),
        (429, {"throttled"}),
        (500, {"may_have_arrived"}),
        (503, {"may_have_arrived"}),
        (200, {"may_have_arrived"}),
        (302, set()),
    ],
)
def test_what_a_status_means(status: int, properties: set[str]) -> None:
    names = ("refused", "about_credentials", "may_have_arrived", "throttled", "not_found", "already_exists")
    error = ApiError("no", status=status)

    assert {name for name in names if getattr(error, name)} == properties


FULL_POOL = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00 (Background on this "
    "error at: https://sqlalche.me/e/21/3o7r)"
)
"""What 3.17.2 with one worker answered to nine of 16 simultaneous batches, after 30 s (recorded)."""


@pytest.mark.parametrize(
    ("code", "reason", "busy"),
    [
        ("BAD_REQUEST", FULL_POOL, True),
        ("BAD_REQUEST", "(sqlite3.OperationalError) database is locked [SQL: INSERT INTO runs", True),
        ("BAD_REQUEST", "(psycopg2.OperationalError) server closed the connection unexpectedly", True),
        ("BAD_REQUEST", "(sqlite3.IntegrityError) UNIQUE constraint failed: metrics.key", False),
        ("BAD_REQUEST", "(sqlite3.IntegrityError) [parameters: '(x.OperationalError)']", False),
        ("INVALID_PARAMETER_VALUE", FULL_POOL, False),
    ],
)
def test_a_database_without_time_is_no_refusal_although_mlflow_calls_it_a_bad_request(
    code: str, reason: str, busy: bool
) -> None:
    error = told(400, {"error_code": code, "message": reason})

    assert (error.database_busy, error.throttled, error.may_have_arrived) == (busy,) * 3
    assert is_outage(error) == busy
    assert ("--workers" in str(error)) == (reason == FULL_POOL)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("RESOURCE_DOES_NOT_EXIST", "not_found"),
        ("NoSuchKey", "not_found"),
        ("BlobNotFound", "not_found"),
        ("RESOURCE_ALREADY_EXISTS", "already_exists"),
        ("ALREADY_EXISTS", "already_exists"),
        ("ThrottlingException", "throttled"),
        ("ExpiredTokenException", "about_credentials"),
        ("SignatureDoesNotMatch", "refused"),
    ],
)
def test_what_a_code_means_whatever_the_status(code: str, name: str) -> None:
    assert getattr(ApiError("no", status=400, code=code), name)
    assert not getattr(ApiError("no", status=400, code="OTHER"), name)


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (ApiError("no", status=501), True),
        (ApiError("no", status=503, reason="start with --serve-artifacts"), True),
        (ApiError("no", status=503, reason="Artifact serving is disabled"), True),
        (ApiError("no", status=500, code="NOT_IMPLEMENTED"), True),
        (ApiError("no", status=503), False),
        (ApiError("no", status=500, code="INTERNAL_ERROR", reason="deadlock"), False),
    ],
)
def test_some_passing_faults_do_not_pass(error: ApiError, permanent: bool) -> None:
    assert is_permanent(error) is permanent


@pytest.mark.parametrize("body", [b"", b"200 OK", b" {} "])
def test_an_empty_answer_is_fine_unless_it_was_asked_for(body: bytes) -> None:
    assert json_of(Answer(200, {}, body), doing="d", host="h:1") == {}
    if body.strip() != b"{}":
        with pytest.raises(NotMlflow):
            json_of(Answer(200, {}, body), doing="d", host="h:1", reads=True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><title>Sign in</title></html>", 'a web page ("Sign in")'),
        (b'{"run": ', "a JSON text of 8 bytes that is cut short or is no object"),
        (b"[" * 100_000, "a JSON text of 100000 bytes"),
        (b"OK", "a text of 2 bytes"),
    ],
)
def test_what_came_in_place_of_json_is_described(body: bytes, said: str) -> None:
    with pytest.raises(NotMlflow, match="in place of MLflow's JSON") as error:
        json_of(Answer(200, {}, body), doing="d", host="h:1")
    assert said in str(error.value)
    assert "from h:1" in str(error.value)


@given(text=st.text(max_size=40))
def test_any_retry_after_is_a_time_or_nothing(text: str) -> None:
    seconds = retry_after(Answer(503, {"retry-after": text}, b""), now=0)

    assert seconds is None or seconds >= 0


@given(status=st.integers(100, 599), body=st.binary(max_size=200), header=st.text(max_size=20))
def test_any_answer_becomes_one_error_of_one_line(status: int, body: bytes, header: str) -> None:
    headers = {"location": header, "x-amzn-errortype": header, "www-authenticate": header}
    error = error_of(Answer(status, headers, body), doing="d", host="h")

    assert str(error).startswith("d: h ")
    assert "\n" not in error.reason
