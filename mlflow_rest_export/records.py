"""The neutral form of results: what a source gives and what the plan is built from.

No HTTP, no file formats, nothing that can fail. All times are milliseconds since 1970 (UTC).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


class RunStatus(enum.Enum):
    """The states of an MLflow run; the numbers are those of MLflow's protobuf and file store."""

    RUNNING = 1
    SCHEDULED = 2
    FINISHED = 3
    FAILED = 4
    KILLED = 5


@dataclass(frozen=True, slots=True)
class Metric:
    """One point of one metric."""

    key: str
    value: float
    timestamp: int
    """Milliseconds since 1970."""
    step: int = 0


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a run: where it goes, and its bytes on disk or in memory."""

    path: str
    """Place in the run, relative, with ``/`` between folders."""
    content: Path | bytes


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset input of a run, shown by MLflow beside it."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    context: str = ""
    """Value of the tag ``mlflow.data.context``, such as ``eval``."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One thing that does not arrive as it was: renamed, cut, merged or left out."""

    field: str
    """What it is about, such as ``metric pass@1`` or ``artifact a#b.txt``."""
    before: str
    after: str
    """The new form; "" when it was left out."""
    reason: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """The one search that finds a run together with its siblings: runs whose tag has this value."""

    tag: str
    value: str
    prefix: bool = False
    """True when ``value`` is only how the tag's value begins; who asks compares the rest."""
    exact: tuple[Lookup, ...] = ()
    """What to ask for instead where this finds far more runs than are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One evaluation result, ready to become one MLflow run.

    Args:
        key: identity of the data, equal wherever and however often it is read; never of paths or times.
        label: how people call it in messages and in ``--json`` (``job_id`` there): a job id, a file.
        place: where it was read, where the label does not tell.
        lookup: the search that finds the run again.
        twin: tags that together identify the same result when another tool exported it.
        metrics: a re-iterable stream; it may hold millions of points, so nobody may make a list of it.
        digest: given only by a source that carries runs which already had one (``mlruns``), while what it
            carries is still what had it.
        without_files: the run that had the digest was delivered without files, receipt and all.
        time: when the data was first read for export, in ms; given by a source that has kept it since.
        folder: the run's own folder in a file store, given only by ``mlruns``.
        experiment: given only by a source that carries runs of several experiments.
        parent_key: ``key`` of the record whose run is this one's parent.
        stored: the result's own ``export.mlflow``, weaker than everything the user says now.
        stored_by_user: whether the user's own launcher noted ``stored``, not just the results folder.
        volatile: params that tell where and when the data was read, not what it is; not part of the digest.
        verbatim_names: names were accepted by an MLflow before, so only what this server refuses is changed.
    """

    key: str
    label: str
    lookup: Lookup
    run_name: str
    start_time: int
    end_time: int | None
    status: RunStatus = RunStatus.FINISHED
    metrics: Iterable[Metric] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    description: str | None = None
    twin: Mapping[str, str] = field(default_factory=dict)
    parent_key: str | None = None
    experiment: str | None = None
    digest: str | None = None
    without_files: bool = False
    time: int | None = None
    folder: Path | None = None
    stored: Mapping[str, object] = field(default_factory=dict)
    stored_by_user: bool = False
    place: str = ""
    volatile: frozenset[str] = frozenset()
    verbatim_names: bool = False
    adjustments: tuple[Adjustment, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A result that was asked for but cannot be exported; it costs itself, not its siblings."""

    label: str
    reason: str
