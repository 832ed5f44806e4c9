"""What an HTTP answer means: pure functions from status, headers and body to data or a precise error.

Open-source MLflow, Databricks, SageMaker, Azure ML and whatever stands in front of them answer in shapes of
their own; all of them end here as an ``ApiError`` with one sentence.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone

from mlflow_rest_export.errors import ApiError, NotMlflow
from mlflow_rest_export.network import aws_answers
from mlflow_rest_export.redaction import without_secrets

REASON_LENGTH = 400
"""Characters of a server's message that we repeat: some carry a whole SQL statement."""

_ADVICE = {
    401: "check the credentials (MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD)",
    403: "these credentials are known but not allowed to do this: ask for the right to edit the experiment",
    413: "a proxy on the way limits the size of requests: ask for more (nginx: client_max_body_size)",
    502: "nothing answers behind this proxy: export again later, or keep the runs with --spool DIR",
    503: "the server is down or overloaded: export again later, or keep the runs with --spool DIR",
    504: "the server behind this proxy is too slow: export again later, or keep the runs with --spool DIR",
}

_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_XML_CODE = re.compile(r"<Code>([A-Za-z0-9.]+)</Code>")
_XML_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
_QUOTA = "this is a quota of the host, so waiting does not help: ask its administrators, or export less"
_ADVICE_OF_CODE = {
    "FEATURE_DISABLED": "the server has no workspaces: leave MLFLOW_WORKSPACE unset",
    "QUOTA_EXCEEDED": _QUOTA,
    "RESOURCE_LIMIT_EXCEEDED": _QUOTA,
}
_ADVICE_OF_WORDS = {
    "exceeded maximum allowed number": _QUOTA,
    "QueuePool limit of size": (
        "more is asked of this server at once than it has database connections for: use fewer --workers, or "
        "give the server more (MLFLOW_SQLALCHEMYSTORE_POOL_SIZE)"
    ),
}
_PERMANENT = frozenset({"NOT_IMPLEMENTED", *_ADVICE_OF_CODE})


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read whole; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the status says that it worked."""
        return 200 <= self.status < 300  # the 2xx family


def json_of(answer: Answer, *, doing: str, host: str, reads: bool = False) -> Mapping[str, object]:
    """Read the body of a good answer as a JSON object; an empty body or a literal ``200 OK`` is ``{}``.

    Args:
        answer: what came.
        doing: what was being done.
        host: who answered.
        reads: the answer is what was asked for, so an empty one is none: it does not say "not there".

    Raises:
        NotMlflow: the body is something else: a web page, a login, half a JSON text.
    """
    text = answer.body.strip()
    if not reads and text in {b"", b"200 OK"}:  # Databricks answers some calls with the second
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    raise NotMlflow(
        f"{doing}: {_what_it_is(answer)} came back from {host} in place of MLflow's JSON; is the tracking "
        "URI right, with its path, and is it MLflow that listens there?",
        status=answer.status,
        reason=_plain(answer),
        request_id=_request_id(answer),
    )


def error_of(answer: Answer, *, doing: str, host: str) -> ApiError:
    """Turn an answer that is not good into the error to raise.

    Args:
        answer: what came.
        doing: what was being done and to what, such as ``creating run eval-1``.
        host: who answered.
    """
    if 300 <= answer.status < 400:  # the 3xx family; we follow none of them
        return _redirect(answer, doing, host)
    code, reason = _code_and_reason(answer)
    reason = reason or answer.headers.get("x-databricks-reason-phrase", "")
    reason = without_secrets(" ".join(reason.split()))[:REASON_LENGTH]
    said = f"{host} answered {answer.status}" + (f" {code}" if code and not code.isdigit() else "")
    sentence = f"{doing}: {said}" + (f": {_once(reason, answer)}" if reason else "")
    advice = aws_answers.advice(code, reason) or _advice(answer, code, reason)
    kind = ApiError if code or answer.body.lstrip()[:1] == b"{" or not _is_page(answer) else NotMlflow
    error = kind(
        f"{sentence}; {advice}" if advice else sentence,
        status=answer.status,
        code=code,
        reason=reason,
        request_id=_request_id(answer),
    )
    error.bucket_region = answer.headers.get("x-amz-bucket-region", "")
    return error


def _once(reason: str, answer: Answer) -> str:
    """Take out what the sentence says anyway: the status at the beginning, the full stop at the end."""
    return reason.removeprefix(f"{answer.status} ").rstrip(".")


def retry_after(answer: Answer, *, now: float) -> float | None:
    """Read ``Retry-After`` as seconds from ``now`` (s since 1970); None for none, and for nonsense."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
        date = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
        return max(0.0, date.timestamp() - now)
    except (ValueError, OverflowError):
        return None


