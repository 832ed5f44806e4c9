"""Signs of life on runs whose export takes long, so that nobody takes their exporter for dead."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlflow_rest_export import marks
from mlflow_rest_export.errors import ExportError
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.tracking.protocol import Tracking

_log = logging.getLogger("mlflow_rest_export")


@dataclass(slots=True, kw_only=True)
class Heartbeat:
    """Writes a tag that changes to every run that is ours for two beats on end; short exports cost nothing.

    Args:
        tracking: the store, by a way that is open although every worker is busy with a large file.
        every: seconds between two beats, a small part of the patience that others have with us.
        jobs: those under way.
    """

    tracking: Tracking
    every: float
    jobs: Sequence[Job] = ()

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Beat as long as the context lasts; its end does not wait for a beat that is under way."""
        over = threading.Event()
        threading.Thread(target=self._beat, args=(over,), name="heartbeat", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _beat(self, over: threading.Event) -> None:
        ours: set[Job] = set()
        number = 0
        while not over.wait(self.every):
            number += 1
            before, ours = ours, {job for job in self.jobs if job.is_ours}
            for job in before & ours:
                if not over.is_set():
                    self._show(job, number)

    def _show(self, job: Job, number: int) -> None:
        run = job.run
        if run is None:
            return
        try:
            self.tracking.log_values(run.run_id, tags={marks.ALIVE: str(number)})
        except (ExportError, OSError) as error:
            _log.info("no sign of life on run %s: %s", run.run_id, error)
