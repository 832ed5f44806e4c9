"""The experiments of a file store: one folder each, deleted ones in ``.trash``. Knows nothing of values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from mlflow_rest_export import atomic_files
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import ApiError, SourceError, StoreError
from mlflow_rest_export.tracking.protocol import Experiment

_log = logging.getLogger("mlflow_rest_export")


class ExperimentFolders:
    """Finds, makes and restores the experiments below one root.

    Args:
        root: the folder of the store; made with the first experiment.
        now: gives ms since 1970, for ``creation_time`` and its like.
    """

    def __init__(self, root: Path, now: Callable[[], int]) -> None:
        self.root = root
        self._trash = root / layout.TRASH
        self._now = now

    def find(self, name: str) -> Experiment | None:
        """Find an experiment by name, active ones first.

        Raises:
            OSError: the store cannot be listed.
        """
        for folder, deleted in self._folders():
            try:
                meta = reading.read_meta(layout.ExperimentMeta, folder)
            except SourceError as error:  # MLflow too passes it by; our own is met again when it is created
                _log.warning("experiment folder left out: %s", error)
                continue
            if meta.name == name and meta.experiment_id == folder.name:
                return Experiment(folder.name, name, deleted=deleted)
        return None

    def create(self, name: str) -> Experiment:
        """Make an experiment, or give the one that somebody else has made meanwhile.

        Raises:
            OSError: it could not be made.
            SourceError: its folder is there and cannot be read.
        """
        self._trash.mkdir(parents=True, exist_ok=True)
        for experiment_id in layout.experiment_ids(name):
            if (self._trash / experiment_id).exists():
                continue
            folder = self.root / experiment_id
            folder.mkdir(exist_ok=True)
            meta = layout.new_experiment_meta(experiment_id, name, location=folder.as_uri(), now=self._now())
            data = layout.meta_text(meta).encode()
            if not (folder / layout.META).exists():
                # Until it has its meta.yaml readers pass the folder by, and only one writer can bring it.
                atomic_files.put_new(folder / layout.META, data, beside=folder)
            if reading.read_meta(layout.ExperimentMeta, folder).name == name:
                return Experiment(experiment_id, name)
        raise AssertionError  # ids never end

    def restore(self, experiment_id: str) -> Path:
        """Bring an experiment back from the bin; one that is not there is fine. Gives its folder.

        Raises:
            ApiError: there is no such experiment.
            OSError: it could not be moved.
        """
        folder, deleted = self.of(experiment_id)
        if deleted:
            folder = folder.rename(self.root / experiment_id)
        self.change(folder, lifecycle_stage=layout.ACTIVE, last_update_time=self._now())
        return folder

    def change(self, folder: Path, **fields: object) -> None:
        """Set fields of a meta.yaml.

        Raises:
            OSError: it could not be written.
            SourceError: it cannot be read.
        """
        text = layout.meta_text({**reading.raw_meta(folder), **fields})
        atomic_files.put(folder / layout.META, [text.encode()], beside=folder)

    def of(self, experiment_id: str) -> tuple[Path, bool]:
        """Give the folder of an experiment, and whether it is in the bin.

        Raises:
            ApiError: there is none.
        """
        if layout.is_experiment_id(experiment_id):
            for folder, deleted in ((self.root / experiment_id, False), (self._trash / experiment_id, True)):
                if (folder / layout.META).is_file():
                    return folder, deleted
        raise _not_found(f"there is no experiment {experiment_id} in {self.root}")

    def active(self, experiment_id: str) -> Path:
        """Give the folder of an experiment that is not deleted.

        Raises:
            ApiError: there is none.
            StoreError: it is deleted.
        """
        folder, deleted = self.of(experiment_id)
        if deleted:
            raise StoreError(f"experiment {experiment_id} of {self.root} is deleted: restore it first")
        return folder

    def run(self, run_id: str) -> Path:
        """Give the folder of a run, a deleted one too.

        Raises:
            ApiError: there is none.
            OSError: the store cannot be listed.
        """
        if layout.is_run_id(run_id):
            for folder, _ in self._folders():
                if (folder / run_id / layout.META).is_file():
                    return folder / run_id
        raise _not_found(f"there is no run {run_id} in {self.root}")

    def _folders(self) -> Iterator[tuple[Path, bool]]:
        """Give the folders of all experiments, and whether each is in the bin."""
        for parent, deleted in ((self.root, False), (self._trash, True)):
            for name in reading.subfolders(parent):
                if layout.is_experiment_id(name) and (parent / name / layout.META).is_file():
                    yield parent / name, deleted


def _not_found(message: str) -> ApiError:
    return ApiError(message, status=404, code="RESOURCE_DOES_NOT_EXIST", reason=message)
