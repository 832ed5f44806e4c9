"""Results of one call that go into the same run: the same data again is no news, other data an error."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlflow_rest_export.errors import PlanError
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.records import RunRecord


@dataclass(frozen=True, slots=True)
class Repeats:
    """What a call planned so far for one store; only a plan tells which experiment a result goes to."""

    _known: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Experiment and key -> digest, and where the result was read."""

    def take(self, job: Job) -> None:
        """Note a job that has a plan; end it when the call has its result already, whole or otherwise."""
        if job.plan is None or not job.is_open:
            return
        try:
            if self.has(job.plan, job.record):
                job.outcome = Outcome.REPEATED
        except PlanError as error:
            job.fail(error)

    def has(self, plan: ExportPlan, record: RunRecord) -> bool:
        """Note a result, and say whether the call has it already.

        Raises:
            PlanError: it has another version of it, and nobody knows which of the two is meant.
        """
        place = record.place or record.label
        digest, first = self._known.setdefault((plan.experiment, plan.key), (plan.digest, ""))
        if not first:
            self._known[plan.experiment, plan.key] = (digest, place)
        elif digest != plan.digest:
            raise PlanError(
                f"{place}: it is the result that {first} holds, too, with other content; export one of them"
            )
        return bool(first)
