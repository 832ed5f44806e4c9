"""The experiments of one export, each found or created once; called from one thread while any is unknown."""

from __future__ import annotations

from concurrent.futures import Executor, Future

from mlflow_rest_export.errors import ApiError, Conflict, ExportError, NoAnswer
from mlflow_rest_export.exporting.crew import result_of
from mlflow_rest_export.network.passing_faults import is_clear
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.tracking.protocol import Experiment, Tracking


class Experiments:
    """Opens experiments by name; what was refused once is not asked for again.

    Args:
        tracking: the store.
        restore: bring a deleted experiment back rather than refuse it.
    """

    def __init__(self, tracking: Tracking, *, restore: bool) -> None:
        self._tracking = tracking
        self._restore = restore
        self._known: dict[str, Experiment | ExportError] = {}
        self._expected: dict[str, Future[Experiment | None]] = {}

    def expect(self, name: str, pool: Executor) -> None:
        """Begin to look for an experiment that will probably be opened; a failure is told only then."""
        self._expected[name] = pool.submit(self._tracking.find_experiment, name)

    def open(self, name: str) -> Experiment:
        """Find or create the experiment; called from one thread.

        Raises:
            Conflict: it is deleted and is not to be restored.
            ExportError: the store could not be asked, or refused.
        """
        if name not in self._known:
            try:
                self._known[name] = self._find_or_create(name)
            except (ApiError, NoAnswer) as error:
                if not is_clear(error):
                    raise
                self._known[name] = error
            except ExportError as error:
                self._known[name] = error
        found = self._known[name]
        if isinstance(found, ExportError):
            raise found
        return found

    def changes(self, name: str) -> tuple[Adjustment, ...]:
        """Give what the store made of a name that was opened."""
        known = self._known.get(name)
        return known.adjustments if isinstance(known, Experiment) else ()

    def _find_or_create(self, name: str) -> Experiment:
        asked = self._expected.pop(name, None)
        found = self._tracking.find_experiment(name) if asked is None else result_of(asked)
        if found is None:
            return self._tracking.create_experiment(name)
        if found.deleted:
            if not self._restore:
                raise Conflict(
                    f"the experiment {name!r} is deleted, and MLflow keeps its name: export with "
                    "--restore-experiment, or choose another --experiment-name"
                )
            self._tracking.restore_experiment(found.experiment_id)
        return found
