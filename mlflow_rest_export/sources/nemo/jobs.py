"""Which jobs are meant by ids and paths, each once; reads no results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Unreadable
from mlflow_rest_export.sources.nemo import folders
from mlflow_rest_export.sources.nemo.exec_db import ExecDb, Row, ambiguous, index_order, open_exec_db
from mlflow_rest_export.sources.nemo.folders import JobFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job, before anything of it is read."""

    label: str
    """The job id, or the path where nothing tells the id."""
    job_id: str = ""
    invocation_id: str = ""
    files: JobFiles | None = None
    """None when its files are not on this machine."""
    database: ExecDb | None = None
    """Where the launcher noted the job; None when it was found by its folder."""
    elsewhere: str = ""
    """Why there are no files, a whole sentence."""


def jobs_of(ids: Iterable[str], *, exec_db: Path, job_dirs: tuple[Path, ...]) -> list[Job | Unreadable]:
    """Find the jobs that ids mean, each once, the jobs of one invocation together and in index order.

    Args:
        ids: of invocations and jobs, or prefixes of them.
        exec_db: the launcher's database.
        job_dirs: output folders in which ids are looked for that the database does not know.
    """
    database = open_exec_db(exec_db)
    return _in_order(job for one in ids for job in _by_id(one.strip(), database, job_dirs))


def jobs_at(path: Path) -> list[Job | Unreadable]:
    """Find the jobs below a path, those of one invocation together and in index order."""
    return _in_order(_by_path(path))


def _in_order(jobs: Iterable[Job | Unreadable]) -> list[Job | Unreadable]:
    """Give each mention of a job once; the same job in two folders is two, whose results may differ."""
    found: dict[str, Job | Unreadable] = {}
    for job in jobs:
        if isinstance(job, Job):
            root = os.path.realpath(job.files.root) if job.files else ""
            found.setdefault(f"{job.job_id.lower() or job.label}\0{root}", job)
        else:
            found.setdefault(f"{job.label}\0{job.reason}", job)
    first: dict[str, int] = {}
    for place, job in enumerate(found.values()):
        first.setdefault(_group(job), place)
    return sorted(found.values(), key=lambda job: (first[_group(job)], _index(job)))


def _group(job: Job | Unreadable) -> str:
    return (isinstance(job, Job) and job.invocation_id.lower()) or f"\0{id(job)}"


def _index(job: Job | Unreadable) -> tuple[str, int, str]:
    return index_order(job.job_id) if isinstance(job, Job) else ("", 0, "")


def _by_path(path: Path) -> Iterator[Job | Unreadable]:
    where = path.absolute()
    if folders.is_file(where):
        yield _of_results(where)
    elif folders.is_job(where):
        yield _of_folder(where)
    elif folders.is_artifacts(where) or (where.name == "artifacts" and folders.is_job(where.parent)):
        yield _of_artifacts(where)
    elif jobs := folders.jobs_below(where):
        yield from (_of_folder(job) for job in jobs)
    elif not os.path.lexists(where):
        yield Unreadable(str(path), f"{path} does not exist")
    else:
        yield Unreadable(
            str(path), f"{path} holds no job of NeMo Evaluator: no results.yml, no artifacts folder"
        )


def _of_results(path: Path) -> Job:
    if path.name != folders.RESULTS or not (
        path.parent.name == "artifacts" or folders.is_artifacts(path.parent)
    ):
        return Job(label=str(path), files=folders.results_alone(path))
    if folders.is_file(path.parent / folders.RUN_CONFIG) or folders.is_job(path.parent.parent):
        return _of_artifacts(path.parent)
    return Job(label=str(path), files=folders.results_alone(path))


def _of_artifacts(folder: Path) -> Job:
    if folder.name == "artifacts" and folders.is_job(folder.parent):
        return _of_folder(folder.parent)
    return Job(label=str(folder), files=folders.artifacts_alone(folder))


