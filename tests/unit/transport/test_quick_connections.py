"""What is asked of the kernel for a connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest
import requests
import trustme
from loopback import say, serving

from mlflow_rest_export.network import quick_connections
from mlflow_rest_export.network.quick_connections import NOTSENT_LOWAT, QUICKACK, WAITING, QuickAdapter

GOOD = say(200, {"fine": True})


@contextlib.contextmanager
def quick_session() -> Iterator[requests.Session]:
    """Give an ordinary session that has such connections."""
    with requests.Session() as session:
        for prefix in ("http://", "https://"):
            session.mount(prefix, QuickAdapter())
        yield session


@pytest.mark.skipif(QUICKACK is None, reason="only Linux puts acknowledgements off that can be asked for")
@pytest.mark.parametrize("secure", [False, True])
def test_answers_are_acknowledged_at_once_on_a_connection_in_use(*, secure: bool) -> None:
    authority = trustme.CA()
    context = None
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
    with (
        serving(GOOD, tls=context) as server,
        authority.cert_pem.tempfile() as bundle,
        quick_session() as session,
    ):
        for _ in range(5):  # by then Linux takes it for a talk and puts acknowledgements off
            session.get(server.url, verify=bundle)

        with contextlib.closing(session.get(server.url, verify=bundle, stream=True)) as answer:
            assert answer.raw.connection is not None
            assert QUICKACK is not None
            assert answer.raw.connection.sock.getsockopt(socket.IPPROTO_TCP, QUICKACK) == 1


@pytest.mark.skipif(NOTSENT_LOWAT is None, reason="this kernel cannot be asked for it")
def test_little_waits_to_be_sent() -> None:
    with (
        serving(GOOD) as server,
        quick_session() as session,
        contextlib.closing(session.get(server.url, stream=True)) as answer,
    ):
        assert answer.raw.connection is not None
        assert NOTSENT_LOWAT is not None
        assert answer.raw.connection.sock.getsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT) == WAITING


def test_a_kernel_that_knows_nothing_of_it_gives_an_ordinary_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobodys = 9999
    monkeypatch.setattr(quick_connections, "NOTSENT_LOWAT", nobodys)
    monkeypatch.setattr(quick_connections, "QUICKACK", nobodys)
    with serving(GOOD) as server, quick_session() as session:
        assert session.get(server.url).json() == {"fine": True}
