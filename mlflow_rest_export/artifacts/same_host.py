"""Artifacts at an address of the tracking server's own host, outside of MLflow's API: GitLab's way."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from mlflow_rest_export.content import Content
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.tracking.protocol import StoredRun


class SameHostRoute:
    """PUT and GET below the address that the artifact URI is.

    Args:
        base_url: of the tracking server; its credentials go to its own scheme, host and port alone.
        transport: with those credentials.
    """

    def __init__(self, base_url: str, transport: Transport) -> None:
        self._origin = urlsplit(base_url)[:2]
        self._transport = transport

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are on the same host."""
        return urlsplit(artifact_uri)[:2] == self._origin

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """PUT one file."""
        call = Call(
            method="PUT",
            url=_address(run, path),
            doing=f"uploading {path} to run {run.run_id}",
            headers={"Content-Type": "application/octet-stream"},
            content=content,
        )
        self._transport.send(call)

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """GET one file."""
        doing = f"reading {path} of run {run.run_id}"
        return self._transport.stream(Call(method="GET", url=_address(run, path), doing=doing))


def _address(run: StoredRun, path: str) -> str:
    return f"{run.artifact_uri.rstrip('/')}/{quote(path, safe='/~')}"
