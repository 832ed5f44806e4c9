"""How long to wait before asking again, and when to give up. Pure but for the clock it is handed."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Capped exponential waiting. All times in seconds."""

    first: float = 0.25
    factor: float = 2.0
    longest: float = 20.0
    longest_asked: float = 120.0
    """A ``Retry-After`` above this is cut: unbounded obedience hangs a job."""

    def wait(self, attempt: int, *, asked: float | None, chance: float) -> float:
        """Give the seconds to wait after failed attempt number ``attempt`` (the first is 0).

        Args:
            attempt: how many attempts failed before this one.
            asked: what ``Retry-After`` said, in seconds.
            chance: a random number from 0 to 1; half of an own wait is jitter, so that workers spread.
        """
        if asked is not None:
            return min(asked, self.longest_asked) + chance * self.first
        own = min(self.first * self.factor ** min(attempt, 32), self.longest)
        return own * (0.5 + chance / 2)


SHORTEST_TRY = 5.0
"""Seconds that one try may take at least, however little of the budget is left."""


class Patience:
    """The time budget for work without any progress, shared by everything one call does.

    It is spent while requests are under way and while their repetition is waited for; what else takes time,
    such as reading a disk, costs nothing of it.

    Args:
        clock: monotonic seconds.
        first_contact: seconds until the first good answer must have come.
        stall: seconds that may pass without progress after that.
        whole: the patience of which this one is a part; progress here is progress there.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        first_contact: float = 60.0,
        stall: float = 600.0,
        whole: Patience | None = None,
    ) -> None:
        self._clock = clock
        self._whole = whole
        self._first_contact = first_contact
        self._stall = stall
        self._lock = threading.Lock()
        self._since: float | None = None
        self._idle_from = 0.0
        self._calls = 0
        self._met = False

    def with_another_host(self, *, first_contact: float) -> Patience:
        """Give the patience with a host that may be out of reach, a part of this one.

        Args:
            first_contact: seconds until that host must have answered.
        """
        shorter = min(first_contact, self._first_contact)
        return Patience(clock=self._clock, first_contact=shorter, stall=self._stall, whole=self)

    def of_its_own(self, seconds: float) -> Patience:
        """Give a patience by the same clock that is no part of this one."""
        return Patience(clock=self._clock, first_contact=seconds, stall=seconds)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Let the budget run as long as the context lasts: a call is under way."""
        with contextlib.ExitStack() as stack:
            if self._whole is not None:
                stack.enter_context(self._whole.running())
            with self._lock:
                now = self._clock()
                if self._since is None:
                    self._since = now
                elif not self._calls:
                    self._since += now - self._idle_from
                self._calls += 1
            stack.callback(self._rest)
            yield

    def progress(self) -> None:
        """Note that something went forward: an answer came, bytes were taken."""
        with self._lock:
            self._since = self._idle_from = self._clock()
            self._met = True
        if self._whole is not None:
            self._whole.progress()

    def meet(self) -> None:
        """Note that the host is there, although nothing went forward."""
        with self._lock:
            self._met = True
        if self._whole is not None:
            self._whole.meet()

    def shorten(self, seconds: float) -> None:
        """Allow only so many seconds from now on."""
        with self._lock:
            self._first_contact = self._stall = seconds
            self._since = self._idle_from = self._clock()

    def left(self) -> float:
        """Give the seconds that are left, never below 0; once met, a part has what the whole has."""
        whole = self._whole.left() if self._whole is not None else math.inf
        if self._met and self._whole is not None:
            return whole
        with self._lock:
            if self._since is None:
                return min(self._budget, whole)
            now = self._clock() if self._calls else self._idle_from
            return max(0.0, min(self._since + self._budget - now, whole))

    def for_one_try(self) -> float:
        """Give the seconds that one more request may take; some even when nothing is left."""
        return max(self.left(), min(SHORTEST_TRY, self._budget))

    @property
    def spent(self) -> str:
        """Say what was waited for, for an error message."""
        if self._met:
            return f"no progress for {self._stall:g} s"
        return f"no good answer within {self._first_contact:g} s"

    @property
    def _budget(self) -> float:
        return self._stall if self._met else self._first_contact

    def _rest(self) -> None:
        with self._lock:
            self._calls -= 1
            self._idle_from = self._clock()
