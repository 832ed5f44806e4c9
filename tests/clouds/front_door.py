"""A loopback front door: looks at each request, turns it away or hands it on to a server behind it.

It holds whole bodies, so it is for tests alone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from typing_extensions import Self

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(slots=True)
class Asked:
    """One request; header names in lower case."""

    method: str
    target: str
    """Path with query, as it came."""
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        return urlsplit(self.target).query


@dataclass(slots=True)
class Said:
    """One answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def json(cls, status: int, value: object, **headers: str) -> Said:
        return cls(status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode())


Guard = Callable[[Asked], Said | None]
"""Gives the answer of the door itself, or None; it may rewrite the request, which then goes on."""


class FrontDoor:
    """The door; a context manager.

    Args:
        guard: looks at each request.
        behind: port of the server behind it on 127.0.0.1, 0 when the guard answers everything.
        certificate: PEM file with certificate and key, for a door that speaks https.
    """

    def __init__(self, guard: Guard, behind: int = 0, *, certificate: Path | None = None) -> None:
        self.seen: list[Asked] = []
        self.refused: list[Said] = []
        door = self

        class Handler(_Handler):
            def answer(self, asked: Asked) -> Said:
                door.seen.append(Asked(asked.method, asked.target, dict(asked.headers), asked.body))
                said = guard(asked)
                if said is None:
                    return handed_on(asked, behind)
                if said.status >= 400:
                    door.refused.append(said)
                return said

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, asked: Asked) -> Said:
        raise NotImplementedError

    def _any(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._chunked() if "transfer-encoding" in headers else self._counted(headers)
        try:
            said = self.answer(Asked(self.command, self.path, headers, body))
        except (OSError, http.client.HTTPException):  # who is behind broke off, so do we
            self.close_connection = True
            return
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        if said.status not in {204, 304}:
            self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _any  # noqa: N815  # names of http.server

    def handle_expect_100(self) -> bool:
        """Send no ``100 Continue``, which test proxies take for the answer; clients go on after a second."""
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # name of http.server
        """Say nothing."""

    def _counted(self, headers: dict[str, str]) -> bytes:
        return self.rfile.read(int(headers.get("content-length", "0")))

    def _chunked(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body


def handed_on(asked: Asked, port: int) -> Said:
    """Ask the server at ``port`` the same."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    with contextlib.closing(connection):
        headers = {name: value for name, value in asked.headers.items() if name not in HOP}
        headers["Host"] = asked.headers.get("host", "127.0.0.1")
        connection.request(asked.method, asked.target, body=asked.body, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
        if asked.method == "HEAD" and answer.headers.get("Content-Length"):
            body = b"\0" * int(answer.headers["Content-Length"])
        return Said(answer.status, kept, body)
