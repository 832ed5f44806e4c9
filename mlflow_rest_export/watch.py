"""Exports each launcher job once it is complete, while others still run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.spool import is_outage
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
    not_before: float = 0.0
    """When to try again after an outage."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at a folder again and again.

    Args:
        folder: an output folder of the launcher, an invocation's or a job's; it need not be there yet.
        export: exports one job.
        wait: waits for so many seconds; gives True when somebody asked to come to an end.
        idle: seconds without any news after which to end; None: only when all jobs are final.
        interval: seconds between looks.
        quiet: seconds without a change after which the results of a job without stage files are whole.
        pause: seconds between two tries while the server cannot be reached.
        clock: monotonic seconds.
    """

    folder: Path
    export: Callable[[Path], Sequence[RunResult]]
    wait: Callable[[float], bool]
    idle: float | None = None
    interval: float = 2.0
    quiet: float = 10.0
    pause: float = 30.0
    clock: Callable[[], float] = time.monotonic
    waiting: dict[Path, Watched] = field(default_factory=dict, init=False)
    """Jobs that are not exported; what is left in here at the end did not complete."""
    _done: set[Path] = field(default_factory=set, init=False)
    _news: float = field(default=0.0, init=False)

    def results(self) -> Iterator[RunResult]:
        """Give what became of each job, as they complete.

        Ends when all jobs are final, after ``idle``, or when ``wait`` says so: then what is complete by then
        is exported still.
        """
        self._news = self.clock()
        asked = False
        while True:
            self._look()
            for job in list(self.waiting.values()):
                if self._is_complete(job, at_the_end=asked):
                    yield from self._exported(job, last_try=asked)
            if asked or self._is_over():
                return
            asked = self.wait(self.interval)

    def _look(self) -> None:
        now = self.clock()
        for folder in jobs_of(self.folder):
            if folder in self._done:
                continue
            job = self.waiting.setdefault(folder, Watched(folder, since=now))
            look = _look_at(folder)
            if look != job.look:
                job.look, job.since = look, now
                self._news = now

    def _is_complete(self, job: Watched, *, at_the_end: bool) -> bool:
        stages = read_stages(job.folder / "logs")
        if "stage.exit" in stages.present:
            return at_the_end or self.clock() >= job.not_before
        if stages.present or not has_whole_results(job.folder):
            return False
        return at_the_end or self.clock() >= max(job.since + self.quiet, job.not_before)

    def _exported(self, job: Watched, *, last_try: bool) -> Iterator[RunResult]:
        results = self.export(job.folder)
        self._news = self.clock()
        lost = any(_is_lost(result) for result in results)
        if lost and not last_try:
            job.not_before = self.clock() + self.pause
            return
        self._done.add(job.folder)
        del self.waiting[job.folder]
        yield from results

    def _is_over(self) -> bool:
        if self._done and not self.waiting:
            return True
        return self.idle is not None and self.clock() >= self._news + self.idle


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
