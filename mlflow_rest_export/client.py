"""What ``connect`` gives: one MLflow, open for use."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.config.environment import Environment
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.exporting.experiments import Experiments
from mlflow_rest_export.exporting.stores import Store
from mlflow_rest_export.live_run import LiveRun
from mlflow_rest_export.planning.fitting import Fitting
from mlflow_rest_export.tracking.protocol import Artifacts, NewRun, Tracking
from mlflow_rest_export.tracking.rest import RestTracking

_log = logging.getLogger("mlflow_rest_export")


@dataclass(frozen=True, slots=True)
class Client:
    """One MLflow: a server or a folder.

    Args:
        store: the open store.
        environment: says who works here.
        default_experiment: the experiment of runs for which none is named.
    """

    store: Store
    environment: Environment
    default_experiment: str

    @property
    def tracking(self) -> Tracking:
        """Experiments and runs, as every store has them."""
        return self.store.tracking

    @property
    def artifacts(self) -> Artifacts:
        """The files of runs."""
        return self.store.artifacts

    @property
    def rest(self) -> RestTracking:
        """The typed client of MLflow's REST API.

        Raises:
            SettingsError: this is a folder, which has no such API.
        """
        if not isinstance(self.store.tracking, RestTracking):
            raise SettingsError("a folder of runs has no REST API: use tracking, which every store has")
        return self.store.tracking

    def run(
        self,
        *,
        experiment: str | None = None,
        name: str | None = None,
        tags: Mapping[str, object] | None = None,
        description: str = "",
    ) -> LiveRun:
        """Create a run, to be used as a context manager.

        Args:
            experiment: made when it is not there; None: ``MLFLOW_EXPERIMENT_NAME`` or the default.
            name: None: the time of day.
            tags: for the run.
            description: Markdown, shown by MLflow.

        Raises:
            Conflict: the experiment is deleted.
            ExportError: the store could not be asked, or refused.
        """
        tracking = self.store.tracking
        found = Experiments(tracking, restore=False).open(experiment or self.default_experiment)
        now = time.time()
        limits = tracking.limits()
        fitting = Fitting(limits, verbatim=True, keeps_whole=False, changes=[])
        unnamed = time.strftime("run %Y-%m-%d %H:%M:%S", time.gmtime(now))
        new = NewRun(
            experiment_id=found.experiment_id,
            run_name=fitting.run_name(name or unnamed, otherwise=unnamed),
            start_time=int(now * 1000),
            tags=self._tags()
            | fitting.values({mlflow_tags.NOTE: description} if description else {}, what="tag"),
        )
        for change in fitting.changes:
            _log.warning("%s: %s (%s)", change.field, change.after, change.reason)
        return LiveRun(self.store, tracking.create_run(new), limits=limits, tags=tags)

    def _tags(self) -> dict[str, str]:
        user = self.environment.get("LOGNAME") or self.environment.get("USER")
        tags = {marks.OWNER: f"live-{secrets.token_hex(16)}", mlflow_tags.SOURCE_TYPE: "LOCAL"}
        return tags | ({mlflow_tags.USER: user} if user else {})
