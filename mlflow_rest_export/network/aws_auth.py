"""Signs each attempt of a request for AWS, with the keys and the time of that moment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Protocol, runtime_checkable

from requests import PreparedRequest

from mlflow_rest_export.network import sigv4
from mlflow_rest_export.network.auth import RenewableAuth
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.sigv4 import AwsKeys, Scope

SIGNED = ("host", "content-type", "content-md5")
"""Headers that are signed besides every ``X-...``: enough for AWS, and what proxies leave alone. The official
plugin signs ``Accept-Encoding`` too, which a proxy may rewrite."""


@runtime_checkable
class HashedBody(Protocol):
    """A body that is streamed and can say its hash without being held in memory."""

    def sha256(self) -> str:
        """Give the SHA-256 of the bytes that will be sent, as 64 hex digits."""
        ...


def _now() -> datetime:
    return datetime.now(timezone.utc)


class SigV4Auth(RenewableAuth):
    """AWS Signature Version 4.

    Args:
        keys: gives the keys of now.
        scope: region and service.
        clock: gives the time of now.
    """

    def __init__(
        self, keys: Callable[[], AwsKeys], scope: Scope, *, clock: Callable[[], datetime] = _now
    ) -> None:
        self._keys = keys
        self._scope = scope
        self._clock = clock

    def prepare(self, conduct: Conduct) -> None:
        """Have the keys found or renewed before the request takes its place; errors as ``keys``."""
        del conduct
        self._keys()

    def renew(self, conduct: Conduct) -> bool:
        """Do nothing: keys are renewed before they expire, and a signature that is refused stays so."""
        del conduct
        return False

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request as it stands; ``+`` in its query, for a space, becomes ``%20``."""
        before, mark, query = (request.url or "").partition("?")
        request.url = before + mark + query.replace("+", "%20")
        unsigned = sigv4.Unsigned(
            method=request.method or "GET",
            url=request.url,
            headers={name: _text(value) for name, value in request.headers.items() if _is_signed(name)},
            payload_sha256=_hash_of(request.body),
        )
        request.headers.update(
            sigv4.signed_headers(unsigned, keys=self._keys(), scope=self._scope, moment=self._clock())
        )
        return request


def _is_signed(name: str) -> bool:
    return name.lower() in SIGNED or name.lower().startswith("x-")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _hash_of(body: object) -> str:
    if body is None:
        return sigv4.EMPTY_SHA256
    if isinstance(body, HashedBody):
        return body.sha256()
    if isinstance(body, str):
        return hashlib.sha256(body.encode()).hexdigest()
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest()
    raise TypeError(f"a body of type {type(body).__name__} cannot be signed: it has no hash")
