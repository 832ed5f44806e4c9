"""Artifacts in the store of a Databricks workspace: it hands out signed places, the files go there."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator, Field

from mlflow_rest_export.artifacts import signed_uploads
from mlflow_rest_export.artifacts.databricks_parts import PartsUpload
from mlflow_rest_export.artifacts.leases import Lease, Place, Store
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError, NotMlflow
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.tracking import replies
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

BATCH = 100
"""Places asked for at once; the host allows 2,000, but each lives for minutes only."""
PARTS_FROM = 500 * 1000**2
"""Bytes from which a file goes to S3 in parts, as in the SDK."""
_NUMBERS = {1: "AZURE_SAS_URI", 2: "AWS_PRESIGNED_URL", 3: "GCP_SIGNED_URL", 4: "AZURE_ADLS_GEN2_SAS_URI"}

Kind = Annotated[
    Store, BeforeValidator(lambda value: _NUMBERS.get(value, value) if isinstance(value, int) else value)
]


class Header(replies.Reply):
    """One header that was signed."""

    name: str
    value: str = Field(default="", repr=False)


class CredentialInfo(replies.Reply):
    """One signed place."""

    path: str = ""
    type: Kind
    signed_uri: str = Field(min_length=1, repr=False)
    headers: tuple[Header, ...] = ()

    def as_place(self) -> Place:
        """Give the plain place."""
        return Place(self.type, self.signed_uri, {header.name: header.value for header in self.headers})


class CredentialsPage(replies.Reply):
    """Answer of ``credentials-for-write`` and ``-read``."""

    credential_infos: tuple[CredentialInfo, ...] = ()
    next_page_token: str = ""


@dataclass(slots=True)
class _Waiting:
    """The files of one run that come next: those whose places are known, and the others."""

    expected: dict[str, None] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def next_after(self, path: str) -> list[str]:
        """Take ``path`` and the expected files after it, as many as one request should name."""
        self.expected.pop(path, None)
        others = list(itertools.islice(self.expected, BATCH - 1))
        for other in others:
            del self.expected[other]
        return [path, *others]


class DatabricksRoute:
    """Asks the workspace for signed places, many at once where it is known what comes next.

    Args:
        tracking: the workspace.
        store: a transport without credentials, cookies or headers of the workspace.
    """

    def __init__(self, tracking: RestTracking, store: Transport) -> None:
        self._tracking = tracking
        self._store = store
        self._runs: dict[str, _Waiting] = {}
        self._lock = threading.Lock()

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are in the workspace's own store; a profile's name may stand there."""
        return path_of(artifact_uri).startswith("/databricks/mlflow-tracking/")

    def expect(self, run: StoredRun, paths: Sequence[str]) -> None:
        """Take note of the files that come next, in their order; their places are asked for together."""
        with self._lock:
            self._runs[run.run_id] = _Waiting(expected=dict.fromkeys(paths))

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Send one file to its place, over whatever is there."""
        doing = f"uploading {path} to run {run.run_id}"
        place = self._place(run, path)
        if place.store is Store.S3 and content.size >= PARTS_FROM:
            PartsUpload(self._tracking, self._store, run, path, content).run()
            return
        lease = Lease(self._store, place, renew=lambda: self._ask("write", run, [path])[path], doing=doing)
        signed_uploads.upload(lease, content)

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give one file from its place."""
        place = self._ask("read", run, [path])[path]
        doing = f"reading {path} of run {run.run_id}"
        lease = Lease(self._store, place, renew=lambda: self._ask("read", run, [path])[path], doing=doing)
        return lease.read()

    def _place(self, run: StoredRun, path: str) -> Place:
        """Give the place of a file, asking for those of the next ones as well."""
        with self._lock:
            waiting = self._runs.setdefault(run.run_id, _Waiting())
        with waiting.lock:
            place = waiting.places.pop(path, None)
            if place is None:
                places = self._ask_for_several(run, waiting.next_after(path))
                place = places.pop(path)
                waiting.places.update(places)
            if not waiting.expected and not waiting.places:
                with self._lock:
                    self._runs.pop(run.run_id, None)
            return place

    def _ask_for_several(self, run: StoredRun, paths: Sequence[str]) -> dict[str, Place]:
        """Ask for many places; where one path spoils the request, ask for the first alone."""
        try:
            return self._ask("write", run, paths)
        except ApiError as error:
            if error.status != 400 or len(paths) == 1:
                raise
            return self._ask("write", run, paths[:1])

    def _ask(self, direction: str, run: StoredRun, paths: Sequence[str]) -> dict[str, Place]:
        doing = f"asking where {paths[0]} of run {run.run_id} is kept"
        endpoint = f"artifacts/credentials-for-{direction}"
        body: dict[str, object] = {"run_id": run.run_id, "path": list(paths)}
        places: dict[str, Place] = {}
        while True:
            page = self._tracking.post(endpoint, CredentialsPage, body, doing=doing)
            places.update((info.path, info.as_place()) for info in page.credential_infos)
            if not page.next_page_token:
                break
            if page.next_page_token == body.get("page_token"):
                raise NotMlflow(f"{doing}: the workspace gives one page for ever", status=200)
            body["page_token"] = page.next_page_token
        if paths[0] not in places:
            raise NotMlflow(f"{doing}: the workspace names no place for it", status=200)
        return places


def path_of(artifact_uri: str) -> str:
    """Give the path of a ``dbfs:`` URI, "" for any other; it is raw text, so nothing is decoded."""
    scheme, _, rest = artifact_uri.partition(":")
    if scheme != "dbfs":
        return ""
    if rest.startswith("//"):
        return "/" + rest[2:].partition("/")[2]
    return rest
