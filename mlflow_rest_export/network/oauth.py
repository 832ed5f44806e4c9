"""OAuth tokens: asked for when wanted, kept for all threads, renewed before they expire and when refused."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlflow_rest_export.errors import ApiError, NotMlflow, SettingsError, TrackingError
from mlflow_rest_export.network.auth import RenewableAuth
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.retry import Patience
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.transport import Transport

EXPIRED = 40.0
"""Seconds of life below which a token counts as expired: Azure refuses those with 30 s or less."""
EARLY = 20 * 60.0
"""Seconds before its end at which a token is renewed while it still works; half its life if that is less."""
HURRY = 5.0
"""Seconds that a renewal may take while the old token still works."""
PAUSE = 60.0
"""Seconds until the next try after such a renewal failed."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token."""

    value: str = field(repr=False)
    lifetime: float
    """Seconds from the moment it was asked for."""


Ask = Callable[[Transport], Token]
"""Gets a new token by way of a transport without credentials."""


class TokenReply(BaseModel):
    """What a token endpoint answers; Azure's first version sends numbers as text."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    access_token: str = Field(min_length=1, repr=False)
    expires_in: float = 3600.0


class OAuthToken:
    """One token for all threads.

    Args:
        ask: gets a new one.
        tls: certificates for the way to who gives it.
        clock: monotonic seconds.
    """

    def __init__(
        self, ask: Ask, *, tls: Tls | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._tls = tls
        self._clock = clock
        self._lock = threading.Lock()
        self._token = Token("", 0.0)
        self._until = clock()
        self._not_before = clock()

    def prepare(self, conduct: Conduct) -> None:
        """Make sure that ``value`` is good for the next moments; errors as ``Transport.send``.

        A token near its end is renewed by one thread in a hurry while the others go on with it.
        """
        left = self._until - self._clock()
        if left <= EXPIRED:
            with self._lock:
                if self._until - self._clock() <= EXPIRED:
                    self._fetch(conduct)
        elif left <= min(EARLY, self._token.lifetime / 2) and self._lock.acquire(blocking=False):
            try:
                self._fetch_early(conduct)
            finally:
                self._lock.release()

    @property
    def value(self) -> str:
        """The token of now."""
        return self._token.value

    def replace(self, refused: str, conduct: Conduct) -> None:
        """Get another token in the place of ``refused``, unless another thread did so already."""
        with self._lock:
            if self._token.value == refused:
                self._fetch(conduct)

    def _fetch_early(self, conduct: Conduct) -> None:
        if self._clock() < self._not_before:
            return
        patience = Patience(clock=time.monotonic, first_contact=HURRY, stall=HURRY)
        try:
            self._fetch(replace(conduct, patience=patience))
        except (TrackingError, SettingsError):
            self._not_before = self._clock() + PAUSE

    def _fetch(self, conduct: Conduct) -> None:
        asked = self._clock()
        self._token = self._ask(Transport(conduct=conduct, tls=self._tls))
        self._until = asked + self._token.lifetime


_kept: dict[str, RenewableAuth] = {}
_kept_lock = threading.Lock()


def kept(*identity: str, make: Callable[[], RenewableAuth]) -> RenewableAuth:
    """Give the one set of tokens of this process for an identity: a second export need not ask again.

    Args:
        identity: everything that decides whose tokens they are, secrets too; only a hash of it is kept.
        make: makes them the first time.
    """
    key = hashlib.sha256("\0".join(identity).encode()).hexdigest()
    with _kept_lock:
        if key not in _kept:
            _kept[key] = make()
        return _kept[key]


def ask_endpoint(
    transport: Transport,
    url: str,
    *,
    form: Mapping[str, str],
    advice: str,
    basic: tuple[str, str] | None = None,
) -> Token:
    """Ask a token endpoint for a token.

    Args:
        transport: without credentials of its own.
        url: the endpoint.
        form: fields of the request.
        advice: what to check when the endpoint refuses.
        basic: client id and secret, where they go into a header.

    Raises:
        ApiError: with status 401 when the endpoint refuses us, whatever status it chose for that.
        NoAnswer: it does not answer.
    """
    doing = f"asking {urlsplit(url).netloc} for an access token"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if basic:
        pair = ":".join(quote(part, safe="") for part in basic)  # RFC 6749, section 2.3.1
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    call = Call(method="POST", url=url, doing=doing, headers=headers, body=urlencode(form).encode())
    try:
        reply = TokenReply.model_validate(transport.send_for_json(call))
    except ApiError as error:
        raise _as_refusal(error, advice) from None
    except ValidationError:
        raise NotMlflow(f"{doing}: the answer holds no token", status=200) from None
    return Token(reply.access_token, reply.expires_in)


def _as_refusal(error: ApiError, advice: str) -> ApiError:
    """Give the error of somebody whose credentials are refused: endpoints say 400 for most of it."""
    if error.status not in {400, 401, 403}:
        return error
    said = str(error).split("; ", 1)[0]
    return ApiError(
        f"{said}; {advice}", status=401, code=error.code, reason=error.reason, request_id=error.request_id
    )
