"""One run of a file store: its folder, meta.yaml, params, tags and inputs. Knows nothing of other runs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlflow_rest_export import atomic_files, marks, mlflow_tags
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import ParamConflict, SourceError, StoreError
from mlflow_rest_export.mlruns_seal import seal_of
from mlflow_rest_export.records import Dataset, Metric, RunStatus
from mlflow_rest_export.tracking.protocol import NewRun, StoredRun

ABANDONED = 3600.0
"""Seconds after which an unfinished file is taken for that of a writer which was killed."""
TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY})


def build(experiment: Path, run_id: str, new: NewRun) -> bool:
    """Make a run's folder with all its tags in one step; False when somebody else has made it.

    Raises:
        OSError: it could not be made; nothing is left under its name.
    """
    with _workshop(experiment) as folder:
        uri = (experiment / run_id / layout.ARTIFACTS).as_uri()
        meta = layout.new_run_meta(run_id, new.experiment_id, artifact_uri=uri, start_time=new.start_time)
        meta |= {"run_name": new.run_name, "user_id": new.tags.get(mlflow_tags.USER, "")}
        for name in layout.RUN_FOLDERS:
            (folder / name).mkdir()
        set_tags(folder, {mlflow_tags.RUN_NAME: new.run_name, **new.tags})
        atomic_files.write_durably(folder / layout.META, [layout.meta_text(meta).encode()])
        try:
            folder.rename(experiment / run_id)
        except OSError as error:
            if error.errno in TAKEN:
                return False
            raise
        atomic_files.sync_folder(experiment)
        return True


@contextlib.contextmanager
def _workshop(experiment: Path) -> Iterator[Path]:
    """Give an empty folder that no reader takes for a run; gone afterwards, whatever happened."""
    shared = experiment / layout.CREATING
    folder = shared / f"{atomic_files.UNFINISHED}{uuid.uuid4().hex}"
    while not folder.exists():
        # Other writers make and remove ``shared`` meanwhile, even between the two looks of exist_ok=True.
        with contextlib.suppress(FileExistsError):
            shared.mkdir()
        with contextlib.suppress(FileNotFoundError):
            folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may still build there
            shared.rmdir()


def read(folder: Path) -> StoredRun:
    """Read a run as it stands.

    Raises:
        SourceError: a part of it cannot be read.
    """
    meta = reading.read_meta(layout.RunMeta, folder)
    tags = reading.read_values(folder / layout.TAGS)
    points = (
        reading.latest(reading.read_points(path, key))
        for key, path in reading.key_files(folder / layout.METRICS)
    )
    latest: dict[str, Metric] = {point.key: point for point in points if point is not None}
    return StoredRun(
        run_id=folder.name,
        experiment_id=folder.parent.name,
        status=meta.status,
        artifact_uri=(folder / layout.ARTIFACTS).as_uri(),  # the one in meta.yaml may be where it once stood
        run_name=meta.run_name or tags.get(mlflow_tags.RUN_NAME, ""),
        start_time=meta.start_time,
        end_time=meta.end_time,
        deleted=meta.lifecycle_stage == layout.DELETED,
        metrics=latest,
        params=reading.read_values(folder / layout.PARAMS),
        tags=tags,
    )


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other writers of this run out, those of other processes too.

    A lock ends with its process. On file systems without locks nobody is kept out; params still have one
    winner there, and two writers of one metric could lose a point, which is why losers never write.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def change_meta(folder: Path, **fields: object) -> None:
    """Set fields of the run's meta.yaml; with it, everything written before is on disk.

    Raises:
        OSError: it could not be written.
        SourceError: it cannot be read.
    """
    text = layout.meta_text({**reading.raw_meta(folder), **fields})
    atomic_files.put(folder / layout.META, [text.encode()], beside=folder)
    atomic_files.sync_folder(folder)


def check_active(folder: Path) -> None:
    """Make sure that nobody writes into a run that nobody sees.

    Raises:
        StoreError: the run is deleted.
        SourceError: its meta.yaml cannot be read.
    """
    if reading.read_meta(layout.RunMeta, folder).lifecycle_stage == layout.DELETED:
        raise StoreError(
            f"run {folder.name} in {folder.parent} was deleted, so nothing more is written to it"
        )


def set_params(folder: Path, params: Mapping[str, str]) -> None:
    """Write params, each once and for ever; those that have their value already are left alone.

    Raises:
        ParamConflict: one has another value; of ``params`` nothing was stored.
        OSError: one could not be written; of ``params`` nothing was stored.
    """
    paths = {key: folder.joinpath(layout.PARAMS, *layout.key_parts(key)) for key in params}
    new = {key: path for key, path in paths.items() if not _has(path, params[key], folder)}
    made: list[Path] = []
    try:
        for key, path in new.items():
            while not atomic_files.put_new(path, params[key].encode(), beside=folder):
                if _has(path, params[key], folder):  # else its writer has just taken it back
                    break
            else:
                made.append(path)
    except (OSError, ValueError, SourceError, ParamConflict):
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _has(path: Path, value: str, folder: Path) -> bool:
    if not path.exists():
        return False
    if reading.read_value(path) == value:
        return True
    key = path.relative_to(folder / layout.PARAMS).as_posix()
    raise ParamConflict(
        f"param {key} of run {folder.name} has another value already, and params cannot be changed",
        status=400,
        code="INVALID_PARAMETER_VALUE",
        reason="changing param values is not allowed",
    )


def set_tags(folder: Path, tags: Mapping[str, str]) -> None:
    """Write tags over those that are there.

    Raises:
        OSError: one could not be written.
    """
    for key, value in tags.items():
        path = folder.joinpath(layout.TAGS, *layout.key_parts(key))
        atomic_files.put(path, [value.encode()], beside=folder)


def new_seal(folder: Path, *, status: RunStatus, run_name: str) -> dict[str, str]:
    """Give the tag that vouches for what one of our exports has put into a run, which ends with this status.

    A run that had ended before gets none: nobody knows what was added since.

    Raises:
        OSError: a part of the run cannot be read.
        SourceError: its meta.yaml cannot be read.
    """
    running = reading.read_meta(layout.RunMeta, folder).status is RunStatus.RUNNING
    if not running or not (folder / layout.TAGS / marks.DIGEST).is_file():
        return {}
    return {marks.SEAL: seal_of(folder, name=run_name, status=status)}


def add_input(folder: Path, dataset: Dataset) -> None:
    """Tie a dataset to the run; tied already is fine.

    Raises:
        OSError: it could not be written.
    """
    known = folder.parent / layout.DATASETS / layout.dataset_id(dataset)
    tie = folder / layout.INPUTS / layout.input_id(known.name, folder.name)
    for target, meta in ((known, layout.dataset_meta(dataset)), (tie, layout.input_meta(dataset))):
        if target.exists():
            continue
        # Every reader wants a meta.yaml in each of these folders, so they come with it.
        unfinished = folder / f"{atomic_files.UNFINISHED}{uuid.uuid4().hex}"
        unfinished.mkdir()
        try:
            atomic_files.write_durably(unfinished / layout.META, [layout.meta_text(meta).encode()])
            target.parent.mkdir(exist_ok=True)
            unfinished.rename(target)
        except OSError as error:
            if error.errno not in TAKEN:
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed have left in the run and beside it."""
    limit = (folder / layout.META).stat().st_mtime - ABANDONED
    atomic_files.sweep(folder, older_than=limit)
    atomic_files.sweep(folder.parent / layout.CREATING, older_than=limit)
    with contextlib.suppress(OSError):
        (folder.parent / layout.CREATING).rmdir()
