"""Servers that hold an answer's body back until its head is acknowledged."""

from __future__ import annotations

import contextlib
import socket
import ssl

import pytest
import trustme
from loopback import say, serving

from mlflow_rest_export.network.quick_answers import QUICKACK
from mlflow_rest_export.network.sessions import QuickSession

GOOD = say(200, {"fine": True})


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
        QuickSession({}) as session,
    ):
        for _ in range(5):  # by then Linux takes it for a talk and puts acknowledgements off
            session.get(server.url, verify=bundle)

        with contextlib.closing(session.get(server.url, verify=bundle, stream=True)) as answer:
            assert answer.raw.connection is not None
            assert QUICKACK is not None
            assert answer.raw.connection.sock.getsockopt(socket.IPPROTO_TCP, QUICKACK) == 1
