"""SIGTERM and SIGINT: ask the export to stop, and end the process in time whatever hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.conduct import Stop

GRACE = 4.0
"""Seconds from the signal to the end: supervisors kill after 5 to 10."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def listening(stop: Stop, voice: Voice) -> Iterator[Signals]:
    """Let signals stop the export as long as the context lasts."""
    signals = Signals(stop, voice)
    before = {number: signal.signal(number, signals.on_signal) for number in _SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Signals:
    """What happens on a signal: it stops the export; a second one, or ``GRACE``, ends the process.

    Args:
        stop: what the signal sets.
        voice: where to say so.
    """

    def __init__(self, stop: Stop, voice: Voice) -> None:
        self._stop = stop
        self._voice = voice
        self._came: int | None = None

    def exit_code(self) -> int:
        """Give 128 plus the number of the signal that came."""
        return 128 + (self._came or signal.SIGINT)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Handle one signal, in the main thread."""
        del frame
        if self._came is not None:
            self._end()
        self._came = number
        self._stop.set()
        timer = threading.Timer(GRACE, self._end)
        timer.daemon = True
        timer.start()

    def _end(self) -> None:
        """Leave without waiting for workers that hang in a request."""
        self._voice.interrupted(None)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.exit_code())
