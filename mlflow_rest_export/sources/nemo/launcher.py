"""Jobs of NeMo Evaluator launcher, by id or by path: one run a job, as launcher 0.2.6 exports them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mlflow_rest_export.errors import ExportError, SourceError, why
from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources.json_files import outline
from mlflow_rest_export.sources.nemo import folders
from mlflow_rest_export.sources.nemo.documents import is_results, read_results
from mlflow_rest_export.sources.nemo.jobs import Job, jobs_at, jobs_of
from mlflow_rest_export.sources.nemo.record import read_job
from mlflow_rest_export.sources.options import ReadOptions

NAME = "nemo-launcher"


def recognises(path: Path) -> bool:
    """Say whether a path is a results file or a folder: of artifacts, a job, an invocation or of several."""
    if folders.is_file(path):
        return _is_results_file(path)
    if not folders.is_folder(path):
        return False
    where = path.absolute()
    return folders.is_job(where) or folders.is_artifacts(where) or bool(folders.jobs_below(where))


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the runs of every job below a path, those of an invocation in index order.

    Args:
        path: a results file, or an artifacts, job, invocation or output folder.
        options: what the user asked of the reading.
    """
    return _read(jobs_at(path), options)


def read_ids(ids: Sequence[str], options: ReadOptions, *, exec_db: Path) -> Iterator[RunRecord | Unreadable]:
    """Give the runs of jobs by id, each once, those of an invocation in index order.

    Args:
        ids: invocation and job ids, or prefixes of them that fit one invocation, in any case.
        options: what the user asked of the reading; ``job_dirs`` are searched for what the database lacks.
        exec_db: the launcher's execution database.
    """
    return _read(jobs_of(ids, exec_db=exec_db, job_dirs=options.job_dirs), options)


def _read(jobs: Iterable[Job | Unreadable], options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    for job in jobs:
        if isinstance(job, Unreadable):
            yield job
            continue
        try:
            yield read_job(job, options)
        except ExportError as error:
            yield Unreadable(job.label, str(error))
        except OSError as error:
            yield Unreadable(job.label, f"job {job.label}: cannot read {error.filename}: {why(error)}")


def _is_results_file(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in {".json", ".yml", ".yaml"} or (
        suffix == ".json" and outline(path).get("results") != "{"
    ):
        return False
    try:
        document = read_results(path)
    except SourceError:
        document = None
    # What is empty or broken shows no content: it is taken by its name, so that its own error is told.
    named = path.name == folders.RESULTS
    return is_results(document) or (
        named and (document is None or (isinstance(document, dict) and "results" in document))
    )
