"""The folders of the launcher: an output folder holds invocations, an invocation jobs, a job artifacts.

    <output>/<YYYYmmdd_HHMMSS>-<invocation id>/<task>.<number>/{artifacts,logs}/

Only looks; what the files say is read elsewhere. An artifacts folder may also stand alone: nemo-evaluator
without the launcher writes one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.yaml_files import load_yaml

RESULTS = "results.yml"
RUN_CONFIG = "run_config.yml"
METADATA = "metadata.yaml"

_EVIDENCE = (
    f"artifacts/{RESULTS}",
    f"artifacts/{RUN_CONFIG}",
    f"artifacts/{METADATA}",
    "logs/stage.pre-start",
)
_SCRIPTS = ("run.sh", "run.sub", "../run_all.sequential.sh")
_SCRIPT_BYTES = 256 << 10
_INVOCATION_NAME = re.compile(r"\d{8}_\d{6}-(?P<id>[0-9A-Fa-f]{8,32})(?![0-9A-Za-z])")
_INVOCATION_LINE = re.compile(r'^NEL_INVOCATION_ID="?(?P<id>[0-9A-Fa-f]{8,32})"?\s*$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFiles:
    """Where the files of one job are."""

    root: Path
    """Links that leave this folder are not followed."""
    artifacts: Path
    logs: Path | None
    results: Path
    single: bool = False
    """Only the results file belongs to the job; what stands beside it may be anything."""

    def holds(self, path: Path) -> bool:
        """Whether a path, with every link resolved, stays below the root."""
        real, root = os.path.realpath(path), os.path.realpath(self.root)
        return Path(real).is_relative_to(root)


def is_file(path: Path) -> bool:
    """Whether a path is a file that may be looked at; never raises."""
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises in folders that one may not enter


def is_folder(path: Path) -> bool:
    """Whether a path is a folder that may be looked at; never raises."""
    return os.path.isdir(path)  # noqa: PTH112  # Path.is_dir raises in folders that one may not enter


def job_files(folder: Path) -> JobFiles:
    """Give the places of a job by its folder."""
    artifacts = folder / "artifacts"
    return JobFiles(root=folder, artifacts=artifacts, logs=folder / "logs", results=artifacts / RESULTS)


def artifacts_alone(folder: Path) -> JobFiles:
    """Give the places of an artifacts folder that has no job around it."""
    return JobFiles(root=folder, artifacts=folder, logs=None, results=folder / RESULTS)


def results_alone(path: Path) -> JobFiles:
    """Give the places of a results file that has nothing around it."""
    return JobFiles(root=path.parent, artifacts=path.parent, logs=None, results=path, single=True)


def is_job(folder: Path) -> bool:
    """Whether a folder is that of a launcher job, begun or not."""
    if not is_folder(folder / "artifacts"):
        return False
    return any(is_file(folder / name) for name in _EVIDENCE) or bool(_id_in_scripts(folder))


def is_artifacts(folder: Path) -> bool:
    """Whether a folder is what nemo-evaluator writes for one task."""
    return any(is_file(folder / name) for name in (RESULTS, RUN_CONFIG))


def jobs_below(folder: Path, *, is_job: Callable[[Path], bool] = is_job) -> list[Path]:
    """List the job folders of an invocation folder, or of all invocations of an output folder.

    Args:
        folder: the invocation's or output folder.
        is_job: what counts as a job; who waits for jobs also counts those that have not begun.
    """
    children = list(_children(folder))
    jobs = [child for child in children if is_job(child)]
    return jobs or [job for child in children for job in _children(child) if is_job(job)]


def invocation_of(job: Path) -> str:
    """Find the invocation id of a job folder: in its parent's name or its scripts; "" if neither tells."""
    named = _INVOCATION_NAME.match(job.parent.name)
    return named["id"] if named else _id_in_scripts(job)


def number_of(job: Path) -> str:
    """Find a job's number: by its folder's name among the tasks of the run, else the name's end; or "".

    Folders are called ``<task>.<number>`` since launcher 0.2.5 and ``<task>`` before, where of two equal
    tasks only the first can be told.
    """
    tasks = tasks_of(job)
    for names in ([f"{task}.{number}" for number, task in enumerate(tasks)], tasks):
        if job.name in names:
            return str(names.index(job.name))
    ending = re.search(r"\.(\d{1,6})$", job.name, re.ASCII)
    return str(int(ending[1])) if ending else ""


def tasks_of(job: Path) -> list[str]:
    """List the tasks of a job's invocation by the job's stored config; none where it tells none."""
    try:
        metadata = load_yaml(job / "artifacts" / METADATA)
    except SourceError:
        return []
    tasks = metadata
    for name in ("launcher_resolved_config", "evaluation", "tasks"):
        tasks = tasks.get(name) if isinstance(tasks, dict) else None
    names = (
        [task.get("name") if isinstance(task, dict) else task for task in tasks]
        if isinstance(tasks, list)
        else []
    )
    return [str(name) for name in names]


def find_invocations(prefix: str, job_dirs: tuple[Path, ...]) -> list[tuple[str, Path]]:
    """Find the invocation folders whose id begins with a prefix, with their ids.

    Args:
        prefix: in any case; not empty.
        job_dirs: output folders, or invocation folders themselves.
    """
    found: dict[str, tuple[str, Path]] = {}
    for job_dir in job_dirs:
        for folder in (job_dir, *_children(job_dir)):
            named = _INVOCATION_NAME.match(folder.absolute().name)
            if named and named["id"].lower().startswith(prefix.lower()):
                found.setdefault(os.path.realpath(folder), (named["id"], folder))
    exact = [pair for pair in found.values() if pair[0].lower() == prefix.lower()]
    return exact or list(found.values())


def _children(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return
    yield from (folder / name for name in names)


def _id_in_scripts(job: Path) -> str:
    for script in _SCRIPTS:
        path = job / script
        if is_file(path):
            try:
                with path.open("rb") as file:
                    said = _INVOCATION_LINE.search(file.read(_SCRIPT_BYTES).decode("utf-8", "replace"))
            except OSError:
                continue
            if said:
                return said["id"]
    return ""
