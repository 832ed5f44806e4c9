"""Maps the names of a target's artifact routes to the code that goes them."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.proxied import ProxiedRoute
from mlflow_rest_export.artifacts.route import ArtifactRoute
from mlflow_rest_export.routes import Route
from mlflow_rest_export.tracking.rest import RestTracking
from mlflow_rest_export.transport import Transport

Maker = Callable[[RestTracking, Transport], ArtifactRoute]
"""Makes a route from the client of the host and a transport without credentials, for presigned URLs."""

_MAKERS: dict[Route, Maker] = {
    Route.PROXIED: lambda tracking, _: ProxiedRoute(tracking.target.base_url, tracking.transport),
}


def artifacts_of(tracking: RestTracking) -> ChosenRoutes:
    """Give the artifact store of a host, with the routes that its target names and this version knows."""
    anonymous = Transport(conduct=tracking.transport.conduct, tls=tracking.target.tls)
    routes = {name: _MAKERS[name](tracking, anonymous) for name in tracking.target.routes if name in _MAKERS}
    return ChosenRoutes(routes, tracking)
