"""Lets the first of several who do the same thing go alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterator


class FirstAlone:
    """Who comes while the first is at it waits for its end, however it ends; then all go on side by side."""

    def __init__(self) -> None:
        self._begun: dict[Hashable, threading.Event] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self, what: Hashable) -> Iterator[None]:
        """Wait for the first one that did ``what``, unless this is the first."""
        over = threading.Event()
        with self._lock:
            first = self._begun.setdefault(what, over)
        if first is not over:
            first.wait()
        try:
            yield
        finally:
            over.set()
