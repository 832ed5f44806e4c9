"""Everything that the files and the database say of one job, gathered before it is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.sources.nemo.documents import JobDocuments, read_documents
from mlflow_rest_export.sources.nemo.exec_db import Row
from mlflow_rest_export.sources.nemo.folders import JobFiles, is_file, is_folder
from mlflow_rest_export.sources.nemo.jobs import Job
from mlflow_rest_export.sources.nemo.results import Scores, scores
from mlflow_rest_export.sources.nemo.stages import Stages, read_stages

PREFIX = "nemo-launcher:"
"""How the keys of launcher jobs begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReading:
    """One job, read."""

    job: Job
    files: JobFiles
    documents: JobDocuments
    row: Row | None
    stages: Stages
    scores: Scores
    written: int
    """When the results file was written, in milliseconds since 1970."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The launcher's run config: as noted at the start, else as stored beside the results, else empty."""
        return (self.row.config if self.row else None) or self.documents.launcher_config or {}

    @property
    def stored(self) -> Mapping[str, object]:
        """The job's own ``export.mlflow``."""
        stored = self._section("export").get("mlflow")
        return stored if isinstance(stored, dict) else {}

    @property
    def stored_by_user(self) -> bool:
        """Whether the user's own execution database tells the run config, so that no folder can forge it."""
        return bool(self.row and self.row.config)

    @property
    def key(self) -> str:
        """Identity: the job's id; where nothing tells one, what was evaluated and what came out."""
        if self.job.job_id:
            return PREFIX + self.job.job_id
        said = self.documents
        facts = _plain([said.harness, said.task, said.model_id, said.params, said.results])
        return PREFIX + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def executor(self) -> str:
        """The launcher's executor; "" when nothing tells it."""
        return self.row.executor if self.row else self._execution("type")

    @property
    def results_dir(self) -> str:
        """Where the results are, for people: a path, or ``host:path`` for clusters."""
        data = self.row.data if self.row else None
        if data and data.remote_rundir_path:
            return f"{data.hostname}:{data.remote_rundir_path}" if data.hostname else data.remote_rundir_path
        host = "" if self.row else self._execution("hostname")
        return f"{host}:{self.place}" if host else self.place

    @property
    def place(self) -> str:
        """Where the results were read on this machine."""
        return str(self.files.results if self.files.single else self.files.root)

    def _execution(self, name: str) -> str:
        value = self._section("execution").get(name)
        return value if isinstance(value, str) else ""

    def _section(self, name: str) -> Mapping[str, Any]:
        section = self.config.get(name)
        return section if isinstance(section, dict) else {}


def read_files(job: Job) -> JobReading:
    """Read one job.

    Raises:
        SourceError: it has no results, or they cannot be read.
    """
    row = job.database.row(job.job_id) if job.database else None
    files = job.files
    if files is None:
        raise SourceError(f"job {job.label}: {job.elsewhere}")
    for path in (files.artifacts, files.results):
        if not files.holds(path):
            raise SourceError(
                f"job {job.label}: {path} is a link that leaves {files.root} and is not followed; "
                "give the path that it leads to"
            )
    logs = files.logs if files.logs and files.holds(files.logs) else None
    stages = read_stages(logs, killed=_was_killed(job, files, row))
    if not is_file(files.results):
        raise SourceError(_no_results(job.label, files, stages))
    documents = read_documents(files, folder_name=files.root.name if files.logs else "")
    found = scores(documents.results)
    if not found.values:
        raise SourceError(_no_scores(job.label, files.results, found))
    written = files.results.stat().st_mtime_ns // 1_000_000
    return JobReading(
        job=job, files=files, documents=documents, row=row, stages=stages, scores=found, written=written
    )


def _was_killed(job: Job, files: JobFiles, row: Row | None) -> bool:
    """Whether the launcher noted a kill: in its database, or in the list beside the jobs of an invocation."""
    data = row.data if row else None
    if data and (data.killed or data.status == "killed"):
        return True
    noted = files.root.parent / "killed_jobs.txt"
    if not job.job_id or not is_file(noted):
        return False
    try:
        with noted.open("rb") as file:
            return job.job_id.encode() in file.read(1 << 20).split()
    except OSError:
        return False


def _no_results(label: str, files: JobFiles, stages: Stages) -> str:
    look = f"; look into {files.logs}" if files.logs and is_folder(files.logs) else ""
    return f"job {label}: there is no {files.results}: {stages.why_no_results()}{look}"


def _no_scores(label: str, results: Path, found: Scores) -> str:
    first = next(iter(found.adjustments), None)
    why = f" ({first.field.partition(' ')[2]}: {first.reason})" if first else ""
    return f"job {label}: {results} holds no results{why}"


def _plain(value: object) -> object:
    """Give a value with texts as keys, so that it can be sorted."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
