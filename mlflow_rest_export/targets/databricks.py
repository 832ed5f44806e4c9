"""MLflow in a Databricks workspace: ``databricks``, ``databricks://PROFILE`` or the workspace's address."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.routes import Route
from mlflow_rest_export.targets import http
from mlflow_rest_export.targets.databricks_auth import Credentials, credentials_of
from mlflow_rest_export.targets.databricks_azure import AZURE_ZONES
from mlflow_rest_export.targets.databricks_names import ME, FolderNames
from mlflow_rest_export.targets.databricks_settings import (
    WorkspaceSettings,
    normal_host,
    profile_of_host,
    resolve,
    speaks_for_itself,
)
from mlflow_rest_export.targets.given_auth import auth_given
from mlflow_rest_export.targets.target import Target

ZONES = (
    ".cloud.databricks.com",
    ".cloud.databricks.us",
    ".dev.databricks.com",
    ".gcp.databricks.com",
    *AZURE_ZONES,
)
"""Where workspaces live on AWS, Google and Azure; most ``.dev.`` and ``.staging.`` ones end so, too."""
LIMITS = Limits(
    param_value=500,
    tag_value=5000,
    lengths_in_bytes=True,
    experiment_name=500,
    hash_in_paths=False,
    batch_metric_keys=1000,
    dataset_inputs=True,
)
"""As the REST reference of Databricks documents them: "Maximum size is 500 bytes" for a param's value, 5,000
for a tag's, 255 for a key."""
RATES = {"/runs/search": 5.0, "/experiments/get-by-name": 5.0, "/experiments/create": 5.0}
"""Documented are 7 a second for the whole workspace, which others use, too."""
ROUTES = (
    Route.DATABRICKS,
    Route.DATABRICKS_FILES,
    Route.DBFS,
    Route.PRESIGNED,
    Route.OBJECT_STORE,
)


def recognises(uri: str) -> bool:
    """Say whether the tracking URI names a Databricks workspace, in a way that can be or is to be refused."""
    scheme = uri.split(":", 1)[0].lower()
    if scheme in {"databricks", "databricks-uc"}:
        return True
    try:
        host = urlsplit(uri).hostname or ""
    except ValueError:
        return False  # no address at all
    return scheme in {"http", "https"} and host.endswith(ZONES)


def target(uri: str, connection: Connection) -> Target:
    """Make the target of a workspace.

    Raises:
        SettingsError: the address, the profile or the credentials are missing or make no sense.
    """
    tls = http.tls(connection)
    if uri.lower().startswith("http"):
        settings = _of_address(uri, connection)
    else:
        settings = resolve(connection.environment, connection.home, profile=_profile(uri))
    if not settings.host:
        raise SettingsError(
            "there is no address of a Databricks workspace: set DATABRICKS_HOST, or name a profile of "
            "~/.databrickscfg (databricks://PROFILE)"
        )
    if settings.host.startswith("http:") and not http.is_loopback(urlsplit(settings.host).hostname or ""):
        raise SettingsError(f"{settings.host} would get credentials in the clear: a workspace has https")
    credentials = _credentials(settings, connection, tls)
    return Target(
        kind="Databricks",
        base_url=settings.host,
        page=f"{settings.host}/ml",
        auth=credentials.auth,
        tls=tls,
        headers=_headers(settings, connection, credentials.kind),
        routes=ROUTES,
        names=FolderNames(settings.host, create_parents=connection.create_parents),
        limits=LIMITS,
        rates=RATES,
        user_page=ME,
        variables=connection.environment,
    )


def _profile(uri: str) -> str:
    """Read ``databricks`` and ``databricks://PROFILE``; refuse their relatives, and say what to give."""
    scheme, _, rest = uri.partition(":")
    name = unquote(rest.removeprefix("//").rstrip("/"))
    if scheme.lower() == "databricks-uc":
        raise SettingsError(
            "databricks-uc names the model registry of Unity Catalog; the tracking URI is databricks or "
            "databricks://PROFILE"
        )
    if ":" in name:
        raise SettingsError(
            "databricks://SCOPE:PREFIX names a secret scope, which only code inside a Databricks workspace "
            "can read; give databricks://PROFILE, or databricks with DATABRICKS_HOST and DATABRICKS_TOKEN"
        )
    if "/" in name or " " in name:
        raise SettingsError(
            f"databricks://{name[:80]} names no profile: a profile's name has no slash and no space"
        )
    return name


def _of_address(uri: str, connection: Connection) -> WorkspaceSettings:
    """Find what is known about a workspace that was given by its address; nobody else's secrets go there."""
    parts = urlsplit(uri)
    host = normal_host(uri, "the tracking URI")
    environment = connection.environment
    at_once = WorkspaceSettings(host=host, workspace_id=next(iter(parse_qs(parts.query).get("o", [])), ""))
    if connection.username and connection.password:
        return replace(at_once, username=connection.username, password=connection.password)
    if connection.token:
        return replace(at_once, token=connection.token)
    if parts.username and parts.password:
        return replace(at_once, username=unquote(parts.username), password=unquote(parts.password))
    if connection.token_command or connection.token_file:
        return at_once
    asked = "" if speaks_for_itself(environment) else profile_of_host(environment, connection.home, host)
    found = resolve(environment, connection.home, profile=asked)
    if found.host not in {"", host}:
        raise SettingsError(
            f"the tracking URI names {host}, but the Databricks environment or profile is for {found.host}: "
            "give databricks as the tracking URI, or a token for this address in MLFLOW_TRACKING_TOKEN"
        )
    return replace(found, host=host, workspace_id=found.workspace_id or at_once.workspace_id)


def _credentials(settings: WorkspaceSettings, connection: Connection, tls: Tls) -> Credentials:
    """Choose the credentials; a token that the user's own settings fetch wins over what Databricks' say."""
    given = auth_given(connection)
    if given is not None:
        return Credentials("pat", given)
    return credentials_of(settings, connection.environment, tls)


def _headers(settings: WorkspaceSettings, connection: Connection, kind: str) -> dict[str, str]:
    """Give the headers of every call; the user agent follows Databricks' grammar of key/value pairs."""
    agent = f"{http.USER_AGENT} python/{platform.python_version()} os/{sys.platform} auth/{kind}"
    org = {"x-databricks-org-id": settings.workspace_id} if settings.workspace_id else {}
    return {"User-Agent": agent, **org, **connection.headers}
