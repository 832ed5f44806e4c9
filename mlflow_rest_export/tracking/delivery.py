"""Values into a run, each once: what to do when the answer to a ``log-batch`` is lost or odd.

A batch is not one transaction (params, then metrics, then tags), file stores keep every copy of a point, and
servers before 3.10 refuse a batch of over 100 keys of which one point is stored. So nothing is sent twice on
suspicion: what arrived is read first, on every store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Protocol

from mlflow_rest_export.errors import ApiError, NoAnswer, ParamConflict
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.batches import Batch, split
from mlflow_rest_export.tracking.points import same_point, without
from mlflow_rest_export.tracking.protocol import StoredRun

ROUNDS = 10
"""Times that a batch is sent at the most, over a minute or more; each failed one is followed by a reading."""


class BatchStore(Protocol):
    """What is needed of the client."""

    def limits(self) -> Limits:
        """Say what a batch may hold."""
        ...

    def log_batch(self, run_id: str, body: bytes) -> None:
        """Send one body, without repeating it when its outcome is unknown."""
        ...

    def get_run(self, run_id: str) -> StoredRun:
        """Read the run."""
        ...

    def metric_history(self, run_id: str, key: str) -> Iterator[Metric]:
        """Read all points of a metric."""
        ...

    def pause(self, error: ApiError | NoAnswer, number: int) -> None:
        """Wait before what failed for time ``number`` (from 0) is tried again; raise what will not pass."""
        ...


def deliver(
    store: BatchStore,
    run_id: str,
    *,
    metrics: Iterable[Metric],
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> None:
    """Write all values; each point lands once whatever happens on the way.

    Raises:
        ParamConflict: a param exists with another value.
        ApiError, NoAnswer: it could not be done, or it could not be found out what arrived.
    """
    for batch in split(metrics=metrics, params=params, tags=tags, limits=store.limits()):
        _deliver_batch(store, run_id, batch)


def _deliver_batch(store: BatchStore, run_id: str, batch: Batch) -> None:
    for number in range(ROUNDS):
        try:
            store.log_batch(run_id, batch.body(run_id))
        except (ApiError, NoAnswer) as error:
            if not _leaves_doubt(error):
                raise
            run = store.get_run(run_id)
            _check_params(batch, run, error)
            if _is_plain_refusal(error):
                raise
            batch = missing(batch, run, store)
            if batch.entries and number + 1 == ROUNDS:
                raise
            if batch.entries and error.may_have_arrived:
                store.pause(error, number)
        else:
            return
        if not batch.entries:
            return


def _leaves_doubt(error: ApiError | NoAnswer) -> bool:
    """Say whether something may have been stored, or was stored before.

    400 is in doubt, too: it is the answer to a conflicting param and to points that were stored before
    (BAD_REQUEST "UNIQUE constraint failed"), and the texts differ by version.
    """
    return error.may_have_arrived or (isinstance(error, ApiError) and error.status == 400)


def _is_plain_refusal(error: ApiError | NoAnswer) -> bool:
    return isinstance(error, ApiError) and error.status == 400 and error.code != "BAD_REQUEST"


def _check_params(batch: Batch, run: StoredRun, error: ApiError | NoAnswer) -> None:
    """Make sure that what stands in the way is not a param that somebody else has set.

    Raises:
        ParamConflict: it is; nothing that has not arrived yet may be sent any more.
    """
    for key, value in batch.params.items():
        if run.params.get(key, value) != value:
            raise ParamConflict(
                f"run {run.run_id} already has the param {key} with another value",
                status=400,
                code="INVALID_PARAMETER_VALUE",
                reason=str(error),
            ) from None


def missing(batch: Batch, run: StoredRun, store: BatchStore) -> Batch:
    """Give what of ``batch`` is not in ``run``, which has just been read."""
    rest = Batch(
        params={key: value for key, value in batch.params.items() if key not in run.params},
        tags={key: value for key, value in batch.tags.items() if run.tags.get(key) != value},
    )
    by_key = sorted(range(len(batch.metrics)), key=lambda index: batch.metrics[index].key)
    for key, indices in groupby(by_key, key=lambda index: batch.metrics[index].key):
        points = [batch.metrics[index] for index in indices]
        latest = run.metrics.get(key)
        if latest is None:
            rest.metrics += points
        elif len(points) > 1 or not same_point(points[0], latest):
            rest.metrics += without(points, store.metric_history(run.run_id, key))
    return rest
