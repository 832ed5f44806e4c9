"""File stores of MLflow (``mlruns``), ours or MLflow's own: every run, parents before their children.

A path may be the whole store, one experiment or one run of it. What one run says is read in ``mlruns_run``.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow_rest_export import marks
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources.mlruns_run import Experiment, Place, read_run
from mlflow_rest_export.sources.options import ReadOptions

NAME = "mlruns"


class Kind(enum.Enum):
    """What a folder is."""

    STORE = enum.auto()
    EXPERIMENT = enum.auto()
    RUN = enum.auto()


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """One run in the order in which runs are given: runs with neighbouring keys are found by one search."""

    depth: int
    experiment: int
    key: str
    run: str


def recognises(path: Path) -> bool:
    """Say whether a folder is a file store, an experiment of one or a run of one."""
    try:
        return kind_of(path) is not None
    except OSError:
        return False


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give every run, and an ``Unreadable`` for each run and experiment that is damaged."""
    try:
        experiments = list(_experiments(path, options))
    except OSError as error:
        yield Unreadable(str(path), f"cannot read {path}: {(error.strerror or str(error)).lower()}")
        return
    yield from (found for found in experiments if isinstance(found, Unreadable))
    sound = [found for found in experiments if isinstance(found, Experiment)]
    only = path.absolute().name if kind_of(path) is Kind.RUN else None
    parents: dict[str, Path] = {}
    for entry in _in_order(sound, only, parents):
        experiment = sound[entry.experiment]
        record = read_run(Place(experiment.folder / entry.run, experiment), parents, options)
        if record is not None:
            yield record


def kind_of(folder: Path) -> Kind | None:
    """Say what a folder is, by what is in it.

    Raises:
        OSError: it cannot be listed.
    """
    if not folder.is_dir():
        return None
    try:
        meta = reading.raw_meta(folder)
    except SourceError:
        meta = {}
    if "run_id" in meta or "run_uuid" in meta:
        return Kind.RUN
    if "experiment_id" in meta and "name" in meta and "model_id" not in meta:
        return Kind.EXPERIMENT
    if all((folder / name).is_dir() for name in (layout.METRICS, layout.PARAMS, layout.TAGS)):
        return None if "model_id" in meta else Kind.RUN
    for parent in (folder, folder / layout.TRASH):
        names = (name for name in reading.subfolders(parent) if layout.is_experiment_id(name))
        if any(_is_experiment(parent / name) for name in names):
            return Kind.STORE
    return None


def _is_experiment(folder: Path) -> bool:
    """Judge a folder of a store; one that has lost its meta.yaml still has runs in it."""
    if folder.name in layout.NO_RUNS:
        return False
    try:
        meta = reading.raw_meta(folder)
    except SourceError:
        runs = reading.subfolders(folder) if folder.name.isdigit() else []
        return any(_looks_like_run(folder / name) for name in runs)
    return "experiment_id" in meta and "run_id" not in meta and "run_uuid" not in meta


def _looks_like_run(folder: Path) -> bool:
    """Tell the folder of a run, damaged or not, from whatever else may lie beside runs."""
    if folder.name in layout.NO_RUNS or folder.name == layout.CREATING:
        return False
    parts = (layout.METRICS, layout.PARAMS)
    return (folder / layout.META).exists() or any((folder / name).is_dir() for name in parts)


def _experiments(path: Path, options: ReadOptions) -> Iterator[Experiment | Unreadable]:
    path = path.absolute()
    kind = kind_of(path)
    if kind is Kind.RUN:
        yield _experiment(path.parent, needed=False)
    elif kind is Kind.EXPERIMENT:
        yield _experiment(path)
    else:
        for parent in (path, path / layout.TRASH) if options.include_deleted else (path,):
            for name in reading.subfolders(parent):
                if name != layout.TRASH and _is_experiment(parent / name):
                    found = _experiment(parent / name)
                    if isinstance(found, Unreadable) or options.include_deleted or not found.deleted:
                        yield found


def _experiment(folder: Path, *, needed: bool = True) -> Experiment | Unreadable:
    try:
        meta = _experiment_meta(folder)
    except SourceError as error:
        if not needed:
            return Experiment(folder, name=None, deleted=False)
        reason = f"{error}; its runs are left out: write the experiment_id and name into its {layout.META}"
        return Unreadable(str(folder), reason)
    deleted = meta.lifecycle_stage == layout.DELETED or folder.parent.name == layout.TRASH
    return Experiment(folder, meta.name, deleted=deleted)


def _experiment_meta(folder: Path) -> layout.ExperimentMeta:
    meta = reading.read_meta(layout.ExperimentMeta, folder)
    if meta.experiment_id != folder.name:
        raise SourceError(f"{folder / layout.META} is that of experiment {meta.experiment_id!r:.80}")
    return meta


def _in_order(experiments: list[Experiment], only: str | None, parents: dict[str, Path]) -> list[_Entry]:
    """Give all runs, each after its parent; fills ``parents`` with the folders of all runs that are one."""
    runs: list[tuple[int, str, str]] = []
    parent_of: dict[str, str] = {}
    folders: dict[str, Path] = {}
    for number, experiment in enumerate(experiments):
        for name in _runs_of(experiment, only):
            folder = experiment.folder / name
            runs.append((number, _tag(folder, marks.KEY), name))
            parent = _tag(folder, layout.PARENT_TAG)
            if parent:
                parent_of[name] = parent
                folders.setdefault(parent, experiment.folder / parent)
    for number, _, name in runs:
        if name in folders:
            folders[name] = experiments[number].folder / name
    parents.update((name, folder) for name, folder in folders.items() if layout.is_run_id(name))
    return sorted(_Entry(_depth(name, parent_of), number, key, name) for number, key, name in runs)


def _runs_of(experiment: Experiment, only: str | None) -> list[str]:
    names = [only] if only else reading.subfolders(experiment.folder)
    return [name for name in names if _looks_like_run(experiment.folder / name)]


def _tag(folder: Path, key: str) -> str:
    """Read one tag; what is wrong with it is told when the run itself is read."""
    with contextlib.suppress(SourceError):
        return reading.read_value(folder / layout.TAGS / key)
    return ""


def _depth(run: str, parent_of: dict[str, str]) -> int:
    """Count the runs above a run; runs in a circle have none."""
    above: dict[str, None] = {}
    while (parent := parent_of.get(run)) is not None:
        if parent in above:
            return 0
        above[parent] = None
        run = parent
    return len(above)
