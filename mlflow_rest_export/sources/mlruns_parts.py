"""The metrics, datasets and artifacts of one run of a file store, and what of them cannot go along."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow_rest_export import mlflow_tags
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Adjustment, Artifact, Dataset, Metric


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """The points of a run, read from disk at each iteration, one line at a time, key by key."""

    files: tuple[tuple[str, Path], ...]

    def __iter__(self) -> Iterator[Metric]:
        """Give every point in the order of the files.

        Raises:
            SourceError: a file has changed since it was looked at and is damaged now.
        """
        for key, path in self.files:
            yield from reading.read_points(path, key)


def metrics_of(run: Path) -> tuple[RunMetrics, tuple[Adjustment, ...]]:
    """Look at every metric of a run, from its first line to its last.

    Raises:
        SourceError: a file holds a line that is no point.
        OSError: a file cannot be read.
    """
    kept: list[tuple[str, Path]] = []
    told: list[Adjustment] = []
    for key, path in reading.key_files(run / layout.METRICS):
        try:
            points = sum(1 for _ in reading.read_points(path, key))
        except SourceError:
            if not path.name.startswith("."):
                raise
            told.append(Adjustment(f"metric {key}", path.name, "", "a hidden file that holds no points"))
            continue
        if reading.ends_in_half_a_line(path):
            reason = "the last line has no end: whoever wrote it was stopped"
            told.append(Adjustment(f"metric {key}", f"line {points + 1}", "", reason))
        if points == 0:
            told.append(Adjustment(f"metric {key}", "", "", "its file holds no point"))
            continue
        if len(next(reading.read_lines(path)).split()) > 3:
            reason = "points go without the dataset that MLflow 3 ties them to"
            told.append(Adjustment(f"metric {key}", "dataset of its points", "", reason))
        kept.append((key, path))
    return RunMetrics(tuple(kept)), tuple(told)


def datasets_of(run: Path) -> tuple[tuple[Dataset, ...], tuple[Adjustment, ...]]:
    """Read the datasets that went into a run.

    Raises:
        SourceError: one cannot be read.
    """
    inputs = reading.read_inputs(run)
    told = [
        Adjustment(f"input {entry.source_id}", entry.source_type, "", _why_left_out(entry))
        for entry, dataset in inputs
        if dataset is None
    ]
    for entry, dataset in inputs:
        lost = entry.tags.keys() - {mlflow_tags.CONTEXT}
        if dataset is not None and lost:
            names = ", ".join(sorted(lost))
            told.append(
                Adjustment(f"input {dataset.name}", names, "", "of its tags only the context goes along")
            )
    models = reading.subfolders(run / layout.OUTPUTS)
    if models:
        told.append(Adjustment("outputs", ", ".join(models)[:200], "", "logged models are not exported"))
    return tuple(dataset for _, dataset in inputs if dataset is not None), tuple(told)


def artifacts_of(run: Path, artifact_uri: str) -> tuple[tuple[Artifact, ...], tuple[Adjustment, ...]]:
    """List the files below the run's own ``artifacts`` folder.

    Args:
        run: the run's folder.
        artifact_uri: what its meta.yaml says; never followed, since it stays behind when a store is moved.

    Raises:
        OSError: a folder cannot be listed.
    """
    root = run / layout.ARTIFACTS
    files: list[Artifact] = []
    told: list[Adjustment] = []
    for path, entry in _entries(root, ""):
        if reading.leads_away(entry, run):
            told.append(Adjustment(f"artifact {path}", "", "", f"it is a link that leaves {run}"))
        elif entry.is_file():
            files.append(Artifact(path, root / path))
        else:
            told.append(Adjustment(f"artifact {path}", "", "", "neither a file nor a link to one"))
    if not files and (elsewhere := _elsewhere(artifact_uri, root)):
        reason = "not in this folder: artifacts that the run may have there are not exported"
        told.append(Adjustment("artifacts", elsewhere, "", reason))
    return tuple(files), tuple(told)


def _why_left_out(entry: layout.InputMeta) -> str:
    if entry.source_type == "DATASET":
        return "its description is not in this folder"
    return "inputs that are no datasets are not exported"


def _entries(folder: Path, above: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give whatever is no folder, in order."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(folder / entry.name, f"{above}{entry.name}/")
        else:
            yield f"{above}{entry.name}", entry


def _elsewhere(artifact_uri: str, root: Path) -> str:
    """Give the place of artifacts that are kept in no run folder, without what may be secret in it."""
    try:
        parts = urlsplit(artifact_uri)
        host = parts.hostname or ""
    except ValueError:
        return "another place"
    if parts.scheme not in {"", "file"}:
        return f"{parts.scheme}://{host}{parts.path}"
    place = Path(unquote(parts.path))
    # The old place of a store that was moved: gone, or the very folder that is being read.
    return str(place) if parts.path and _holds_files(place) and not place.samefile(root) else ""


def _holds_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
