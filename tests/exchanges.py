"""The form of recorded exchanges on disk: one YAML file a case, read strictly.

A file says where it comes from (``recorded: mlflow 3.17.2`` or ``documented: <page or source>``), and has a
list of exchanges. A request has ``method``, ``path`` (or an absolute ``url``), and as far as they matter
``query``, ``headers`` (those that are compared; null: it is not sent) and one kind of body; a response has
``status``, ``headers`` and one kind of body. The kinds: ``json``, ``text``, ``base64``, or for long uploads
``size`` with ``sha256``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

LONG = 600
"""Bytes above which an uploaded body is kept as its size and hash."""
BASE_URL = "http://mlflow.test"


class Strict(BaseModel):
    """A misspelt key in a fixture must not turn a check off."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(Strict):
    """A body in one of its kinds; none of them: an empty one."""

    json_value: Any = Field(None, alias="json")
    text: str | None = None
    base64: str | None = None
    size: int | None = None
    sha256: str | None = None

    @property
    def _is_json(self) -> bool:
        return "json_value" in self.model_fields_set  # null is JSON, too

    @property
    def content(self) -> bytes:
        """The bytes to send; only for bodies that are kept whole."""
        if self._is_json:
            return json.dumps(self.json_value).encode()
        if self.base64 is not None:
            return base64.b64decode(self.base64)
        return (self.text or "").encode()

    def difference(self, content: bytes) -> str:
        """Say how ``content`` differs, "" when it does not."""
        if self._is_json:
            try:
                sent = json.loads(content)
            except ValueError:
                return f"the body {content[:200]!r} is no JSON"
            return "" if sent == self.json_value else f"the body {sent!r} is not {self.json_value!r}"
        if self.sha256 is not None:
            same = (len(content), hashlib.sha256(content).hexdigest()) == (self.size, self.sha256)
            return "" if same else f"a body of {len(content)} bytes is not the one of {self.size}"
        return "" if content == self.content else f"the body {content[:200]!r} is not {self.content[:200]!r}"


class Request(Body):
    """What the client must send."""

    method: str
    path: str = ""
    url: str = ""
    query: dict[str, str | list[str]] = {}
    headers: dict[str, str | None] = {}

    @model_validator(mode="after")
    def _one_place(self) -> Request:
        if bool(self.path) == bool(self.url):
            raise ValueError("a request has either a path or a url")
        return self


class Response(Body):
    """What the server answered."""

    status: int
    headers: dict[str, str] = {}


class Exchange(Strict):
    """One request with its answer."""

    request: Request
    response: Response


class Recording(Strict):
    """All exchanges of one case."""

    about: str
    recorded: str = ""
    documented: str = ""
    base_url: str = BASE_URL
    exchanges: list[Exchange]

    @model_validator(mode="after")
    def _one_origin(self) -> Recording:
        if bool(self.recorded) == bool(self.documented):
            raise ValueError("a fixture says where it comes from: recorded or documented, one of them")
        return self


def load(path: Path) -> Recording:
    """Read a recording."""
    return Recording.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def as_body(content: bytes, *, content_type: str = "", whole: bool = True) -> dict[str, object]:
    """Give a body in the kind that is best to read.

    Args:
        content: its bytes.
        content_type: as in the header.
        whole: False where a long body may be kept as its hash.
    """
    if not content:
        return {}
    kind: Literal["json", "text", "base64"]
    if "json" in content_type:
        try:
            return {"json": json.loads(content)}
        except ValueError:
            pass
    if not whole and len(content) > LONG:
        return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    try:
        kind, text = "text", content.decode()
    except UnicodeDecodeError:
        kind, text = "base64", base64.b64encode(content).decode()
    return {kind: text}
