"""One run on its way: the plan, what the store has of it, and what became of it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.receipt import NOTHING, Delivered, Receipt
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import Adjustment, RunRecord
from mlflow_rest_export.tracking.protocol import StoredRun


@dataclass(slots=True, eq=False)
class Job:
    """The state of one run between the steps of the exporter; each step handles the jobs that are open."""

    record: RunRecord
    plan: ExportPlan | None = None
    run: StoredRun | None = None
    owner: str = ""
    """Our mark on the run; "" while it is not ours to write to."""
    is_new: bool = False
    """Whether this export created the run, so that nothing can be in it yet."""
    since: float = 0.0
    """When the run was last seen to be ours, or first to be somebody else's, by the monotonic clock."""
    listing: Mapping[str, int | None] = field(default_factory=dict)
    """The files of a run that existed already, and their sizes."""
    receipt: Receipt | None = None
    """The receipt of a run that existed already, as it was found."""
    hashes: dict[str, str] = field(default_factory=dict)
    """Path -> sha256 of every file."""
    adjustments: list[Adjustment] = field(default_factory=list)
    """What came up while the run was written, beside those of the plan."""
    outcome: Outcome | None = None
    error: Exception | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.outcome is None

    @property
    def is_ours(self) -> bool:
        """Whether there is something left to do that is for us to do."""
        return self.is_open and bool(self.owner)

    def planned(self) -> ExportPlan:
        """Give the plan of a job that has one."""
        if self.plan is None:
            raise AssertionError(f"{self.record.label} has no plan yet")
        return self.plan

    def stored(self) -> StoredRun:
        """Give the run of a job that has one."""
        if self.run is None:
            raise AssertionError(f"{self.record.label} has no run yet")
        return self.run

    def delivered(self) -> Delivered:
        """Give what the receipt says earlier exports brought."""
        return self.receipt.delivered if self.receipt is not None else NOTHING

    def tell(self, changes: Iterable[Adjustment]) -> None:
        """Note what came up, once however often the job begins again."""
        self.adjustments += [change for change in changes if change not in self.adjustments]

    def give_way(self, winner: StoredRun | None) -> None:
        """Leave the run to somebody else; None when the key has no run at all."""
        self.run, self.owner, self.is_new = winner, "", False

    def fail(self, error: Exception) -> None:
        """End the job as failed."""
        self.outcome, self.error = Outcome.FAILED, error

    def result(self, *, run_url: str = "", experiment_url: str = "") -> RunResult:
        """Sum the job up."""
        plan, run = self.plan, self.run
        return RunResult(
            label=self.record.label,
            key=self.record.key,
            outcome=self.outcome or Outcome.FAILED,
            run_id=run.run_id if run else "",
            run_url=run_url,
            experiment_id=run.experiment_id if run else "",
            experiment_url=experiment_url,
            metrics=plan.metric_points if plan else 0,
            params=len(plan.params) if plan else 0,
            artifacts=len(plan.files) if plan else 0,
            bytes=plan.size if plan else 0,
            adjustments=(*(plan.adjustments if plan else self.record.adjustments), *self.adjustments),
            error=self.error,
        )
