"""How many requests may be under way at once, and how close together: the manners of a busy client."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping

LOOK_UP = 0.2
"""Seconds between two looks of a waiting worker at whether it shall stop."""


def _never() -> None:
    """Stop nobody."""


class Pace:
    """A gate that all workers pass for each request: narrower after a 429, wider after a run of good answers.

    Args:
        most: requests under way at the most.
        clock: monotonic seconds.
    """

    def __init__(self, most: int, *, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._allowed = most
        self._under_way = 0
        self._good = 0
        self._closed_until = -math.inf  # a clock may begin anywhere, so 0 is not long ago
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def turn(self, check: Callable[[], None] = _never, *, most: int = 1) -> Iterator[int]:
        """Wait until a request may go, and hold the place while it is under way.

        Args:
            check: called while waiting; what it raises ends the waiting.
            most: places to hold, should so many be free just then.

        Yields:
            The places that are held, one at least.
        """
        with self._changed:
            while True:
                closed = self._closed_until - self._clock()
                if closed <= 0 and self._under_way < self._allowed:
                    break
                self._changed.wait(min(closed, LOOK_UP) if closed > 0 else LOOK_UP)
                check()
            held = min(most, self._allowed - self._under_way)
            self._under_way += held
        try:
            yield held
        finally:
            with self._changed:
                self._under_way -= held
                self._changed.notify_all()

    def slow_down(self, seconds: float) -> None:
        """Halve the requests under way and let none begin for ``seconds``: the server said it is too much."""
        with self._changed:
            self._allowed = max(1, self._allowed // 2)
            self._good = 0
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def open(self) -> None:
        """Let requests begin again at once, for last words."""
        with self._changed:
            self._closed_until = self._clock()
            self._changed.notify_all()

    def went_well(self) -> None:
        """Allow one more once as many requests in a row went well as are allowed now."""
        if self._allowed == self._most:  # read without the lock: the ordinary case must cost nothing
            return
        with self._changed:
            self._good += 1
            if self._good >= self._allowed:
                self._good = 0
                self._allowed = min(self._most, self._allowed + 1)
                self._changed.notify_all()

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return self._allowed


class Spacing:
    """Keeps calls of one kind apart, for hosts that allow only so many of them a second.

    Args:
        rates: calls a second for paths that end so.
        clock: monotonic seconds.
        burst: calls that may come at once after a pause.
    """

    def __init__(self, rates: Mapping[str, float], *, clock: Callable[[], float], burst: int = 3) -> None:
        self._rates = dict(rates)
        self._clock = clock
        self._burst = burst
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def reserve(self, path: str) -> float:
        """Reserve the next place for a call to ``path`` and give the seconds to wait for it."""
        ending = next((ending for ending in self._rates if path.endswith(ending)), None)
        if ending is None:
            return 0.0
        with self._lock:
            now = self._clock()
            gap = 1 / self._rates[ending]
            place = max(now - (self._burst - 1) * gap, self._next.get(ending, -math.inf))
            self._next[ending] = place + gap
        return max(0.0, place - now)
