"""A request body that is read from disk while it is sent, never held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from mlflow_rest_export.conduct import Conduct
from mlflow_rest_export.content import Content


@dataclass(frozen=True, slots=True)
class Streamed:
    """A request body with a known length, sent in large pieces; each piece taken is progress."""

    content: Content
    start: int
    end: int
    conduct: Conduct

    def __len__(self) -> int:
        """Length in bytes, which becomes ``Content-Length``."""
        return self.end - self.start

    def __iter__(self) -> Iterator[bytes]:
        """Give the bytes from the beginning, at every attempt."""
        for piece in self.content.chunks(self.start, self.end):
            self.conduct.stop.check()
            yield piece
            self.conduct.patience.progress()

    def sha256(self) -> str:
        """Hash the bytes, for signatures that cover them."""
        digest = hashlib.sha256()
        for piece in self.content.chunks(self.start, self.end):
            self.conduct.stop.check()
            digest.update(piece)
        return digest.hexdigest()
