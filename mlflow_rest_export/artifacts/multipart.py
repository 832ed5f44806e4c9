"""Large files through the tracking server in parts: it signs an address for each (MLflow 2.9 and later).

Only servers before S3, Google or Azure stores offer it; the others answer 501, those before 2.9 with 404.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from mlflow_rest_export.artifacts.leases import looks_expired, out_of_reach
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError, NoAnswer, TrackingError
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.tracking import replies

WORTH_IT_FROM = 100 << 20
"""Bytes; below, one PUT through the server is as fast (nemo-evaluator-launcher draws the line there, too)."""
PART = 50 << 20
"""Bytes of a part; S3 wants 5 MiB at least."""
MOST_PARTS = 10_000
"""Parts that S3 takes."""
SIDE_BY_SIDE = 4
"""Parts of one file that are under way together."""
FIRST_PART_PATIENCE = 30.0
"""Seconds without progress after which the address of the first part counts as out of our reach."""


class _Credential(replies.Reply):
    url: str
    part_number: int
    headers: Mapping[str, str] | None = None


class _Begun(replies.Reply):
    """Answer of ``mpu/create``."""

    upload_id: str | None = None
    credentials: tuple[_Credential, ...] = ()


class MultipartUpload:
    """The upload of one file in parts.

    Args:
        api: address of the server's artifact API.
        transport: with the credentials of the tracking server.
        store: without any; the parts go to the store itself.
        place: folder and name of the file below the server's artifact root, already quoted for an address.
        name: the file's name as it is.
        content: its bytes.
    """

    def __init__(
        self, *, api: str, transport: Transport, store: Transport, place: str, name: str, content: Content
    ) -> None:
        self._api = api
        self._transport = transport
        self._store = store
        self._folder = place.rpartition("/")[0]
        self._name = name
        self._content = content
        self._part = max(PART, -(-content.size // MOST_PARTS))
        self._doing = f"uploading {name} in parts"

    def send(self) -> None:
        """Send all parts and join them; when that fails, have what arrived thrown away.

        Raises:
            RouteUnavailable: the server does not do this, or its store cannot be reached from here.
            ApiError, NoAnswer: it was begun but could not be completed.
        """
        begun = self._begin()
        complete = False
        try:
            etags = self._first(begun.credentials[0]) | self._others(begun.credentials[1:])
            self._complete(begun, etags)
            complete = True
        finally:
            if not complete:
                self._abort(begun)

    def _begin(self) -> _Begun:
        count = -(-self._content.size // self._part)
        try:
            begun = self._ask("create", {"path": self._name, "num_parts": count})
        except ApiError as error:
            if error.status in {404, 405, 501} or error.code in {"NOT_IMPLEMENTED", "ENDPOINT_NOT_FOUND"}:
                raise RouteUnavailable("the server takes no files in parts") from None
            raise
        if len(begun.credentials) != count:
            raise RouteUnavailable("the server signed too few parts")
        return begun

    def _first(self, credential: _Credential) -> dict[int, str]:
        """Send the first part with little patience: the store may be open to the server but not to us."""
        try:
            return dict([self._put(credential, self._store.aside(seconds=FIRST_PART_PATIENCE))])
        except NoAnswer:
            host = urlsplit(credential.url).netloc
            raise RouteUnavailable(f"the store at {host} cannot be reached from here") from None
        except ApiError as error:
            raise _refused(error, for_all_files=True) or error from None

    def _others(self, credentials: Sequence[_Credential]) -> dict[int, str]:
        """Send the other parts; nobody renews an address that expires before its turn comes."""
        try:
            with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="part") as pool:
                return dict(pool.map(lambda credential: self._put(credential, self._store), credentials))
        except ApiError as error:
            raise _refused(error, for_all_files=False) or error from None

    def _put(self, credential: _Credential, store: Transport) -> tuple[int, str]:
        number = credential.part_number
        start = (number - 1) * self._part
        call = Call(
            method="PUT",
            url=credential.url,
            doing=f"{self._doing}: part {number}",
            headers=credential.headers or {},
            content=self._content,
            start=start,
            end=min(start + self._part, self._content.size),
        )
        return number, store.send(call).headers.get("etag", "")

    def _complete(self, begun: _Begun, etags: Mapping[int, str]) -> None:
        parts = [
            {"part_number": part.part_number, "etag": etags[part.part_number], "url": part.url}
            for part in begun.credentials
        ]
        try:
            self._ask("complete", {"path": self._name, "upload_id": begun.upload_id, "parts": parts})
        except ApiError as error:
            # perhaps they were, and the answer was lost; the whole file once more is right in any case
            raise RouteUnavailable(f"the parts could not be joined ({error})", for_all_files=False) from None

    def _abort(self, begun: _Begun) -> None:
        """Throw the parts away, even after a signal: kept, they would cost their owner money."""
        try:
            self._ask(
                "abort",
                {"path": self._name, "upload_id": begun.upload_id},
                transport=self._transport.aside(seconds=10),
            )
        except TrackingError:
            return  # what stopped the upload is the error to tell

    def _ask(self, verb: str, body: Mapping[str, object], *, transport: Transport | None = None) -> _Begun:
        call = Call.posting(f"{self._api}/mpu/{verb}/{self._folder}", body, doing=self._doing)
        answer = (transport or self._transport).send_for_json(call)
        return replies.parse(_Begun, answer, doing=self._doing)


def _refused(error: ApiError, *, for_all_files: bool) -> RouteUnavailable | None:
    """Say that a store, or a proxy before it, takes nothing from us; the server may be another way."""
    if not (looks_expired(error) or out_of_reach(error)):
        return None
    return RouteUnavailable(f"the store refuses a part ({error})", for_all_files=for_all_files)
