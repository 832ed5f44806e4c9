"""The ways a network or a server fails, by name: one list for the proxy, the tests and the printed counts."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

import http_wire

READS_BY_POST = re.compile(r"/(runs|experiments|traces|logged-models)/search$")


class Kind(enum.Enum):
    """What happens to the request that a fault hits."""

    RESET = "the connection is reset"
    ANSWER = "an error is answered in the server's place"
    CUT = "the answer's body breaks off, and the connection with it"
    TRUNCATE = "the answer is well-formed HTTP around half a body"
    STALL = "nothing more is heard until the proxy is told to let go"
    LATE = "an error is answered at once, and the request reaches the server just before the next write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One failure.

    Args:
        kind: what the client sees.
        after: True when the server had received and answered the request (its effect is there, the answer
            is lost), False when the request never reached it.
        status: for ``ANSWER`` and ``LATE``, with ``headers`` and ``text``.
    """

    kind: Kind
    after: bool = False
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""

    def answer(self) -> bytes:
        """Give the whole answer of an ``ANSWER`` or ``LATE`` fault, as it goes over the wire."""
        content = self.text.encode()
        lines = [f"HTTP/1.1 {self.status} Fault", f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


_JSON = ("Content-Type", "application/json")
_HTML = ("Content-Type", "text/html")
_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def _internal(*, after: bool) -> Fault:
    text = '{"error_code": "INTERNAL_ERROR", "message": "injected fault"}'
    return Fault(kind=Kind.ANSWER, after=after, status=500, headers=(_JSON,), text=text)


def _gateway(*, after: bool) -> Fault:
    return Fault(kind=Kind.ANSWER, after=after, status=502, headers=(_HTML,), text=_PAGE)


def _busy(*, after: bool) -> Fault:
    """MLflow 3.17.2, all of whose database connections are taken (the words are recorded)."""
    text = (
        '{"error_code": "BAD_REQUEST", "message": "QueuePool limit of size 5 overflow 10 reached, connection '
        'timed out, timeout 30.00 (Background on this error at: https://sqlalche.me/e/21/3o7r)"}'
    )
    return Fault(kind=Kind.ANSWER, after=after, status=400, headers=(_JSON,), text=text)


def _unavailable(*, after: bool) -> Fault:
    text = '{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "injected fault"}'
    return Fault(kind=Kind.ANSWER, after=after, status=503, headers=(_JSON,), text=text)


FAULTS: dict[str, Fault] = {
    "reset_before": Fault(kind=Kind.RESET),
    "reset_after": Fault(kind=Kind.RESET, after=True),
    "limit_429": Fault(
        kind=Kind.ANSWER,
        status=429,
        headers=(_JSON, ("Retry-After", "1")),
        text='{"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "injected fault"}',
    ),
    "error_500_before": _internal(after=False),
    "error_500_after": _internal(after=True),
    "gateway_502_before": _gateway(after=False),
    "gateway_502_after": _gateway(after=True),
    "busy_400_before": _busy(after=False),
    "busy_400_after": _busy(after=True),
    "unavailable_503_before": _unavailable(after=False),
    "unavailable_503_after": _unavailable(after=True),
    "cut_body": Fault(kind=Kind.CUT, after=True),
    "half_json": Fault(kind=Kind.TRUNCATE, after=True),
    "stall_before": Fault(kind=Kind.STALL),
    "stall_after": Fault(kind=Kind.STALL, after=True),
}

COMMITTED_LATE = Fault(kind=Kind.LATE, status=504, headers=(_HTML,), text=_PAGE)
"""A gateway gives up before the server has begun. The sweeps do without: a late upload is beyond repair."""


@dataclass(slots=True)
class Seen:
    """One request that came through, and what became of it."""

    number: int
    """1 for the first one since the proxy began or ``forget`` was called."""
    method: str
    target: str
    """Path and query as sent."""
    headers: dict[str, str]
    fault: Fault | None = None
    status: int | None = None
    """Status the server answered; None when it never got the request or never answered."""
    answer_headers: dict[str, str] = field(default_factory=dict)
    body_wire: bytearray = field(default_factory=bytearray)
    answer_wire: bytearray = field(default_factory=bytearray)
    """Bodies as they were on the wire, kept only when the proxy records; noted before they are passed on."""
    over: bool = False
    """Nothing more will come of it, be it answered, broken, or left by its client."""

    @property
    def body(self) -> bytes:
        """The body that was sent, without chunk frames."""
        return http_wire.without_frames(bytes(self.body_wire), self.headers)

    @property
    def answer(self) -> bytes:
        """The body of the server's answer, without chunk frames."""
        return http_wire.without_frames(bytes(self.answer_wire), self.answer_headers)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def writes(self) -> bool:
        """Whether the request asks the server to change something."""
        return self.method not in {"GET", "HEAD"} and not READS_BY_POST.search(self.path)


@dataclass(slots=True, kw_only=True)
class Rule:
    """Which requests a fault hits: one by number, or the first ``times`` that fit method and path."""

    fault: Fault
    number: int | None = None
    method: str | None = None
    path: str = ""
    """Regular expression, searched for in the path."""
    times: int = 1

    def hits(self, seen: Seen) -> bool:
        """Say whether the fault applies, and use it up."""
        fits = (
            self.times > 0
            and (self.number is None or self.number == seen.number)
            and (self.method is None or self.method == seen.method)
            and re.search(self.path, seen.path) is not None
        )
        self.times -= fits
        return fits
