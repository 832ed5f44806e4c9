"""The proxy's side towards the server: one connection, kept alive as long as the server likes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

import http_wire
from faults import Seen
from http_wire import Broken, Head

CONNECT_TIMEOUT = 10.0
"""Seconds for the connection to the server, which is on the same machine."""
TALK_TIMEOUT = 300.0
"""Seconds without a byte after which a connection is given up, so that no thread lives for ever."""

Hold = Callable[[socket.socket], AbstractContextManager[None]]


class Upstream:
    """The connection to the server that belongs to one client connection; opened when first needed.

    Args:
        port: the server's port on 127.0.0.1.
        hold: registers the connection while it is open, so that it can be closed from outside.
        record: keep the request's body in ``Seen.body``.
    """

    def __init__(self, port: int, *, hold: Hold, record: bool) -> None:
        self._port = port
        self._hold = hold
        self._record = record
        self._stack = contextlib.ExitStack()
        self._connection: socket.socket | None = None
        self._stream: BinaryIO | None = None

    def close(self) -> None:
        self._stack.close()
        self._connection = self._stream = None

    def ask(self, head: Head, content: Iterator[bytes], seen: Seen) -> tuple[Head, BinaryIO]:
        """Send a request and read the head of its answer.

        An idle connection that the server has closed in the meantime is opened anew, once, before any byte
        of the body is taken.
        """
        connection, stream = self._connect(fresh=not self._alive())
        try:
            connection.sendall(head.raw)
            for piece in content:
                if self._record:
                    seen.body_wire += piece
                connection.sendall(piece)
        except OSError:
            drain(content, seen, keep=False)  # the server may have answered before it had read everything
        answer = http_wire.read_head(stream)
        if answer is None:
            raise Broken("the server closed without an answer")
        seen.status = int(answer.start[1])
        seen.answer_headers = answer.headers
        return answer, stream

    def _alive(self) -> bool:
        if self._connection is None:
            return False
        self._connection.setblocking(False)  # noqa: FBT003  # the socket's own signature
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._connection.settimeout(TALK_TIMEOUT)

    def _connect(self, *, fresh: bool) -> tuple[socket.socket, BinaryIO]:
        if fresh or self._connection is None or self._stream is None:
            self.close()
            address = ("127.0.0.1", self._port)
            self._connection = socket.create_connection(address, timeout=CONNECT_TIMEOUT)
            self._stack.enter_context(self._hold(self._connection))
            self._connection.settimeout(TALK_TIMEOUT)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._stack.enter_context(self._connection.makefile("rb"))
        return self._connection, self._stream


def drain(content: Iterator[bytes], seen: Seen, *, keep: bool) -> None:
    """Read a body to its end, so that closing does not reset what the client is still sending."""
    for piece in content:
        if keep:
            seen.body_wire += piece
