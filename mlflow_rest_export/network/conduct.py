"""What all calls of one export share: patience, pace, waiting, and the wish to stop."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mlflow_rest_export.errors import Interrupted
from mlflow_rest_export.network.pace import Pace
from mlflow_rest_export.network.retry import Backoff, Patience


class Stop:
    """The wish to stop, set by a signal: whoever waits or begins a call meets it at once."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask everybody to stop."""
        self._event.set()

    def check(self) -> None:
        """Raise ``Interrupted`` once stopping was asked for."""
        if self._event.is_set():
            raise Interrupted("stopped by a signal")

    def lift(self) -> None:
        """Let calls go again, for last words."""
        self._event.clear()

    def another(self) -> Stop:
        """Give a wish of its own, yet unsaid, for calls that are worth their time even after a signal."""
        return Stop()

    def wait(self, seconds: float) -> None:
        """Sleep, but not through a wish to stop."""
        self._event.wait(seconds)
        self.check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What all calls of one export share: its patience, its pace, its clock and its wish to stop."""

    patience: Patience
    pace: Pace
    stop: Stop = field(default_factory=Stop)
    backoff: Backoff = field(default_factory=Backoff)
    chance: Callable[[], float] = random.random
    timeout: float = 120.0
    """Seconds to wait for an answer once a request is sent."""
    connect_timeout: float = 10.0

    @classmethod
    def ordinary(cls, *, workers: int = 8, timeout: float | None = None) -> Conduct:
        """Give the conduct of the real world.

        Args:
            workers: requests under way at the most.
            timeout: seconds of the whole budget without progress; None: 60 at first, 600 later.
        """
        patience = Patience(clock=time.monotonic)
        if timeout is not None:
            patience = Patience(clock=time.monotonic, first_contact=timeout, stall=timeout)
        return cls(patience=patience, pace=Pace(workers, clock=time.monotonic))

    def aside(self, *, seconds: float) -> Conduct:
        """Give the same conduct with ``seconds`` of patience of its own, and deaf to signals so far."""
        return replace(self, stop=self.stop.another(), patience=self.patience.of_its_own(seconds))

    def beside(self, *, seconds: float) -> Conduct:
        """Give the conduct of small calls that go, one at a time, though every place is taken."""
        return replace(self.aside(seconds=seconds), pace=Pace(1, clock=time.monotonic))

    def last_words(self, seconds: float = 2.0) -> None:
        """Let a few more calls go after a signal, with ``seconds`` of patience for all of them."""
        self.stop.lift()
        self.pace.open()
        self.patience.shorten(seconds)
