"""Which kind of host a tracking URI names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.on_demand import needed
from mlflow_rest_export.targets.target import Target


class Kind(Protocol):
    """What a module of this package offers."""

    def recognises(self, uri: str) -> bool:
        """Say whether the tracking URI names a host of this kind."""
        ...

    def target(self, uri: str, connection: Connection) -> Target:
        """Make the target."""
        ...


KINDS = {
    "databricks": "targets.databricks",
    "arn:": "targets.sagemaker",
    "azureml:": "targets.azureml",
    "http": "targets.http",
}
"""A text without which no tracking URI is of a kind -> its module, in the order in which they are asked."""


def recognises(uri: str) -> bool:
    """Say whether the tracking URI names a host that is reached by HTTP."""
    return any(kind.recognises(uri) for kind in _kinds(uri))


def choose(uri: str, connection: Connection) -> Target:
    """Make the target of a tracking URI that is reached by HTTP.

    Raises:
        SettingsError: no host is known for it, or what it needs is missing.
    """
    for kind in _kinds(uri):
        if kind.recognises(uri):
            return kind.target(uri, connection)
    scheme = uri.split(":", 1)[0]
    if scheme in {"sqlite", "postgresql", "mysql", "mssql"} or "+" in scheme:
        raise SettingsError(
            f"{scheme}: names the database behind an MLflow server; give the address of the server, such as "
            "http://mlflow.example.com:5000"
        )
    raise SettingsError(
        f"no MLflow host is known for tracking URIs that begin with {scheme}:, so give http(s)://..., "
        "databricks, an ARN, azureml://... or a folder such as ./mlruns"
    )


def _kinds(uri: str) -> Iterator[Kind]:
    """Import the kinds that a tracking URI may be of."""
    for text, module in KINDS.items():
        if text in uri.lower():
            yield needed(module)
