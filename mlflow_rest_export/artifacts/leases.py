"""A signed place in an object store: the permission to read or write one object for some minutes."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.network.answers import Answer
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.transport import Transport

_EXPIRED = frozenset({"ExpiredToken", "RequestExpired", "TokenRefreshRequired"})
"""Codes with which S3 and Google say 400 for what elsewhere is 403."""


class Store(enum.Enum):
    """The kinds of store and what they expect of a writer."""

    S3 = "AWS_PRESIGNED_URL"
    AZURE_BLOB = "AZURE_SAS_URI"
    AZURE_LAKE = "AZURE_ADLS_GEN2_SAS_URI"
    GOOGLE = "GCP_SIGNED_URL"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is, with the signature in the address; the headers are part of what was signed."""

    store: Store
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Lease:
    """A place that is asked for anew when the store says that it expired.

    Args:
        transport: without any credentials: the address is the permission.
        place: the first one.
        renew: gives another one for the same object.
        doing: what is being done, the beginning of an error's sentence.
    """

    def __init__(self, transport: Transport, place: Place, *, renew: Callable[[], Place], doing: str) -> None:
        self._transport = transport
        self._renew = renew
        self.place = place
        self.doing = doing

    def send(
        self,
        method: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
        body: bytes | None = None,
        part: tuple[Content, int, int] | None = None,
    ) -> Answer:
        """Send one call to the place, and once more to a new one when it is refused.

        Args:
            method: of HTTP.
            query: added to the signed query.
            headers: makes the headers of this call from those that belong to the place.
            body: small bodies; ``part`` for bytes ``start`` to ``end`` of a content.
            part: content, start and end.
        """
        content, start, end = part or (None, 0, None)
        for renewed in (False, True):
            call = Call(
                method=method,
                url=self.place.url,
                doing=self.doing,
                query=tuple((query or {}).items()),
                headers=headers(self.place.headers),
                body=body,
                content=content,
                start=start,
                end=end,
            )
            try:
                return self._transport.send(call)
            except ApiError as error:
                if renewed or not looks_expired(error):
                    raise
                self.place = self._renew()
        raise AssertionError  # pragma: no cover - the second round returns or raises

    def read(self) -> Iterator[bytes]:
        """Give the object in pieces."""
        for renewed in (False, True):
            call = Call(method="GET", url=self.place.url, doing=self.doing, headers=self.place.headers)
            try:
                yield from self._transport.stream(call)
            except ApiError as error:
                if error.status == 404:
                    error.code = "RESOURCE_DOES_NOT_EXIST"  # whatever the store calls it
                if renewed or not looks_expired(error):
                    raise
                self.place = self._renew()
            else:
                return


def out_of_reach(error: ApiError) -> bool:
    """Say whether a forward proxy answered in place of a store that it cannot reach, as the server can."""
    return error.status in {407, 502, 503, 504}


def looks_expired(error: ApiError) -> bool:
    """Say whether a store refused a signature, which is how it treats an old one."""
    return error.refused or error.code in _EXPIRED
