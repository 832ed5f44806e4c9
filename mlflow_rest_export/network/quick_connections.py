"""Connections that the kernel's habits do not slow down, and that wait for a slow line while they send.

Answers are acknowledged at once. A server that sends head and body apart and leaves Nagle's algorithm on
holds the body back until the head is acknowledged, and Linux puts that off by 40 ms. MLflow 3.17.2 with its
four workers is one: measured on loopback, an answer of its tracking API took about 50 ms, of which the server
itself needs 10 ms.

Of what is sent, little waits in the kernel beside what is on its way. Linux would take up to 4 MB ahead, more
than a core's cache holds, and fetch it from main memory again: 1 GB to that server on loopback took 3.0 s,
and takes 2.7 s so. What is on its way is not limited, so a far server is not slowed down.

urllib3 gives each piece of a body no more time than it gave connecting (1.26 and 2.8: ``conn.timeout``).
So an upload would break, again and again, where a server is busy for ten seconds, or eight share a slow line.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import ProxyManager
from urllib3.util import Timeout

QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux has it, and Linux needs it."""
NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
WAITING = 1 << 16
"""Bytes that may wait to be sent."""
A_PIECE = 120.0
"""Seconds that a piece of a body, 128 KiB, may take; less where the answer gets less."""


class _Prompt:
    """Asks the kernel for both; one that knows nothing of them (gVisor) gives an ordinary connection."""

    sock: socket.socket | None
    timeout: float | None
    patience: float | None = None
    """Seconds that the other side may take for a piece of a body."""

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # a connection's
        self._set(NOTSENT_LOWAT, WAITING)
        self._wait_longer()

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as inherited
        self._wait_longer()
        super().request(*args, **kwargs)  # type: ignore[misc]  # a connection's

    def _wait_longer(self) -> None:
        """Let sending take its time on a connection that is open; one that is not needs its own to open."""
        if self.sock is not None and self.patience is not None:
            self.timeout = self.patience
            self.sock.settimeout(self.patience)

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as inherited
        self._set(QUICKACK, 1)  # each time: the kernel forgets it with the next request
        return super().getresponse(*args, **kwargs)  # type: ignore[misc]  # a connection's

    def _set(self, option: int | None, value: int) -> None:
        if option is not None and self.sock is not None:
            below = getattr(self.sock, "socket", self.sock)  # TLS to a proxy around TLS to the server
            with contextlib.suppress(OSError):
                below.setsockopt(socket.IPPROTO_TCP, option, value)


class _Connection(_Prompt, HTTPConnection):
    pass


class _SecureConnection(_Prompt, HTTPSConnection):
    pass


class _Patient:
    """Has connections wait as long while they send as for the answer."""

    def _make_request(self, conn: _Prompt, *args: Any, timeout: Timeout, **kwargs: Any) -> Any:  # noqa: ANN401
        conn.patience = min(timeout.read_timeout or A_PIECE, A_PIECE)
        return super()._make_request(conn, *args, timeout=timeout, **kwargs)  # type: ignore[misc]  # a pool's


class _Pool(_Patient, HTTPConnectionPool):  # type: ignore[misc]  # it takes what it does not name
    ConnectionCls = _Connection


class _SecurePool(_Patient, HTTPSConnectionPool):  # type: ignore[misc]  # the same
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class QuickAdapter(HTTPAdapter):
    """Opens such connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as inherited
        """Let the manager, which is made here, open them."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as inherited
        """Let a proxy's manager open them, too; one for SOCKS has connections of its own."""
        manager = super().proxy_manager_for(*args, **kwargs)
        if type(manager) is ProxyManager:
            manager.pool_classes_by_scheme = _POOLS
        return manager
