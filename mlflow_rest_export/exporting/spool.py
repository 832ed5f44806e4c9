"""A folder for runs that could not be sent: in ``mlruns`` form, to be exported from there later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow_rest_export.errors import ExportError, StoreError
from mlflow_rest_export.exporting.exporter import Exporter
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.stores import Store
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.passing_faults import is_outage
from mlflow_rest_export.planning.export_plan import Wishes
from mlflow_rest_export.records import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """Catches the runs that an outage would cost.

    Args:
        root: the folder.
        open_folder: opens the folder when the first run is caught.
        conduct: the wish to stop.
        wishes: the settings that shape runs, the same as for the server.
    """

    root: Path
    open_folder: Callable[[], Store]
    conduct: Conduct
    wishes: Callable[[RunRecord], Wishes]

    def catch(self, record: RunRecord, result: RunResult) -> RunResult:
        """Write a run to the folder if it failed for want of a server; any other result stays as it is."""
        if result.outcome is not Outcome.FAILED or result.error is None or not is_outage(result.error):
            return result
        if record.folder is not None and self.root.resolve() in record.folder.resolve().parents:
            return _kept_there(record.folder, result)
        try:
            store = self.open_folder()
        except ExportError as error:
            return result.failed(_both(error, result.error))
        exporter = Exporter(
            tracking=store.tracking, artifacts=store.artifacts, conduct=self.conduct, wishes=self.wishes
        )
        (kept,) = exporter.export([record])
        if kept.error is not None:
            return result.failed(_both(kept.error, result.error))
        return replace(kept, outcome=Outcome.SPOOLED, error=result.error)


def _kept_there(run: Path, result: RunResult) -> RunResult:
    """Give the result of a run that came out of the folder: there it stays, for the next time."""
    return replace(
        result,
        outcome=Outcome.SPOOLED,
        run_id=run.name,
        run_url=run.as_uri(),
        experiment_id=run.parent.name,
        experiment_url=run.parent.as_uri(),
    )


def _both(spooling: Exception, sending: Exception) -> StoreError:
    """Give the error of a run that reached neither the server nor the folder."""
    return StoreError(f"{spooling}; the run was to be spooled, since it could not be sent: {sending}")
