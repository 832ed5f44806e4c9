"""Taking over a run that exists already, or waiting for the one who is at work on it.

Nobody writes to a run that somebody else may be writing to: file stores keep every copy of a point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlflow_rest_export import marks
from mlflow_rest_export.conduct import Stop
from mlflow_rest_export.errors import ApiError, ParamConflict
from mlflow_rest_export.exporting.completion import is_complete
from mlflow_rest_export.exporting.owner import Life, Owner, claim_of
from mlflow_rest_export.plan import ExportPlan
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun, Tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class Joiner:
    """Joins existing runs for one exporting process.

    Args:
        tracking: the store.
        owner: this process.
        stop: the wish to stop, which also does the waiting.
        clock: monotonic seconds.
        patience: seconds without a visible change after which an owner on another machine counts as gone.
        poll: seconds between two looks.
    """

    tracking: Tracking
    owner: Owner
    stop: Stop
    clock: Callable[[], float]
    patience: float = 60.0
    poll: float = 0.5

    def join(self, plan: ExportPlan, run: StoredRun) -> tuple[StoredRun, str]:
        """Give the run once it is complete or ours.

        Returns:
            The run as it is now, and our mark on it; "" for the mark when somebody else completed it. A run
            that was deleted meanwhile comes back as such, without a mark.
        """
        while True:
            run = self._wait_for_owner(plan, run)
            if run.deleted or is_complete(plan, run):
                return run, ""
            mark = self.owner.mark()
            taken = self._take(run, mark)
            if taken is not None:
                return taken, mark
            run = self.tracking.get_run(run.run_id)

    def _wait_for_owner(self, plan: ExportPlan, run: StoredRun) -> StoredRun:
        since = self.clock()
        while not run.deleted and not is_complete(plan, run):
            life = self.owner.life_of(run.tags.get(marks.OWNER, ""))
            if run.status is not RunStatus.RUNNING or life is Life.GONE:
                return run
            if self.clock() - since > self.patience:
                return run
            self.stop.wait(self.poll)
            now = self.tracking.get_run(run.run_id)
            if _looks(now) != _looks(run):
                since = self.clock()
            run = now
        return run

    def _take(self, run: StoredRun, mark: str) -> StoredRun | None:
        """Write our claim where only one can; None when somebody else was first or the run is gone."""
        number = sum(1 for key in run.params if key.startswith(marks.TAKEOVER))
        claim = {marks.CLAIM: claim_of(mark)}
        if marks.CLAIM in run.params:
            claim = {f"{marks.TAKEOVER}{number + 1}": mark}
        try:
            self.tracking.log_values(run.run_id, params=claim)
        except ParamConflict:
            return None
        except ApiError:
            if self.tracking.get_run(run.run_id).deleted:
                return None
            raise
        return self.tracking.get_run(run.run_id)


def _looks(run: StoredRun) -> tuple[object, ...]:
    """Give what changes while somebody writes to a run."""
    return run.status, run.end_time, len(run.metrics), len(run.params), dict(run.tags)
