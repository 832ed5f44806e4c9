"""A request body that is read from disk while it is sent, never held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.network.conduct import Conduct


@dataclass(slots=True)
class Farthest:
    """The byte that an upload has reached in all its attempts."""

    byte: int = 0

    def passes(self, byte: int) -> bool:
        """Note how far an attempt has come, and say whether none came as far before."""
        further = byte > self.byte
        self.byte = max(self.byte, byte)
        return further


@dataclass(frozen=True, slots=True)
class Streamed:
    """A request body with a known length, sent in large pieces.

    Each piece taken is progress, unless an earlier attempt had brought it: a server that takes everything
    and then breaks the connection would be tried for ever.
    """

    content: Content
    start: int
    end: int
    conduct: Conduct
    farthest: Farthest = field(default_factory=Farthest)

    def __len__(self) -> int:
        """Length in bytes, which becomes ``Content-Length``."""
        return self.end - self.start

    def __iter__(self) -> Iterator[bytes]:
        """Give the bytes from the beginning, at every attempt.

        Raises:
            SourceError: they cannot be read.
            Interrupted: a signal came.
        """
        reached = self.start
        for piece in self._pieces():
            yield piece
            reached += len(piece)
            if self.farthest.passes(reached):
                self.conduct.patience.progress()

    def sha256(self) -> str:
        """Hash the bytes, for signatures that cover them."""
        digest = hashlib.sha256()
        for piece in self._pieces():
            digest.update(piece)
        return digest.hexdigest()

    def _pieces(self) -> Iterator[bytes]:
        """Read; an ``OSError`` would pass for a broken connection, and the file be sent again and again."""
        try:
            for piece in self.content.chunks(self.start, self.end):
                self.conduct.stop.check()
                yield piece
        except OSError as error:
            raise SourceError(f"a file cannot be read while it is sent: {error}") from error
