"""Azure's tokens for a Databricks workspace: a service principal with a client secret.

Facts: databricks-sdk 0.156 (``credentials_provider.py``, ``azure.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from mlflow_rest_export.errors import ApiError, SettingsError
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.oauth import Token, ask_endpoint
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.targets.databricks_settings import WorkspaceSettings, normal_host
from mlflow_rest_export.targets.http import is_loopback

AZURE_DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
"""Azure's id of the Databricks application, the same in every tenant."""
AZURE_CLOUDS = {
    "PUBLIC": ("https://login.microsoftonline.com", "https://management.core.windows.net/"),
    "USGOVERNMENT": ("https://login.microsoftonline.us", "https://management.core.usgovcloudapi.net/"),
    "CHINA": ("https://login.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/"),
}
"""Login service and management service of each of Azure's clouds."""


AZURE_ZONES = (".azuredatabricks.net", ".databricks.azure.us", ".databricks.azure.cn")
"""Where workspaces live on Azure."""


def is_azure(settings: WorkspaceSettings) -> bool:
    """Say whether a workspace is one of Azure's, as the SDK tells it."""
    return bool(settings.azure_workspace_resource_id) or settings.host.endswith(AZURE_ZONES)


@dataclass(frozen=True, slots=True)
class AzureToken:
    """A service principal of Azure, for one resource: Databricks itself or Azure's management."""

    settings: WorkspaceSettings
    management: bool = False

    def __call__(self, transport: Transport) -> Token:
        """Ask Azure's login service; the tenant is asked of the workspace when it is not given."""
        settings = self.settings
        login, management = azure_cloud(settings)
        tenant = settings.azure_tenant_id or _tenant(transport, settings.host)
        return ask_endpoint(
            transport,
            f"{login}/{quote(tenant, safe='')}/oauth2/token",
            form={
                "grant_type": "client_credentials",
                "client_id": settings.azure_client_id,
                "client_secret": settings.azure_client_secret,
                "resource": management if self.management else AZURE_DATABRICKS,
            },
            advice="check ARM_CLIENT_ID, ARM_CLIENT_SECRET and ARM_TENANT_ID: secrets expire",
        )


def azure_cloud(settings: WorkspaceSettings) -> tuple[str, str]:
    """Give login and management service of the workspace's Azure cloud."""
    named = settings.azure_environment.upper().removeprefix("AZURE").removesuffix("CLOUD")
    if not named:
        host = settings.host
        named = "USGOVERNMENT" if host.endswith(".us") else "CHINA" if host.endswith(".cn") else "PUBLIC"
    if named not in AZURE_CLOUDS:
        raise SettingsError(f"ARM_ENVIRONMENT must be one of {', '.join(AZURE_CLOUDS)}")
    login, management = AZURE_CLOUDS[named]
    other = normal_host(settings.azure_authority, "AZURE_AUTHORITY_HOST") or login
    if other.startswith("http:") and not is_loopback(urlsplit(other).hostname or ""):
        raise SettingsError("AZURE_AUTHORITY_HOST would get a secret in the clear: a login service has https")
    return other, management


def _tenant(transport: Transport, host: str) -> str:
    """Read the tenant off the place to which a workspace's login page leads: the first part of its path."""
    call = Call(method="GET", url=f"{host}/aad/auth", doing=f"asking {host} for its Azure tenant")
    place = ""
    try:
        transport.send(call)
    except ApiError as error:
        if not 300 <= error.status < 400:
            raise
        place = error.location
    tenant = urlsplit(place).path.strip("/").partition("/")[0]
    if not tenant:
        raise SettingsError(f"{host} does not tell its Azure tenant: set ARM_TENANT_ID")
    return tenant
