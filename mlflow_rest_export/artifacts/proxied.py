"""Artifacts through the tracking server (``mlflow-artifacts:``): one PUT a file, streamed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from mlflow_rest_export.artifacts.multipart import WORTH_IT_FROM, MultipartUpload
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.tracking.protocol import StoredRun

_log = logging.getLogger("mlflow_rest_export")
API = "/api/2.0/mlflow-artifacts"


class ProxiedRoute:
    """PUT and GET on the server's own artifact API.

    Args:
        base_url: of the tracking server; credentials go nowhere else, even when an artifact URI names
            another host (the SDK sends them there).
        transport: with the credentials of the tracking server.
        store: without any, for parts of large files that go to the store itself; None: never in parts.
    """

    def __init__(self, base_url: str, transport: Transport, store: Transport | None = None) -> None:
        self._base_url = base_url
        self._transport = transport
        self._store = store
        self._in_parts = True

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are behind this very server."""
        parts = urlsplit(artifact_uri)
        if parts.scheme == "mlflow-artifacts":
            return parts.netloc in {"", urlsplit(self._base_url).netloc}
        return artifact_uri.startswith(f"{self._base_url}{API}/artifacts/")

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """PUT one file; a second PUT replaces the first, so a lost answer is simply sent again."""
        large = content.size >= WORTH_IT_FROM and self._in_parts
        if large and self._store is not None and self._sent_in_parts(run, path, content, self._store):
            return
        call = Call(
            method="PUT",
            url=self._url(run, path),
            doing=f"uploading {path} to run {run.run_id}",
            headers={"Content-Type": "application/octet-stream"},
            content=content,
        )
        try:
            self._transport.send(call)
        except ApiError as error:
            raise _closed(error) or error from None

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """GET one file. Servers answer a missing one with 404, or, before 3.x and before S3, with 500."""
        doing = f"reading {path} of run {run.run_id}"
        try:
            yield from self._transport.stream(Call(method="GET", url=self._url(run, path), doing=doing))
        except ApiError as error:
            raise _closed(error) or error from None

    def _sent_in_parts(self, run: StoredRun, path: str, content: Content, store: Transport) -> bool:
        upload = MultipartUpload(
            api=f"{self._base_url}{API}",
            transport=self._transport,
            store=store,
            place=f"{_quoted(root_of(run, self._base_url))}/{_quoted(path)}",
            name=path.rpartition("/")[2],
            content=content,
        )
        try:
            upload.send()
        except RouteUnavailable as closed:
            _log.info("%s goes in one piece: %s", path, closed)
            self._in_parts = not closed.for_all_files
            return False
        return True

    def _url(self, run: StoredRun, path: str) -> str:
        return f"{self._base_url}{API}/artifacts/{_quoted(root_of(run, self._base_url))}/{_quoted(path)}"


def root_of(run: StoredRun, base_url: str) -> str:
    """Give the place of a run's artifacts below the server's artifact root.

    ``artifact_uri`` is raw text, so nothing is decoded. As in the SDK, duplicate slashes collapse, and a
    query or fragment (of an experiment's own location; it stands at the end then) does not count.
    """
    uri = run.artifact_uri.partition("#")[0].partition("?")[0]
    prefix = f"{base_url}{API}/artifacts/"
    if uri.startswith(prefix):
        rest = uri[len(prefix) :]
    else:
        rest = uri.partition(":")[2]
        if rest.startswith("//"):
            rest = rest[2:].partition("/")[2]
    return "/".join(part for part in rest.split("/") if part)


def _quoted(path: str) -> str:
    return quote(path, safe="/~")


def _closed(error: ApiError) -> RouteUnavailable | None:
    if error.status in {501, 503} and "serv" in error.reason.lower() and "artifact" in error.reason.lower():
        return RouteUnavailable("the server was started without --serve-artifacts")
    return None
