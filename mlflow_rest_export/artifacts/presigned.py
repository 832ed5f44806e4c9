"""Artifacts by a URL that the tracking server signs (``presigned-upload-url``): no storage library, no keys.

Open-source servers from 3.12 on with an S3-like root offer it, and SageMaker. Where it is missing or the
store is out of reach, the way is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import Field

from mlflow_rest_export.artifacts import signed_uploads
from mlflow_rest_export.artifacts.leases import Lease, Place, Store, out_of_reach
from mlflow_rest_export.artifacts.refusals import closed_by
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError, NoAnswer
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.tracking import replies
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

LARGEST_PUT = 5 * 1024**3
"""Bytes that S3 takes in one PUT."""
OTHER_WAYS = frozenset({"", "file", "mlflow-artifacts", "http", "https", "dbfs", "azureml"})
"""Schemes of stores for which no server signs URLs."""
LIFETIME = 900
"""Seconds that a URL is asked for."""


class PresignedUrl(replies.Reply):
    """Answer of both endpoints; the headers are part of the signature."""

    presigned_url: str = Field(min_length=1, repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)


class PresignedRoute:
    """Asks the server for a URL for each file and sends the file there.

    Args:
        tracking: the server.
        store: a transport without credentials, since the URL is the permission.
    """

    def __init__(self, tracking: RestTracking, store: Transport) -> None:
        self._tracking = tracking
        self._store = store
        self._reached = False
        self._unreadable = ""
        """Why no file can be read this way, although files may be written."""

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are kept in a store for which URLs could be signed."""
        return urlsplit(artifact_uri).scheme not in OTHER_WAYS

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """PUT one file."""
        if content.size > LARGEST_PUT:
            raise RouteUnavailable("one PUT holds 5 GiB at most", for_all_files=False)
        lease = self._lease("upload", run, path, doing=f"uploading {path} to run {run.run_id}")
        try:
            signed_uploads.upload(lease, content)
        except (ApiError, NoAnswer) as error:
            raise self._closed(error) or error from None
        self._reached = True

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """GET one file by a signed URL, which servers give from 3.16 on; uploads may work without."""
        if self._unreadable:
            raise RouteUnavailable(self._unreadable, for_all_files=False)
        try:
            lease = self._lease("download", run, path, doing=f"reading {path} of run {run.run_id}")
        except RouteUnavailable as closed:
            self._unreadable = str(closed)
            raise RouteUnavailable(self._unreadable, for_all_files=False) from None
        try:
            yield from lease.read()
        except (ApiError, NoAnswer) as error:
            raise self._closed(error) or error from None

    def _lease(self, direction: str, run: StoredRun, path: str, *, doing: str) -> Lease:
        def place() -> Place:
            return self._place(direction, run, path, doing=f"{doing}: asking for a signed URL")

        return Lease(self._store, place(), renew=place, doing=doing)

    def _place(self, direction: str, run: StoredRun, path: str, *, doing: str) -> Place:
        endpoint = f"artifacts/presigned-{direction}-url"
        body = {"run_id": run.run_id, "path": path, "expiration": LIFETIME}
        try:
            signed = self._tracking.post(endpoint, PresignedUrl, body, doing=doing)
        except ApiError as error:
            raise closed_by(error, offer="signed URLs") or error from None
        return Place(Store.S3, signed.presigned_url, signed.headers)

    def _closed(self, error: ApiError | NoAnswer) -> RouteUnavailable | None:
        """Read a failure at a store that never took a file: it may be one that only the server can reach."""
        if self._reached:
            return None
        if isinstance(error, NoAnswer):
            return RouteUnavailable(f"the store is out of reach from here ({error})")
        if error.refused:
            said = f"{error.code} {error.reason}".strip() or str(error.status)
            return RouteUnavailable(f"the store refuses what the server signed: {said}")
        if out_of_reach(error):
            return RouteUnavailable(f"the store is out of reach from here ({error})")
        return None
