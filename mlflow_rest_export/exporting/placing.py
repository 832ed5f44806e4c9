"""Gives every job the one run that is its own: found, created, won in an election, or taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from mlflow_rest_export import marks
from mlflow_rest_export.errors import Conflict, ExportError, Interrupted
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.exporting.completion import is_complete, is_delivered
from mlflow_rest_export.exporting.crew import Crew
from mlflow_rest_export.exporting.election import RunsByIdentity, only_one
from mlflow_rest_export.exporting.experiments import Experiments
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.joining import Fate, Joined, Joiner
from mlflow_rest_export.exporting.lookups import merged
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.mlruns_layout import PARENT_TAG
from mlflow_rest_export.records import Lookup
from mlflow_rest_export.tracking.protocol import Each, Experiment, NewRun, StoredRun, Tracking

Decide = Callable[[Job, Sequence[StoredRun]], None]
ROUNDS = 10
"""Times that a job may lose its run to somebody else before it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Places jobs. A job is then ended, ours to write (it has an owner), or somebody else is at work on it.

    Args:
        tracking: the store.
        experiments: opened so far in this export.
        crew: does steps in parallel.
        joiner: takes over existing runs, or waits for whoever fills them.
        skip_existing: leave runs alone that hold some export whole.
    """

    tracking: Tracking
    experiments: Experiments
    crew: Crew
    joiner: Joiner
    skip_existing: bool
    _run_ids: dict[str, str] = field(default_factory=dict, init=False)
    """Key -> id of every run placed in this export, for their children."""

    def place(self, jobs: Sequence[Job]) -> None:
        """Place jobs of which none is the parent of another, asking for all of them together."""
        self._with_known_runs(jobs, self._decide)
        for job in jobs:
            if job.plan is not None:
                job.adjustments += self.experiments.changes(job.plan.experiment)
        self.crew.each([job for job in jobs if job.run is None], self._create)
        self._with_known_runs([job for job in jobs if job.is_new], self._elect)
        self.crew.each([job for job in jobs if not job.is_new], self._settle)

    def again(self, job: Job) -> None:
        """Place a job whose run was lost to somebody else, who may have deleted it."""
        job.give_way(job.run)
        self._settle(job)

    def wait(self, job: Job) -> None:
        """Wait for whoever is at work on the job's run, until it is complete or ours."""
        plan, run = job.planned(), job.stored()
        self._joined(job, self.joiner.wait(plan, run, since=job.busy_since))
        self._settle(job)

    def parent_of(self, job: Job) -> str | None:
        """Give the run id of a job's parent; None when it has none in this experiment or this export."""
        key = job.record.parent_key
        if key is None:
            return None
        if key not in self._run_ids:
            found = self.tracking.find_runs(self._experiment(job).experiment_id, [Lookup(marks.KEY, key)])
            ids = [run.run_id for run in found if run.tags.get(marks.KEY) == key]
            self._run_ids[key] = ids[0] if len(ids) == 1 else ""
        return self._run_ids[key] or None

    def _settle(self, job: Job) -> None:
        for _ in range(ROUNDS):
            if job.run is None:
                self._place_alone(job)
            if job.run is not None and job.is_open and not job.owner:
                self._joined(job, self.joiner.join(job.planned(), job.run))
            if job.run is not None:
                self._run_ids[job.record.key] = job.run.run_id
                return
        raise lost_too_often(job)

    def _place_alone(self, job: Job) -> None:
        self._decide(job, self._search(job).of(job.planned()))
        if job.run is None:
            self._create(job)
            self._elect(job, self._search(job).of(job.planned()))

    def _joined(self, job: Job, joined: Joined) -> None:
        job.give_way(None if joined.fate is Fate.GONE else joined.run)
        if joined.fate is Fate.COMPLETE:
            job.outcome = Outcome.UNCHANGED
        elif joined.fate is Fate.OURS:
            job.owner = joined.mark
        elif joined.fate is Fate.BUSY:
            job.busy_since = self.joiner.clock()

    def _with_known_runs(self, jobs: Sequence[Job], decide: Decide) -> None:
        """Search once for each family of runs, and let ``decide`` handle each job with what was found."""
        for name in dict.fromkeys(job.planned().experiment for job in jobs if job.is_open):
            group = [job for job in jobs if job.is_open and job.planned().experiment == name]
            try:
                known = self._search(*group, each=self.crew.spread)
            except Interrupted:
                raise
            except ExportError as error:
                for job in group:
                    self.crew.give_up(job, error)
            else:
                self.crew.all((job, partial(_apply, decide, known)) for job in group)

    def _search(self, *jobs: Job, each: Each = map) -> RunsByIdentity:
        lookups = merged(job.planned() for job in jobs)
        experiment_id = self._experiment(jobs[0]).experiment_id
        known = RunsByIdentity(self.tracking.find_runs(experiment_id, lookups, each=each))
        for job in jobs:
            if job.is_new:
                known.add(job.stored())  # a search may lag behind what was just created
        return known

    def _experiment(self, job: Job) -> Experiment:
        return self.experiments.open(job.planned().experiment)

    def _decide(self, job: Job, candidates: Sequence[StoredRun]) -> None:
        run = self._only_one(candidates)
        if run is None:
            return
        job.run = run
        if is_complete(job.planned(), run):
            job.outcome = Outcome.UNCHANGED
        elif self.skip_existing and is_delivered(run):
            job.outcome = Outcome.SKIPPED
        self._run_ids[job.record.key] = run.run_id

    def _create(self, job: Job) -> None:
        wanted = job.planned()
        job.owner = self.joiner.owner.mark()
        tags = {**wanted.tags, marks.OWNER: job.owner}
        parent = self.parent_of(job)
        if parent is not None:
            tags[PARENT_TAG] = parent
        made = self.tracking.create_run(
            NewRun(
                experiment_id=self._experiment(job).experiment_id,
                run_name=wanted.run_name,
                start_time=wanted.start_time,
                tags=tags,
            )
        )
        job.run = replace(made, tags={**tags, **made.tags})  # hosts may leave them out of their answer
        job.is_new = True
        self._run_ids[job.record.key] = job.run.run_id

    def _elect(self, job: Job, candidates: Sequence[StoredRun]) -> None:
        winner = self._only_one(candidates)
        if winner is None or winner.run_id != job.stored().run_id:
            job.give_way(winner)

    def _only_one(self, candidates: Sequence[StoredRun]) -> StoredRun | None:
        if len(candidates) == 1 and not claims.is_superseded(candidates[0]):
            return candidates[0]
        return only_one(self.tracking, candidates)


def lost_too_often(job: Job) -> Conflict:
    """Give the error for a job that never gets a run of its own."""
    return Conflict(
        f"exporting {job.record.label}: its runs are deleted or taken over as fast as they are made"
    )


def parents_first(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Split jobs so that every parent comes before its children."""
    waiting = list(jobs)
    missing = {job.record.key for job in waiting}
    while waiting:
        now = [job for job in waiting if job.record.parent_key not in missing]
        now = now or waiting  # runs that are each other's parents have none
        yield now
        missing -= {job.record.key for job in now}
        waiting = [job for job in waiting if job.record.key in missing]


def _apply(decide: Decide, known: RunsByIdentity, job: Job) -> None:
    decide(job, known.of(job.planned()))