def _of_folder(folder: Path) -> Job:
    invocation, number = folders.invocation_of(folder), folders.number_of(folder)
    job_id = f"{invocation}.{number}" if invocation and number else ""
    return Job(
        label=job_id or str(folder), job_id=job_id, invocation_id=invocation, files=folders.job_files(folder)
    )


def _by_id(text: str, database: ExecDb, job_dirs: tuple[Path, ...]) -> Iterator[Job | Unreadable]:
    try:
        known = database.find(text)
        jobs = [_of_row(job_id, database, job_dirs) for job_id in known] or _in_job_dirs(text, job_dirs)
        if not jobs:
            yield Unreadable(text, _unknown(text, database, job_dirs))
        yield from jobs
    except SourceError as error:
        yield Unreadable(text, str(error))


def _in_job_dirs(text: str, job_dirs: tuple[Path, ...]) -> list[Job | Unreadable]:
    """Find the jobs of an id by the names of folders.

    Raises:
        SourceError: the id fits several folders.
    """
    head, dot, number = text.partition(".")
    found = folders.find_invocations(head, job_dirs) if head else []
    if len({invocation.lower() for invocation, _ in found}) > 1:
        raise ambiguous(head, sorted(invocation for invocation, _ in found))
    if len(found) > 1:
        places = " and ".join(str(folder) for _, folder in found)
        raise SourceError(f"{text} is in several folders, {places}; give the path of the right one")
    jobs = [_of_folder(job) for _, folder in found for job in folders.jobs_below(folder.absolute())]
    return [job for job in jobs if not dot or job.job_id.partition(".")[2] == number]


def _of_row(job_id: str, database: ExecDb, job_dirs: tuple[Path, ...]) -> Job | Unreadable:
    try:
        row = database.row(job_id)
        here = _folder_of(row)
        files = folders.job_files(here) if here else _elsewhere(job_id, job_dirs)
    except SourceError as error:
        return Unreadable(job_id, str(error))
    return Job(
        label=job_id,
        job_id=job_id,
        invocation_id=row.invocation_id,
        files=files,
        database=database,
        elsewhere="" if files else _where(row),
    )


def _folder_of(row: Row) -> Path | None:
    """Give the job's folder where it is on this machine: also that of a cluster whose disk is shared."""
    named = [row.data.output_dir, row.data.remote_rundir_path] if row.data else []
    return next((Path(one) for one in named if one and folders.is_folder(Path(one))), None)


def _elsewhere(job_id: str, job_dirs: tuple[Path, ...]) -> JobFiles | None:
    return next((job.files for job in _in_job_dirs(job_id, job_dirs) if isinstance(job, Job)), None)


def _where(row: Row) -> str:
    data = row.data
    if data and data.remote_rundir_path:
        host = f"{data.username}@{data.hostname}" if data.username else data.hostname
        place = f"{host}:{data.remote_rundir_path}" if host else data.remote_rundir_path
        return f"its results are at {place}; copy that folder here and give its path, or export there"
    if data and data.output_dir:
        return f"its folder {data.output_dir} is not there; give the path where it is now, or --job-dirs"
    return "the launcher noted no folder for it; give the path of its folder"


def _unknown(text: str, database: ExecDb, job_dirs: tuple[Path, ...]) -> str:
    head, dot, _ = text.partition(".")
    siblings: Iterable[str] = database.find(head) if dot else ()
    if dot and not siblings:
        siblings = [job.job_id for job in _in_job_dirs(head, job_dirs) if isinstance(job, Job)]
    if siblings:
        return f"there is no job {text}; its invocation has {', '.join(siblings)}"
    noted = f"the launcher's database {database.path}" + (
        f" ({database.problem})" if database.problem else ""
    )
    searched = f"not in {', '.join(map(str, job_dirs))}" if job_dirs else "no --job-dirs are given"
    return f"no job is known by the id {text!r}: it is not in {noted}, and {searched}"
