"""Gives every job the one run that is its own: found, created, won in an election, or taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.errors import Conflict, ExportError, Interrupted
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.exporting.completion import is_at_rest, is_complete, is_delivered
from mlflow_rest_export.exporting.crew import Crew
from mlflow_rest_export.exporting.election import RunsByIdentity, only_one
from mlflow_rest_export.exporting.experiments import Experiments
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.joining import Fate, Joined, Joiner
from mlflow_rest_export.exporting.lookups import merged
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.exporting.staleness import newer_data, newer_is_not_whole
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
    _run_ids: dict[tuple[str, str], str] = field(default_factory=dict, init=False)
    """Experiment and key -> id of every run placed in this export, for their children."""
    _anywhere: dict[str, str] = field(default_factory=dict, init=False)
    """Key -> id of a run placed in this export, for children in other experiments."""
    _looked: set[str] = field(default_factory=set, init=False)
    """Experiments whose runs were looked at, or need not be."""

    def place(self, jobs: Sequence[Job]) -> None:
        """Place jobs of which none is the parent of another, asking for all of them together."""
        self._with_known_runs(jobs, self._decide)
        for job in jobs:
            if job.plan is not None:
                job.adjustments += self.experiments.changes(job.plan.experiment)
        self.crew.each([job for job in jobs if job.run is None], self._create)
        self._with_known_runs([job for job in jobs if job.is_new], self._elect)
        self.crew.each([job for job in jobs if not job.is_new], self._settle)

    def holds(self, job: Job) -> bool:
        """Say whether the job's run is ours to write to; if somebody took it over, it is left to them.

        That takes others some patience with us, so the store is asked only when a part of it has passed.
        """
        clock, run = self.joiner.clock, job.run
        if job.is_ours and run is not None and clock() - job.since > self.joiner.patience / 3:
            now = self.tracking.get_run(run.run_id)
            if now.deleted or claims.owner_of(now) != job.owner:
                self.lose(job)
            else:
                job.since = clock()
        return job.is_ours

    def lose(self, job: Job) -> None:
        """Leave the run to whoever has it now."""
        job.give_way(job.run)
        job.since = self.joiner.clock()

    def reopen(self, job: Job) -> bool:
        """Make a run ours again that is complete, but not right; False when somebody else was first."""
        claimed = self.joiner.claim(job.planned(), job.stored())
        if claimed is not None:
            job.run, job.owner = claimed, claims.owner_of(claimed)
        return claimed is not None

    def wait(self, job: Job) -> None:
        """Wait for whoever is at work on the job's run, until it is complete, ours or gone."""
        if job.run is not None:
            self._joined(job, self.joiner.wait(job.planned(), job.run, since=job.since))
        self._settle(job)

    def parent_of(self, job: Job) -> str | None:
        """Give the run id of a job's parent; None when it has none in this experiment or this export."""
        key = job.record.parent_key
        if key is None:
            return None
        place = (job.planned().experiment, key)
        if place not in self._run_ids:
            found = self.tracking.find_runs(self._experiment(job).experiment_id, [Lookup(marks.KEY, key)])
            ids = [run.run_id for run in found if run.tags.get(marks.KEY) == key]
            self._run_ids[place] = ids[0] if len(ids) == 1 else ""
        return self._run_ids[place] or self._anywhere.get(key)

    def _note_place(self, job: Job, run: StoredRun) -> None:
        key = job.record.key
        self._run_ids[job.planned().experiment, key] = self._anywhere[key] = run.run_id

    def _settle(self, job: Job) -> None:
        """Join the run that exists already; without one, or with one that is gone, try for another, once."""
        if job.run is None:
            self._place_alone(job)
        if job.run is not None and job.is_open and not job.owner:
            self._joined(job, self.joiner.join(job.planned(), job.run))
        if job.run is not None:
            self._note_place(job, job.run)

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
        job.since = self.joiner.clock()

    def _with_known_runs(self, jobs: Sequence[Job], decide: Decide) -> None:
        """Search once for each family of runs, and let ``decide`` handle each job with what was found."""
        for name in dict.fromkeys(job.planned().experiment for job in jobs if job.is_open):
            group = [job for job in jobs if job.is_open and job.planned().experiment == name]
            try:
                known = self._look(name, group)
            except Interrupted:
                raise
            except ExportError as error:
                for job in group:
                    self.crew.give_up(job, error)
            else:
                self.crew.all((job, partial(_apply, decide, known)) for job in group)

    def _look(self, name: str, jobs: Sequence[Job]) -> RunsByIdentity:
        """Search for a family of runs, but for the first time in an experiment that was made just now.

        Whoever creates runs there meanwhile is met in the election, as anywhere.
        """
        is_first, is_new = name not in self._looked, self._experiment(jobs[0]).is_new
        self._looked.add(name)
        return RunsByIdentity([]) if is_first and is_new else self._search(*jobs, each=self.crew.spread)

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
        self._note_place(job, run)
        if is_complete(job.planned(), run):
            job.outcome = Outcome.UNCHANGED
        elif (newer := newer_data(job.record, job.planned(), run)) is not None:
            if not (is_delivered(run) or is_at_rest(run)):
                raise newer_is_not_whole(job.record, run)
            job.outcome = Outcome.SKIPPED
            job.adjustments.append(newer)
        elif self.skip_existing and is_delivered(run):
            job.outcome = Outcome.SKIPPED

    def _create(self, job: Job) -> None:
        wanted = job.planned()
        job.owner, job.since = self.joiner.owner.mark(), self.joiner.clock()
        tags = {**wanted.tags, marks.OWNER: job.owner}
        parent = self.parent_of(job)
        if parent is not None:
            tags[mlflow_tags.PARENT] = parent
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
        self._note_place(job, job.run)

    def _elect(self, job: Job, candidates: Sequence[StoredRun]) -> None:
        """Keep the run that won if it is ours: a creation that failed may come to pass all the same."""
        winner = self._only_one(candidates)
        if winner is None or claims.owner_of(winner) != job.owner:
            job.give_way(winner)
        else:
            job.run = winner
            self._note_place(job, winner)

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
    """Split jobs so that every parent comes before its children, and each job comes once."""
    waiting = list(jobs)
    while waiting:
        missing = {job.record.key for job in waiting}
        now = [job for job in waiting if job.record.parent_key not in missing]
        now = now or waiting  # runs that are each other's parents have none
        yield now
        placed = set(now)
        waiting = [job for job in waiting if job not in placed]


def _apply(decide: Decide, known: RunsByIdentity, job: Job) -> None:
    decide(job, known.of(job.planned()))
