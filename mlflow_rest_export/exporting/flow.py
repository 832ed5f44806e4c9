"""The steps of many jobs in an order that keeps every worker busy: what was begun is ended first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from mlflow_rest_export.exporting.jobs import Job

Step = Callable[[Job], None]


class Flow(Iterator[tuple[Job, Step]]):
    """Gives step after step; a worker who asks while all that is left depends on others waits for them.

    Args:
        jobs: each is begun when no step of an earlier one is left.
        begin: a job's first step; gives those that come next, in any order and side by side.
        end: a job's last step, when all others are done.
    """

    def __init__(self, jobs: Iterable[Job], begin: Callable[[Job], Iterable[Step]], end: Step) -> None:
        self._jobs = iter(jobs)
        self._begin = begin
        self._end = end
        self._ready: deque[tuple[Job, Step]] = deque()
        self._open: dict[Job, int] = {}
        """Steps of each job under way that are not done."""
        self._ending: set[Job] = set()
        self._given_up = False
        self._changed = threading.Condition()

    def __next__(self) -> tuple[Job, Step]:
        """Give a step that can be done now; whoever takes it tells by ``done`` or ``give_up`` of its end."""
        with self._changed:
            while not self._ready and not self._given_up:
                job = next(self._jobs, None)
                if job is not None:
                    self._open[job] = 1
                    return job, self._first
                if not self._open:
                    raise StopIteration
                self._changed.wait()
            if self._given_up:
                raise StopIteration
            return self._ready.popleft()

    def done(self, job: Job) -> None:
        """Note that a step of a job is over, be it well or as the job's failure."""
        with self._changed:
            self._open[job] -= 1
            if not self._open[job] and job not in self._ending:
                self._ending.add(job)
                self._open[job] = 1
                self._ready.appendleft((job, self._end))
            elif not self._open[job]:
                del self._open[job]
            self._changed.notify_all()

    def give_up(self) -> None:
        """Give no more steps: one was broken off, so its job must not be ended as if all were done."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def _first(self, job: Job) -> None:
        steps = [(job, step) for step in self._begin(job)]
        with self._changed:
            self._open[job] += len(steps)
            self._ready.extend(steps)
            self._changed.notify_all()
