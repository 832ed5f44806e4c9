"""File stores for the tests, made by our own writer or by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mlflow_rest_export import marks
from mlflow_rest_export.records import RunRecord, RunStatus, Unreadable
from mlflow_rest_export.sources import mlruns
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import NewRun, StoredRun

RECORDED = Path(__file__).parent.parent / "fixtures/mlruns"
"""One store a version of MLflow, recorded by ``tests/record/file_store.py``."""
START = 1_700_000_000_000
END = START + 60_000


def store(root: Path) -> FileTracking:
    """Open a store whose clock stands still."""
    return FileTracking(root, clock=lambda: START / 1000)


def a_run(
    tracking: FileTracking,
    *,
    key: str | None = "k1",
    name: str = "run",
    experiment: str = "exp",
    tags: Mapping[str, str] | None = None,
) -> StoredRun:
    """Create a run, with a key unless ``key`` is None."""
    ours = {} if key is None else {marks.KEY: key, marks.DIGEST: f"digest of {key}", marks.OWNER: "somebody"}
    return tracking.create_run(
        NewRun(
            experiment_id=tracking.create_experiment(experiment).experiment_id,
            run_name=name,
            start_time=START,
            tags={**ours, **(tags or {})},
        )
    )


def finish(tracking: FileTracking, run: StoredRun, status: RunStatus = RunStatus.FINISHED) -> None:
    """Set the final status."""
    tracking.update_run(run.run_id, status=status, end_time=END, run_name=run.run_name)


def folder_of(tracking: FileTracking, run: StoredRun) -> Path:
    """Give the folder of a run."""
    return tracking.root / run.experiment_id / run.run_id


def all_files(folder: Path) -> dict[str, bytes]:
    """Give every file below a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def found(path: Path, options: ReadOptions | None = None) -> Iterator[RunRecord | Unreadable]:
    """Read a store."""
    return mlruns.read(path, options or ReadOptions())


def records(path: Path, options: ReadOptions | None = None) -> list[RunRecord]:
    """Read a store in which nothing is damaged."""
    everything = list(found(path, options))
    assert not [one for one in everything if isinstance(one, Unreadable)]
    return [one for one in everything if isinstance(one, RunRecord)]


def split(path: Path, options: ReadOptions | None = None) -> tuple[list[str], list[Unreadable]]:
    """Read a store in which something is damaged: the names of the good runs, and the others."""
    everything = list(found(path, options))
    good = [one.run_name for one in everything if isinstance(one, RunRecord)]
    return sorted(good), [one for one in everything if isinstance(one, Unreadable)]
