"""Tokens for Azure's management, which Azure ML takes: from wherever this machine can get one.

Facts: azureml-mlflow 1.62, azure-identity, and
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from requests.auth import AuthBase

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError, NoAnswer, NotMlflow, SettingsError
from mlflow_rest_export.extras import install_line, is_installed, require
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.command_auth import CommandAuth
from mlflow_rest_export.network.oauth import Ask, OAuthToken, Token, ask_endpoint, kept
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.token_auth import TokenAuth
from mlflow_rest_export.network.token_sources import CommandToken, FileToken
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.targets.given_auth import auth_given

IMDS = "http://169.254.169.254/metadata/identity/oauth2/token"
"""Where every virtual machine of Azure finds the tokens of its managed identity."""
CONTACT = 10.0
"""Seconds until such an endpoint must have answered: it is on this machine or on none."""
_ADVICE = (
    "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or MLFLOW_TRACKING_TOKEN, or log in with "
    f"the Azure command line (az login); for all other ways: {install_line('azure')}"
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of Azure's clouds."""

    login: str
    management: str
    """The resource for which tokens are asked."""
    storage: str
    """The domain of its stores, without ``blob.``."""


CLOUDS = {
    "AzureCloud": Cloud(
        "https://login.microsoftonline.com", "https://management.azure.com/", "core.windows.net"
    ),
    "AzureChinaCloud": Cloud(
        "https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn/", "core.chinacloudapi.cn"
    ),
    "AzureUSGovernment": Cloud(
        "https://login.microsoftonline.us", "https://management.usgovcloudapi.net/", "core.usgovcloudapi.net"
    ),
}


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """A client that proves itself by a secret, or by a token that its platform keeps in a file."""

    cloud: Cloud
    tenant: str
    client: str
    secret: str = field(default="", repr=False)
    file: str = ""

    def __call__(self, transport: Transport) -> Token:
        """Ask Azure's login service."""
        proof = {"client_secret": self.secret}
        if not self.secret:
            proof = {
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": FileToken(Path(self.file))(),
            }
        return ask_endpoint(
            transport,
            f"{self.cloud.login}/{quote(self.tenant, safe='')}/oauth2/v2.0/token",
            form={
                "grant_type": "client_credentials",
                "client_id": self.client,
                **proof,
                "scope": f"{self.cloud.management}.default",
            },
            advice="check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET: secrets expire",
        )


def _seconds(value: object) -> float:
    """Read seconds, which come as numbers or texts; NaN for a date, which some services send."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan


Seconds = Annotated[float, BeforeValidator(_seconds)]


class IdentityReply(BaseModel):
    """What endpoints of managed identities answer."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    access_token: str = Field(min_length=1, repr=False)
    expires_in: Seconds = math.nan
    expires_on: Seconds = math.nan
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """The identity of the machine, the app or the Azure ML compute that we run on."""

    url: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str] = field(repr=False)

    def __call__(self, transport: Transport) -> Token:
        """Ask the endpoint of the platform.

        Raises:
            ApiError: it has no identity for us, with status 401.
            SettingsError: there is no such endpoint here.
        """
        doing = "asking for the token of this machine's managed identity"
        call = Call(method="GET", url=self.url, query=self.query, headers=self.headers, doing=doing)
        conduct = transport.conduct
        patience = conduct.patience.with_another_host(first_contact=CONTACT)
        try:
            answer = Transport(conduct=replace(conduct, patience=patience)).send_for_json(call)
            reply = IdentityReply.model_validate(answer)
        except NoAnswer:
            raise SettingsError(f"{doing}: nobody answers; {_ADVICE}") from None
        except ApiError as error:
            raise ApiError(
                f"{doing}: {error.reason or error.status}; {_ADVICE}", status=401, code=error.code
            ) from None
        except ValidationError:
            raise NotMlflow(f"{doing}: the answer holds no token", status=200) from None
        return Token(reply.access_token, _lifetime(reply.expires_in, reply.expires_on))


