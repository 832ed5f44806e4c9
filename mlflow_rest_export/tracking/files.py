"""A folder in MLflow's file-store layout as a tracking store: needs no server, and every MLflow reads it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.records import Dataset, Lookup, Metric, RunStatus
from mlflow_rest_export.targets.files import check_root
from mlflow_rest_export.tracking import run_folders
from mlflow_rest_export.tracking.experiment_folders import ExperimentFolders
from mlflow_rest_export.tracking.point_files import merge_points
from mlflow_rest_export.tracking.protocol import Each, Experiment, NewRun, StoredRun
from mlflow_rest_export.tracking.store_failures import told

_log = logging.getLogger("mlflow_rest_export")

LIMITS = Limits(
    param_value=6000,
    tag_value=8000,
    keys_share_folders=True,
    keeps_nan=True,
    keeps_infinity=True,
    hash_in_paths=True,
    paths_decoded_twice=False,
    dataset_inputs=True,
)
"""Readers check names, not lengths: the lengths are those of the databases a folder may be migrated to."""


class FileTracking:
    """The runs of one folder.

    The id of a run follows from its experiment and its key, so creating it twice, at whatever times and on
    whatever machines, gives one run. Points that a run holds already are not added again.

    Args:
        root: absolute path of the folder, as ``targets.files.path_of`` gives it; made when needed.
        clock: gives seconds since 1970, for the times at which experiments and runs are made and deleted.

    Raises:
        SettingsError: MLflow could not read the folder, or it cannot be written.
    """

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        check_root(root)
        self.root = root
        self._clock = clock
        self._experiments = ExperimentFolders(root, self._now)
        self._damaged: dict[tuple[str, str], SourceError] = {}
        """Experiment and key of runs that could not be read; nobody else may take their place."""

    def limits(self) -> Limits:
        """Say what a file store keeps."""
        return LIMITS

    def find_experiment(self, name: str) -> Experiment | None:
        """Find an experiment by name, a deleted one too."""
        with told(f"looking for the experiment {name!r} in {self.root}"):
            return self._experiments.find(name)

    def create_experiment(self, name: str) -> Experiment:
        """Make an experiment, or give the one of this name, which may be a deleted one."""
        with told(f"creating the experiment {name!r} in {self.root}"):
            return self._experiments.find(name) or self._experiments.create(name)

    def restore_experiment(self, experiment_id: str) -> None:
        """Bring an experiment back with its runs; those deleted before it come back too, as in MLflow."""
        with told(f"restoring experiment {experiment_id} in {self.root}"):
            folder = self._experiments.restore(experiment_id)
            for run in self._runs(folder):
                if reading.read_meta(layout.RunMeta, run).lifecycle_stage == layout.DELETED:
                    run_folders.change_meta(run, lifecycle_stage=layout.ACTIVE, deleted_time=None)

    def find_runs(
        self, experiment_id: str, lookups: Sequence[Lookup], *, each: Each = map
    ) -> Iterator[StoredRun]:
        """Give every active run that one of ``lookups`` describes, in one pass over all runs."""
        del each
        with told(f"searching for runs in {self.root}"):
            folder, _ = self._experiments.of(experiment_id)
            wanted = Wanted(lookups)
            for run in self._runs(folder):
                found = self._found(run, wanted)
                if found is not None and not found.deleted:
                    yield found

    def create_run(self, new: NewRun) -> StoredRun:
        """Make a run, or give the one with this key; deleted ones do not count.

        Raises:
            StoreError: it could not be made, or what stands in its place cannot be read.
        """
        key = new.tags.get(marks.KEY) or uuid.uuid4().hex
        with told(f"creating the run {new.run_name} in {self.root}"):
            experiment = self._experiments.active(new.experiment_id)
            if (damage := self._damaged.get((new.experiment_id, key))) is not None:
                raise damage
            for run_id in layout.run_ids(new.experiment_id, key):
                folder = experiment / run_id
                if not (folder / layout.META).is_file():
                    run_folders.build(experiment, run_id, new)
                run = run_folders.read(folder)
                if not run.deleted:
                    return run
        raise AssertionError  # ids never end

    def get_run(self, run_id: str) -> StoredRun:
        """Read one run, a deleted one too."""
        with told(f"reading run {run_id} in {self.root}"):
            return run_folders.read(self._experiments.run(run_id))

    def log_values(
        self,
        run_id: str,
        *,
        metrics: Iterable[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write values: params first, then tags, then the points the run does not have yet.

        Raises:
            ParamConflict: a param has another value; nothing was stored.
            StoreError: a value could not be written.
        """
        doing = f"writing values to run {run_id} in {self.root}"
        with told(doing):
            folder = self._experiments.run(run_id)
            run_folders.check_active(folder)
        with run_folders.alone(folder):
            with told(doing):
                run_folders.set_params(folder, params or {})
                run_folders.set_tags(folder, tags or {})
                if tags and mlflow_tags.RUN_NAME in tags:
                    run_folders.change_meta(folder, run_name=tags[mlflow_tags.RUN_NAME])
            merge_points(folder, metrics, doing=doing)

    def metric_history(self, run_id: str, key: str) -> Iterator[Metric]:
        """Give every point of a metric in the order of its file; none when there is no such metric."""
        with told(f"reading metric {key} of run {run_id} in {self.root}"):
            folder = self._experiments.run(run_id)
            path = folder.joinpath(layout.METRICS, *layout.key_parts(key))
            if path.is_file():
                yield from reading.read_points(path, key)

    def log_inputs(self, run_id: str, datasets: Sequence[Dataset]) -> None:
        """Record dataset inputs; the same ones again change nothing."""
        with told(f"naming the datasets of run {run_id} in {self.root}"):
            folder = self._experiments.run(run_id)
            for dataset in datasets:
                run_folders.add_input(folder, dataset)

    def update_run(self, run_id: str, *, status: RunStatus, end_time: int | None, run_name: str) -> None:
        """Set status, end time and name together."""
        with told(f"setting run {run_id} in {self.root} to {status.name}"):
            folder = self._experiments.run(run_id)
            run_folders.check_active(folder)
            with run_folders.alone(folder):
                seal = run_folders.new_seal(folder, status=status, run_name=run_name)
                run_folders.set_tags(folder, {mlflow_tags.RUN_NAME: run_name, **seal})
                run_folders.change_meta(folder, status=status.value, end_time=end_time, run_name=run_name)
            run_folders.sweep(folder)

    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted; one that is so already is fine."""
        with told(f"deleting run {run_id} in {self.root}"):
            folder = self._experiments.run(run_id)
            with run_folders.alone(folder):
                if reading.read_meta(layout.RunMeta, folder).lifecycle_stage != layout.DELETED:
                    deleted = {"lifecycle_stage": layout.DELETED, "deleted_time": self._now()}
                    run_folders.change_meta(folder, **deleted)

    def run_url(self, run: StoredRun) -> str:
        """Give the run's folder as a URL."""
        return (self.root / run.experiment_id / run.run_id).as_uri()

    def experiment_url(self, experiment_id: str) -> str:
        """Give the experiment's folder as a URL."""
        return (self.root / experiment_id).as_uri()

    def _found(self, run: Path, wanted: Wanted) -> StoredRun | None:
        """Read a run if it is wanted; one that is damaged costs itself, not its siblings."""
        try:
            found = run_folders.read(run) if wanted.matches(run) else None
        except SourceError as error:
            _log.warning("run left out: %s", error)
            with contextlib.suppress(SourceError):
                key = reading.read_value(run / layout.TAGS / marks.KEY)
                self._damaged[run.parent.name, key] = error
            return None
        if found is not None:
            self._damaged.pop((run.parent.name, found.tags.get(marks.KEY, "")), None)
        return found

    def _runs(self, experiment: Path) -> Iterator[Path]:
        for name in reading.subfolders(experiment):
            if layout.is_run_id(name) and (experiment / name / layout.META).is_file():
                yield experiment / name

    def _now(self) -> int:
        return int(self._clock() * 1000)


class Wanted:
    """What a search asks for, by tag, so that however many runs are asked for, each tag is read once."""

    def __init__(self, lookups: Sequence[Lookup]) -> None:
        self._values: dict[str, set[str]] = {}
        self._prefixes: dict[str, set[str]] = {}
        for lookup in itertools.chain.from_iterable(wide.exact or (wide,) for wide in lookups):
            among = self._prefixes if lookup.prefix else self._values
            among.setdefault(lookup.tag, set()).add(lookup.value)

    def matches(self, run: Path) -> bool:
        """Say whether one of the lookups describes a run.

        Raises:
            SourceError: one of its tags cannot be read.
        """
        for tag in {*self._values, *self._prefixes}:
            path = run.joinpath(layout.TAGS, *layout.key_parts(tag))
            if path.is_file():
                value = reading.read_value(path)
                if value in self._values.get(tag, ()) or value.startswith(tuple(self._prefixes.get(tag, ()))):
                    return True
        return False
