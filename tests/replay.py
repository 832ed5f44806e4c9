"""Plays recorded exchanges back through ``responses``, strictly.

A request fits an exchange by method, URL, query, body and the headers that the exchange names. Each exchange
is used once, in any order; equal ones in the order they were recorded. A request that fits none, and an
exchange nobody asked for, fail the test.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import responses
from exchanges import Exchange, Recording, load
from requests import PreparedRequest
from responses.registries import FirstMatchRegistry

Matcher = Callable[[PreparedRequest], tuple[bool, str]]


class UnknownRequest(AssertionError):
    """A request that was never recorded; no ``requests`` error, so that nobody tries again."""


class UnusedExchange(AssertionError):
    """An exchange was recorded and nobody asked for it."""


class StrictRegistry(FirstMatchRegistry):
    """Gives each answer once; safe for several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def find(self, request: PreparedRequest) -> tuple[responses.BaseResponse | None, list[str]]:
        """Give the first answer that fits, and forget it."""
        with self._lock:
            reasons = []
            for answer in self.registered:
                fits, reason = answer.matches(request)
                if fits:
                    self.registered.remove(answer)
                    return answer, []
                reasons.append(f"{answer.method} {answer.url}: {reason}")
        said = "\n  ".join(reasons) or "nothing is left to answer"
        raise UnknownRequest(f"{request.method} {request.url} was not recorded; there are\n  {said}")


@contextlib.contextmanager
def replay(path: Path) -> Iterator[Recording]:
    """Let ``requests`` talk to the recording at ``path`` and nothing else.

    Raises:
        UnknownRequest: at a request that fits no exchange.
        UnusedExchange: at the end, when the block itself went well.
    """
    recording = load(path)
    with responses.RequestsMock(registry=StrictRegistry, assert_all_requests_are_fired=False) as mock:
        for exchange in recording.exchanges:
            mock.add(_answer(exchange, recording.base_url))
        yield recording
        left = [f"{answer.method} {answer.url}" for answer in mock.registered()]
    if left:
        raise UnusedExchange(f"{path.name}: nobody asked for {', '.join(left)}")


def _answer(exchange: Exchange, base_url: str) -> responses.Response:
    asked, said = exchange.request, exchange.response
    headers = dict(said.headers)
    content_type = next((headers.pop(name) for name in list(headers) if name.lower() == "content-type"), "")
    return responses.Response(
        asked.method,
        asked.url or base_url + asked.path,
        body=said.content,
        status=said.status,
        headers=headers,
        content_type=content_type,
        match=[
            _place(asked.url or base_url + asked.path),
            _query(exchange),
            _headers(exchange),
            _body(exchange),
        ],
    )


def _place(url: str) -> Matcher:
    """Compare the URL as it is sent: ``responses`` itself compares some escapes after undoing them."""

    def matches(request: PreparedRequest) -> tuple[bool, str]:
        sent = (request.url or "").partition("?")[0]
        return sent == url.partition("?")[0], f"the address {sent} is not {url}"

    return matches


def _query(exchange: Exchange) -> Matcher:
    wanted = {
        name: [value] if isinstance(value, str) else value for name, value in exchange.request.query.items()
    }
    in_url = parse_qs(urlsplit(exchange.request.url).query, keep_blank_values=True)

    def matches(request: PreparedRequest) -> tuple[bool, str]:
        sent = parse_qs(urlsplit(request.url or "").query, keep_blank_values=True)
        return sent == {**in_url, **wanted}, f"the query {sent} is not {wanted or in_url}"

    return matches


def _headers(exchange: Exchange) -> Matcher:
    def matches(request: PreparedRequest) -> tuple[bool, str]:
        for name, value in exchange.request.headers.items():
            if request.headers.get(name) != value:
                return False, f"the header {name} is not {value!r}"
        return True, ""

    return matches


def _body(exchange: Exchange) -> Matcher:
    def matches(request: PreparedRequest) -> tuple[bool, str]:
        difference = exchange.request.difference(sent_bytes(request))
        return not difference, difference

    return matches


def sent_bytes(request: PreparedRequest) -> bytes:
    """Give the bytes of a request's body, streamed ones too."""
    body: object = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    return b"".join(body)  # type: ignore[arg-type]  # ours are re-iterable