@dataclass(frozen=True, slots=True)
class AzureIdentity:
    """Whatever the library ``azure-identity`` (extra ``azure``) finds."""

    scope: str
    authority: str
    """Where tokens are asked for."""

    def __call__(self, transport: Transport) -> Token:
        """Ask the library.

        Raises:
            SettingsError: it finds nothing, in its own words.
        """
        del transport
        identity = require("azure.identity", for_what="logging in to Azure")
        exceptions = require("azure.core.exceptions", for_what="logging in to Azure")
        try:
            found = identity.DefaultAzureCredential(authority=self.authority).get_token(self.scope)
        except exceptions.ClientAuthenticationError as error:
            said = " ".join(str(error.message).split())[:300]
            raise SettingsError(f"azure-identity found no credentials: {said}") from None
        return Token(found.token, max(found.expires_on - time.time(), 0.0))


def auth_of(connection: Connection, cloud: Cloud, *, tls: Tls) -> AuthBase:
    """Choose the credentials for Azure ML.

    Raises:
        SettingsError: a setting makes no sense.
    """
    given = auth_given(connection, token=connection.token)
    if given is not None:
        return given
    variables = connection.environment
    cloud = replace(cloud, login=login_of(variables, cloud.login))
    ask = _principal(variables, cloud) or _identity_of_platform(variables, cloud)
    if ask is None and is_installed("azure.identity"):
        ask = AzureIdentity(f"{cloud.management}.default", cloud.login)
    az = shutil.which("az", path=variables.get("PATH"))
    if ask is None and az is not None:
        command = (az, "account", "get-access-token", "--resource", cloud.management)
        return CommandAuth(
            CommandToken((*command, "--query", "accessToken", "-o", "tsv"), clock=time.monotonic)
        )
    chosen = ask or _identity_of_machine(variables, cloud)
    return kept(
        repr(chosen), repr(tls), *_secrets(variables), make=lambda: TokenAuth(OAuthToken(chosen, tls=tls))
    )


def _principal(variables: Mapping[str, str], cloud: Cloud) -> Ask | None:
    tenant, client = variables.get("AZURE_TENANT_ID", ""), variables.get("AZURE_CLIENT_ID", "")
    secret, file = (
        variables.get("AZURE_CLIENT_SECRET", "").strip(),
        variables.get("AZURE_FEDERATED_TOKEN_FILE", ""),
    )
    if not (tenant and client and (secret or file)):
        return None
    return ServicePrincipal(cloud, tenant, client, secret, file)


def login_of(variables: Mapping[str, str], usual: str) -> str:
    """Give the address of the login service; ``AZURE_AUTHORITY_HOST`` may name it without a scheme."""
    login = variables.get("AZURE_AUTHORITY_HOST", "").strip().rstrip("/") or usual
    return login if login.startswith(("https://", "http://127.0.0.1")) else f"https://{login}"


def _identity_of_machine(variables: Mapping[str, str], cloud: Cloud) -> ManagedIdentity:
    query = [("api-version", "2018-02-01"), ("resource", cloud.management)]
    if variables.get("AZURE_CLIENT_ID"):
        query.append(("client_id", variables["AZURE_CLIENT_ID"]))
    return ManagedIdentity(IMDS, tuple(query), {"Metadata": "true"})


def _identity_of_platform(variables: Mapping[str, str], cloud: Cloud) -> Ask | None:
    """Find the endpoint that App Service, containers and Azure ML computes name in variables."""
    client = variables.get("AZURE_CLIENT_ID", "")
    resource = ("resource", cloud.management)
    if variables.get("IDENTITY_ENDPOINT") and variables.get("IDENTITY_HEADER"):
        query = [("api-version", "2019-08-01"), resource, *([("client_id", client)] if client else [])]
        headers = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}
        return ManagedIdentity(variables["IDENTITY_ENDPOINT"], tuple(query), headers)
    if variables.get("MSI_ENDPOINT") and variables.get("MSI_SECRET"):
        client = client or variables.get("DEFAULT_IDENTITY_CLIENT_ID", "")
        query = [("api-version", "2017-09-01"), resource, *([("clientid", client)] if client else [])]
        return ManagedIdentity(variables["MSI_ENDPOINT"], tuple(query), {"secret": variables["MSI_SECRET"]})
    return None


def _secrets(variables: Mapping[str, str]) -> list[str]:
    names = ("AZURE_CLIENT_SECRET", "IDENTITY_HEADER", "MSI_SECRET")
    return [variables.get(name, "") for name in names]


def _lifetime(expires_in: float, expires_on: float) -> float:
    if not math.isnan(expires_in):
        return expires_in
    return 3600.0 if math.isnan(expires_on) else max(expires_on - time.time(), 0.0)
