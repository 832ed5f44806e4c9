"""SIGTERM and SIGINT: ask the export to stop, and end the process in time whatever hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.network.conduct import Stop

GRACE = 4.0
"""Seconds from the signal to the end: supervisors kill after 5 to 10."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def listening(stop: Stop, voice: Voice, *, patience: float = 0.0) -> Iterator[Signals]:
    """Let signals stop the export as long as the context lasts."""
    signals = Signals(stop, voice, patience=patience)
    before = {number: signal.signal(number, signals.on_signal) for number in _SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signals.rest()


class Signals:
    """What happens on a signal: it stops the export; a second one, or ``GRACE`` later, ends the process.

    Args:
        stop: what the signal sets.
        voice: where to say so.
        patience: seconds between the signal and the stop, to finish what is in hand.
    """

    def __init__(self, stop: Stop, voice: Voice, *, patience: float = 0.0) -> None:
        self.asked = threading.Event()
        """Set by the signal itself."""
        self._stop = stop
        self._voice = voice
        self._patience = patience
        self._came: int | None = None
        self._timers: list[threading.Timer] = []

    def rest(self) -> None:
        """End nothing any more: all that could hang is over."""
        for timer in self._timers:
            timer.cancel()

    def exit_code(self) -> int:
        """Give 128 plus the number of the signal that came."""
        return 128 + (self._came or signal.SIGINT)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Handle one signal, in the main thread."""
        del frame
        if self._came is not None:  # pragma: no cover - as ``_end``
            self._end()
        self._came = number
        if self._patience:
            self._later(self._patience, self._halt)
        else:
            self._halt()
        self.asked.set()

    def _halt(self) -> None:
        # The timer first: what follows takes locks that the interrupted thread may hold.
        self._later(GRACE, self._end)
        self._stop.set()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _end(self) -> None:  # pragma: no cover - ends the process, so it is tested in processes of their own
        """Leave without waiting for workers that hang in a request."""
        with contextlib.suppress(Exception):  # the signal may have come in the middle of a line
            self._voice.interrupted(None)
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(self.exit_code())
