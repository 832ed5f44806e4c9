"""What it means when no HTTP answer came: pure functions from the exception of ``requests`` to our error."""

from __future__ import annotations

import re
import socket
import ssl

import requests
import urllib3.exceptions

from mlflow_rest_export.errors import NoAnswer
from mlflow_rest_export.network.header_values import UNFIT
from mlflow_rest_export.redaction import without_secrets

_CA_ADVICE = "give the CA bundle in MLFLOW_TRACKING_SERVER_CERT_PATH or REQUESTS_CA_BUNDLE"
_PROXY_ADVICE = "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists the hosts that need none"

_END_OF_HOST = re.compile(r"[/?#\\]")
_NONSENSE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.MissingSchema,
)
"""No request can be made of what we were given."""
_NEVER_SENT = (
    *_NONSENSE,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    ssl.SSLCertVerificationError,
)
"""No ``ProxyError``: urllib3 1.26 says so of every connection that breaks behind a proxy. No ``SSLError``
either: that may be a connection which broke after the request was sent."""
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""How a connection breaks under TLS, where others are reset."""


def no_answer(error: requests.RequestException, *, doing: str, url: str) -> NoAnswer:
    """Name why no answer came, and whether the request may have arrived all the same.

    Args:
        error: what ``requests`` raised.
        doing: what was being done, the beginning of the sentence.
        url: where to; only its host is named.
    """
    host = host_of(url)
    chain = list(_causes(error))
    sent = not any(isinstance(cause, _NEVER_SENT) for cause in chain)
    return NoAnswer(f"{doing}: {_why(error, chain, host)}", may_have_arrived=sent, origin=error)


def host_of(url: str) -> str:
    """Give host and port of an address, without user and password; of one that makes no sense, too."""
    return _END_OF_HOST.split(url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]


def may_pass(failure: NoAnswer) -> bool:
    """Say whether the same request may be answered later: not when TLS or the address itself is wrong."""
    for cause in _causes(failure.origin):
        if isinstance(cause, _NONSENSE):
            return False
        if isinstance(cause, ssl.SSLError):
            return isinstance(cause, _BROKEN_TLS)
    return True


def _causes(error: BaseException | None) -> list[BaseException]:
    """List the exceptions that led to this one; ``urllib3`` keeps some as ``reason`` or as arguments."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:  # a bound, should somebody tie a knot
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and not any(cause is known for known in found):
            found.append(cause)
            waiting += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]
    return found


def _why(error: requests.RequestException, chain: list[BaseException], host: str) -> str:
    for kind, sentence in _SENTENCES:  # the sentences outside: what urllib3 raises says less than its causes
        for cause in chain:
            if isinstance(cause, kind):
                return sentence.format(host=host, said=_said(cause))
    if isinstance(error, _NONSENSE):
        return f"no request can be made for {host or 'this address'} ({_said(error)})"
    return f"the connection to {host} broke ({_said(chain[-1])})"


def _said(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, requests.exceptions.InvalidHeader):
        return f"a header {UNFIT}"  # its own words quote the header
    if isinstance(cause, urllib3.exceptions.ProxyError):
        return str(cause.original_error).rpartition("] ")[2].lower()
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return without_secrets(" ".join(text.split()))[:200] or type(cause).__name__


_SENTENCES: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "the certificate of {host} is not trusted ({said}); " + _CA_ADVICE),
    *((kind, "{host} broke the TLS connection before it answered") for kind in _BROKEN_TLS),
    (ssl.SSLError, "no TLS connection to {host} ({said}); does the server speak https at this port?"),
    (urllib3.exceptions.ProxyError, "no way through the proxy to {host} ({said}); " + _PROXY_ADVICE),
    (socket.gaierror, "the name of {host} cannot be resolved ({said}); check the tracking URI"),
    (ConnectionRefusedError, "nothing listens at {host} (connection refused); is the server running there?"),
    (urllib3.exceptions.ConnectTimeoutError, "{host} could not be reached in time; is the network open?"),
    (urllib3.exceptions.ReadTimeoutError, "{host} took the request but did not answer in time"),
    (ConnectionResetError, "{host} broke the connection before it answered"),
    (BrokenPipeError, "{host} broke the connection while it was sent to"),
    (urllib3.exceptions.IncompleteRead, "the answer of {host} was cut short"),
)
