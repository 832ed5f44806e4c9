"""Whose credentials go to a plain MLflow server, and in which header."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from requests.auth import AuthBase

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.auth import BasicAuth, BearerAuth, NoAuth
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.token_sources import FileToken
from mlflow_rest_export.targets import google_identity
from mlflow_rest_export.targets.aws_signing import gateway_scope, signing_auth
from mlflow_rest_export.targets.given_auth import auth_given

KUBERNETES = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token and its namespace; the token is renewed there by the cluster."""
KNOWN = ("kubernetes", "kubernetes-namespaced", google_identity.NAME)


def auth_of(connection: Connection, *, base_url: str, userinfo: tuple[str, str] | None, tls: Tls) -> AuthBase:
    """Choose the credentials.

    Args:
        connection: what the user gave.
        base_url: of the server.
        userinfo: user and password of the tracking URI, which count least.
        tls: certificates for the way to who gives tokens.

    Raises:
        SettingsError: what was asked for does not exist or is incomplete.
    """
    if connection.auth not in {"", *KNOWN}:
        raise SettingsError(
            f"MLFLOW_TRACKING_AUTH={connection.auth} names a plugin of the SDK that does not exist here; "
            f"known are {', '.join(KNOWN)}; token_command serves all others"
        )
    if connection.aws_sigv4:
        return signing_auth(connection, gateway_scope(urlsplit(base_url).hostname or "", connection))
    own = _own(connection, userinfo)
    if connection.auth == google_identity.NAME:
        return google_identity.auth_of(base_url, connection.environment, behind=own, tls=tls)
    return own


def _own(connection: Connection, userinfo: tuple[str, str] | None) -> AuthBase:
    """Choose what MLflow itself wants; user name with password wins over a token, as in the SDK."""
    if connection.username and connection.password:
        return BasicAuth(connection.username, connection.password)
    kubernetes = connection.auth.startswith("kubernetes")
    given = auth_given(connection, token="" if kubernetes else connection.token)
    if given is not None:
        return given
    if kubernetes:
        return BearerAuth(FileToken(KUBERNETES / "token"))
    return BasicAuth(*userinfo) if userinfo else NoAuth()
