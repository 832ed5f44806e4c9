"""Who may come in: personal tokens, passwords, OAuth with discovery and exchange, principals of Azure."""

from __future__ import annotations

import base64
import itertools
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from databricks_standin.wire import Asked, Refusal, Said, said_json

PAT = "dapi0123456789abcdef0123456789abcdef"
CLIENT = ("11111111-2222-4333-8444-555555555555", "dose0123456789abcdef0123456789abcdef")
PASSWORD = ("user@example.com", "canary-password-5c1f")
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOm1lL215In0.canarysignature"
GITHUB_BEARER = "canary-github-runner-token"
WORKSPACE_ID = "1234567890123456"
TENANT = "77777777-2222-4333-8444-555555555555"
AZURE_CLIENT = ("66666666-2222-4333-8444-555555555555", "canary~azure.secret-5c1f0d8e")
AZURE_RESOURCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"
AZURE_DATABRICKS, AZURE_MANAGEMENT = (
    "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
    "https://management.core.windows.net/",
)
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@dataclass(slots=True)
class Tokens:
    """Tokens that were given out.

    Args:
        lifetime: seconds that an OAuth token works.
        told_lifetime: what the answer says; None: the truth.
        discovery: False for an old workspace that tells nothing about itself.
    """

    lifetime: float = 3600.0
    told_lifetime: float | None = None
    discovery: bool = True
    given: dict[str, float] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    """What each token of Azure is for."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, asked: Asked) -> Said | None:
        """Answer what belongs to logging in; None when it does not."""
        told: dict[str, dict[str, str]] = {
            "/.well-known/databricks-config": {
                "oidc_endpoint": f"{asked.origin}/oidc",
                "account_id": "acc-1",
                "workspace_id": WORKSPACE_ID,
                "cloud": "AWS",
            },
            "/oidc/.well-known/oauth-authorization-server": {
                "token_endpoint": f"{asked.origin}/oidc/v1/token",
                "issuer": asked.origin,
            },
        }
        if asked.path in told:
            if self.discovery:
                return said_json(told[asked.path])
            return Said(404, b"<html><title>Not Found</title></html>", {"Content-Type": "text/html"})
        if asked.path == "/oidc/v1/token":
            return self._token(asked)
        if asked.path == "/aad/auth":
            return Said(302, b"", {"Location": f"{asked.origin}/{TENANT}/oauth2/authorize?client_id=x"})
        if asked.path == f"/{TENANT}/oauth2/token":
            return self._token_of_azure(asked)
        return _github(asked) if asked.path == "/github/id-token" else None

    def check(self, asked: Asked) -> None:
        """Refuse whoever is unknown, with the numbers and the header of the front door."""
        kind, _, secret = asked.headers.get("authorization", "").partition(" ")
        if kind == "Basic" and base64.b64decode(secret).decode() == ":".join(PASSWORD):
            return
        if kind != "Bearer":
            text = "Credential was not sent or was of an unsupported type for this API."
            raise Refusal(401, 401, text, X_Databricks_Reason_Phrase=text)
        if secret == PAT:
            return
        until = self.given.get(secret)
        if until is None:
            raise Refusal(
                403, 403, "Invalid access token.", X_Databricks_Reason_Phrase="Invalid access token."
            )
        if time.monotonic() >= until:
            raise Refusal(401, 401, "Token is expired.", X_Databricks_Reason_Phrase="Token is expired.")
        if self.resources.get(secret) == AZURE_DATABRICKS:
            self._check_of_azure(asked)

    def _check_of_azure(self, asked: Asked) -> None:
        """A principal that is no user of the workspace shows Azure that it may manage it."""
        management = asked.headers.get("x-databricks-azure-sp-management-token", "")
        resource = asked.headers.get("x-databricks-azure-workspace-resource-id")
        if self.resources.get(management) != AZURE_MANAGEMENT or resource != AZURE_RESOURCE:
            raise Refusal(403, 403, "User not authorized.", X_Databricks_Reason_Phrase="User not authorized.")
        if time.monotonic() >= self.given[management]:
            raise Refusal(401, 401, "Token is expired.", X_Databricks_Reason_Phrase="Token is expired.")

    def revoke(self) -> None:
        """End every token that was given out."""
        self.given = dict.fromkeys(self.given, 0.0)

    def give(self) -> str:
        """Make a token."""
        token = f"eyJhbGciOiJSUzI1NiJ9.canary{next(self._numbers)}.signature"
        self.given[token] = time.monotonic() + self.lifetime
        return token

    def _token(self, asked: Asked) -> Said:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        self.asked.append(form)
        if asked.headers.get("content-type") != "application/x-www-form-urlencoded":
            return _oauth_error("invalid_request", "Content type must be form")
        if form.get("grant_type") == "client_credentials":
            basic = asked.headers.get("authorization", "").removeprefix("Basic ")
            if base64.b64decode(basic).decode() != ":".join(CLIENT):
                return _oauth_error("invalid_client", "Client authentication failed", 401)
        elif form.get("grant_type") == EXCHANGE:
            if not form.get("subject_token", "").startswith(JWT) or "authorization" in asked.headers:
                return _oauth_error("invalid_grant", "The subject token is invalid")
        else:
            return _oauth_error("unsupported_grant_type", "grant type is not supported")
        if form.get("scope") != "all-apis":
            return _oauth_error("invalid_scope", "scope is missing")
        told = self.lifetime if self.told_lifetime is None else self.told_lifetime
        token = {"access_token": self.give(), "scope": "all-apis", "token_type": "Bearer", "expires_in": told}
        return said_json(token)

    def _token_of_azure(self, asked: Asked) -> Said:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        self.asked.append(form)
        if (form.get("client_id"), form.get("client_secret")) != AZURE_CLIENT:
            return _oauth_error("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
        if form.get("resource") not in {AZURE_DATABRICKS, AZURE_MANAGEMENT}:
            return _oauth_error("invalid_resource", "AADSTS500011: The resource principal was not found.")
        told = self.lifetime if self.told_lifetime is None else self.told_lifetime
        token = self.give()
        self.resources[token] = form["resource"]
        return said_json({"access_token": token, "token_type": "Bearer", "expires_in": f"{told:.0f}"})


def _oauth_error(code: str, text: str, status: int = 400) -> Said:
    return said_json({"error": code, "error_description": text}, status)


def _github(asked: Asked) -> Said:
    if asked.headers.get("authorization") != f"Bearer {GITHUB_BEARER}":
        return Said(401, b"no")
    return said_json({"value": f"{JWT}.{asked.query['audience'].rpartition('/')[2]}"})
