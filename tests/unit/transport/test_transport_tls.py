"""Certificates, and connections that break under TLS, with a server that really speaks it."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from clocks import Clock, Waits, conduct_of
from loopback import Loopback, close, reset_after, say, serving

from mlflow_rest_export.errors import NoAnswer, SettingsError
from mlflow_rest_export.network.call import Call, Repeat
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.transport import Transport

GOOD = say(200, {"fine": True})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    """What the server shows: a certificate of an authority nobody knows."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(made)
    return made


@pytest.fixture
def server(context: ssl.SSLContext) -> Iterator[Loopback]:
    with serving(GOOD, tls=context) as running:
        yield running


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def call(url: str, repeat: Repeat = Repeat.SAFELY) -> Call:
    return Call(method="POST", url=f"{url}/api", doing="trying it", body=b"{}", repeat=repeat)


def test_a_certificate_that_nobody_vouches_for_is_told_at_once_with_advice(server: Loopback) -> None:
    clock = Clock()
    waits = Waits(clock)
    with pytest.raises(NoAnswer) as refused:
        Transport(conduct=conduct_of(clock, waits=waits)).send(call(server.url))

    assert f"the certificate of localhost:{server.port} is not trusted" in str(refused.value)
    assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in str(refused.value)
    assert not refused.value.may_have_arrived
    assert waits.seconds == []


def test_the_right_bundle_lets_the_call_pass(server: Loopback, bundle: str) -> None:
    transport = Transport(conduct=conduct_of(), tls=Tls(verify=bundle))

    assert transport.send_for_json(call(server.url)) == {"fine": True}


def test_our_bundle_wins_over_the_one_of_the_environment(
    server: Loopback, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))

    assert Transport(conduct=conduct_of(), tls=Tls(verify=bundle)).send(call(server.url)).good


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_no_check_at_all_wins_over_the_bundle_of_the_environment(
    server: Loopback, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

    assert Transport(conduct=conduct_of(), tls=Tls(verify=False)).send(call(server.url)).good


def test_the_bundle_of_the_environment_counts_where_we_have_none(
    server: Loopback, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

    assert Transport(conduct=conduct_of()).send(call(server.url)).good


def test_a_bundle_that_is_not_there_is_a_wrong_setting(server: Loopback) -> None:
    transport = Transport(conduct=conduct_of(), tls=Tls(verify="/nowhere/ca.pem"))

    with pytest.raises(SettingsError, match=r"trying it: .*/nowhere/ca\.pem"):
        transport.send(call(server.url))


def test_a_bundle_that_is_none_is_told_at_once(server: Loopback, tmp_path: Path) -> None:
    clock = Clock()
    waits = Waits(clock)
    junk = tmp_path / "junk.pem"
    junk.write_text("this is no certificate")
    transport = Transport(conduct=conduct_of(clock, waits=waits), tls=Tls(verify=str(junk)))

    with pytest.raises((NoAnswer, SettingsError)):
        transport.send(call(server.url))
    assert waits.seconds == []


def test_a_client_certificate_is_shown_to_a_server_that_asks_for_one(
    authority: trustme.CA, context: ssl.SSLContext, bundle: str, tmp_path: Path
) -> None:
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = tmp_path / "me.pem"
    authority.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(str(mine))

    with serving(GOOD, tls=context) as server:
        shown = Transport(conduct=conduct_of(), tls=Tls(verify=bundle, client_cert=str(mine)))
        assert shown.send(call(server.url)).good

        without = Transport(conduct=conduct_of(first_contact=1), tls=Tls(verify=bundle))
        with pytest.raises(NoAnswer, match="TLS connection"):
            without.send(call(server.url))
        assert len(server.received) == 1


def test_a_client_certificate_that_is_not_there_is_a_wrong_setting(server: Loopback, bundle: str) -> None:
    transport = Transport(conduct=conduct_of(), tls=Tls(verify=bundle, client_cert="/nowhere/me.pem"))

    with pytest.raises(SettingsError, match=r"/nowhere/me\.pem"):
        transport.send(call(server.url))


@contextlib.contextmanager
def proxy(context: ssl.SSLContext | None) -> Iterator[int]:
    """Serve as a proxy that opens one tunnel; give its port."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            plain, _ = listener.accept()
            with context.wrap_socket(plain, server_side=True) if context else plain as client:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += client.recv(1)
                port = int(head.split(b" ")[1].rpartition(b":")[2])
                with socket.create_connection(("127.0.0.1", port)) as server:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=pump, args=(server, client), daemon=True)
                    back.start()
                    pump(client, server)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_behind_a_proxy_is_reached_though_the_way_to_the_proxy_speaks_tls_too(
    server: Loopback, context: ssl.SSLContext, bundle: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with proxy(context if scheme == "https" else None) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://localhost:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        transport = Transport(conduct=conduct_of(), tls=Tls(verify=bundle))

        assert transport.send_for_json(call(server.url)) == {"fine": True}
        assert transport.send_for_json(call(server.url)) == {"fine": True}

    assert len(server.received) == 2


class Plain(socketserver.BaseRequestHandler):
    """What a plain HTTP server says to a TLS greeting."""

    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def test_http_where_https_is_expected_is_told_at_once_with_advice() -> None:
    clock = Clock()
    waits = Waits(clock)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain) as plain:
        threading.Thread(target=plain.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(NoAnswer, match="does the server speak https at this port"):
            Transport(conduct=conduct_of(clock, waits=waits)).send(
                call(f"https://localhost:{plain.server_address[1]}")
            )
        plain.shutdown()

    assert waits.seconds == []


@pytest.mark.parametrize("fault", [close, reset_after])
def test_a_connection_that_breaks_under_tls_is_tried_again(
    fault: object, context: ssl.SSLContext, bundle: str
) -> None:
    with serving(fault, GOOD, tls=context) as server:  # type: ignore[arg-type]  # both are reactions
        transport = Transport(conduct=conduct_of(), tls=Tls(verify=bundle))

        assert transport.send_for_json(call(server.url)) == {"fine": True}


@pytest.mark.parametrize("fault", [close, reset_after])
def test_a_request_whose_connection_broke_under_tls_may_have_arrived(
    fault: object, context: ssl.SSLContext, bundle: str
) -> None:
    with serving(fault, GOOD, tls=context) as server:  # type: ignore[arg-type]  # both are reactions
        transport = Transport(conduct=conduct_of(), tls=Tls(verify=bundle))

        with pytest.raises(NoAnswer) as broken:
            transport.send(call(server.url, Repeat.IF_NOT_SENT))
        assert broken.value.may_have_arrived
        assert len(server.received) == 1
