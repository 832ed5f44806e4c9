"""Google identity tokens, which the Identity-Aware Proxy and Cloud Run want before anybody reaches MLflow.

Facts: https://cloud.google.com/run/docs/authenticating/service-to-service and
https://cloud.google.com/iap/docs/authentication-howto
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from requests.auth import AuthBase

from mlflow_rest_export.errors import ApiError, NoAnswer, SettingsError
from mlflow_rest_export.extras import install_line, is_installed, require
from mlflow_rest_export.network.auth import NoAuth
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.oauth import OAuthToken, Token
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.token_auth import TokenAuth
from mlflow_rest_export.network.token_sources import printed_by
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.redaction import without_secrets

NAME = "google-id-token"
"""What ``MLFLOW_TRACKING_AUTH`` says when these tokens are wanted."""
AUDIENCE = "MLFLOW_TRACKING_GOOGLE_AUDIENCE"
"""Variable with the audience: for the proxy its OAuth client id; by default the server's address."""
CONTACT = 5.0
"""Seconds until the metadata server must have answered: outside of Google's cloud there is none."""
CLI_PATIENCE = 60.0
"""Seconds that ``gcloud`` may take."""
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class GoogleIdToken:
    """A token from the first source that has one: key file, metadata server, ``gcloud``, library."""

    audience: str
    variables: Mapping[str, str] = field(repr=False)

    def __call__(self, transport: Transport) -> Token:
        """Get a token.

        Raises:
            SettingsError: no source has one.
        """
        if self.variables.get("GOOGLE_APPLICATION_CREDENTIALS"):
            return _with_lifetime(self._from_library())
        token = self._from_metadata(transport) or self._from_gcloud()
        if not token and is_installed("google.auth"):
            token = self._from_library()
        if not token:
            raise SettingsError(
                "no Google identity token could be had: there is no metadata server here and gcloud is not "
                f"logged in; give a token_command, or a key file and {install_line('google')}"
            )
        return _with_lifetime(token)

    def _from_metadata(self, transport: Transport) -> str:
        host = self.variables.get("GCE_METADATA_HOST") or "metadata.google.internal"
        call = Call(
            method="GET",
            url=f"http://{host}/computeMetadata/v1/instance/service-accounts/default/identity",
            query=(("audience", self.audience), ("format", "full")),
            headers={"Metadata-Flavor": "Google"},
            doing="asking Google's metadata server for an identity token",
        )
        patience = transport.conduct.patience.with_another_host(first_contact=CONTACT)
        try:
            answer = Transport(conduct=replace(transport.conduct, patience=patience)).send(call)
        except (ApiError, NoAnswer):
            return ""
        said = answer.body.decode("ascii", "replace").strip()
        return said if _JWT.fullmatch(said) else ""  # a page of some proxy, which answers every address

    def _from_gcloud(self) -> str:
        """Ask ``gcloud``; it takes an audience for service accounts, and none for people."""
        gcloud = shutil.which("gcloud", path=self.variables.get("PATH"))
        if gcloud is None:
            return ""
        command = (gcloud, "auth", "print-identity-token")
        return _printed((*command, f"--audiences={self.audience}")) or _printed(command)

    def _from_library(self) -> str:
        what = "a Google identity token from a key file"
        id_token = require("google.oauth2.id_token", for_what=what)
        google_transport = require("google.auth.transport.requests", for_what=what)
        exceptions = require("google.auth.exceptions", for_what=what)
        try:
            return str(id_token.fetch_id_token(google_transport.Request(), self.audience))
        except exceptions.GoogleAuthError as error:
            said = without_secrets(" ".join(str(error).split()))[:300]
            raise SettingsError(f"google-auth gave no identity token: {said}") from None


def auth_of(base_url: str, variables: Mapping[str, str], *, behind: AuthBase, tls: Tls) -> AuthBase:
    """Give the authentication with identity tokens.

    Args:
        base_url: of the server.
        variables: the environment.
        behind: what MLflow itself wants; it keeps ``Authorization``, and the token goes beside it.
        tls: certificates for the way to who gives tokens.
    """
    parts = urlsplit(base_url)
    audience = variables.get(AUDIENCE) or f"{parts.scheme}://{parts.netloc}"
    header = "Authorization"
    if not isinstance(behind, NoAuth):
        on_cloud_run = (parts.hostname or "").endswith(".run.app")
        header = "X-Serverless-Authorization" if on_cloud_run else "Proxy-Authorization"
    token = OAuthToken(GoogleIdToken(audience, variables), tls=tls)
    return TokenAuth(token, header=header, behind=behind)


def _printed(command: tuple[str, ...]) -> str:
    try:
        return printed_by(command, called="gcloud", patience=CLI_PATIENCE)
    except SettingsError:
        return ""


def _with_lifetime(token: str) -> Token:
    """Read the end of a token off itself; unreadable ones count as good for five minutes."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return Token(token, max(float(claims["exp"]) - time.time(), 0.0))
    except (IndexError, KeyError, TypeError, ValueError):
        return Token(token, 300.0)
