"""MLflow's file-store layout: where things stand and how they are written. Pure: opens no file.

Every rule was read in ``mlflow/store/tracking/file_store.py`` of 1.30.1, 2.9.2, 2.22.5 and 3.17.2 and in
``mlflow/store/fs2db`` of 3.17.2 (``mlflow migrate-filestore``), and tried with all of them.
"""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Annotated

import yaml
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from mlflow_rest_export import mlflow_tags
from mlflow_rest_export.records import Dataset, Metric, RunStatus

META = "meta.yaml"
TRASH = ".trash"
"""Folder of the root with the deleted experiments."""
METRICS, PARAMS, TAGS, ARTIFACTS = "metrics", "params", "tags", "artifacts"
RUN_FOLDERS = (METRICS, PARAMS, TAGS, ARTIFACTS)
"""Folders of a run; 3.17 says "Run not found" when one of them is missing."""
INPUTS, OUTPUTS = "inputs", "outputs"
DATASETS = "datasets"
NO_RUNS = frozenset({TAGS, DATASETS, "traces", "models"})
"""Folders of an experiment that MLflow does not take for runs (1.30 knows ``tags`` alone)."""
CREATING = ".creating"
"""Folder of an experiment in which we build new runs: it holds no meta.yaml of its own, so every reader
passes it by."""

ACTIVE, DELETED = "active", "deleted"

_ID = re.compile(r"[a-zA-Z0-9][\w\-]*")
_INT64 = range(-(2**63), 2**63)


def is_run_id(text: str) -> bool:
    """Say whether MLflow takes a text for a run id; nothing it takes leads out of a folder."""
    return len(text) <= 256 and _ID.fullmatch(text) is not None


def is_experiment_id(text: str) -> bool:
    """Say whether MLflow takes a folder name for an experiment id; another one breaks every listing."""
    return len(text) <= 64 and _ID.fullmatch(text) is not None


def experiment_ids(name: str) -> Iterator[str]:
    """Give the ids an experiment of this name may have, the next one when the one before is taken.

    Nine digits: like MLflow's own they are numbers, and unlike those they fit the 32 bits of SQL columns.
    """
    first = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return (str(100_000_000 + (first + more) % 900_000_000) for more in itertools.count())


def run_ids(experiment_id: str, key: str) -> Iterator[str]:
    """Give the ids a run with this key may have in an experiment, the next one when one was deleted.

    The experiment is part of it: a run id that stands in two experiments is found in one of them only, and
    ``mlflow migrate-filestore`` stops at it.
    """
    for attempt in itertools.count():
        text = f"{experiment_id}\n{attempt}\n{key}"
        yield hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def key_parts(key: str) -> tuple[str, ...]:
    """Split the key of a metric, param or tag into folders and a file name.

    Raises:
        ValueError: MLflow would not find the key again: it is not its own normal path.
    """
    if not key or posixpath.normpath(key) != key or key == "." or key.startswith(("/", "..")) or "\0" in key:
        raise ValueError(f"{key!r} cannot be the name of a file")
    return tuple(key.split("/"))


def metric_line(point: Metric) -> str:
    """Write one point as MLflow does, its line end included."""
    return f"{point.timestamp} {float(point.value)!r} {point.step}\n"


def parse_metric_line(line: str, *, key: str) -> Metric:
    """Read ``timestamp value [step [dataset name, digest]]``.

    Raises:
        ValueError: the line is none of these.
    """
    fields = line.split()
    if len(fields) < 2:
        raise ValueError(f"{len(fields)} fields instead of 3")
    step = int(fields[2]) if len(fields) > 2 else 0
    timestamp = int(fields[0])
    if timestamp not in _INT64 or step not in _INT64:
        raise ValueError("a number of more than 64 bits")
    return Metric(key=key, value=float(fields[1]), timestamp=timestamp, step=step)


def meta_text(values: Mapping[str, object]) -> str:
    """Write a meta.yaml, in ASCII: PyYAML does not read every letter back that it writes as it is."""
    return yaml.safe_dump(dict(values), sort_keys=True, allow_unicode=False, default_flow_style=False)


