"""File stores of MLflow (``mlruns``), ours or MLflow's own: every run, parents before their children.

A path may be the whole store, one experiment or one run of it. What one run says is read in ``mlruns_run``.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow_rest_export import marks, mlflow_tags
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """One run that is there."""

    experiment: Experiment
    key: str
    folder: Path


def recognises(path: Path) -> bool:
    """Say whether a folder is a file store, an experiment of one or a run of one."""
    try:
        return kind_of(path) is not None
    except OSError:
        return False


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give every run, and an ``Unreadable`` for each run and experiment that is damaged."""
    path = path.absolute()
    try:
        kind = kind_of(path)
        experiments = list(_experiments(path, kind, options))
    except OSError as error:
        yield _unreadable(path, error)
        return
    index = _Index(only=path.name if kind is Kind.RUN else None)
    for experiment in experiments:
        yield from index.take(experiment)
    for entry in index.in_order():
        record = read_run(Place(entry.folder, entry.experiment), index.parents, options)
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
        return folder.name.isdigit() and _holds_runs(folder)
    return "experiment_id" in meta and "run_id" not in meta and "run_uuid" not in meta


def _holds_runs(folder: Path) -> bool:
    try:
        return any(_looks_like_run(folder / name) for name in reading.subfolders(folder))
    except OSError:
        return True  # what may not be looked at is named, not passed over


def _looks_like_run(folder: Path) -> bool:
    """Tell the folder of a run, damaged or not, from whatever else may lie beside runs."""
    if folder.name in layout.NO_RUNS or folder.name == layout.CREATING:
        return False
    try:
        has_parts = any((folder / name).is_dir() for name in (layout.METRICS, layout.PARAMS))
        return has_parts or (folder / layout.META).exists()
    except OSError:
        return True


def _experiments(path: Path, kind: Kind | None, options: ReadOptions) -> Iterator[Experiment]:
    """Give the experiments, with the reason where one cannot be read."""
    if kind is Kind.RUN:
        yield replace(_experiment(path.parent), reason="")
    elif kind is Kind.EXPERIMENT:
        yield _experiment(path)
    else:
        for parent in (path, path / layout.TRASH) if options.include_deleted else (path,):
            for name in reading.subfolders(parent):
                if name != layout.TRASH and _is_experiment(parent / name):
                    found = _experiment(parent / name)
                    if options.include_deleted or not found.deleted:
                        yield found


def _experiment(folder: Path) -> Experiment:
    try:
        meta = _experiment_meta(folder)
    except SourceError as error:
        reason = f"{error}; its runs are left out: write the experiment_id and name into its {layout.META}"
        return Experiment(folder, name=None, deleted=False, reason=reason)
    deleted = meta.lifecycle_stage == layout.DELETED or folder.parent.name == layout.TRASH
    return Experiment(folder, meta.name, deleted=deleted)


def _experiment_meta(folder: Path) -> layout.ExperimentMeta:
    meta = reading.read_meta(layout.ExperimentMeta, folder)
    if meta.experiment_id != folder.name:
        raise SourceError(f"{folder / layout.META} is that of experiment {meta.experiment_id!r:.80}")
    return meta


class _Index:
    """Which runs there are and which is whose parent; some hundred bytes for each.

    Args:
        only: the one run that is wanted; None for all.
    """

    def __init__(self, only: str | None) -> None:
        self._only = only
        self._entries: list[_Entry] = []
        self._parent_of: dict[str, str] = {}
        self.parents: dict[str, Path] = {}
        """Run id -> folder of every run that is named as a parent."""

    def take(self, experiment: Experiment) -> Iterator[Unreadable]:
        """Add the runs of an experiment, or say why it has none."""
        if experiment.reason:
            yield Unreadable(str(experiment.folder), experiment.reason)
            return
        try:
            names = [self._only] if self._only else reading.subfolders(experiment.folder)
        except OSError as error:
            yield _unreadable(experiment.folder, error)
            return
        for name in names:
            folder = experiment.folder / name
            if _looks_like_run(folder):
                self._entries.append(_Entry(experiment, _tag(folder, marks.KEY), folder))
                parent = _tag(folder, mlflow_tags.PARENT)
                if layout.is_run_id(parent):
                    self._parent_of[name] = parent
                    self.parents.setdefault(parent, experiment.folder / parent)

    def in_order(self) -> list[_Entry]:
        """Give all runs, parents first; those with neighbouring keys, found by one search, together."""
        for entry in self._entries:
            if entry.folder.name in self.parents:
                self.parents[entry.folder.name] = entry.folder
        return sorted(self._entries, key=self._place)

    def _place(self, entry: _Entry) -> tuple[int, Path, str, str]:
        return self._depth(entry.folder.name), entry.experiment.folder, entry.key, entry.folder.name

    def _depth(self, run: str) -> int:
        """Count the runs above a run; runs in a circle have none."""
        above: set[str] = set()
        while (parent := self._parent_of.get(run)) is not None:
            if parent in above:
                return 0
            above.add(parent)
            run = parent
        return len(above)


def _tag(folder: Path, key: str) -> str:
    """Read one tag; what is wrong with it is told when the run itself is read."""
    with contextlib.suppress(SourceError):
        return reading.read_value(folder / layout.TAGS / key)
    return ""


def _unreadable(path: Path, error: OSError) -> Unreadable:
    reason = (error.strerror or str(error)).lower()
    return Unreadable(str(path), f"cannot read {error.filename or path}: {reason}")
