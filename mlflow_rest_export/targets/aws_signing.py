"""Credentials of AWS for a target: whose keys, which region."""

from __future__ import annotations

import os
import re

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.aws_auth import SigV4Auth
from mlflow_rest_export.network.aws_keys import AwsSettings, key_source
from mlflow_rest_export.network.sigv4 import Scope

API_GATEWAY = "execute-api"
"""The service that requests to an API gateway are signed for."""
_REGION = r"\.([a-z]{2,}(?:-[a-z]+)+-\d+)\."
_GATEWAYS_REGION = re.compile(rf"\.execute-api{_REGION}(?:vpce\.)?amazonaws\.com(?:\.cn)?$")
_SOME_REGION = re.compile(_REGION)


def signing_auth(connection: Connection, scope: Scope, *, role: str = "") -> SigV4Auth:
    """Give the authentication that signs with the keys of the environment or of ``botocore``.

    Raises:
        SettingsError: the keys are half there, or need ``botocore`` and it is not installed.
    """
    settings = AwsSettings(variables=connection.environment, live=os.environ, region=scope.region, role=role)
    return SigV4Auth(key_source(settings), scope)


def gateway_scope(host: str, connection: Connection) -> Scope:
    """Give the scope of an API gateway (``MLFLOW_TRACKING_AWS_SIGV4``).

    Args:
        host: its name; AWS's own names hold the region, and nothing else can be right then.
        connection: with the environment, whose region wins over what a name of one's own seems to hold.

    Raises:
        SettingsError: no region is named anywhere.
    """
    variables = connection.environment
    its_own = _GATEWAYS_REGION.search(host)
    seeming = _SOME_REGION.search(host)
    region = (
        its_own.group(1) if its_own else variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
    )
    region = region or (seeming.group(1) if seeming else "")
    if not region:
        raise SettingsError("MLFLOW_TRACKING_AWS_SIGV4 is set, but no region: set AWS_REGION")
    return Scope(region, API_GATEWAY)
