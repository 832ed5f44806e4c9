"""Requests and answers of the stand-in, free of sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    chunked: bool = False

    @property
    def origin(self) -> str:
        """The address under which the client knows us."""
        return f"http://{self.headers['host']}"

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        value = json.loads(self.body or b"{}")
        if not isinstance(value, dict):
            raise Refusal(400, "MALFORMED_REQUEST", "Invalid JSON given in the body of the request")
        return value


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def said_json(value: object, status: int = 200, **headers: str) -> Said:
    """Answer with JSON; an underscore in the name of a header stands for a hyphen."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Said(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class Refusal(Exception):
    """An error in the shape of the workspace; ``code`` may be a number, as its front door has it."""

    def __init__(self, status: int, code: str | int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers

    def said(self) -> Said:
        """Give the answer."""
        body: dict[str, object] = {"error_code": self.code, "message": str(self)}
        if self.status in {401, 403}:
            body["details"] = []
        return said_json(body, self.status, **self.headers)
