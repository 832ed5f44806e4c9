"""SIGTERM and SIGINT: ask the export to stop, and end the process in time whatever hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.network.conduct import Stop

GRACE = 4.0
"""Seconds from the signal to the end: supervisors kill after 5 to 10."""
LAST_WORDS = 0.5
"""Seconds that nobody may take to read why the process ends."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def listening(stop: Stop, voice: Voice, *, patience: float = 0.0) -> Iterator[Signals]:
    """Let signals stop the export as long as the context lasts; only in the main thread.

    Args:
        stop: what a signal sets.
        voice: where to say so.
        patience: seconds between the signal and the stop, to finish what is in hand.
    """
    # The interpreter itself writes the number of a signal to a socket, and a thread reads it. A handler would
    # run in the middle of whatever the main thread does, which may hold the very lock that it needs, and not
    # at all while the main thread hangs.
    heard, told = socket.socketpair()
    told.settimeout(0)  # must not block, says ``set_wakeup_fd``
    signals = Signals(heard, stop, voice, patience)
    listener = threading.Thread(target=signals.listen, name="signals", daemon=True)
    listener.start()
    before = {number: signal.signal(number, _do_nothing) for number in _SIGNALS}
    told_before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(told_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()
        listener.join()
        heard.close()


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Stand where a handler must stand for a signal to be told at all."""


class Signals:
    """What happens on a signal: it stops the export; a second one, or ``GRACE`` later, ends the process.

    Args:
        heard: gives a byte for each signal, its number, and its end once nobody listens any more.
        stop: what the signal sets.
        voice: where to say so.
        patience: seconds between the signal and the stop.
    """

    def __init__(self, heard: socket.socket, stop: Stop, voice: Voice, patience: float) -> None:
        self.asked = threading.Event()
        """Set by the signal itself."""
        self._heard = heard
        self._stop = stop
        self._voice = voice
        self._patience = patience
        self._came = signal.SIGINT.value

    def exit_code(self) -> int:
        """Give 128 plus the number of the signal that came."""
        return 128 + self._came

    def listen(self) -> None:
        """Wait for signals until ``heard`` ends."""
        first = self._within(None)
        if not first:
            return
        self._came = first[0]
        self.asked.set()
        for seconds, then in ((self._patience, self._stop.set), (GRACE, self._end)):
            another = self._within(seconds)
            if another == b"":
                return
            if another:  # pragma: no cover - as ``_end``
                self._end()
            then()

    def _within(self, seconds: float | None) -> bytes | None:
        """Give the next signal, nothing once all is over, None if so many seconds were silent."""
        self._heard.settimeout(seconds)
        try:
            return self._heard.recv(1)
        except (TimeoutError, BlockingIOError):
            return None

    def _end(self) -> None:  # pragma: no cover - ends the process, so it is tested in processes of their own
        """Leave without waiting for workers that hang in a request, or for a reader of our last words."""
        speaker = threading.Thread(target=self._say_so, daemon=True)
        speaker.start()
        speaker.join(LAST_WORDS)
        os._exit(self.exit_code())

    def _say_so(self) -> None:  # pragma: no cover - as ``_end``
        with contextlib.suppress(Exception):
            self._voice.interrupted(None)
            sys.stdout.flush()
            sys.stderr.flush()
