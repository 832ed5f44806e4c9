"""Gives every job the one run that is its own: found, created, won in an election, or taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from mlflow_rest_export import marks
from mlflow_rest_export.errors import Conflict, ExportError
from mlflow_rest_export.exporting.completion import is_complete, is_delivered
from mlflow_rest_export.exporting.crew import Crew
from mlflow_rest_export.exporting.election import RunsByIdentity, settle
from mlflow_rest_export.exporting.experiments import Experiments
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.joining import Joiner
from mlflow_rest_export.exporting.lookups import merged
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.tracking.protocol import Experiment, NewRun, StoredRun, Tracking

Decide = Callable[[Job, Sequence[StoredRun]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Places the jobs of one wave.

    Args:
        tracking: the store.
        experiments: opened so far in this export.
        crew: does steps in parallel.
        joiner: takes over existing runs, or waits for whoever fills them.
        skip_existing: leave runs alone that hold some export whole.
        run_ids: key -> id of every run placed in this export, for the children to come.
    """

    tracking: Tracking
    experiments: Experiments
    crew: Crew
    joiner: Joiner
    skip_existing: bool
    run_ids: dict[str, str]

    def place(self, jobs: Sequence[Job]) -> None:
        """Give every open job its run; jobs with nothing left to do are ended."""
        for generation in _parents_first(jobs):
            self._with_known_runs(generation, self._decide)
            self.crew.each([job for job in generation if job.run is None], self._create)
            self._with_known_runs([job for job in generation if job.is_new], self._elect)
            self.crew.each([job for job in generation if not job.is_new], self._join)

    def again(self, job: Job) -> None:
        """Find the run that won after our own new one was superseded by somebody else."""
        job.is_new = False
        known = self._search(self.experiments.open(job.planned().experiment), [job])
        self._give_way(job, settle(self.tracking, known.of(job.planned())))
        self._join(job)

    def _with_known_runs(self, jobs: Sequence[Job], decide: Decide) -> None:
        """Search once for each family of runs, and let ``decide`` handle each job with what was found."""
        for name in dict.fromkeys(job.planned().experiment for job in jobs if job.is_open):
            group = [job for job in jobs if job.is_open and job.planned().experiment == name]
            try:
                known = self._search(self.experiments.open(name), group)
            except ExportError as error:
                for job in group:
                    job.fail(error)
                    self.crew.on_failure(job)
            else:
                self.crew.all((job, partial(_apply, decide, known)) for job in group)

    def _search(self, experiment: Experiment, jobs: Sequence[Job]) -> RunsByIdentity:
        lookups = merged(job.planned().lookup for job in jobs)
        known = RunsByIdentity(self.tracking.find_runs(experiment.experiment_id, lookups))
        for job in jobs:
            if job.is_new:
                known.add(job.stored())  # a search may lag behind what was just created
        return known

    def _decide(self, job: Job, candidates: Sequence[StoredRun]) -> None:
        run = self._only_one(candidates)
        if run is None:
            return
        job.run = run
        self.run_ids[job.record.key] = run.run_id
        if is_complete(job.planned(), run):
            job.outcome = Outcome.UNCHANGED
        elif self.skip_existing and is_delivered(run):
            job.outcome = Outcome.SKIPPED

    def _create(self, job: Job) -> None:
        wanted = job.planned()
        job.owner = self.joiner.owner.mark()
        tags = {**wanted.tags, marks.OWNER: job.owner}
        parent = self.run_ids.get(wanted.parent_key or "")
        if parent is not None:
            tags["mlflow.parentRunId"] = parent
        job.run = self.tracking.create_run(
            NewRun(
                experiment_id=self.experiments.open(wanted.experiment).experiment_id,
                run_name=wanted.run_name,
                start_time=wanted.start_time,
                tags=tags,
            )
        )
        job.is_new = True
        self.run_ids[job.record.key] = job.run.run_id

    def _elect(self, job: Job, candidates: Sequence[StoredRun]) -> None:
        winner = self._only_one(candidates)
        if winner is None or winner.run_id != job.stored().run_id:
            self._give_way(job, winner)

    def _only_one(self, candidates: Sequence[StoredRun]) -> StoredRun | None:
        if len(candidates) == 1 and candidates[0].params.get(marks.CLAIM) != marks.SUPERSEDED:
            return candidates[0]
        return settle(self.tracking, candidates)

    def _give_way(self, job: Job, winner: StoredRun | None) -> None:
        if winner is None:
            raise _gone(job)
        job.run, job.owner, job.is_new = winner, "", False
        self.run_ids[job.record.key] = winner.run_id

    def _join(self, job: Job) -> None:
        job.run, job.owner = self.joiner.join(job.planned(), job.stored())
        if job.run.deleted:
            raise _gone(job)
        if not job.owner:
            job.outcome = Outcome.UNCHANGED


def _apply(decide: Decide, known: RunsByIdentity, job: Job) -> None:
    decide(job, known.of(job.planned()))


def _gone(job: Job) -> Conflict:
    return Conflict(f"exporting {job.record.label}: its run was deleted meanwhile; export once more")


def _parents_first(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Split jobs so that every parent is placed before its children."""
    waiting = list(jobs)
    missing = {job.record.key for job in waiting}
    while waiting:
        now = [job for job in waiting if job.record.parent_key not in missing]
        now = now or waiting  # runs that are each other's parents have none
        yield now
        missing -= {job.record.key for job in now}
        waiting = [job for job in waiting if job.record.key in missing]
