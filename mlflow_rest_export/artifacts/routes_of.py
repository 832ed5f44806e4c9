"""Maps the names of a target's artifact routes to the code that goes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.distrusted import WAYS, Distrusted
from mlflow_rest_export.artifacts.object_store import ObjectStoreRoute
from mlflow_rest_export.artifacts.presigned import PresignedRoute
from mlflow_rest_export.artifacts.proxied import ProxiedRoute
from mlflow_rest_export.artifacts.route import ArtifactRoute
from mlflow_rest_export.artifacts.same_host import SameHostRoute
from mlflow_rest_export.artifacts.shared_disk import SharedDiskRoute
from mlflow_rest_export.artifacts.small_upload import SmallUploadRoute
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.on_demand import needed
from mlflow_rest_export.routes import Route
from mlflow_rest_export.tracking.rest import RestTracking

Maker = Callable[[RestTracking, Transport], ArtifactRoute]
"""Makes a route from the client of the host and a transport without credentials, for presigned URLs."""

_MAKERS: dict[Route, Maker] = {
    Route.PROXIED: lambda tracking, store: ProxiedRoute(tracking.target.base_url, tracking.transport, store),
    Route.SAME_HOST: lambda tracking, _: SameHostRoute(tracking.target.base_url, tracking.transport),
    Route.PRESIGNED: PresignedRoute,
    Route.SMALL_UPLOAD: lambda tracking, _: SmallUploadRoute(tracking),
    Route.OBJECT_STORE: lambda tracking, anonymous: ObjectStoreRoute(
        tracking.target.variables, tls=tracking.target.tls, anonymous=anonymous
    ),
    Route.SHARED_DISK: lambda tracking, _: SharedDiskRoute(tracking),
    Route.DATABRICKS: lambda *known: needed("artifacts.databricks:DatabricksRoute")(*known),  # noqa: PLW0108  # late
    Route.DATABRICKS_FILES: lambda tracking, _: needed("artifacts.databricks_files:VolumesRoute")(tracking),
    Route.DBFS: lambda tracking, _: needed("artifacts.databricks_files:DbfsRoute")(tracking),
    Route.AZUREML: lambda *known: needed("artifacts.azureml:AzureMlRoute")(*known),  # noqa: PLW0108  # late
}
STORE_CONTACT = 30.0
"""Seconds until a store must have answered once: signed URLs may name hosts that only the server reaches."""


def artifacts_of(tracking: RestTracking, *, trusted: bool = True) -> ChosenRoutes:
    """Give the artifact store of a host, with the routes that its target names and this version knows.

    Args:
        tracking: the client of the host.
        trusted: whether the user names the host; else some ways are closed.
    """
    conduct = tracking.transport.conduct
    patience = conduct.patience.with_another_host(first_contact=STORE_CONTACT)
    anonymous = Transport(
        conduct=replace(conduct, patience=patience), tls=replace(tracking.target.tls, client_cert=None)
    )
    routes = {name: _MAKERS[name](tracking, anonymous) for name in tracking.target.routes if name in _MAKERS}
    if not trusted:
        routes |= {name: Distrusted(way) for name, way in routes.items() if name in WAYS}
    return ChosenRoutes(routes, tracking)
