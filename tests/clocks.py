"""A clock that stands still but for what is waited: tests of patience and waiting take no time."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_rest_export.network.conduct import Conduct, Stop
from mlflow_rest_export.network.pace import Pace
from mlflow_rest_export.network.retry import Backoff, Patience


class Clock:
    """Seconds; moved on by hand, or by ``Waits``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Waits(Stop):
    """A wish to stop whose waits take no time but move the clock; ``seconds`` has them all."""

    def __init__(self, clock: Clock, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._clock = clock
        self._meanwhile = meanwhile

    def another(self) -> Waits:
        return Waits(self._clock)

    def wait(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._clock.pass_by(seconds)
        self._meanwhile()
        self.check()


def conduct_of(
    clock: Clock | None = None,
    *,
    waits: Waits | None = None,
    first_contact: float = 60.0,
    stall: float = 600.0,
    workers: int = 8,
    timeout: float = 10.0,
    chance: float = 0.0,
) -> Conduct:
    """Give a conduct on a clock that stands still."""
    clock = clock or Clock()
    return Conduct(
        patience=Patience(clock=clock, first_contact=first_contact, stall=stall),
        pace=Pace(workers, clock=clock),
        stop=waits or Waits(clock),
        backoff=Backoff(),
        chance=lambda: chance,
        timeout=timeout,
        connect_timeout=5.0,
    )
