"""Any server with MLflow's REST API at an http(s) address: open-source MLflow, with or without a gateway."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from mlflow_rest_export import __version__
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.header_values import fit_for_header
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.routes import Route
from mlflow_rest_export.targets.http_auth import KUBERNETES, auth_of
from mlflow_rest_export.targets.target import Target

USER_AGENT = f"mlflow-rest-export/{__version__}"
ROUTES = (
    Route.PROXIED,
    Route.SAME_HOST,
    Route.PRESIGNED,
    Route.SMALL_UPLOAD,
    Route.OBJECT_STORE,
    Route.SHARED_DISK,
)


def recognises(uri: str) -> bool:
    """Say whether the tracking URI is an http(s) address."""
    return uri.lower().startswith(("http://", "https://"))


def target(uri: str, connection: Connection) -> Target:
    """Make the target of a plain MLflow server.

    Raises:
        SettingsError: the address makes no sense, or the certificates asked for contradict each other.
    """
    base_url, userinfo = _address(uri)
    certificates = tls(connection)
    return Target(
        kind="MLflow server",
        base_url=base_url,
        page=f"{base_url}/#",
        auth=auth_of(connection, base_url=base_url, userinfo=userinfo, tls=certificates),
        tls=certificates,
        headers=headers(connection),
        routes=ROUTES,
        signs=connection.aws_sigv4,
        variables=connection.environment,
    )


def warnings(uri: str, connection: Connection) -> list[str]:
    """List what a careful user would want to know before anything is sent to an http(s) address."""
    if not recognises(uri):
        return []
    try:
        parts = urlsplit(uri)
    except ValueError:
        return []  # an address that makes no sense is an error soon
    secret = any((parts.password, connection.password, connection.token, connection.token_file))
    secret = secret or bool(connection.token_command)
    found = []
    if secret and parts.scheme.lower() == "http" and not is_loopback(parts.hostname or ""):
        found.append(f"credentials go to {parts.hostname} over plain http, readable on the way: use https")
    if connection.insecure_tls:
        found.append("MLFLOW_TRACKING_INSECURE_TLS is set: the server's certificate is not checked")
    return found


def tls(connection: Connection) -> Tls:
    """Choose the certificates.

    Raises:
        SettingsError: both no check and a CA bundle are asked for, or a file is not there.
    """
    if connection.insecure_tls and connection.server_cert_path:
        raise SettingsError(
            "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH exclude each other: unset one"
        )
    for name, path in (
        ("MLFLOW_TRACKING_SERVER_CERT_PATH", connection.server_cert_path),
        ("MLFLOW_TRACKING_CLIENT_CERT_PATH", connection.client_cert_path),
    ):
        if path and not Path(path).exists():
            raise SettingsError(f"{name}: there is no file {path}")
    verify = not connection.insecure_tls and (connection.server_cert_path or True)
    return Tls(verify=verify, client_cert=connection.client_cert_path or None)


def headers(connection: Connection) -> dict[str, str]:
    """Give the headers of every call.

    Raises:
        SettingsError: no header can carry the name of the workspace, or there is none where one is needed.
    """
    name = connection.workspace.strip()
    if connection.auth == "kubernetes-namespaced" and not name:
        name = _namespace()
    workspace = {"X-MLFLOW-WORKSPACE": fit_for_header(name, what="MLFLOW_WORKSPACE")} if name else {}
    return {"User-Agent": USER_AGENT, **workspace, **connection.headers}


def _address(uri: str) -> tuple[str, tuple[str, str] | None]:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise SettingsError("the tracking URI is no valid address: its host or port cannot be read") from None
    if not parts.hostname:
        raise SettingsError(f"the tracking URI names no host: {parts.scheme}://...")
    if parts.query or parts.fragment:
        raise SettingsError(
            f"the tracking URI of {parts.hostname} ends with ?... or #...: give the address without them"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = f"{host}:{port}" if port else host
    path = re.sub("/{2,}", "/", parts.path).rstrip("/")
    userinfo = None
    if parts.username is not None:
        userinfo = (unquote(parts.username), unquote(parts.password or ""))
    return urlunsplit((parts.scheme.lower(), netloc, path, "", "")), userinfo


def _namespace() -> str:
    try:
        return (KUBERNETES / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        raise SettingsError(
            f"MLFLOW_TRACKING_AUTH=kubernetes-namespaced, but there is no {KUBERNETES / 'namespace'}: "
            "this is no pod with a service account; set MLFLOW_WORKSPACE"
        ) from None


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
