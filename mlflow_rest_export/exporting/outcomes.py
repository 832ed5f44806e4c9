"""What became of each run, for people, for ``--json`` and for the Python API."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, replace

from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.records import Adjustment


class Outcome(enum.Enum):
    """What became of a run."""

    EXPORTED = "exported"
    SKIPPED = "skipped"
    UNCHANGED = "unchanged"
    SPOOLED = "spooled"
    FAILED = "failed"
    PLANNED = "planned"
    """Only shown (``--dry-run``)."""
    REPEATED = "repeated"
    """The same as another result of the call, which tells for both; never shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What became of one run; ``bytes`` and counts tell what the run holds, not what had to be sent."""

    label: str
    outcome: Outcome
    key: str = ""
    run_id: str = ""
    run_url: str = ""
    experiment_id: str = ""
    experiment_url: str = ""
    metrics: int = 0
    params: int = 0
    artifacts: int = 0
    bytes: int = 0
    adjustments: tuple[Adjustment, ...] = ()
    error: Exception | None = None

    def as_json(self) -> dict[str, object]:
        """Give the form of ``--json``, schema 1."""
        return {
            "job_id": self.label,
            "key": self.key,
            "outcome": self.outcome.value,
            "run_id": self.run_id,
            "run_url": self.run_url,
            "experiment_id": self.experiment_id,
            "metrics": self.metrics,
            "params": self.params,
            "artifacts": self.artifacts,
            "bytes": self.bytes,
            "adjustments": [asdict(change) for change in self.adjustments],
            "error": error_json(self.error),
        }

    def failed(self, error: Exception) -> RunResult:
        """Give the same result as a failure."""
        return replace(self, outcome=Outcome.FAILED, error=error)


def error_json(error: Exception | None) -> dict[str, object] | None:
    """Give the JSON form of an error; None for none."""
    if error is None:
        return None
    told: dict[str, object] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, ApiError):
        told |= {"status": error.status, "error_code": error.code, "request_id": error.request_id}
    return told
