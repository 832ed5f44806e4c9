"""What one way for artifacts offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from mlflow_rest_export.content import Content
from mlflow_rest_export.tracking.protocol import StoredRun


class RouteUnavailable(Exception):
    """This way is closed for this run or file; the next one is tried. ``str()`` says why.

    Attributes:
        for_all_files: True when no other file of this store need try; False when only this one cannot go.
    """

    def __init__(self, reason: str, *, for_all_files: bool = True) -> None:
        super().__init__(reason)
        self.for_all_files = for_all_files


class ArtifactRoute(Protocol):
    """One way for the bytes of artifacts."""

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the way can lead to a run whose artifacts are kept at ``artifact_uri``."""
        ...

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Send a file.

        Raises:
            RouteUnavailable: the host does not offer this way for this run or file; nothing was stored.
        """
        ...

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give a stored file in pieces.

        Raises:
            RouteUnavailable: the host does not offer this way.
            ApiError: ``not_found`` when there is no such file.
        """
        ...


@runtime_checkable
class Foresighted(Protocol):
    """A way that goes better when it is known what comes next."""

    def expect(self, run: StoredRun, paths: Sequence[str]) -> None:
        """Take note of the files that will be uploaded next."""
        ...


@runtime_checkable
class Listed(Protocol):
    """A way to a store that the tracking server cannot list."""

    def listing(self, run: StoredRun) -> dict[str, int | None]:
        """Give every file of a run with its size in bytes."""
        ...
