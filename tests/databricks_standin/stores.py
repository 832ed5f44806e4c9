"""The object stores behind signed addresses: S3, Google, Azure's blobs and lakes, each as strict as it is."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from databricks_standin.wire import Asked, Said, said_json

FORBIDDEN = ("authorization", "cookie", "x-databricks-org-id", "x-mlflow-client-version")
S3, AZURE, LAKE, GOOGLE = "AWS_PRESIGNED_URL", "AZURE_SAS_URI", "AZURE_ADLS_GEN2_SAS_URI", "GCP_SIGNED_URL"
STORES = (S3, AZURE, LAKE, GOOGLE)
"""What may be behind the addresses that a workspace signs."""
VOLUME, DBFS = "volume", "dbfs"
ROOTS = {VOLUME: "dbfs:/Volumes/main/ml/evals", DBFS: "dbfs:/mine"}
TRACKING = "dbfs:/databricks/mlflow-tracking"
PLACES = (*STORES, *ROOTS)
"""All places where the artifacts of an experiment may be."""
HEADERS = {
    S3: {"x-amz-server-side-encryption": "AES256"},
    AZURE: {"x-ms-version": "2023-11-03", "x-not-for-azure": "1"},
    LAKE: {
        "x-ms-version": "2023-11-03",
        "x-ms-content-type": "application/octet-stream",
        "Cache-Control": "no-store",
        "x-not-for-azure": "1",
    },
    GOOGLE: {"Content-Type": "application/octet-stream"},
}


class StoreError(Exception):
    """An error in the shape of a store."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def said(self, kind: str) -> Said:
        """Give the answer: JSON of a lake, XML of all others."""
        if kind == LAKE:
            return said_json({"error": {"code": self.code, "message": str(self)}}, self.status)
        text = f"<Error><Code>{self.code}</Code><Message>{self}</Message></Error>"
        whole = f'<?xml version="1.0" encoding="utf-8"?>{text}'
        return Said(self.status, whole.encode(), {"Content-Type": "application/xml"})


@dataclass(slots=True)
class Signature:
    """One permission."""

    kind: str
    method: str
    key: str
    headers: Mapping[str, str]
    expired: bool = False
    upload: str = ""
    part: int = 0


