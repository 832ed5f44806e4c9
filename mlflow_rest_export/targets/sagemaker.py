"""Amazon SageMaker: managed MLflow tracking servers and serverless MLflow apps, named by their ARN.

Addresses, headers and service names are those of the official plugin, sagemaker-mlflow 0.5.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlflow_rest_export import limits
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.sigv4 import Scope
from mlflow_rest_export.routes import Route
from mlflow_rest_export.targets import http
from mlflow_rest_export.targets.aws_signing import signing_auth
from mlflow_rest_export.targets.target import Target

ROUTES = (Route.PROXIED, Route.PRESIGNED, Route.SMALL_UPLOAD, Route.OBJECT_STORE)
LIMITS = limits.for_server((2, 13, 0))
"""The oldest version that SageMaker runs is 2.13: what it takes, newer ones take."""
ENDPOINT = "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT"
ROLE = "SAGEMAKER_MLFLOW_ASSUME_ROLE_ARN"
PARTITIONS = ("aws", "aws-us-gov")
"""Those whose host names are known; China and the isolated ones need ``ENDPOINT``."""

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sagemaker:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):"
    r"(?P<kind>mlflow-tracking-server|mlflow-app)/(?P<name>[a-zA-Z0-9][a-zA-Z0-9-]{0,255})"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of resource is reached."""

    label: str
    host: str
    header: str
    service: str


KINDS = {
    "mlflow-tracking-server": Kind(
        "SageMaker tracking server",
        "https://{region}.experiments.sagemaker.aws",
        "x-mlflow-sm-tracking-server-arn",
        "sagemaker-mlflow",
    ),
    "mlflow-app": Kind(
        "SageMaker MLflow app",
        "https://mlflow.sagemaker.{region}.app.aws",
        "x-sm-mlflow-app-arn",
        "sagemaker",
    ),
}


def recognises(uri: str) -> bool:
    """Say whether the tracking URI is an ARN."""
    return uri.startswith("arn:")


def target(uri: str, connection: Connection) -> Target:
    """Make the target of a tracking server or an app.

    Raises:
        SettingsError: the ARN names something else, or there are no keys to sign with.
    """
    found = _ARN.fullmatch(uri.strip())
    if found is None:
        raise SettingsError(
            f"{uri[:200]} is no ARN of an MLflow server; expected is "
            "arn:aws:sagemaker:REGION:ACCOUNT:mlflow-tracking-server/NAME or ...:mlflow-app/ID"
        )
    kind, region = KINDS[found["kind"]], found["region"]
    base_url = _base_url(kind, found["partition"], region, connection.environment.get(ENDPOINT, ""))
    return Target(
        kind=kind.label,
        base_url=base_url,
        page=f"{base_url}/#",
        auth=signing_auth(connection, Scope(region, kind.service), role=connection.environment.get(ROLE, "")),
        tls=http.tls(connection),
        headers={**http.headers(connection), kind.header: found[0]},
        routes=ROUTES,
        limits=LIMITS,
        signs=True,
        variables=connection.environment,
    )


def _base_url(kind: Kind, partition: str, region: str, endpoint: str) -> str:
    if endpoint:
        return _address(endpoint.strip().rstrip("/"))
    if partition not in PARTITIONS:
        raise SettingsError(
            f"the host of MLflow in the partition {partition} is not known: set {ENDPOINT} to its address"
        )
    return kind.host.format(region=region)


def _address(endpoint: str) -> str:
    """Take a base URL as it stands, with a path if it has one.

    Raises:
        SettingsError: it is none.
    """
    try:
        parts = urlsplit(endpoint)
        sound = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment:
        raise SettingsError(f"{ENDPOINT} must be an address such as https://vpce-1.example.com")
    return endpoint
