"""Ways that a server whom only the results name may not lead us: with our own logins, or onto our disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlflow_rest_export.artifacts.route import ArtifactRoute, RouteUnavailable
from mlflow_rest_export.content import Content
from mlflow_rest_export.routes import Route
from mlflow_rest_export.tracking.protocol import StoredRun

WAYS = frozenset({Route.OBJECT_STORE, Route.SHARED_DISK})
"""Such a server chooses the place: any host, which would get our cloud credentials, or any folder."""


@dataclass(frozen=True, slots=True)
class Distrusted:
    """A way that is closed.

    Args:
        way: what it would have been.
    """

    way: ArtifactRoute

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the way would have led there."""
        return self.way.takes(artifact_uri)

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Refuse; raises ``RouteUnavailable``."""
        del run, path, content
        raise _closed()

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Refuse; raises ``RouteUnavailable``."""
        del run, path
        raise _closed()


def _closed() -> RouteUnavailable:
    return RouteUnavailable("only the results name this server; --tracking-uri says that you mean it")