def is_permanent(error: ApiError) -> bool:
    """Say whether asking again is pointless although the status looks like a passing fault.

    Seen on open-source servers: 503 when artifacts are not served, 500 for every error code without a status
    of its own (FEATURE_DISABLED), 501 for what a store cannot do.
    """
    if error.status == 501 or error.code in _PERMANENT:
        return True
    said = error.reason.lower()
    return "serve-artifacts" in said or "artifact serving is disabled" in said or "nul (0x00)" in said


def _redirect(answer: Answer, doing: str, host: str) -> NotMlflow:
    place = without_secrets(answer.headers.get("location", "")).split("?")[0]
    advice = (
        "that is a login page, or the tracking URI lacks https:// or a path: give the address that answers "
        "itself"
    )
    if "accounts.google.com" in place:
        advice = "that is Google's login page: set MLFLOW_TRACKING_AUTH=google-id-token"
    error = NotMlflow(
        f"{doing}: {host} redirects to {place[:200] or 'nowhere'}; {advice}",
        status=answer.status,
        request_id=_request_id(answer),
    )
    error.location = place
    error.bucket_region = answer.headers.get("x-amz-bucket-region", "")
    return error


def _code_and_reason(answer: Answer) -> tuple[str, str]:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    aws_type = aws_answers.error_type(
        answer.headers.get("x-amzn-errortype", ""), body.get("__type") if isinstance(body, dict) else ""
    )
    if not isinstance(body, dict):
        return _of_a_text(answer, aws_type)
    if isinstance(body.get("error"), dict):  # Azure's and Google's stores
        body = {**body["error"], "error_code": body["error"].get("code")}
    azure = body.get("Error") if isinstance(body.get("Error"), dict) else {}
    code = body.get("error_code") or aws_type or body.get("errorCode") or body.get("error") or ""
    reason = (
        body.get("message")
        or body.get("Message")
        or (azure or {}).get("Message")
        or body.get("error_description")
        or body.get("errorSummary")
        or body.get("detail")
        or ""
    )
    if " " in str(code):  # {"error": "a sentence"}, as simple gateways answer
        code, reason = "", reason or code
    return without_secrets(str(code))[:REASON_LENGTH], str(reason)


def _of_a_text(answer: Answer, code: str) -> tuple[str, str]:
    """Read what S3 and Azure's blobs say in XML; anything else is a plain text."""
    text = answer.body[:20_000].decode("utf-8", "replace")
    found, message = _XML_CODE.search(text), _XML_MESSAGE.search(text)
    if found:
        return found.group(1), message.group(1) if message else ""
    return code, _plain(answer)


def _advice(answer: Answer, code: str, reason: str) -> str:
    if answer.status == 401 or code in {"401", "403"}:  # numbers are how Databricks' front door speaks
        return _advice_of_401(answer, reason)
    if answer.status == 403 and "host header" in reason.lower():
        return "start the server with --allowed-hosts naming this host (MLflow 3.5 and later check it)"
    if not code and (answer.status == 404 or (answer.status in {405, 501} and _is_page(answer))):
        return "there is no MLflow API at this address: check the path of the tracking URI"
    advice = next((advice for words, advice in _ADVICE_OF_WORDS.items() if words in reason), "")
    if advice:
        return advice
    if code == "RESOURCE_ALREADY_EXISTS" and reason.startswith("Node named"):
        return "if that is a notebook or a folder, choose another name for the experiment"
    return _ADVICE_OF_CODE.get(code) or _ADVICE.get(answer.status, "")


def _advice_of_401(answer: Answer, reason: str) -> str:
    if "expired" in reason.lower():
        return "get a new token; token_file or token_command in the settings renews it by itself"
    if any(name.startswith("x-databricks-") for name in answer.headers):
        return "check the Databricks credentials (DATABRICKS_TOKEN, the client id and secret, or the profile)"
    if "basic" in answer.headers.get("www-authenticate", "").lower():
        return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    return _ADVICE[401]


def _plain(answer: Answer) -> str:
    text = answer.body[:20_000].decode("utf-8", "replace")
    title = _TITLE.search(text)
    return without_secrets(" ".join((title.group(1) if title else _TAG.sub(" ", text)).split()))[
        :REASON_LENGTH
    ]


def _is_page(answer: Answer) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _what_it_is(answer: Answer) -> str:
    if _is_page(answer):
        return f'a web page ("{_plain(answer)[:80]}")'
    if answer.body.lstrip()[:1] in {b"{", b"["}:
        return f"a JSON text of {len(answer.body)} bytes that is cut short or is no object"
    return f"a text of {len(answer.body)} bytes"


def _request_id(answer: Answer) -> str:
    names = ("x-request-id", "x-amzn-requestid", "x-ms-request-id", "x-databricks-request-id")
    return next((answer.headers[name] for name in names if name in answer.headers), "")
