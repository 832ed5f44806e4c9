"""Taking over a run that exists already, or waiting for the one who is at work on it.

Nobody writes to a run that somebody else may be writing to: file stores keep every copy of a point.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from mlflow_rest_export.errors import ApiError, ParamConflict, StoreError
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.exporting.completion import is_at_rest, is_complete
from mlflow_rest_export.exporting.owner import Life, Owner
from mlflow_rest_export.network.conduct import Stop
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun, Tracking


class Fate(enum.Enum):
    """What is to be done about a run that exists already."""

    OURS = enum.auto()
    """It lacks something, and we are the ones to complete it."""
    COMPLETE = enum.auto()
    BUSY = enum.auto()
    """Somebody else may be at work on it."""
    GONE = enum.auto()
    """It was deleted or lost an election: its key needs another run."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A run as it is now; ``mark`` is ours when the run is."""

    fate: Fate
    run: StoredRun
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joiner:
    """Joins existing runs for one export.

    Args:
        tracking: the store.
        owner: this export.
        stop: the wish to stop, which also does the waiting.
        clock: monotonic seconds.
        patience: seconds without a visible change after which an owner on another machine counts as gone.
        patience_with_the_living: the same for a process of this machine that is there.
        poll: seconds between two looks.
    """

    tracking: Tracking
    owner: Owner
    stop: Stop
    clock: Callable[[], float]
    patience: float = 60.0
    patience_with_the_living: float = 600.0
    poll: float = 0.5

    def join(self, plan: ExportPlan, run: StoredRun) -> Joined:
        """Take the run over if it lacks something and nobody is at work on it; never waits."""
        while True:
            fate = self._fate(plan, run)
            if fate is not Fate.OURS:
                return Joined(fate, run)
            taken = self._take(plan, run)
            if taken is not None:
                return taken
            run = self.tracking.get_run(run.run_id)

    def wait(self, plan: ExportPlan, seen: StoredRun, *, since: float) -> Joined:
        """Wait for whoever is at work on the run, and take it over when they show no sign of life.

        Args:
            plan: the run as it shall be.
            seen: the run as it was at ``since``, by our clock.
            since: when somebody was first found to be at work on it.
        """
        while True:
            run = self.tracking.get_run(seen.run_id)
            joined = self.join(plan, run)
            if joined.fate is not Fate.BUSY:
                return joined
            if _looks(run) != _looks(seen):
                seen, since = run, self.clock()
            elif self.clock() - since > self._patience_with(run):
                taken = self._take(plan, run)
                if taken is not None:
                    return taken
            self.stop.wait(self.poll)

    def _fate(self, plan: ExportPlan, run: StoredRun) -> Fate:
        if run.deleted or claims.is_superseded(run):
            return Fate.GONE
        if is_complete(plan, run):
            return Fate.COMPLETE
        if run.status is not RunStatus.RUNNING or is_at_rest(run) or self._life(run) is Life.GONE:
            return Fate.OURS
        return Fate.BUSY

    def _life(self, run: StoredRun) -> Life:
        return self.owner.life_of(claims.owner_of(run))

    def _patience_with(self, run: StoredRun) -> float:
        return self.patience_with_the_living if self._life(run) is Life.AT_WORK else self.patience

    def _take(self, plan: ExportPlan, run: StoredRun) -> Joined | None:
        """Write our claim where only one can; None when somebody else was first or the run is gone."""
        now = self.claim(plan, run)
        if now is None:
            return None
        mark = claims.owner_of(now)
        return Joined(Fate.COMPLETE, now) if is_complete(plan, now) else Joined(Fate.OURS, now, mark)

    def claim(self, plan: ExportPlan, run: StoredRun) -> StoredRun | None:
        """Make the run ours, whatever it lacks, and give it as it is then; None as for ``_take``."""
        mark = self.owner.mark()
        claim = claims.takeover(run, plan.digest, mark)
        try:
            self.tracking.log_values(run.run_id, params=claim)
        except ParamConflict:
            return None
        except (ApiError, StoreError):
            if self.tracking.get_run(run.run_id).deleted:
                return None
            raise
        now = self.tracking.get_run(run.run_id)
        # A store that lets two write a param at once may have kept the other's.
        return now if claims.owner_of(now) == mark else None


def _looks(run: StoredRun) -> tuple[object, ...]:
    """Give what changes while somebody writes to a run."""
    newest = {key: (point.timestamp, point.step) for key, point in run.metrics.items()}
    return run.status, run.end_time, newest, len(run.params), dict(run.tags)