def new_experiment_meta(experiment_id: str, name: str, *, location: str, now: int) -> dict[str, object]:
    """Give what the meta.yaml of an experiment holds; times in ms."""
    return {
        "artifact_location": location,
        "creation_time": now,
        "experiment_id": experiment_id,
        "last_update_time": now,
        "lifecycle_stage": ACTIVE,
        "name": name,
    }


def new_run_meta(run_id: str, experiment_id: str, *, artifact_uri: str, start_time: int) -> dict[str, object]:
    """Give what the meta.yaml of a run holds: 1.30 reads ``run_uuid`` and insists on ``user_id``."""
    return {
        "artifact_uri": artifact_uri,
        "end_time": None,
        "experiment_id": experiment_id,
        "lifecycle_stage": ACTIVE,
        "run_id": run_id,
        "run_name": "",
        "run_uuid": run_id,
        "start_time": start_time,
        "status": RunStatus.RUNNING.value,
        "user_id": "",
    }


def dataset_id(dataset: Dataset) -> str:
    """Give the name of a dataset's folder, as MLflow does."""
    text = dataset.name + dataset.digest
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def input_id(dataset_folder: str, run_id: str) -> str:
    """Give the name of the folder that ties a dataset to a run, as MLflow does."""
    return hashlib.md5((dataset_folder + run_id).encode(), usedforsecurity=False).hexdigest()


def dataset_meta(dataset: Dataset) -> dict[str, object]:
    """Give what the meta.yaml of a dataset holds."""
    return {
        "digest": dataset.digest,
        "name": dataset.name,
        "profile": dataset.profile or None,
        "schema": dataset.schema or None,
        "source": dataset.source,
        "source_type": dataset.source_type,
    }


def input_meta(dataset: Dataset) -> dict[str, object]:
    """Give what the meta.yaml of an input holds; MLflow too writes the source as the destination."""
    source = dataset_id(dataset)
    return {
        "destination_id": source,
        "destination_type": "RUN",
        "source_id": source,
        "source_type": "DATASET",
        "tags": {mlflow_tags.CONTEXT: dataset.context} if dataset.context else {},
    }


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_status(value: object) -> object:
    return RunStatus.__members__.get(value, value) if isinstance(value, str) else value


def _without_none(value: object) -> object:
    return "" if value is None else value


Id = Annotated[str, BeforeValidator(_as_text)]
"""Ids were numbers before 1.0, and a hand may have left the quotes away."""
Text = Annotated[str, BeforeValidator(_without_none)]
Millis = Annotated[int, Field(ge=0, lt=2**63)]


class Meta(BaseModel):
    """A meta.yaml; fields that we do not know are kept out of the way."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ExperimentMeta(Meta):
    """The meta.yaml of an experiment."""

    experiment_id: Id
    name: Id
    lifecycle_stage: str = ACTIVE


class RunMeta(Meta):
    """The meta.yaml of a run; old ones have ``run_uuid`` and ``name``, and no ``lifecycle_stage``."""

    run_id: Id = Field(validation_alias=AliasChoices("run_id", "run_uuid"))
    experiment_id: Id
    run_name: Annotated[Text, BeforeValidator(_as_text)] = Field(
        default="", validation_alias=AliasChoices("run_name", "name")
    )
    status: Annotated[RunStatus, BeforeValidator(_as_status)] = RunStatus.RUNNING
    start_time: Millis
    end_time: Millis | None = None
    lifecycle_stage: str = ACTIVE
    artifact_uri: Text = ""


class DatasetMeta(Meta):
    """The meta.yaml of a dataset."""

    name: Id
    digest: Id
    source_type: Text = ""
    source: Text = ""
    schema_: Text = Field(default="", alias="schema")
    profile: Text = ""


class InputMeta(Meta):
    """The meta.yaml of an input of a run: a dataset, or (``MODEL``) a logged model."""

    source_type: str
    source_id: Id
    tags: Mapping[str, Id] = Field(default_factory=dict)
