"""AWS Signature Version 4 for HTTP requests: pure functions from a request, keys and a time to headers.

Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html in the
variant of all services but S3: the path is normalised and encoded once more. Sends nothing and reads no
clock.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
"""The payload hash of a request without a body."""
NEVER_SIGNED = frozenset(
    {
        *("authorization", "connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding"),
        *("proxy-authenticate", "proxy-authorization", "upgrade", "user-agent"),
        *("baggage", "traceparent", "tracestate", "x-amzn-trace-id"),
    }
)
"""Headers that proxies and tracers change on the way; the list is botocore's."""


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Credentials of AWS, permanent or temporary."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    """Only temporary credentials have one."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for."""

    region: str
    service: str

    def on(self, moment: datetime) -> str:
        """Give the credential scope of a day."""
        return f"{_utc(moment):%Y%m%d}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """A request as it will be sent.

    Args:
        url: with its path and query encoded; spaces as ``%20``, since ``+`` stands for itself here.
        headers: those to be signed; ``host`` comes from the URL unless it is among them.
        payload_sha256: of the bytes of the body, as 64 hex digits.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    payload_sha256: str = EMPTY_SHA256


def signed_headers(request: Unsigned, *, keys: AwsKeys, scope: Scope, moment: datetime) -> dict[str, str]:
    """Give the headers that make a request a signed one, ``Authorization`` among them.

    Args:
        request: what will be sent.
        keys: who signs.
        scope: region and service the request goes to.
        moment: now; services take a signature for about 5 minutes.
    """
    added = {
        "X-Amz-Content-SHA256": request.payload_sha256,
        "X-Amz-Date": f"{_utc(moment):%Y%m%dT%H%M%SZ}",
        **({"X-Amz-Security-Token": keys.session_token} if keys.session_token else {}),
    }
    headers = _to_sign({**request.headers, **added}, request.url)
    text = string_to_sign(canonical_request(request, headers), scope=scope, moment=moment)
    signature = hmac.new(_signing_key(keys, scope, moment), text.encode(), hashlib.sha256).hexdigest()
    added["Authorization"] = (
        f"{ALGORITHM} Credential={keys.access_key_id}/{scope.on(moment)}, "
        f"SignedHeaders={';'.join(headers)}, Signature={signature}"
    )
    return added


def canonical_request(request: Unsigned, headers: Mapping[str, str]) -> str:
    """Write the request in the one form that both sides hash.

    Args:
        request: what will be sent.
        headers: all that are signed: names in lower case and in order, values trimmed.
    """
    parts = urlsplit(request.url)
    return "\n".join(
        (
            request.method.upper(),
            quote(_normalised(parts.path), safe="/~"),
            _canonical_query(parts.query),
            "".join(f"{name}:{value}\n" for name, value in headers.items()),
            ";".join(headers),
            request.payload_sha256,
        )
    )


def string_to_sign(canonical: str, *, scope: Scope, moment: datetime) -> str:
    """Write what is signed: the hash of the canonical request, with time and scope."""
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return f"{ALGORITHM}\n{_utc(moment):%Y%m%dT%H%M%SZ}\n{scope.on(moment)}\n{hashed}"


def _to_sign(headers: Mapping[str, str], url: str) -> dict[str, str]:
    found = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    found.setdefault("host", _host(url))
    return {name: found[name] for name in sorted(found) if name not in NEVER_SIGNED}


def _host(url: str) -> str:
    """Give the ``Host`` header that goes with a URL: a port only when it is not the usual one."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    host = f"[{name}]" if ":" in name else name
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in {None, usual} else f"{host}:{parts.port}"


def _normalised(path: str) -> str:
    """Take ``.``, ``..`` and empty segments out of a path."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in {"", "."}:
            kept.append(part)
    end = "/" if kept and path.endswith("/") else ""
    return f"/{'/'.join(kept)}{end}"


def _canonical_query(query: str) -> str:
    """Sort the parameters by name and value as they stand: they are encoded already."""
    pairs = [text.partition("=") for text in query.split("&")] if query else []
    return "&".join(f"{name}={value}" for name, _, value in sorted(pairs, key=lambda pair: pair[::2]))


def _signing_key(keys: AwsKeys, scope: Scope, moment: datetime) -> bytes:
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.on(moment).split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc)
