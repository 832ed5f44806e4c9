"""Exports each launcher job once it is complete, while others still run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_rest_export.errors import ExportError, SourceError
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.network.passing_faults import is_outage
from mlflow_rest_export.sources.nemo import folders
from mlflow_rest_export.sources.nemo.documents import is_results, read_results
from mlflow_rest_export.sources.nemo.stages import read_stages

SCRIPTS = ("run.sh", "run.sub")
"""What the launcher writes into the folder of a job before the job begins."""

Look = tuple[tuple[str, int, int], ...]
"""Names, sizes in bytes and times in ns of what stands in a job's folders: equal looks, nothing happened."""


@dataclass(slots=True)
class Watched:
    """One job that is not exported yet."""

    folder: Path
    look: Look = ()
    since: float = 0.0
    """When the look was new, by the watch's clock."""
    error: Exception | None = None
    """Why the last try to export it came to nothing."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at a folder again and again.

    Args:
        folder: an output folder of the launcher, an invocation's or a job's; it need not be there yet.
        export: exports one job.
        wait: waits for so many seconds; gives True when somebody asked to come to an end.
        note: tells a person what goes on.
        idle: seconds without any news after which to end; None: when all jobs of the invocations are final.
        interval: seconds between looks.
        quiet: seconds without a change after which the results of a job without stage files are whole.
        pause: seconds between two tries while the server cannot be reached.
        clock: monotonic seconds.
    """

    folder: Path
    export: Callable[[Path], Sequence[RunResult]]
    wait: Callable[[float], bool]
    note: Callable[[str], None]
    idle: float | None = None
    interval: float = 2.0
    quiet: float = 10.0
    pause: float = 30.0
    clock: Callable[[], float] = time.monotonic
    _waiting: dict[Path, Watched] = field(default_factory=dict, init=False)
    _done: dict[Path, int] = field(default_factory=dict, init=False)
    """Jobs that are handled, and how many tasks their invocations have; 0 where that is not told."""
    _news: float = field(default=0.0, init=False)
    _outage: bool = field(default=False, init=False)
    _not_before: float = field(default=0.0, init=False)
    """When to try again in an outage."""
    _noted: set[str] = field(default_factory=set, init=False)

    def results(self) -> Iterator[RunResult]:
        """Give what became of each job, as they complete, and at the end that of those that did not.

        Ends when all jobs are final, after ``idle``, or when ``wait`` says so: then what is complete by then
        is exported still.

        Raises:
            SourceError: there was no job at all.
        """
        if folders.is_file(self.folder):
            raise SourceError(f"{self.folder} is a file: give an output folder of the launcher")
        self._news = self.clock()
        asked = False
        while True:
            self._look()
            for job in list(self._waiting.values()):
                if self._is_complete(job, at_the_end=asked):
                    yield from self._exported(job, last_try=asked)
            if asked or self._is_over():
                break
            self._say_what_is_waited_for()
            asked = self.wait(self.interval)
        if not self._done and not self._waiting:
            raise SourceError(f"no launcher job was found in {self.folder}")
        for job in self._waiting.values():
            reason = job.error or ExportError("it was not complete when the watch ended")
            yield RunResult(label=job.folder.name, outcome=Outcome.FAILED, error=reason)
        # Who asks for an end, as the end of a pod does, may have other jobs elsewhere.
        for invocation, told in ({} if asked else self._to_come()).items():
            never = ExportError(f"{told}, the others never came")
            yield RunResult(label=invocation, outcome=Outcome.FAILED, error=never)

    def _look(self) -> None:
        now = self.clock()
        for folder in jobs_of(self.folder):
            if folder in self._done:
                continue
            job = self._waiting.setdefault(folder, Watched(folder, since=now))
            look = _look_at(folder)
            if look != job.look:
                job.look, job.since = look, now
                self._news = now

    def _is_complete(self, job: Watched, *, at_the_end: bool) -> bool:
        if not at_the_end and self.clock() < self._not_before:
            return False
        stages = read_stages(job.folder / "logs")
        if "stage.exit" in stages.present:
            return True
        if stages.present or not has_whole_results(job.folder):
            return False
        return at_the_end or self.clock() >= job.since + self.quiet

    def _exported(self, job: Watched, *, last_try: bool) -> Iterator[RunResult]:
        results = self.export(job.folder)
        lost = next((result.error for result in results if _is_lost(result)), None)
        if lost is not None and not last_try:
            job.error = lost
            self._not_before = self.clock() + self.pause
            if not self._outage:
                self.note(f"{lost}; jobs wait until the server is back")
            self._outage = True
            return
        if lost is None and self._outage:
            self.note("the server is back")
            self._outage = False
        self._news = self.clock()
        self._done[job.folder] = len(folders.tasks_of(job.folder))
        del self._waiting[job.folder]
        yield from results

    def _is_over(self) -> bool:
        if self.idle is not None:
            return self.clock() >= self._news + self.idle
        return bool(self._done) and not self._waiting and not self._to_come()

    def _to_come(self) -> dict[str, str]:
        """Give the invocations with more tasks than folders, as their jobs tell, and how many are there."""
        if self.folder in self._done:  # it is a job itself
            return {}
        invocations: dict[Path, list[int]] = {}
        for job, tasks in (*self._done.items(), *((job, 0) for job in self._waiting)):
            invocations.setdefault(job.parent, []).append(tasks)
        return {
            invocation.name: f"{len(tasks)} of {max(tasks)} jobs of {invocation.name} are there"
            for invocation, tasks in invocations.items()
            if max(tasks) > len(tasks)
        }

    def _say_what_is_waited_for(self) -> None:
        said = [] if self._waiting else [f"{told}, the others not yet" for told in self._to_come().values()]
        if not self._waiting and not self._done:
            said = [f"there is no launcher job in {self.folder} yet"]
        for sentence in said:
            if sentence not in self._noted:
                self._noted.add(sentence)
                self.note(sentence)


def jobs_of(folder: Path) -> list[Path]:
    """List the folders of jobs, begun or not, of a job's, an invocation's or an output folder."""
    if _is_job(folder):
        return [folder]
    children = _folders_in(folder)
    jobs = [child for child in children if _is_job(child)]
    return jobs or [job for child in children for job in _folders_in(child) if _is_job(job)]


def has_whole_results(job: Path) -> bool:
    """Say whether the results of a job can be read to their end."""
    try:
        return is_results(read_results(folders.job_files(job).results))
    except SourceError:
        return False


def _is_job(folder: Path) -> bool:
    return any(folders.is_file(folder / name) for name in SCRIPTS) or folders.is_job(folder)


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return []


def _is_lost(result: RunResult) -> bool:
    return result.outcome is Outcome.FAILED and result.error is not None and is_outage(result.error)


def _look_at(job: Path) -> Look:
    return tuple(sorted((*_standing_in(job / "artifacts"), *_standing_in(job / "logs"))))


def _standing_in(folder: Path) -> list[tuple[str, int, int]]:
    """List what stands in a folder; what goes away meanwhile is seen at the next look."""
    try:
        with os.scandir(folder) as entries:
            looks = [(entry.path, entry.stat()) for entry in entries]
    except OSError:
        return []
    return [(path, status.st_size, status.st_mtime_ns) for path, status in looks]
