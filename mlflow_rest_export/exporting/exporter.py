"""The only place that knows the order of an export.

Runs are handled in waves. A wave is planned and placed (each run found or created) together; from there each
run goes its own way, in parallel: values, files, receipt with final status.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.errors import ExportError, Interrupted, VerifyError
from mlflow_rest_export.exporting import filling, verify
from mlflow_rest_export.exporting.crew import Crew
from mlflow_rest_export.exporting.experiments import Experiments
from mlflow_rest_export.exporting.file_facts import facts_of
from mlflow_rest_export.exporting.flow import Step
from mlflow_rest_export.exporting.heartbeat import Heartbeat
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.joining import Joiner
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.owner import Owner
from mlflow_rest_export.exporting.placing import ROUNDS, Placing, lost_too_often, parents_first
from mlflow_rest_export.exporting.repeats import Repeats
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.planning import plan
from mlflow_rest_export.planning.export_plan import FileFacts, Wishes
from mlflow_rest_export.progress import NoProgress, Progress
from mlflow_rest_export.records import RunRecord, RunStatus, Unreadable
from mlflow_rest_export.tracking.protocol import Artifacts, Tracking

_log = logging.getLogger("mlflow_rest_export")
EARLY = 2
"""Questions that are asked early, each in a thread of its own: all workers may be waiting for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How an export behaves; what runs hold is ``Wishes``."""

    skip_existing: bool = False
    restore_experiment: bool = False
    verify: bool = False
    workers: int = 8
    beat: float = 20.0
    """Seconds between two signs of life in a long export; others lose patience after 60."""
    wave: int = 200
    """Runs that are under way together; between two waves nothing is left half done."""
    files: int = 20_000
    """Files after which a wave is full, too: what is known of each is kept until its wave is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Exports records to one store.

    Args:
        tracking: where runs live.
        artifacts: where their files live.
        conduct: patience and the wish to stop, shared with the transport.
        wishes: the settings that shape a run; asked for each record, since results may bring their own.
        habits: the settings that shape the export.
        repeats: what the call has planned for this store so far; None: what comes again is exported again.
        progress: who wants to know.
        owner: this process.
        clock: monotonic seconds.
        signs: a way to the same store that is open although all workers are busy; None: ``tracking``.
    """

    tracking: Tracking
    artifacts: Artifacts
    conduct: Conduct
    wishes: Callable[[RunRecord], Wishes]
    habits: Habits = field(default_factory=Habits)
    repeats: Repeats | None = None
    progress: Progress = field(default_factory=NoProgress)
    owner: Owner = field(default_factory=Owner.of_this_process)
    clock: Callable[[], float] = time.monotonic
    signs: Tracking | None = None

    def export(self, records: Iterable[RunRecord | Unreadable]) -> Iterator[RunResult]:
        """Export records, and give what became of each, in their order.

        Raises:
            Interrupted: after a signal; what was begun is marked and can be completed by the same export.
        """
        pool = ThreadPoolExecutor(self.habits.workers + EARLY, thread_name_prefix="export")
        experiments = Experiments(self.tracking, restore=self.habits.restore_experiment)
        heart = Heartbeat(tracking=self.signs or self.tracking, every=self.habits.beat)
        with pool, self.owner.at_work(), heart.beating():
            crew = Crew(
                pool=pool,
                conduct=self.conduct,
                on_failure=self._mark_failed,
                workers=self.habits.workers,
            )
            placing = Placing(
                tracking=self.tracking,
                experiments=experiments,
                crew=crew,
                joiner=Joiner(
                    tracking=self.tracking, owner=self.owner, stop=self.conduct.stop, clock=self.clock
                ),
                skip_existing=self.habits.skip_existing,
            )
            try:
                for wave in _waves(self._asking_early(records, pool, experiments), self.habits):
                    yield from self._wave(wave, crew, placing, heart)
                    wave.clear()  # before the next one is read
                    heart.jobs = ()
            except KeyboardInterrupt:
                self.conduct.stop.set()  # else the pool waits for whoever insists
                raise

    def _asking_early(
        self, records: Iterable[RunRecord | Unreadable], pool: Executor, experiments: Experiments
    ) -> Iterator[RunRecord | Unreadable]:
        """Give the records, and ask what the first one needs to know while the later ones are being read.

        Of results that cannot be read nothing is asked: their errors must not wait for a server.
        """
        asked = False
        for record in records:
            if not asked and isinstance(record, RunRecord):
                asked = True
                pool.submit(self.tracking.limits)  # a failure is that of those who wait for it
                if self.habits.workers > 1:  # else it would wait its turn
                    experiments.expect(plan.wanted_experiment(record, self.wishes(record)), pool)
            yield record

    def _wave(
        self, records: Sequence[RunRecord | Unreadable], crew: Crew, placing: Placing, heart: Heartbeat
    ) -> Iterator[RunResult]:
        jobs = {id(record): Job(record) for record in records if isinstance(record, RunRecord)}
        heart.jobs = list(jobs.values())
        self.progress.runs_found(len(records))
        try:
            self._steps(list(jobs.values()), crew, placing)
        except (Interrupted, KeyboardInterrupt):
            self._farewell(list(jobs.values()), crew)
            raise
        for record in records:
            result = _unreadable(record) if isinstance(record, Unreadable) else self._result(jobs[id(record)])
            self.progress.run_done(result.label, result.outcome.value)
            yield result

    def _steps(self, jobs: Sequence[Job], crew: Crew, placing: Placing) -> None:
        crew.each(jobs, self._plan)
        if self.repeats is not None:
            for job in jobs:  # in their order, so that the first one counts
                self.repeats.take(job)
        for generation in parents_first(job for job in jobs if job.is_open):
            placing.place(generation)
        crew.flow(_ours(jobs), partial(self._begin, placing), partial(self._finish, placing))
        # Only now is anybody waited for: whoever waits with work of his own undone may be waited for himself.
        crew.each(jobs, partial(self._late, placing))
        crew.each(jobs, partial(self._verify, placing), of=Outcome.UNCHANGED)
        for outcome in (Outcome.EXPORTED, Outcome.UNCHANGED):
            crew.each(jobs, partial(self._link, placing), of=outcome)

    def _plan(self, job: Job) -> None:
        limits = self.tracking.limits()
        job.plan = plan.build(job.record, facts_of(job.record), self.wishes(job.record), limits)

    def _begin(self, placing: Placing, job: Job) -> list[Step]:
        """Write a run's values; gives the steps that send its files, whichever worker takes them."""
        self._values(placing, job)
        return [partial(self._send, placing, file) for file in self._chosen(job)]

    def _values(self, placing: Placing, job: Job) -> None:
        if not placing.holds(job):
            return
        self._make_room(job)
        if not filling.write_values(self.tracking, self.artifacts, job, thorough=self.habits.verify):
            placing.lose(job)

    def _make_room(self, job: Job) -> None:
        """Choose names beside those that the run has already: a file store keeps them as paths."""
        limits = self.tracking.limits()
        if job.is_new or not limits.keys_share_folders:
            return
        run, wishes = job.stored(), self.wishes(job.record)
        files = self.artifacts.listing(run) if wishes.log_artifacts else {}
        beside = {"metric": run.metrics, "param": run.params, "tag": run.tags, "artifact": files}
        job.plan = plan.build(job.record, facts_of(job.record), wishes, limits, beside=beside)

    def _late(self, placing: Placing, job: Job) -> None:
        """Wait for the one who is at work on the run, and complete it should he be gone."""
        for _ in range(ROUNDS):
            placing.wait(job)
            for send in self._begin(placing, job):
                send(job)
            self._finish(placing, job)
            if not job.is_open:
                return
        raise lost_too_often(job)

    def _chosen(self, job: Job) -> list[FileFacts]:
        """Choose the files to send, and tell whoever wants to know before."""
        if not job.is_ours:
            return []
        files = filling.files_to_send(self.artifacts, job)
        if job.planned().with_receipt:
            self.artifacts.expect(job.stored(), [*(file.path for file in files), marks.RECEIPT])
        self.progress.files_found(len(files), sum(file.content.size for file in files))
        return files

    def _send(self, placing: Placing, file: FileFacts, job: Job) -> None:
        if placing.holds(job):
            filling.send_file(self.artifacts, job, file)
            self.progress.file_sent(file.content.size)

    def _finish(self, placing: Placing, job: Job) -> None:
        if placing.holds(job):
            filling.finish(self.tracking, self.artifacts, job)
            self._verify(placing, job)
            job.outcome = Outcome.EXPORTED

    def _verify(self, placing: Placing, job: Job) -> None:
        if not self.habits.verify:
            return
        self._make_room(job)
        run_id, volatile = job.stored().run_id, job.record.volatile
        try:
            job.tell(verify.verify(self.tracking, self.artifacts, job.planned(), run_id, volatile=volatile))
        except VerifyError:
            self._reopen(placing, job)
            raise

    def _reopen(self, placing: Placing, job: Job) -> None:
        """See to it that the next export completes a run that is not right, as far as the store lets us."""
        try:
            if job.owner or placing.reopen(job):
                filling.distrust(self.tracking, self.artifacts, job)
        except (ExportError, OSError) as error:
            _log.warning("run %s is not right and could not be reopened: %s", job.stored().run_id, error)

    def _link(self, placing: Placing, job: Job) -> None:
        """Name the parent, should it have got another run since this one was created."""
        run, parent = job.stored(), placing.parent_of(job)
        if parent is not None and run.tags.get(mlflow_tags.PARENT) != parent:
            self.tracking.log_values(run.run_id, tags={mlflow_tags.PARENT: parent})

    def _mark_failed(self, job: Job, status: RunStatus = RunStatus.FAILED) -> None:
        """Say on the run that it is not complete, as far as the store lets us; it is reported anyway."""
        if job.run is None or not job.owner:
            return
        try:
            filling.mark_failed(self.tracking, job, status, str(job.error or "interrupted"))
        except (ExportError, OSError) as error:
            _log.info("run %s could not be marked as %s: %s", job.run.run_id, status.name, error)

    def _farewell(self, jobs: Sequence[Job], crew: Crew) -> None:
        """After a signal: mark what is under way, in the little time there is."""
        self.conduct.last_words()
        crew.each(jobs, partial(self._mark_failed, status=RunStatus.KILLED))

    def _result(self, job: Job) -> RunResult:
        if job.run is None:
            return job.result()
        if self.habits.verify and job.error is None:
            job.adjustments += verify.unread(job.planned(), self.tracking.limits())
        return job.result(
            run_url=self.tracking.run_url(job.run),
            experiment_url=self.tracking.experiment_url(job.run.experiment_id),
        )


def _waves(
    records: Iterable[RunRecord | Unreadable], habits: Habits
) -> Iterator[list[RunRecord | Unreadable]]:
    """Split records into what is under way together: so many runs, or fewer that have many files."""
    wave: list[RunRecord | Unreadable] = []
    files = 0
    for record in records:
        wave.append(record)
        files += len(record.artifacts) if isinstance(record, RunRecord) else 0
        if len(wave) >= habits.wave or files >= habits.files:
            yield wave
            wave, files = [], 0
    if wave:
        yield wave


def _ours(jobs: Iterable[Job]) -> list[Job]:
    return [job for job in jobs if job.is_ours]


def _unreadable(record: Unreadable) -> RunResult:
    return RunResult(label=record.label, outcome=Outcome.FAILED, error=ExportError(record.reason))
