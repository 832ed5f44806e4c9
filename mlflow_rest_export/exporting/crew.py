"""Does one step for many jobs in parallel; a job that fails ends there and costs no other job anything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field

from mlflow_rest_export.errors import ExportError, Interrupted, NoAnswer, TrackingError
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.network.conduct import Conduct

_log = logging.getLogger("mlflow_rest_export")
Step = Callable[[Job], None]
PATIENCE_FOR_THE_REST = 2.0
"""Seconds that steps under way get to notice a signal."""


@dataclass(slots=True, kw_only=True)
class Crew:
    """Workers with one rule for failures.

    Once patience with the server has ended, nothing more is tried: with hundreds of jobs every further
    attempt would take its own time to fail.

    Args:
        pool: the workers.
        conduct: patience, and the wish to stop, which ends a step with ``Interrupted``.
        on_failure: told of each job that failed while the server could be asked, after its error was noted.
    """

    pool: Executor
    conduct: Conduct
    on_failure: Step
    _outage: Exception | None = field(default=None, init=False)

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
        except BaseException:
            for not_begun in waiting:
                not_begun.cancel()
            wait(waiting, timeout=PATIENCE_FOR_THE_REST)
            raise

    def give_up(self, job: Job, error: Exception) -> None:
        """End a job as failed."""
        job.fail(error)
        if self._outage is not None:
            return
        if isinstance(error, TrackingError) and self.conduct.patience.left() <= 0:
            self._outage = error
        else:
            self.on_failure(job)

    def _guarded(self, job: Job, step: Step) -> None:
        if job.error is not None:  # another step of the same job failed meanwhile
            return
        try:
            self.conduct.stop.check()
            self._check_patience(job)
            step(job)
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001  # the one place: a job's failure, even a bug, stays its own
            if not isinstance(error, (ExportError, OSError)):
                _log.exception("unexpected error while exporting %s", job.record.label)
            self.give_up(job, error)

    def _check_patience(self, job: Job) -> None:
        if self._outage is not None:
            said = f"exporting {job.record.label}: not tried any more, since {self._outage}"
            raise NoAnswer(said, may_have_arrived=False)
