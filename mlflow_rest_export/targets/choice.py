"""Which kind of host a tracking URI names."""

from __future__ import annotations

from typing import Protocol

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.targets import azureml, databricks, http, sagemaker
from mlflow_rest_export.targets.target import Target


class Kind(Protocol):
    """What a module of this package offers."""

    def recognises(self, uri: str) -> bool:
        """Say whether the tracking URI names a host of this kind."""
        ...

    def target(self, uri: str, connection: Connection) -> Target:
        """Make the target."""
        ...


KINDS: tuple[Kind, ...] = (databricks, sagemaker, azureml, http)
"""In this order; the first that recognises a tracking URI makes its target."""


def recognises(uri: str) -> bool:
    """Say whether the tracking URI names a host that is reached by HTTP."""
    return any(kind.recognises(uri) for kind in KINDS)


def choose(uri: str, connection: Connection) -> Target:
    """Make the target of a tracking URI that is reached by HTTP.

    Raises:
        SettingsError: no host is known for it, or what it needs is missing.
    """
    for kind in KINDS:
        if kind.recognises(uri):
            return kind.target(uri, connection)
    scheme = uri.split(":", 1)[0]
    if scheme in {"sqlite", "postgresql", "mysql", "mssql"} or "+" in scheme:
        raise SettingsError(
            f"{scheme}: is the database behind an MLflow server; give the address of the server, such as "
            "http://mlflow.example.com:5000"
        )
    raise SettingsError(
        f"no MLflow host is known for tracking URIs that begin with {scheme}: ; give http(s)://..., "
        "databricks, an ARN, azureml://... or a folder such as ./mlruns"
    )
