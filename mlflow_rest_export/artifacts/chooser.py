"""Finds the way for each file and remembers it: the first open one in the order of the target."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from mlflow_rest_export.artifacts.route import ArtifactRoute, Foresighted, Listed, RouteUnavailable
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import TrackingError
from mlflow_rest_export.redaction import without_secrets
from mlflow_rest_export.routes import Route
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

_log = logging.getLogger("mlflow_rest_export")
_T = TypeVar("_T")


class ChosenRoutes:
    """Artifacts of the runs of one host (the ``Artifacts`` that the exporter needs).

    Args:
        routes: the ways that the target offers, in order.
        tracking: lists artifacts for every kind of store.
    """

    def __init__(self, routes: Mapping[Route, ArtifactRoute], tracking: RestTracking) -> None:
        self._routes = routes
        self._tracking = tracking
        self._closed: dict[tuple[Route, str], str] = {}
        self._taken: set[tuple[Route, str]] = set()
        self._lock = threading.Lock()

    def expect(self, run: StoredRun, paths: Sequence[str]) -> None:
        """Tell the ways which files will be uploaded next."""
        for route in self._ways(run):
            if isinstance(route, Foresighted):
                route.expect(run, paths)

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Send a file by the first way that is open for it.

        Raises:
            TrackingError: no way is open; the sentence says why each is closed.
        """
        self._first_open(run, path, lambda route: route.upload(run, path, content))

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give a stored file in pieces, by the first way that is open."""
        return self._first_open(run, path, lambda route: _begun(route.read(run, path)))

    def listing(self, run: StoredRun) -> dict[str, int | None]:
        """Give every file of a run, folder by folder, or by the way of a store that lists for itself."""
        for route in self._ways(run):
            if isinstance(route, Listed):
                return route.listing(run)
        files: dict[str, int | None] = {}
        folders = [""]
        while folders:
            for entry in self._tracking.list_artifacts(run.run_id, folders.pop()):
                if entry.is_dir:
                    folders.append(entry.path)
                else:
                    files[entry.path] = entry.file_size if entry.file_size >= 0 else None
        return files

    def _ways(self, run: StoredRun) -> Iterator[ArtifactRoute]:
        return (route for route in self._routes.values() if route.takes(run.artifact_uri))

    def _first_open(self, run: StoredRun, path: str, use: Callable[[ArtifactRoute], _T]) -> _T:
        place = _place(run.artifact_uri)
        reasons: list[str] = []
        for name, route in self._routes.items():
            if not route.takes(run.artifact_uri):
                continue
            reason = self._closed.get((name, place))
            if reason is None:
                try:
                    result = use(route)
                except RouteUnavailable as closed:
                    reason = str(closed)
                    self._remember(name, place, reason, for_all_files=closed.for_all_files)
                else:
                    self._say(name, place)
                    return result
            reasons.append(f"{name.value}: {reason}")
        raise TrackingError(_no_way(run, path, reasons))

    def _say(self, name: Route, place: str) -> None:
        """Tell once by which way the files of a store go."""
        with self._lock:
            if (name, place) in self._taken:
                return
            self._taken.add((name, place))
        _log.info("artifacts at %s go this way: %s", place, name.value)

    def _remember(self, name: Route, place: str, reason: str, *, for_all_files: bool) -> None:
        _log.info("artifact route closed for %s: %s (%s)", place, name.value, reason)
        if for_all_files:
            with self._lock:
                self._closed[name, place] = reason


def _place(artifact_uri: str) -> str:
    """Give the store that an artifact URI names: what is closed for one run is closed for its neighbours."""
    parts = urlsplit(artifact_uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Fetch the first piece now, so that a closed way shows before the caller reads."""
    first = next(pieces, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from pieces

    return rest()


def _no_way(run: StoredRun, path: str, reasons: Sequence[str]) -> str:
    where = without_secrets(run.artifact_uri)[:200] or "nowhere"
    why = "; ".join(reasons) if reasons else "no way leads to this kind of store"
    return (
        f"no way to store {path} of run {run.run_id}, whose artifacts are kept at {where} ({why}); start the "
        "server with --serve-artifacts, or export with log_artifacts: false"
    )