@dataclass(slots=True)
class Stores:
    """All objects, whatever the kind of store.

    Args:
        kind: the one that signs.
        fleeting: so many of the next calls find their signature expired.
    """

    kind: str = S3
    fleeting: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    calls: list[Asked] = field(default_factory=list)
    _blocks: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _appended: dict[str, dict[int, bytes]] = field(default_factory=dict)
    _signed: dict[str, Signature] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def sign(
        self, origin: str, method: str, key: str, *, upload: str = "", part: int = 0
    ) -> dict[str, object]:
        """Give what ``credential_infos`` holds: an address and its headers."""
        number = f"canary-signature/{next(self._numbers)}+="
        headers = HEADERS[self.kind] if method == "PUT" and not upload else {}
        self._signed[number] = Signature(self.kind, method, key, headers, upload=upload, part=part)
        queries = {
            S3: "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Signature=",
            AZURE: "sv=2023-11-03&se=2026-03-14T15%3A09%3A26Z&sr=b&sp=rcw&sig=",
            LAKE: "sv=2023-11-03&sr=b&sp=racw&sig=",
            GOOGLE: "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-SignedHeaders=host&X-Goog-Signature=",
        }
        url = f"{origin}/_store/{quote(key)}?{queries[self.kind]}{quote(number, safe='')}"
        info: dict[str, object] = {"type": self.kind, "signed_uri": url}
        if headers:
            info["headers"] = [{"name": name, "value": value} for name, value in headers.items()]
        return info

    def expire_all(self) -> None:
        """Let every signature given so far be old."""
        for signature in self._signed.values():
            signature.expired = True

    def answer(self, asked: Asked) -> Said:
        """Answer a call to a store."""
        self.calls.append(asked)
        query = dict(asked.query)
        number = next((query.pop(name) for name in list(query) if name in _SIGNATURES), "")
        signature = self._signed.get(number)
        if signature is None or asked.path.removeprefix("/_store/") != signature.key:
            return StoreError(403, "SignatureDoesNotMatch", "The signature does not match").said(self.kind)
        try:
            _check_frame(asked)
            self._check_signature(asked, signature)
            return self._act(asked, signature, query)
        except StoreError as error:
            return error.said(signature.kind)

    def _check_signature(self, asked: Asked, signature: Signature) -> None:
        if self.fleeting > 0:
            self.fleeting -= 1
            signature.expired = True
        if signature.expired and signature.kind in {AZURE, LAKE}:
            text = "Signature not valid in the specified time frame"
            raise StoreError(403, "AuthenticationFailed", text)
        if signature.expired:
            raise StoreError(403, "AccessDenied", "Request has expired")
        if asked.method != signature.method and (signature.kind, asked.method) != (LAKE, "PATCH"):
            raise StoreError(403, "SignatureDoesNotMatch", f"{asked.method} was not signed")
        if signature.kind in {S3, GOOGLE}:
            for name, value in signature.headers.items():
                if asked.headers.get(name.lower()) != value:
                    raise StoreError(403, "SignatureDoesNotMatch", f"{name} was signed")

    def _act(self, asked: Asked, signature: Signature, query: Mapping[str, str]) -> Said:
        if asked.method == "GET":
            if signature.key not in self.objects:
                raise StoreError(404, "NoSuchKey", "The specified key does not exist.")
            return Said(200, self.objects[signature.key])
        acts = {S3: self._s3, AZURE: self._azure, LAKE: self._lake, GOOGLE: self._google}
        return acts[signature.kind](asked, signature, query)

    def _s3(self, asked: Asked, signature: Signature, query: Mapping[str, str]) -> Said:
        del query
        if signature.method == "DELETE":
            self.uploads.pop(signature.upload, None)
            return Said(204)
        tag = {"ETag": f'"{hashlib.md5(asked.body, usedforsecurity=False).hexdigest()}"'}
        if signature.upload:
            if signature.upload not in self.uploads:
                raise StoreError(404, "NoSuchUpload", "The upload may have been aborted or completed")
            self.uploads[signature.upload][signature.part] = asked.body
        else:
            self.objects[signature.key] = asked.body
        return Said(200, b"", tag)

    def _google(self, asked: Asked, signature: Signature, query: Mapping[str, str]) -> Said:
        del query
        self.objects[signature.key] = asked.body
        return Said(200)

    def _azure(self, asked: Asked, signature: Signature, query: Mapping[str, str]) -> Said:
        key, comp = signature.key, query.get("comp", "")
        if not comp:
            if asked.headers.get("x-ms-blob-type") != "BlockBlob":
                raise StoreError(400, "MissingRequiredHeader", "x-ms-blob-type")
            self.objects[key] = asked.body
        elif comp == "block":
            blocks = self._blocks.setdefault(key, {})
            name = query["blockid"]
            if any(len(base64.b64decode(other)) != len(base64.b64decode(name)) for other in blocks):
                raise StoreError(400, "InvalidBlobOrBlock", "block ids must be of one length")
            blocks[name] = asked.body
        else:
            blocks = self._blocks.pop(key, {})
            names = re.findall("<Uncommitted>(.*?)</Uncommitted>", asked.body.decode())
            if any(name not in blocks for name in names):
                raise StoreError(400, "InvalidBlockList", "The specified block list is invalid.")
            self.objects[key] = b"".join(blocks[name] for name in names)
        return Said(201)

    def _lake(self, asked: Asked, signature: Signature, query: Mapping[str, str]) -> Said:
        key = signature.key
        _check_lake_headers(asked)
        if asked.method == "PUT":
            if query.get("resource") != "file" or asked.body:
                raise StoreError(400, "InvalidQueryParameterValue", "resource")
            self.objects[key], self._appended[key] = b"", {}
            return Said(201)
        if key not in self._appended:
            raise StoreError(404, "PathNotFound", "The specified path does not exist.")
        position = int(query["position"])
        if query["action"] == "append":
            if position < len(self.objects[key]):
                raise StoreError(400, "InvalidAppendPosition", "below what was flushed")
            self._appended[key][position] = asked.body
            if query.get("flush") != "true":
                return Said(202)
            position += len(asked.body)
        whole = self.objects[key]
        for start in sorted(self._appended[key]):
            if start == len(whole):
                whole += self._appended[key][start]
        if position != len(whole):
            raise StoreError(400, "InvalidFlushPosition", "The uploaded data is not contiguous")
        self.objects[key], self._appended[key] = whole, {}
        return Said(200)


def _check_lake_headers(asked: Asked) -> None:
    if "x-ms-version" not in asked.headers:
        raise StoreError(400, "MissingRequiredHeader", "x-ms-version")
    if asked.query.get("action") == "append" and "cache-control" in asked.headers:  # the SDK flushes with it
        raise StoreError(400, "UnsupportedHeader", "Cache-Control is nothing for an append")


_SIGNATURES = ("X-Amz-Signature", "sig", "X-Goog-Signature")


def _check_frame(asked: Asked) -> None:
    """Refuse what no store takes beside a signature, and bodies without a length."""
    for name in FORBIDDEN:
        if name in asked.headers:
            raise StoreError(400, "InvalidArgument", f"Only one auth mechanism allowed; {name} was sent")
    if asked.chunked:
        raise StoreError(501, "NotImplemented", "A header you provided implies functionality not there")
    if asked.method != "GET" and "content-length" not in asked.headers:
        raise StoreError(411, "MissingContentLength", "You must provide the Content-Length HTTP header")
    if "x-not-for-azure" in asked.headers:
        raise StoreError(400, "UnsupportedHeader", "x-not-for-azure")
