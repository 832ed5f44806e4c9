"""What the exporter needs of a tracking store. Knows neither HTTP nor files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from mlflow_rest_export.content import Content
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.records import Adjustment, Dataset, Lookup, Metric, RunStatus

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as the store knows it."""

    experiment_id: str
    name: str
    deleted: bool = False
    adjustments: tuple[Adjustment, ...] = ()
    """What became of the name that was asked for (a host with rules of its own may change it)."""
    is_new: bool = field(default=False, compare=False)
    """Whether this very call made it, so that no earlier export can have put anything in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as the store knows it; ``metrics`` holds the latest point of each key."""

    run_id: str
    experiment_id: str
    status: RunStatus
    artifact_uri: str
    run_name: str = ""
    start_time: int = 0
    end_time: int | None = None
    deleted: bool = False
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What a run is created with; with its tags it can be found from its first moment."""

    experiment_id: str
    run_name: str
    start_time: int
    tags: Mapping[str, str]


class Each(Protocol):
    """Does one thing for each of several items, as ``map`` does, perhaps with several workers."""

    def __call__(self, do: Callable[[_T], _R], items: Iterable[_T], /) -> Iterable[_R]:
        """Give what ``do`` gave for each item, in their order."""
        ...


class Tracking(Protocol):
    """A tracking store.

    Every method either did what it says or raises a ``TrackingError``; none reads "could not ask" as "not
    there". Methods may be called from several threads at once.
    """

    def limits(self) -> Limits:
        """Say what the store accepts; asked once, then remembered."""
        ...

    def find_experiment(self, name: str) -> Experiment | None:
        """Find an experiment by name, a deleted one too; None when the store says there is none."""
        ...

    def create_experiment(self, name: str) -> Experiment:
        """Create the experiment, or give the one that somebody else created in the meantime."""
        ...

    def restore_experiment(self, experiment_id: str) -> None:
        """Bring a deleted experiment back."""
        ...

    def find_runs(
        self, experiment_id: str, lookups: Sequence[Lookup], *, each: Each = map
    ) -> Iterator[StoredRun]:
        """Give every active run that one of ``lookups`` describes, and perhaps a few more.

        Of a lookup that names what it is about exactly, no other runs need be given. Callers compare again
        on their side: searches know no escape for quotes and wildcards.

        Args:
            experiment_id: where.
            lookups: what is wanted.
            each: does the searches of a store that needs several.
        """
        ...

    def create_run(self, new: NewRun) -> StoredRun:
        """Create a run, once.

        When the answer is lost the store is searched for the run before anything is created again: the tags
        must therefore hold ``mlflow_rest_export.owner`` with a value nobody else uses.
        """
        ...

    def get_run(self, run_id: str) -> StoredRun:
        """Read one run, a deleted one too."""
        ...

    def log_values(
        self,
        run_id: str,
        *,
        metrics: Iterable[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write values, split into as many batches as the store wants; each point lands once.

        Params of the first batch are written before anything else of it: a refused param refuses the batch.

        Raises:
            ParamConflict: a param exists with another value.
        """
        ...

    def metric_history(self, run_id: str, key: str) -> Iterator[Metric]:
        """Give every point of a metric, in the store's order."""
        ...

    def log_inputs(self, run_id: str, datasets: Sequence[Dataset]) -> None:
        """Record dataset inputs; a store without them (``Limits.dataset_inputs``) is never asked."""
        ...

    def update_run(self, run_id: str, *, status: RunStatus, end_time: int | None, run_name: str) -> None:
        """Set status, end time and name together: old servers reset whatever is left out."""
        ...

    def delete_run(self, run_id: str) -> None:
        """Move a run to the store's bin; one that is already there is fine."""
        ...

    def run_url(self, run: StoredRun) -> str:
        """Give the address at which a person sees the run."""
        ...

    def experiment_url(self, experiment_id: str) -> str:
        """Give the address at which a person sees the experiment."""
        ...


class Artifacts(Protocol):
    """The artifact store of a run. Methods may be called from several threads at once."""

    def expect(self, run: StoredRun, paths: Sequence[str]) -> None:
        """Say which files will be uploaded next: some stores can be asked for many places at once."""
        ...

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Store a file under ``path`` in the run, over whatever is there."""
        ...

    def listing(self, run: StoredRun) -> dict[str, int | None]:
        """Give every file of the run with its size in bytes (None where the store does not say)."""
        ...

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give a stored file in pieces.

        Raises:
            ApiError: with ``not_found`` when there is no such file.
        """
        ...
