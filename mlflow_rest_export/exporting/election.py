"""One run for one key, however many exporters create one at the same time.

Searches have no order of creation to elect by, but params are write-once: who gets the claim param of a run
decides over it (see ``claims``). Electing by the smallest run id alone was wrong in a quarter of the rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlflow_rest_export import marks
from mlflow_rest_export.errors import ApiError, ParamConflict, StoreError
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun, Tracking


class RunsByIdentity:
    """What a search found, ready to be asked for the runs of one plan."""

    def __init__(self, runs: Iterable[StoredRun]) -> None:
        self._by_key: dict[str, dict[str, StoredRun]] = {}
        self._foreign: dict[str, StoredRun] = {}
        for run in runs:
            self.add(run)

    def add(self, run: StoredRun) -> None:
        """Note a run, unless it is known already: what a search found is newer than what we know."""
        key = run.tags.get(marks.KEY)
        among = self._foreign if key is None else self._by_key.setdefault(key, {})
        among.setdefault(run.run_id, run)

    def of(self, plan: ExportPlan) -> list[StoredRun]:
        """Give the runs of the plan's key, or else the one that another tool exported for the same result."""
        own = self._by_key.get(plan.key)
        if own:
            return list(own.values())
        twins = [run for run in self._foreign.values() if _is_twin(plan.twin, run.tags)]
        return sorted(twins, key=_rank)[:1]


def only_one(tracking: Tracking, runs: Sequence[StoredRun]) -> StoredRun | None:
    """Leave one run of those with the same key, and give it; None when there is none left in the race.

    Every run but the candidate is marked ``superseded`` before it is deleted. A mark that is refused means
    that this run has been claimed meanwhile: then everything is read again.

    Args:
        tracking: the store.
        runs: all runs with one key, read after this process created its own, if it did.
    """
    runs = [run for run in runs if not run.deleted]
    claimed = [run for run in runs if claims.is_claimed(run)]
    unclaimed = [run for run in runs if marks.CLAIM not in run.params]
    winner = min(claimed or unclaimed, key=_rank, default=None)
    rivals = [run for run in unclaimed if run is not winner]
    if not all(_supersede(tracking, run) for run in rivals):
        return only_one(tracking, [tracking.get_run(run.run_id) for run in runs])
    for run in [*rivals, *filter(claims.is_superseded, runs)]:
        remove(tracking, run)
    return winner


def remove(tracking: Tracking, run: StoredRun) -> None:
    """Delete a superseded run, or mark it as killed where deleting is refused."""
    try:
        tracking.delete_run(run.run_id)
    except ApiError as error:
        if not error.refused:
            raise
        tracking.update_run(
            run.run_id, status=RunStatus.KILLED, end_time=run.start_time, run_name=run.run_name
        )


def _supersede(tracking: Tracking, run: StoredRun) -> bool:
    """Take a run out of the race; False when it has been claimed or deleted meanwhile."""
    try:
        tracking.log_values(run.run_id, params=claims.superseded())
    except ParamConflict:
        return False
    except (ApiError, StoreError):
        if not tracking.get_run(run.run_id).deleted:
            raise
        return False
    return True


def _rank(run: StoredRun) -> tuple[bool, str]:
    return run.status is not RunStatus.FINISHED, run.run_id


def _is_twin(twin: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    return bool(twin) and all(tags.get(key) == value for key, value in twin.items())
