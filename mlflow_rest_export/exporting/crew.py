"""Does one step for many jobs in parallel; a job that fails ends there and costs no other job anything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, wait
from dataclasses import dataclass

from mlflow_rest_export.conduct import Stop
from mlflow_rest_export.errors import ExportError, Interrupted
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.outcomes import Outcome

_log = logging.getLogger("mlflow_rest_export")
Step = Callable[[Job], None]
PATIENCE_FOR_THE_REST = 2.0
"""Seconds that steps under way get to notice a signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Workers with one rule for failures.

    Args:
        pool: the workers.
        stop: the wish to stop; it ends a step with ``Interrupted``.
        on_failure: told of each job that failed, after its error was noted.
    """

    pool: Executor
    stop: Stop
    on_failure: Step

    def each(self, jobs: Iterable[Job], step: Step, *, of: Outcome | None = None) -> None:
        """Do a step for every job with the outcome ``of`` (None: every open job); returns when all are done.

        Raises:
            Interrupted: a signal came.
        """
        self.all((job, step) for job in jobs if job.outcome is of)

    def all(self, steps: Iterable[tuple[Job, Step]]) -> None:
        """Do several steps, of one job or of many, in any order; returns when all are done."""
        waiting = [self.pool.submit(self._guarded, job, step) for job, step in steps]
        try:
            for done in waiting:
                done.result()
        except Interrupted:
            for not_begun in waiting:
                not_begun.cancel()
            wait(waiting, timeout=PATIENCE_FOR_THE_REST)
            raise

    def _guarded(self, job: Job, step: Step) -> None:
        if job.error is not None:  # another step of the same job failed meanwhile
            return
        try:
            self.stop.check()
            step(job)
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001  # the one place: a job's failure, even a bug, stays its own
            if not isinstance(error, (ExportError, OSError)):
                _log.exception("unexpected error while exporting %s", job.record.label)
            job.fail(error)
            self.on_failure(job)
