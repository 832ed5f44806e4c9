"""Large files of a Databricks workspace on S3: in parts, each of which can be sent again by itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TypeVar

from pydantic import Field

from mlflow_rest_export.artifacts.leases import Lease, Place, Store
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError, NoAnswer, NotMlflow, TrackingError
from mlflow_rest_export.network.call import Repeat
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.tracking import replies
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

PART = 10 << 20
"""Bytes of a part; S3 wants 5 MiB at least."""
MOST_PARTS = 1000
"""Parts we ask for at the most; S3 allows 10,000, but every one brings an address of 2 kB."""


_R = TypeVar("_R", bound=replies.Reply)


class _Header(replies.Reply):
    name: str
    value: str = Field(default="", repr=False)


class _Info(replies.Reply):
    signed_uri: str = Field(min_length=1, repr=False)
    headers: tuple[_Header, ...] = ()

    def as_place(self) -> Place:
        return Place(Store.S3, self.signed_uri, {header.name: header.value for header in self.headers})


class _Begun(replies.Reply):
    """Answer of ``create-multipart-upload``: a place for each part, in order, and one to throw all away."""

    upload_id: str
    upload_credential_infos: tuple[_Info, ...]
    abort_credential_info: _Info | None = None


class _Part(replies.Reply):
    """Answer of ``get-presigned-upload-part-url``."""

    upload_credential_info: _Info


class PartsUpload:
    """One upload in parts.

    Args:
        tracking: the workspace.
        store: a transport without credentials.
        run: whose file it is.
        path: its place in the run.
        content: its bytes.
        part: bytes of a part.
    """

    def __init__(
        self,
        tracking: RestTracking,
        store: Transport,
        run: StoredRun,
        path: str,
        content: Content,
        *,
        part: int = PART,
    ) -> None:
        self._tracking = tracking
        self._store = store
        self._run_id = run.run_id
        self._path = path
        self._content = content
        self._part = max(part, -(-content.size // MOST_PARTS))
        self._doing = f"uploading {path} to run {run.run_id} in parts"

    def run(self) -> None:
        """Send all parts and join them; once more when nobody can tell whether they were joined.

        What the listing shows does not tell it: an older file of the same size may lie there.
        """
        if self._once() is not None:
            doubt = self._once()
            if doubt is not None:
                raise doubt

    def _once(self) -> ApiError | None:
        """Give None when the file is there, else the refusal that leaves it open whether it is.

        Parts of an upload that failed are thrown away.
        """
        starts = range(0, self._content.size, self._part)
        begun = self._post(
            "create-multipart-upload",
            _Begun,
            {"run_id": self._run_id, "path": self._path, "num_parts": len(starts)},
        )
        complete = False
        try:
            if len(begun.upload_credential_infos) != len(starts):
                raise NotMlflow(f"{self._doing}: the workspace names too few places", status=200)
            tags = [
                self._send(begun.upload_id, number, info.as_place(), start)
                for number, (info, start) in enumerate(
                    zip(begun.upload_credential_infos, starts, strict=True), start=1
                )
            ]
            doubt = self._complete(begun.upload_id, tags)
            complete = doubt is None
        finally:
            if not complete and begun.abort_credential_info is not None:
                self._abort(begun.abort_credential_info.as_place())
        return doubt

    def _send(self, upload_id: str, number: int, place: Place, start: int) -> str:
        renew = partial(self._renewed, upload_id, number)
        lease = Lease(self._store, place, renew=renew, doing=f"{self._doing}: part {number}")
        end = min(start + self._part, self._content.size)
        return lease.send("PUT", part=(self._content, start, end)).headers.get("etag", "")

    def _renewed(self, upload_id: str, number: int) -> Place:
        query = {
            "run_id": self._run_id,
            "path": self._path,
            "upload_id": upload_id,
            "part_number": str(number),
        }
        endpoint = "artifacts/get-presigned-upload-part-url"
        part = self._tracking.get(endpoint, _Part, query, doing=self._doing)
        return part.upload_credential_info.as_place()

    def _complete(self, upload_id: str, tags: list[str]) -> ApiError | None:
        """Join the parts; gives the refusal of a second asking after the answer to the first was lost.

        Either they were joined at the first, so that the upload is not there any more, or never will be.
        """
        parts = [{"part_number": number, "etag": tag} for number, tag in enumerate(tags, start=1)]
        body = {"run_id": self._run_id, "path": self._path, "upload_id": upload_id, "part_etags": parts}
        try:
            self._post("complete-multipart-upload", replies.Reply, body, repeat=Repeat.IF_NOT_SENT)
        except (ApiError, NoAnswer) as error:
            if not error.may_have_arrived:
                raise
        else:
            return None
        try:
            self._post("complete-multipart-upload", replies.Reply, body)
        except ApiError as refusal:
            return refusal
        return None

    def _abort(self, place: Place) -> None:
        """Throw the parts away, even after a signal: kept, they would cost their owner money."""
        lease = Lease(self._store.aside(seconds=10), place, renew=lambda: place, doing=self._doing)
        try:
            lease.send("DELETE")
        except TrackingError:
            return  # what stopped the upload is the error to tell

    def _post(
        self, endpoint: str, kind: type[_R], body: Mapping[str, object], *, repeat: Repeat = Repeat.SAFELY
    ) -> _R:
        return self._tracking.post(f"artifacts/{endpoint}", kind, body, doing=self._doing, repeat=repeat)
