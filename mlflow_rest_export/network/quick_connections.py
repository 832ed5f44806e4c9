"""Connections that the kernel's habits do not slow down, where no proxy is between.

Answers are acknowledged at once. A server that sends head and body apart and leaves Nagle's algorithm on
holds the body back until the head is acknowledged, and Linux puts that off by 40 ms. MLflow 3.17.2 with its
four workers is one: measured on loopback, an answer of its tracking API took about 50 ms, of which the server
itself needs 10 ms.

Of what is sent, little waits in the kernel beside what is on its way. Linux would take up to 4 MB ahead, more
than a core's cache holds, and fetch it from main memory again: 1 GB to that server on loopback took 3.0 s,
and takes 2.7 s so. What is on its way is not limited, so a far server is not slowed down.
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
NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
WAITING = 1 << 16
"""Bytes that may wait to be sent."""


class _Prompt:
    """Asks the kernel for both; one that knows nothing of them (gVisor) gives an ordinary connection."""

    sock: socket.socket | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # a connection's
        self._set(NOTSENT_LOWAT, WAITING)

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as inherited
        self._set(QUICKACK, 1)  # each time: the kernel forgets it with the next request
        return super().getresponse(*args, **kwargs)  # type: ignore[misc]  # a connection's

    def _set(self, option: int | None, value: int) -> None:
        if option is not None and self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.IPPROTO_TCP, option, value)


class _Connection(_Prompt, HTTPConnection):
    pass


class _SecureConnection(_Prompt, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class QuickAdapter(HTTPAdapter):
    """Opens such connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as inherited
        """Let the manager, which is made here, open them."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
