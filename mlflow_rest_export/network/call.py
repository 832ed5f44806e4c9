"""One HTTP call as data: what is sent where, and what may be done when its outcome is unknown."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from mlflow_rest_export.content import Content
from mlflow_rest_export.network.streamed import Farthest
from mlflow_rest_export.redaction import without_secrets


class Repeat(enum.Enum):
    """What may be done when the outcome of a call is unknown; declared by each call: verbs do not tell."""

    SAFELY = enum.auto()
    """Sending it again changes nothing: reads, searches, writes of the same value, uploads."""
    IF_NOT_SENT = enum.auto()
    """Only what surely had no effect is sent again: refused connections, 429."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP call.

    Args:
        doing: what is being done to what, the beginning of an error's sentence.
        body: bytes of the body; ``content`` for what is streamed. None of both: no body.
    """

    method: str
    url: str
    doing: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content: Content | None = None
    start: int = 0
    end: int | None = None
    """The part of ``content`` to send, from byte ``start`` up to ``end``."""
    repeat: Repeat = Repeat.SAFELY
    reads: bool = False
    """Whether the answer is what the call is for, as with GET: an empty one is none then."""
    farthest: Farthest = field(default_factory=Farthest, compare=False, repr=False)

    @classmethod
    def posting(
        cls,
        url: str,
        body: Mapping[str, object] | bytes,
        *,
        doing: str,
        repeat: Repeat = Repeat.SAFELY,
        reads: bool = False,
    ) -> Call:
        """Make the call that posts a JSON object, given as such or written out."""
        return cls(
            method="POST",
            url=url,
            doing=doing,
            headers={"Content-Type": "application/json"},  # mandatory at MLflow since 2.9
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            repeat=repeat,
            reads=reads,
        )

    @property
    def shown(self) -> str:
        """The request as a log may hold it: of its query only what is not part of ``url``, be that signed."""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return without_secrets(f"{self.method} {self.url.partition('?')[0]}{query}")

    @property
    def part(self) -> tuple[int, int]:
        """First byte and end of what is streamed."""
        size = self.content.size if self.content is not None else 0
        return self.start, size if self.end is None else min(self.end, size)
