"""The way to a host: its name, the proxy, the connection and the certificate."""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests.adapters
import requests.utils

from mlflow_rest_export.doctor.check import Check, Layer, State, failed, ok, warning
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.redaction import without_secrets

_PROXY_ADVICE = "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists the hosts that need none"
PORTS = {"http": 80, "https": 443}
SOON = 14 * 86400.0
"""Seconds before its end from which on a certificate deserves a warning."""
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""As ``requests`` reads them, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The way to a host.

    Args:
        url: the base address of the tracking API.
        tls: certificates.
        variables: the environment.
        timeout: seconds to wait for a connection.
    """

    url: str
    tls: Tls
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 10.0

    def checks(self) -> Iterator[Check]:
        """Look at each part of the way, up to the first that fails."""
        proxy = self._proxy()
        if not proxy:
            yield ok(Layer.PROXY, "none")
        for check in self._to_proxy(proxy) if proxy else _connection(self.url, self.timeout):
            yield check
            if check.state is State.FAILED:
                return
        if self.url.startswith("https://") and urlsplit(proxy).scheme in {"", "http"}:
            yield self._about_tls(proxy)

    def _proxy(self) -> str:
        proxies = requests.utils.get_environ_proxies(self.url, no_proxy=None)
        found = requests.utils.select_proxy(self.url, proxies) or ""
        return found if "//" in found or not found else f"http://{found}"

    def _to_proxy(self, proxy: str) -> Iterator[Check]:
        """Look at the way to the proxy, whose faults are no faults of the server."""
        checks = list(_connection(proxy, self.timeout))
        for check in checks:
            if check.state is State.FAILED:
                reason = check.said.partition(";")[0]  # what follows is advice about servers
                said = f"there is no way to the proxy {without_secrets(proxy)}: {reason}"
                yield failed(Layer.PROXY, f"{said}; {_PROXY_ADVICE}")
                return
        yield ok(
            Layer.PROXY,
            f"{without_secrets(proxy)} (from HTTP_PROXY or HTTPS_PROXY; NO_PROXY lists exceptions)",
        )
        yield from checks

    def _about_tls(self, proxy: str) -> Check:
        host, port = _host_and_port(self.url)
        if self.tls.verify is False:
            return warning(Layer.TLS, "not checked (MLFLOW_TRACKING_INSECURE_TLS): anybody may listen")
        bundle, origin = self._bundle()
        try:
            context = _context(bundle)
            if self.tls.client_cert:
                context.load_cert_chain(self.tls.client_cert)
        except (OSError, ssl.SSLError) as error:
            return failed(Layer.TLS, f"the certificates cannot be read ({_said(error)}): {bundle}")
        connection = self._https(host, port, proxy, context)
        try:
            connection.connect()
            return _about_certificate(host, connection.sock, f"{origin} ({bundle})")
        except ssl.SSLCertVerificationError as error:
            said = (
                f"the certificate of {host} is not trusted by {origin} ({bundle}: {error.verify_message}); "
            )
            advice = "give the CA bundle in MLFLOW_TRACKING_SERVER_CERT_PATH or REQUESTS_CA_BUNDLE"
            return failed(Layer.TLS, said + advice)
        except OSError as error:
            if str(error).startswith(
                "Tunnel connection failed"
            ):  # so says http.client, and no class of its own
                said = f"the proxy {without_secrets(proxy)} gives no way to {host} ({_said(error)})"
                return failed(Layer.PROXY, f"{said}; {_PROXY_ADVICE}")
            said = f"no TLS connection to {host} ({_said(error)}); does the server speak https at this port?"
            return failed(Layer.TLS, said)
        finally:
            connection.close()

    def _https(
        self, host: str, port: int, proxy: str, context: ssl.SSLContext
    ) -> http.client.HTTPSConnection:
        """Prepare a connection to the server, through the proxy if there is one."""
        if not proxy:
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)
        near, near_port = _host_and_port(proxy)
        connection = http.client.HTTPSConnection(near, near_port, timeout=self.timeout, context=context)
        connection.set_tunnel(host, port, requests.adapters.HTTPAdapter().proxy_headers(proxy))
        return connection

    def _bundle(self) -> tuple[str, str]:
        """Give the CA bundle in use, and who said so."""
        if isinstance(self.tls.verify, str):
            return self.tls.verify, "MLFLOW_TRACKING_SERVER_CERT_PATH"
        for name in BUNDLE_VARIABLES:
            if self.variables.get(name):
                return self.variables[name], name
        return requests.utils.DEFAULT_CA_BUNDLE_PATH, "the bundle of requests"


def _connection(url: str, timeout: float) -> Iterator[Check]:
    host, port = _host_and_port(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        said = f"the name {host} cannot be resolved ({_said(error)}); check the tracking URI and the "
        yield failed(Layer.NAME, f"{said}name service of this machine")
        return
    yield ok(Layer.NAME, f"{host} is {', '.join(dict.fromkeys(str(place[4][0]) for place in found))}")
    began = time.monotonic()
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except ConnectionRefusedError:
        said = f"nothing listens at {host}:{port} (connection refused); is the server running there?"
        yield failed(Layer.TCP, said)
    except OSError as error:
        said = f"{host}:{port} cannot be reached ({_said(error)}); "
        yield failed(Layer.TCP, f"{said}is there a firewall, or a proxy to set?")
    else:
        yield ok(Layer.TCP, f"{host}:{port} answers after {(time.monotonic() - began) * 1e3:.0f} ms")


def _context(bundle: str) -> ssl.SSLContext:
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def _about_certificate(host: str, secured: ssl.SSLSocket, trusted_by: str) -> Check:
    certificate = secured.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(str(certificate.get("notAfter", "")))
    day = email.utils.formatdate(ends, usegmt=True)[5:16]
    said = f"{secured.version()}, the certificate of {host} is trusted by {trusted_by} and good until {day}"
    return warning(Layer.TLS, said) if ends < time.time() + SOON else ok(Layer.TLS, said)


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url if "//" in url else f"//{url}")
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80)


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(str(text).split())[:200]
