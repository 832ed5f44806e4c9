"""Connections that acknowledge the head of an answer at once, so that the server sends its body.

A server that sends head and body apart and leaves Nagle's algorithm on holds the body back until the head is
acknowledged, and Linux puts that off by 40 ms. MLflow 3.17.2 with its four workers is one: measured on
loopback, an answer of its tracking API took about 50 ms, of which the server itself needs 10 ms.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux has it, and Linux needs it."""


class _Prompt:
    """Asks for acknowledgements at once before each answer: the kernel forgets it with the next request."""

    sock: socket.socket | None

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as inherited
        if QUICKACK is not None and self.sock is not None:
            with contextlib.suppress(OSError):  # the answer will tell
                self.sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        return super().getresponse(*args, **kwargs)  # type: ignore[misc]  # a connection's


class _Connection(_Prompt, HTTPConnection):
    pass


class _SecureConnection(_Prompt, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class QuickAdapter(HTTPAdapter):
    """Opens such connections wherever no proxy is between."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as inherited
        """Let the manager, which is made here, open them."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
