"""Databricks' own OAuth: where a workspace hands out tokens, and what it wants for one.

Facts: databricks-sdk 0.156 (``credentials_provider.py``, ``oidc.py``, ``oauth.py``) and its requests as seen
on a wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from mlflow_rest_export.errors import SettingsError, TrackingError
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.failures import host_of
from mlflow_rest_export.network.oauth import Token, ask_endpoint
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.token_sources import FileToken
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.targets.databricks_settings import WorkspaceSettings

IdToken = Callable[[Transport, str], str]
"""Gets a token of somebody whom Databricks trusts; the text is the audience."""
DISCOVERY = 10.0
"""Seconds that a workspace has for telling something about itself: there is a usual place for its tokens."""

_K = TypeVar("_K", bound=BaseModel)


class _Metadata(BaseModel):
    """Answer of ``/.well-known/databricks-config``."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)

    oidc_endpoint: str = ""
    account_id: str = ""
    workspace_id: str = ""


class _AuthorizationServer(BaseModel):
    """Answer of ``.well-known/oauth-authorization-server``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    token_endpoint: str


class Discovery:
    """Finds a workspace's token endpoint and its id, once; without an answer it takes the usual place.

    Args:
        settings: the workspace.
        tls: certificates for the way to it.
    """

    def __init__(self, settings: WorkspaceSettings, tls: Tls | None = None) -> None:
        self._settings = settings
        self._tls = tls
        self._endpoint = ""
        self.workspace_id = settings.workspace_id

    def token_endpoint(self, transport: Transport) -> str:
        """Give the address that hands out tokens; a workspace that tells none has it at the usual place."""
        if not self._endpoint:
            server = self._settings.discovery_url or self._server(transport)
            self._endpoint = self._told_by(transport, server) or f"{self._settings.host}/oidc/v1/token"
        return self._endpoint

    def _server(self, transport: Transport) -> str:
        host = self._settings.host
        known = self._asked(transport, f"{host}/.well-known/databricks-config", _Metadata)
        metadata = known or _Metadata()
        self.workspace_id = self.workspace_id or metadata.workspace_id
        account = self._settings.account_id or metadata.account_id
        root = metadata.oidc_endpoint.replace("{account_id}", account).rstrip("/") or f"{host}/oidc"
        return f"{root}/.well-known/oauth-authorization-server"

    def _told_by(self, transport: Transport, server: str) -> str:
        told = self._asked(transport, server, _AuthorizationServer)
        if told is None:
            return ""
        if self._settings.host.startswith("https:") and not told.token_endpoint.startswith("https:"):
            raise SettingsError(
                f"{self._settings.host} names a token endpoint without https; it gets no secret"
            )
        return told.token_endpoint

    def _asked(self, transport: Transport, url: str, kind: type[_K]) -> _K | None:
        """Ask what a workspace tells about itself; one that tells nothing is an old one, or closed to us."""
        conduct = transport.conduct
        conduct = replace(conduct, patience=conduct.patience.with_another_host(first_contact=DISCOVERY))
        call = Call(method="GET", url=url, doing=f"asking {host_of(url)} where it hands out tokens")
        try:
            return kind.model_validate(Transport(conduct=conduct, tls=self._tls).send_for_json(call))
        except (TrackingError, ValidationError):
            return None


@dataclass(frozen=True, slots=True)
class MachineToken:
    """OAuth for a service principal, by client id and secret."""

    settings: WorkspaceSettings
    discovery: Discovery

    def __call__(self, transport: Transport) -> Token:
        """Ask for a token; there is nothing to refresh in this flow."""
        settings = self.settings
        return ask_endpoint(
            transport,
            self.discovery.token_endpoint(transport),
            form={"grant_type": "client_credentials", "scope": _scope(settings), **_group(settings)},
            basic=(settings.client_id, settings.client_secret),
            advice="check the client id and the OAuth secret of the service principal: secrets expire",
        )


@dataclass(frozen=True, slots=True)
class FederatedToken:
    """Workload identity federation: somebody else's token for one of Databricks."""

    settings: WorkspaceSettings
    discovery: Discovery
    id_token: IdToken

    def __call__(self, transport: Transport) -> Token:
        """Exchange a fresh token of the other side."""
        settings = self.settings
        endpoint = self.discovery.token_endpoint(transport)
        client = {"client_id": settings.client_id} if settings.client_id else {}
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "subject_token": self.id_token(transport, settings.token_audience or endpoint),
            "scope": _scope(settings),
            **client,
            **_group(settings),
        }
        advice = "check the federation policy: issuer, audience and subject must be those of this token"
        return ask_endpoint(transport, endpoint, form=form, advice=advice)


@dataclass(frozen=True, slots=True)
class EnvironmentIdToken:
    """The other side's token in a variable."""

    environment: Mapping[str, str] = field(repr=False)
    name: str

    def __call__(self, transport: Transport, audience: str) -> str:
        """Read it."""
        del transport, audience
        return self.environment[self.name].strip()


@dataclass(frozen=True, slots=True)
class FileIdToken:
    """The other side's token in a file that somebody renews, as Kubernetes does."""

    path: Path

    def __call__(self, transport: Transport, audience: str) -> str:
        """Read it anew."""
        del transport, audience
        return FileToken(self.path)()


class _GitHubAnswer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    value: str


@dataclass(frozen=True, slots=True)
class GitHubIdToken:
    """The token of a GitHub Actions job, asked of the runner."""

    environment: Mapping[str, str] = field(repr=False)

    def __call__(self, transport: Transport, audience: str) -> str:
        """Ask for one for ``audience``."""
        url = f"{self.environment['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={quote(audience, safe='')}"
        bearer = self.environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        doing = "asking GitHub for the token of this job"
        call = Call(method="GET", url=url, doing=doing, headers={"Authorization": f"Bearer {bearer}"})
        try:
            return _GitHubAnswer.model_validate(transport.send_for_json(call)).value
        except ValidationError:
            raise SettingsError(f"{doing}: the answer holds none; has the job id-token: write?") from None


def _scope(settings: WorkspaceSettings) -> str:
    return " ".join(settings.scopes.replace(",", " ").split()) or "all-apis"


def _group(settings: WorkspaceSettings) -> dict[str, str]:
    return {"assume_group": settings.group_id} if settings.group_id else {}
