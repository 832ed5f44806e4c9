"""What goes into a plan and what comes out, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlflow_rest_export.content import Content
from mlflow_rest_export.records import Adjustment, Dataset, Lookup, Metric, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The settings that shape the content of a run, whatever format it comes from."""

    experiment_name: str = "nemo-evaluator-launcher"
    moves_runs: bool = False
    """Whether ``experiment_name`` is also for runs that bring an experiment of their own."""
    run_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    extra_metadata: Mapping[str, str] = field(default_factory=dict)
    log_metrics: tuple[str, ...] = ()
    """Keep a metric when one of these is part of its name, in any case; none: keep all."""
    nan: Literal["skip", "tag", "fail"] = "tag"
    log_artifacts: bool = True
    """False: nothing is uploaded at all, our own files neither."""
    user: str = ""
    """Who exports, for MLflow's column "Created by"."""
    now: int | None = None
    """When the results are read, in ms since 1970."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of a record, looked at: its bytes, and their hash where the digest needs it."""

    path: str
    content: Content
    sha256: str | None
    """None for large files, which are hashed while they are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """One run as it shall be on the server."""

    label: str
    key: str
    digest: str
    lookup: Lookup
    twin: Mapping[str, str]
    parent_key: str | None
    experiment: str
    run_name: str
    start_time: int
    end_time: int | None
    status: RunStatus
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Iterable[Metric]
    metric_points: int
    metric_names: frozenset[str]
    single_points: bool
    """Whether each metric has one point, so that the latest one tells all."""
    files: tuple[FileFacts, ...]
    datasets: tuple[Dataset, ...]
    adjustments: tuple[Adjustment, ...]
    names: Mapping[str, Mapping[str, str]]
    """Kind (metric, param, tag, artifact) -> name -> the one it would have where names are no paths."""
    with_receipt: bool
    """Whether a receipt is uploaded: with each run, unless nothing is to be uploaded at all."""

    @property
    def metric_keys(self) -> int:
        """Number of metrics, however many points each has."""
        return len(self.metric_names)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.content.size for file in self.files)
