"""Does one step for many jobs in parallel; a job that fails ends there and costs no other job anything."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from typing import TypeVar

from mlflow_rest_export.errors import ExportError, Interrupted, NoAnswer, TrackingError
from mlflow_rest_export.exporting.flow import Flow, Step
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.network.conduct import Conduct

_log = logging.getLogger("mlflow_rest_export")
_T = TypeVar("_T")
_R = TypeVar("_R")
_END = object()
LOOK_UP = 0.5
"""Seconds between two looks up from waiting: Ctrl-C just before a wait without end would not be met."""
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
        workers: how many of them may be at work.
    """

    pool: Executor
    conduct: Conduct
    on_failure: Step
    workers: int = 8
    _outage: Exception | None = field(default=None, init=False)

    def each(self, jobs: Iterable[Job], step: Step, *, of: Outcome | None = None) -> None:
        """Do a step for every job with the outcome ``of`` (None: every open job); returns when all are done.

        Raises:
            Interrupted: a signal came.
        """
        self.all((job, step) for job in jobs if job.outcome is of)

    def all(self, steps: Iterable[tuple[Job, Step]]) -> None:
        """Do several steps, of one job or of many, in any order; returns when all are done."""
        self._share(steps, lambda one: self._guarded(*one))

    def flow(self, jobs: Iterable[Job], begin: Callable[[Job], Iterable[Step]], end: Step) -> None:
        """Take every job through ``begin``, the steps that it gives and ``end``, while others are elsewhere.

        So heavy requests of one job share the server and the line with light ones of another.

        Raises:
            Interrupted: a signal came.
        """
        steps = Flow(jobs, begin, end)

        def one(item: tuple[Job, Step]) -> None:
            job, step = item
            try:
                self._guarded(job, step)
            except BaseException:
                steps.give_up()
                raise
            steps.done(job)

        self._share(steps, one)

    def spread(self, do: Callable[[_T], _R], items: Iterable[_T], /) -> list[_R]:
        """Do one thing for each item; gives the results in their order. Never to be called by a worker.

        Raises:
            Exception: the first that ``do`` raised; what was not begun then is not done.
        """
        found: dict[int, _R] = {}

        def one(numbered: tuple[int, _T]) -> None:
            found[numbered[0]] = do(numbered[1])

        self._share(enumerate(items), one)
        return [found[number] for number in range(len(found))]

    def _share(self, items: Iterable[_T], do: Callable[[_T], object]) -> None:
        """Let every worker take item after item: nothing is queued, however many there are."""
        waiting_items, lock = iter(items), threading.Lock()
        failed = threading.Event()

        def work() -> None:
            try:
                while not failed.is_set():
                    with lock:
                        item = next(waiting_items, _END)
                    if item is _END:
                        return
                    do(item)  # type: ignore[arg-type]  # an item
            except BaseException:
                failed.set()
                raise

        waiting = [self.pool.submit(work) for _ in range(self.workers)]
        try:
            for done in waiting:
                result_of(done)
        except BaseException as error:
            failed.set()
            if not isinstance(error, Exception):  # Ctrl-C, where no handler of ours takes it
                self.conduct.stop.set()
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


def result_of(work: Future[_T]) -> _T:
    """Give what a worker finds, waiting for it in a way that Ctrl-C can end.

    Raises:
        BaseException: what the work raised.
    """
    while not work.done():
        wait([work], timeout=LOOK_UP)
    return work.result()
