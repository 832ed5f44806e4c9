"""Writes an object to the signed place of any store, the way this store wants it.

Nothing is sent but what the place lists, to Azure only what the operation knows, and every body has a length:
stores refuse chunked ones. Facts: mlflow 3.17 (``databricks_artifact_repo.py``, ``databricks_rest_client``,
``azure/client.py``) and the stores' own references.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from xml.sax.saxutils import escape

from mlflow_rest_export.artifacts.leases import Lease, Store
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError

BLOB_AT_ONCE = 64 << 20
"""Bytes of a blob that goes in one piece; every version of the API takes 64 MiB."""
BLOCK = 10 << 20
"""Bytes of a block or of one append."""
MOST_BLOCKS = 50_000
"""Blocks of one blob."""

_OF_PUT = ("x-ms-version", "x-ms-lease-", "x-ms-encryption-", "x-ms-client-request-id", "content-md5")
_OF_BLOB = (*_OF_PUT, "x-ms-meta-", "x-ms-blob-", "x-ms-tags", "x-ms-access-tier", "if-", "content-type")
_OF_FLUSH = (
    *("x-ms-lease-id", "x-ms-cache-control", "x-ms-content-type", "x-ms-content-disposition"),
    *("x-ms-content-encoding", "x-ms-content-language", "x-ms-properties", "x-ms-owner", "x-ms-group"),
    *("x-ms-permissions", "x-ms-acl", "x-ms-encryption-", "x-ms-client-request-id", "x-ms-date"),
    *("x-ms-version", "if-"),
)
_OF_APPEND = (*_OF_FLUSH, "content-md5", "x-ms-content-md5")
_OF_CREATE = (
    *(*_OF_FLUSH, "cache-control", "content-encoding", "content-language", "content-disposition"),
    *("x-ms-umask", "x-ms-proposed-lease-id", "x-ms-expiry-", "x-ms-rename-source", "x-ms-source-if-"),
)
"""What a lake documents for the path that is created and for the one that is updated."""


def upload(lease: Lease, content: Content, *, block: int = BLOCK, at_once: int = BLOB_AT_ONCE) -> None:
    """Write the whole object, over whatever is there.

    Args:
        lease: where.
        content: what; read in small pieces, from any place, as often as needed.
        block: bytes of a block or of one append, for Azure.
        at_once: bytes up to which a blob goes in one piece.

    Raises:
        ApiError: the store refuses, even a new signature.
        NoAnswer: it does not answer.
    """
    _WRITERS[lease.place.store](lease, content, block, at_once)


def _put(lease: Lease, content: Content, block: int, at_once: int) -> None:
    del block, at_once
    lease.send("PUT", part=(content, 0, content.size))


def _blob(lease: Lease, content: Content, block: int, at_once: int) -> None:
    if content.size <= at_once:
        lease.send(
            "PUT", headers=_filter(_OF_BLOB, {"x-ms-blob-type": "BlockBlob"}), part=(content, 0, content.size)
        )
        return
    ids = []
    for number, (start, end) in enumerate(_pieces(content.size, max(block, -(-content.size // MOST_BLOCKS)))):
        ids.append(base64.b64encode(f"{number:08d}".encode()).decode())  # all of one length
        lease.send(
            "PUT",
            query={"comp": "block", "blockid": ids[-1]},
            headers=_filter(_OF_PUT, {}),
            part=(content, start, end),
        )
    listed = "".join(f"<Uncommitted>{escape(each)}</Uncommitted>" for each in ids)
    body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'
    lease.send("PUT", query={"comp": "blocklist"}, headers=_filter(_OF_BLOB, {}), body=body.encode())


def _lake(lease: Lease, content: Content, block: int, at_once: int) -> None:
    """Create, append, flush. A lost answer can leave the file in a state that refuses the next step.

    Then, once, everything begins again with an empty file.
    """
    del at_once
    try:
        _lake_once(lease, content, block)
    except ApiError as error:
        if error.status not in {400, 404, 409, 412}:
            raise
        _lake_once(lease, content, block)


def _lake_once(lease: Lease, content: Content, block: int) -> None:
    lease.send("PUT", query={"resource": "file"}, headers=_filter(_OF_CREATE, {}), body=b"")
    for start, end in _pieces(content.size, block):
        query = {"action": "append", "position": str(start)}
        lease.send("PATCH", query=query, headers=_filter(_OF_APPEND, {}), part=(content, start, end))
    query = {"action": "flush", "position": str(content.size)}
    lease.send("PATCH", query=query, headers=_filter(_OF_FLUSH, {}), body=b"")


def _pieces(size: int, piece: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + piece, size)) for start in range(0, size, piece))


def _filter(
    allowed: tuple[str, ...], more: Mapping[str, str]
) -> Callable[[Mapping[str, str]], Mapping[str, str]]:
    """Keep the headers that Azure documents for an operation; it refuses some of the others."""

    def keep(headers: Mapping[str, str]) -> Mapping[str, str]:
        kept = {name: value for name, value in headers.items() if name.lower().startswith(allowed)}
        return {**kept, **more}

    return keep


_WRITERS: dict[Store, Callable[[Lease, Content, int, int], None]] = {
    Store.S3: _put,
    Store.GOOGLE: _put,
    Store.AZURE_BLOB: _blob,
    Store.AZURE_LAKE: _lake,
}
