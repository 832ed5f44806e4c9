"""A server on this machine that reacts to each request exactly as a test says: well, badly or not at all.

It knows HTTP but nothing of MLflow, so it can stand for no server's behaviour, only for the ways in which
connections and answers break.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import http_wire
from http_wire import Broken, Head

TALK_TIMEOUT = 20.0
"""Seconds after which a connection is given up, so that no test hangs for ever."""


@dataclass(slots=True)
class Received:
    """One request as it came."""

    head: Head
    body: bytes = b""

    @property
    def method(self) -> str:
        return self.head.start[0]

    @property
    def target(self) -> str:
        """Path and query, as they stand on the wire."""
        return self.head.start[1]

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case."""
        return self.head.headers


@dataclass(slots=True)
class Talk:
    """One request on its connection, to be reacted to."""

    connection: socket.socket
    stream: BinaryIO
    request: Received
    let_go: threading.Event

    def read_body(self) -> None:
        """Read the request to its end."""
        pieces = http_wire.body(self.stream, self.request.head, until_closed=False)
        self.request.body = http_wire.without_frames(b"".join(pieces), self.request.headers)


Reaction = Callable[[Talk], bool]
"""Reacts to a request; gives whether the connection lives on."""


def say(
    status: int = 200,
    body: bytes | str | dict[str, object] = b"",
    *,
    length: int | None = None,
    **headers: str,
) -> Reaction:
    """Answer properly.

    Args:
        status: of the answer.
        body: bytes, text, or an object that is sent as JSON.
        length: what ``Content-Length`` promises; None: the truth.
        headers: names with ``_`` for ``-``.
    """
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    data = data.encode() if isinstance(data, str) else data
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    answer = "\r\n".join([*lines, "", ""]).encode("latin-1") + data
    return say_raw(answer, lives=length is None)


def say_raw(answer: bytes, *, lives: bool = False) -> Reaction:
    """Read the request and send these very bytes."""

    def react(talk: Talk) -> bool:
        talk.read_body()
        talk.connection.sendall(answer)
        return lives

    return react


def close(talk: Talk) -> bool:
    """Read the request and close without a word."""
    talk.read_body()
    return False


def reset_after(talk: Talk) -> bool:
    """Read the request and break the connection."""
    talk.read_body()
    http_wire.reset(talk.connection)
    return False


def reset_before(talk: Talk) -> bool:
    """Break the connection with the request's body unread."""
    http_wire.reset(talk.connection)
    return False


def stall(talk: Talk) -> bool:
    """Read the request and never answer."""
    talk.read_body()
    talk.let_go.wait(TALK_TIMEOUT)
    return False


def when(meanwhile: Callable[[], None], then: Reaction) -> Reaction:
    """Do something else before reacting."""

    def react(talk: Talk) -> bool:
        meanwhile()
        return then(talk)

    return react


@dataclass(slots=True)
class Loopback:
    """The server; a context manager.

    Args:
        script: one reaction for each request in turn; the last one serves all that follow.
        tls: speak TLS, as this context says.
    """

    script: list[Reaction]
    tls: ssl.SSLContext | None = None
    port: int = 0
    """Where to listen; 0: anywhere."""
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _let_go: threading.Event = field(default_factory=threading.Event)
    _open: set[socket.socket] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address, by name where TLS is spoken, since certificates are made out to names."""
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def serving(self) -> Iterator[Loopback]:
        """Listen as long as the context lasts."""
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            self.port = listener.getsockname()[1]
            self._start(self._accept, listener)
            try:
                yield self
            finally:
                self._let_go.set()
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                with self._lock:
                    opened = list(self._open)
                for connection in opened:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                for thread in self._threads:
                    thread.join(timeout=10)

    def _start(self, work: Callable[[socket.socket], None], connection: socket.socket) -> None:
        thread = threading.Thread(target=work, args=(connection,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                client.settimeout(TALK_TIMEOUT)
                self.connections += 1
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, Broken), client, self._secured(client) as talker:
            with self._lock:
                self._open.add(talker)
            try:
                with talker.makefile("rb") as stream:
                    while self._exchange(talker, stream):
                        pass
            finally:
                with self._lock:
                    self._open.discard(talker)

    def _secured(self, client: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(client, server_side=True) if self.tls else client

    def _exchange(self, client: socket.socket, stream: BinaryIO) -> bool:
        head = http_wire.read_head(stream)
        if head is None:
            return False
        request = Received(head)
        with self._lock:
            react = self.script[min(len(self.received), len(self.script) - 1)]
            self.received.append(request)
        return react(Talk(client, stream, request, self._let_go))


@contextlib.contextmanager
def serving(*script: Reaction, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Loopback]:
    """Serve a script."""
    with Loopback(list(script), tls, port).serving() as server:
        yield server


def unused_port() -> int:
    """Give a port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def bodies(requests: Iterable[Received]) -> list[bytes]:
    """Give the bodies of requests."""
    return [request.body for request in requests]
