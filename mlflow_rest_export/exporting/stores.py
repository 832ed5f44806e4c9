"""Opens the store that a tracking URI names: a folder, or a host that is reached by HTTP."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.on_demand import needed
from mlflow_rest_export.targets import choice, files
from mlflow_rest_export.tracking.protocol import Artifacts, Tracking
from mlflow_rest_export.tracking.rest import RestTracking

SIGN_OF_LIFE = 10.0
"""Seconds that one may take; the next one is better than a late one."""


@dataclass(frozen=True, slots=True)
class Store:
    """A store, open for use."""

    tracking: Tracking
    artifacts: Artifacts
    signs: Tracking | None = None
    """The same store, for signs of life while all workers are busy; None: ``tracking`` will do."""


def open_store(uri: str, connection: Connection, conduct: Conduct, *, trusted: bool = True) -> Store:
    """Open a store; nothing is asked of it yet.

    Args:
        uri: the tracking URI.
        connection: credentials and how to connect.
        conduct: patience, pace and the wish to stop.
        trusted: whether the user names the store; False when only results do.

    Raises:
        SettingsError: no store is known for the URI, or what it needs is missing.
    """
    if files.recognises(uri) and not choice.recognises(uri):
        tracking_of, artifacts = (
            needed("tracking.files:FileTracking"),
            needed("artifacts.files:FileArtifacts"),
        )
        return Store(tracking_of(files.path_of(uri)), artifacts())
    tracking = open_rest(uri, connection, conduct)
    beside = tracking.target.transport(tracking.transport.conduct.beside(seconds=SIGN_OF_LIFE))
    return Store(tracking, artifacts_of(tracking, trusted=trusted), RestTracking(tracking.target, beside))


def open_rest(uri: str, connection: Connection, conduct: Conduct) -> RestTracking:
    """Open the typed client of a host.

    Raises:
        SettingsError: no host is known for the URI, or what it needs is missing.
    """
    if connection.request_timeout is not None:
        conduct = replace(conduct, timeout=connection.request_timeout)
    target = choice.choose(uri, connection)
    return RestTracking(target, target.transport(conduct))
