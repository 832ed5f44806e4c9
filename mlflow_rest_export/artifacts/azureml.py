"""Artifacts of an Azure ML run: the workspace hands out signed blobs, the files go there.

Facts: azureml-mlflow 1.62 (``_restclient``, ``artifacts_client``). A path can be announced once; the second
time the workspace says that it exists, and only then is asked where it is, and for the right to write there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field

from mlflow_rest_export.artifacts import signed_uploads
from mlflow_rest_export.artifacts.leases import Lease, Place, Store
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import Content, sha256
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.tracking import replies
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

_RUN = re.compile(r"/(experiments|experimentids)/([^/]+)/runs/([^/]+)/artifacts/?$", re.IGNORECASE)
_CONFLICT = "already exists"
"""What stands in the error of a path that was announced before (lightly issue 256)."""


class BlobInfo(replies.Reply):
    """Where one artifact is."""

    content_uri: str = Field(alias="contentUri", min_length=1, repr=False)

    def as_place(self) -> Place:
        """Give the plain place."""
        return Place(Store.AZURE_BLOB, self.content_uri)


class Refusal(replies.Reply):
    """Why one path was not taken; the words stand in ``error`` or beside it."""

    error: dict[str, object] = Field(default_factory=dict)
    message: str = ""

    @property
    def text(self) -> str:
        """The words."""
        return str(self.error.get("message") or self.message or "no reason was given")


class Announced(replies.Reply):
    """Answer of ``artifacts/batch/metadata``."""

    places: dict[str, BlobInfo] = Field(default_factory=dict, alias="artifactContentInformation")
    errors: dict[str, Refusal] = Field(default_factory=dict)


class AzureMlRoute:
    """Announces a file, then writes the blob it is given.

    Args:
        tracking: the workspace.
        store: a transport without credentials: the blob's address is the permission.
    """

    def __init__(self, tracking: RestTracking, store: Transport) -> None:
        self._tracking = tracking
        self._store = store

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are kept by an Azure ML workspace."""
        return artifact_uri.lower().startswith("azureml:") and bool(_RUN.search(artifact_uri))

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Write one file, over an earlier one where the workspace lets us.

        Raises:
            ApiError: the workspace or its store refuses.
        """
        doing = f"uploading {path} to run {run.run_id}"
        place = self._announce(run, path, doing=doing)
        if place is not None:
            signed_uploads.upload(self._lease(place, run, path, doing=doing), content)
            return
        lease = self._lease(self._where(run, path, doing=doing), run, path, doing=doing)
        try:
            signed_uploads.upload(lease, content)
        except ApiError as error:
            if not error.refused:
                raise
            if not self._is_there(run, path, content):
                self._write(run, path, content, error)

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give one file."""
        doing = f"reading {path} of run {run.run_id}"
        return self._lease(self._where(run, path, doing=doing), run, path, doing=doing).read()

    def _is_there(self, run: StoredRun, path: str, content: Content) -> bool:
        """Say whether an earlier upload brought the same bytes."""
        stored = hashlib.sha256()
        try:
            for piece in self.read(run, path):
                stored.update(piece)
        except ApiError as error:
            if not error.not_found:  # announced and never written is as good as not there
                raise
            return False
        return stored.hexdigest() == sha256(content)

    def _write(self, run: StoredRun, path: str, content: Content, refused: ApiError) -> None:
        """Ask for an address that may be written to, for what was announced before, and write there."""
        doing = f"uploading {path} to run {run.run_id}"

        def writable() -> Place:
            container = f"artifacts/ExperimentRun/dcid.{quote(_run_of(run)[2], safe='')}"
            return self._place(f"{self._service('artifact/v2.0')}/{container}/write", path, doing=doing)

        try:
            place = writable()
        except ApiError:
            raise ApiError(
                f"{doing}: Azure ML keeps a file as it was first uploaded, and this one has changed since or "
                "was never whole; delete the run and export again",
                status=refused.status,
                code=refused.code,
                reason=refused.reason,
            ) from None
        signed_uploads.upload(Lease(self._store, place, renew=writable, doing=doing), content)

    def _announce(self, run: StoredRun, path: str, *, doing: str) -> Place | None:
        """Give the place of a new artifact, None when the path was announced before."""
        url = f"{self._artifacts(run)}/batch/metadata"
        call = Call.posting(url, {"paths": [{"path": path}]}, doing=f"{doing}: announcing it")
        try:
            answer = self._tracking.transport.send_for_json(call)
        except ApiError as error:
            if _CONFLICT in error.reason:
                return None
            raise
        reply = replies.parse(Announced, answer, doing=doing)
        if path in reply.places:
            return reply.places[path].as_place()
        said = reply.errors[path].text if path in reply.errors else "it gave no place for the file"
        if _CONFLICT in said:
            return None
        raise ApiError(f"{doing}: Azure ML refuses the file: {said[:300]}", status=400, reason=said)

    def _where(self, run: StoredRun, path: str, *, doing: str) -> Place:
        """Ask where an announced artifact is."""
        return self._place(f"{self._artifacts(run)}/contentinfo", path, doing=doing)

    def _place(self, url: str, path: str, *, doing: str) -> Place:
        call = Call(method="GET", url=url, query=(("path", path),), doing=f"{doing}: asking where it is")
        try:
            answer = self._tracking.transport.send_for_json(call)
        except ApiError as error:
            if error.status == 404:
                error.code = "RESOURCE_DOES_NOT_EXIST"  # its own code names the service, not the matter
            raise
        return replies.parse(BlobInfo, answer, doing=doing).as_place()

    def _lease(self, place: Place, run: StoredRun, path: str, *, doing: str) -> Lease:
        return Lease(self._store, place, renew=lambda: self._where(run, path, doing=doing), doing=doing)

    def _artifacts(self, run: StoredRun) -> str:
        """Give the address of a run's artifacts in the workspace's history service."""
        kind, experiment, run_id = (quote(part, safe="") for part in _run_of(run))
        return f"{self._service('history/v1.0')}/{kind}/{experiment}/runs/{run_id}/artifacts"

    def _service(self, name: str) -> str:
        """Give the address of a service of the workspace, on the host we know."""
        base = urlsplit(self._tracking.target.base_url)
        workspace = base.path.partition("/subscriptions/")[2]
        return f"{base.scheme}://{base.netloc}/{name}/subscriptions/{workspace}"


def _run_of(run: StoredRun) -> tuple[str, str, str]:
    """Read how the experiment is named, the experiment, and the id of the run."""
    found = _RUN.search(run.artifact_uri)
    if found is None:  # pragma: no cover - takes() looked before
        raise RouteUnavailable("the artifact URI names no run")
    return found[1], unquote(found[2]), unquote(found[3])
