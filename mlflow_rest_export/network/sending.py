"""One HTTP request through ``requests``, without what a browser's session does around each of them.

A ``requests.Session`` merges headers and parameters of several places, looks for cookies before and after,
and reads the environment for proxies twice: a fifth of what a small request costs us. Here are no cookies,
no redirects and no ``.netrc``, and the environment is read once a host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.streamed import Streamed
from mlflow_rest_export.network.tls import Tls


class Sender:
    """Sends calls over connections that it keeps; for any number of threads.

    Args:
        connections: opens them and keeps them; everybody's, so that none is opened while one is free.
        headers: sent with every call; those of the call itself win.
        auth: signs a request when all else of it is there.
        tls: certificates.
    """

    def __init__(
        self, connections: HTTPAdapter, *, headers: Mapping[str, str], auth: AuthBase, tls: Tls
    ) -> None:
        self._connections = connections
        self._headers = {**requests.utils.default_headers(), **headers}
        self._auth = auth
        self._tls = tls
        self._surroundings: dict[str, Mapping[str, Any]] = {}

    def send(
        self, call: Call, body: bytes | Streamed | None, *, timeout: tuple[float, float], stream: bool
    ) -> requests.Response:
        """Send a call once and give the answer, whatever its status.

        Args:
            call: what is sent where.
            body: what is sent with it.
            timeout: seconds to wait for a connection, and for each sign of life on it.
            stream: leave the body to the caller, who closes the answer; else it has been read.

        Raises:
            requests.RequestException: no answer came, or no request can be made of this.
            OSError: a certificate cannot be read.
            ValueError: a header holds what none may.
        """
        request = requests.PreparedRequest()
        request.prepare_method(call.method)
        request.prepare_url(call.url, list(call.query))
        request.prepare_headers({**self._headers, **call.headers})
        request.prepare_body(body, None)
        request.prepare_auth(self._auth)
        around = self._around(call.url)
        answer = self._connections.send(request, stream=stream, timeout=timeout, **around)
        if not stream:
            answer.content  # noqa: B018  # reading it is what frees the connection
        return answer

    def _around(self, url: str) -> Mapping[str, Any]:
        """Give proxies and certificates for a host, as an ordinary session finds them."""
        host = "/".join(url.split("/", 3)[:3])
        if host not in self._surroundings:
            found = requests.Session().merge_environment_settings(
                url,
                proxies={},
                stream=None,
                verify=self._tls.verify,  # REQUESTS_CA_BUNDLE would win over the attribute of a session
                cert=self._tls.client_cert,
            )
            self._surroundings[host] = {name: found[name] for name in ("proxies", "verify", "cert")}
        return self._surroundings[host]
