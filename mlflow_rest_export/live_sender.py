"""Keeps the values of a live run and sends them, batch by batch, from a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.live_values import Collected
from mlflow_rest_export.network.passing_faults import is_outage
from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.points import without
from mlflow_rest_export.tracking.protocol import Tracking

_log = logging.getLogger("mlflow_rest_export")


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffering:
    """How much is kept, and for how long."""

    batch: int = 1000
    """Values that are collected before they are sent at once."""
    interval: float = 10.0
    """Seconds after which they are sent however few they are, and between two tries in an outage."""
    most: int = 100_000
    """Values that wait at the most: some 20 MB."""
    wait: float = 30.0
    """Seconds that an outage may cost the script, once, when so many wait."""


class LiveSender:
    """The way of values to one run.

    Args:
        tracking: the store.
        run_id: the run.
        buffering: how much is kept, and for how long.
        on_refused: is told of values that the server refuses.
    """

    def __init__(
        self, tracking: Tracking, run_id: str, buffering: Buffering, on_refused: Callable[[Collected], None]
    ) -> None:
        self.outage: Exception | None = None
        """Why nothing arrives at the moment."""
        self._tracking = tracking
        self._run_id = run_id
        self._buffering = buffering
        self._on_refused = on_refused
        self._waiting = Collected()
        self._in_doubt: Collected | None = None
        self._refusal: Exception | None = None
        self._lost, self._gave_up = 0, False
        self._room = threading.Condition()
        """Guards all of the above, and tells of every batch that is out of the way."""
        self._sending = threading.Lock()
        self._over, self._full = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._send_now_and_then, daemon=True)

    @property
    def missing(self) -> int:
        """How many values have not arrived, and how many never will."""
        return self._lost + len(self._waiting) + len(self._in_doubt or ())

    def start(self) -> None:
        """Begin to send every now and then."""
        self._thread.start()

    def stop(self) -> None:
        """Send the rest."""
        self._over.set()
        self._full.set()
        self._thread.join()
        self.send()

    def wait_for_room(self) -> None:
        """Let the script wait where too much is kept, but only once in an outage."""
        most = self._buffering.most
        with self._room:
            if len(self._waiting) >= most and not self._gave_up:
                self._room.wait_for(lambda: len(self._waiting) < most, timeout=self._buffering.wait)

    def add(self, values: Collected) -> None:
        """Keep values to be sent, or leave them out with a warning where there is no room."""
        with self._room:
            if len(self._waiting) < self._buffering.most:
                self._waiting.add(values)
            else:
                self._lose(len(values))
            if len(self._waiting) >= self._buffering.batch:
                self._full.set()

    def send(self) -> None:
        """Send what there is; what does not arrive is kept for the next time."""
        with self._sending:
            while self._send_batch():
                pass

    def refusal(self) -> Exception | None:
        """Give, once, what was refused or went wrong here."""
        with self._room:
            refusal, self._refusal = self._refusal, None
        return refusal

    def _send_now_and_then(self) -> None:
        while not self._over.is_set():
            (self._full if self._in_doubt is None else self._over).wait(self._buffering.interval)
            self._full.clear()
            if not self._over.is_set():
                self.send()

    def _send_batch(self) -> bool:
        """Send one batch; say whether it makes sense to go on with the next."""
        with self._room:
            again = self._in_doubt is not None
            batch = self._in_doubt = self._in_doubt or self._waiting.take(self._buffering.batch)
        try:
            if len(batch):
                points = self._absent(batch) if again else batch.metrics
                self._tracking.log_values(self._run_id, metrics=points, params=batch.params, tags=batch.tags)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not end the thread unheard
            return self._failed(batch, error)
        with self._room:
            self._in_doubt, self._gave_up = None, self._gave_up and not len(batch)
            if self.outage is not None and len(batch):
                _log.warning("run %s: the store takes values again", self._run_id)
                self.outage = None
            self._room.notify_all()
        return len(batch) > 0

    def _failed(self, batch: Collected, error: Exception) -> bool:
        """Keep what may arrive later and drop what the server refuses; an outage never hides a refusal."""
        refused = isinstance(error, ApiError) and not is_outage(error)
        with self._room:
            if is_outage(error):
                if self.outage is None:
                    _log.warning("run %s: %s; values are kept and sent later", self._run_id, error)
                self.outage = error
            else:
                self._refusal = self._refusal or error
            if refused:
                self._in_doubt = None
                self._room.notify_all()
        if refused:
            self._on_refused(batch)
        return refused

    def _absent(self, batch: Collected) -> list[Metric]:
        """Give the points that are not there: those of a batch whose answer was lost may be."""
        run, by_key = self._tracking.get_run(self._run_id), dict[str, list[Metric]]()
        for point in batch.metrics:
            by_key.setdefault(point.key, []).append(point)
        absent: list[Metric] = []
        for key, points in by_key.items():
            there = self._tracking.metric_history(self._run_id, key) if key in run.metrics else ()
            absent += without(points, there)
        return absent

    def _lose(self, count: int) -> None:
        if not self._gave_up:
            said = "run %s: %d values wait for the store already, so further ones are left out: %s"
            reason = self.outage or "it takes them too slowly"
            _log.warning(said, self._run_id, self._buffering.most, reason)
        self._gave_up = True
        self._lost += count
