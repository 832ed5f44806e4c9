"""Small files through the tracking server into any store: the call its own web page makes, since 2.7."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from mlflow_rest_export.artifacts.refusals import closed_by
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

LARGEST = 10 * 1024 * 1024
"""Bytes that the server takes; an empty body it takes for none at all (mlflow 3.17.2, handlers.py)."""


class SmallUploadRoute:
    """``ajax-api/2.0/mlflow/upload-artifact`` and ``get-artifact``.

    Args:
        tracking: the server.
    """

    def __init__(self, tracking: RestTracking) -> None:
        self._tracking = tracking

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are kept elsewhere than behind a server's proxy."""
        return urlsplit(artifact_uri).scheme not in {"mlflow-artifacts", "http", "https"}

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """POST one file; the same file again replaces it."""
        if content.size == 0:
            raise RouteUnavailable("it takes no empty file", for_all_files=False)
        if content.size > LARGEST:
            raise RouteUnavailable("it takes 10 MiB at most", for_all_files=False)
        call = Call(
            method="POST",
            url=f"{self._tracking.target.base_url}/ajax-api/2.0/mlflow/upload-artifact",
            query=(("run_uuid", run.run_id), ("path", path)),
            doing=f"uploading {path} to run {run.run_id}",
            headers={"Content-Type": "application/octet-stream"},
            content=content,
        )
        try:
            self._tracking.transport.send(call)
        except ApiError as error:
            raise closed_by(error, offer="small-file uploads") or error from None

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """GET one file by way of the server, which knows its store."""
        call = Call(
            method="GET",
            url=f"{self._tracking.target.base_url}/get-artifact",
            query=(("run_id", run.run_id), ("run_uuid", run.run_id), ("path", path)),
            doing=f"reading {path} of run {run.run_id}",
        )
        return self._tracking.transport.stream(call)
