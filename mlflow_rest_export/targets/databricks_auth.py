"""Who we are in a Databricks workspace: chooses the kind of credential and applies it to requests."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from requests import PreparedRequest
from requests.auth import AuthBase

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.auth import BasicAuth, BearerAuth, RenewableAuth
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.oauth import Ask, OAuthToken, kept
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.targets.databricks_azure import AzureToken, azure_cloud, is_azure
from mlflow_rest_export.targets.databricks_cli import CliToken
from mlflow_rest_export.targets.databricks_settings import WorkspaceSettings
from mlflow_rest_export.targets.databricks_tokens import (
    Discovery,
    EnvironmentIdToken,
    FederatedToken,
    FileIdToken,
    GitHubIdToken,
    IdToken,
    MachineToken,
)

_NEEDS: dict[str, tuple[str, ...]] = {
    "pat": ("token",),
    "basic": ("username", "password"),
    "oauth-m2m": ("client_id", "client_secret"),
    "env-oidc": (),
    "file-oidc": ("oidc_token_filepath",),
    "github-oidc": ("client_id",),
    "azure-client-secret": ("azure_client_id", "azure_client_secret"),
    "databricks-cli": (),
}
"""The kinds in the order in which they are tried, and the settings that each needs."""
_GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
_ADVICE = (
    "set DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or name a profile of "
    "~/.databrickscfg (databricks://PROFILE); token_command serves all other ways to log in"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to convince the workspace."""

    kind: str
    """The name that Databricks gives to this kind, such as ``oauth-m2m``."""
    auth: AuthBase


class WorkspaceAuth(RenewableAuth):
    """Tokens that are renewed, each in its header.

    Args:
        tokens: header -> token; ``Authorization`` gets the word ``Bearer`` before it.
        headers: gives further headers, which may be known only once a token was asked for.
    """

    def __init__(
        self, tokens: Mapping[str, OAuthToken], *, headers: Callable[[], Mapping[str, str]] = dict
    ) -> None:
        self._tokens = dict(tokens)
        self._headers = headers
        self._of_thread = threading.local()

    def prepare(self, conduct: Conduct) -> None:
        """Make sure that all tokens are good."""
        for token in self._tokens.values():
            token.prepare(conduct)

    def renew(self, conduct: Conduct) -> bool:
        """Replace the tokens that this thread sent last."""
        sent: dict[str, str] = getattr(self._of_thread, "sent", {})
        for header, token in self._tokens.items():
            token.replace(sent.get(header, ""), conduct)
        return any(token.value != sent.get(header) for header, token in self._tokens.items())

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the headers."""
        sent = {header: token.value for header, token in self._tokens.items()}
        self._of_thread.sent = sent
        for header, value in sent.items():
            request.headers[header] = f"Bearer {value}" if header == "Authorization" else value
        request.headers.update(self._headers())
        return request


def credentials_of(settings: WorkspaceSettings, environment: Mapping[str, str], tls: Tls) -> Credentials:
    """Choose the credentials; the first kind for which everything is there, or the one asked for.

    Raises:
        SettingsError: nothing is given, or what the kind asked for needs is missing.
    """
    kind = settings.auth_type.lower() or _first(settings, environment)
    if kind not in _NEEDS:
        raise SettingsError(
            f"auth_type {kind} of Databricks is not known here ({', '.join(_NEEDS)} are): {_ADVICE}"
        )
    missing = [name for name in _NEEDS[kind] if not getattr(settings, name)]
    if missing:
        raise SettingsError(f"Databricks auth_type {kind} needs {' and '.join(missing)}: {_ADVICE}")
    if kind == "pat":
        return Credentials(kind, BearerAuth(lambda: settings.token))
    if kind == "basic":
        return Credentials(kind, BasicAuth(settings.username, settings.password))
    identity = [str(getattr(settings, each.name)) for each in fields(settings)]
    identity += [kind, str(tls.verify), environment.get(_oidc_variable(settings), "")]
    return Credentials(kind, kept(*identity, make=lambda: _tokens(kind, settings, environment, tls)))


def _first(settings: WorkspaceSettings, environment: Mapping[str, str]) -> str:
    for kind, needs in _NEEDS.items():
        if all(getattr(settings, name) for name in needs) and _is_there(kind, settings, environment):
            return kind
    raise SettingsError(f"there are no credentials for the Databricks workspace {settings.host}: {_ADVICE}")


def _is_there(kind: str, settings: WorkspaceSettings, environment: Mapping[str, str]) -> bool:
    """Say whether the place outside of the settings from which a kind takes its token is there."""
    if kind == "env-oidc":
        return bool(environment.get(_oidc_variable(settings)))
    if kind == "github-oidc":
        return all(environment.get(name) for name in _GITHUB)
    if kind == "azure-client-secret":
        return is_azure(settings)
    if kind == "databricks-cli":
        return _cli(settings, environment) is not None
    return True


def _tokens(
    kind: str, settings: WorkspaceSettings, environment: Mapping[str, str], tls: Tls
) -> WorkspaceAuth:
    if kind == "azure-client-secret":
        return _azure(settings, tls)
    if kind == "databricks-cli":
        return WorkspaceAuth({"Authorization": OAuthToken(CliToken(_command(settings, environment)))})
    discovery = Discovery(settings, tls)
    ask: Ask
    if kind == "oauth-m2m":
        ask = MachineToken(settings, discovery)
    else:
        ask = FederatedToken(settings, discovery, _id_token(kind, settings, environment))
    return WorkspaceAuth(
        {"Authorization": OAuthToken(ask, tls=tls)},
        headers=lambda: {"x-databricks-org-id": discovery.workspace_id} if discovery.workspace_id else {},
    )


def _id_token(kind: str, settings: WorkspaceSettings, environment: Mapping[str, str]) -> IdToken:
    if kind == "file-oidc":
        return FileIdToken(Path(settings.oidc_token_filepath))
    names = _GITHUB if kind == "github-oidc" else (_oidc_variable(settings),)
    if not all(environment.get(name) for name in names):
        raise SettingsError(f"Databricks auth_type {kind} needs the variable {' and '.join(names)}")
    return GitHubIdToken(environment) if kind == "github-oidc" else EnvironmentIdToken(environment, names[0])


def _azure(settings: WorkspaceSettings, tls: Tls) -> WorkspaceAuth:
    azure_cloud(settings)  # a wrong name is told at once, not at the first token
    tokens = {
        "Authorization": AzureToken(settings),
        "X-Databricks-Azure-SP-Management-Token": AzureToken(settings, management=True),
    }
    resource = settings.azure_workspace_resource_id
    known = {"X-Databricks-Azure-Workspace-Resource-Id": resource} if resource else {}
    return WorkspaceAuth(
        {header: OAuthToken(ask, tls=tls) for header, ask in tokens.items()}, headers=lambda: known
    )


def _oidc_variable(settings: WorkspaceSettings) -> str:
    return settings.oidc_token_env or "DATABRICKS_OIDC_TOKEN"


def _cli(settings: WorkspaceSettings, environment: Mapping[str, str]) -> str | None:
    return shutil.which(settings.databricks_cli_path or "databricks", path=environment.get("PATH"))


def _command(settings: WorkspaceSettings, environment: Mapping[str, str]) -> tuple[str, ...]:
    program = _cli(settings, environment)
    if program is None:
        raise SettingsError("the Databricks command line is not installed (no program databricks in PATH)")
    whose = ("--profile", settings.profile) if settings.profile else ("--host", settings.host)
    return (program, "auth", "token", *whose)
