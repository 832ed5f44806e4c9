"""A client of a workspace with one run, for tests of what happens to its files."""

from __future__ import annotations

from databricks_standin.contents import files_of
from databricks_standin.tokens import PAT
from databricks_standin.workspace import Workspace
from mlflow_rest_export.artifacts import databricks as route
from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.leases import Lease, Place
from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.tracking.protocol import NewRun, StoredRun
from mlflow_rest_export.tracking.rest import RestTracking


class Bench:
    """The client, its run and what the store holds of it.

    Args:
        workspace: the workspace.
        url: of a proxy before it.
    """

    def __init__(self, workspace: Workspace, url: str = "") -> None:
        self.workspace = workspace
        environment = {"DATABRICKS_HOST": url or workspace.url, "DATABRICKS_TOKEN": PAT}
        target = choose("databricks", Connection(environment=environment))
        self.conduct = Conduct.ordinary(timeout=10)
        self.tracking = RestTracking(target, target.transport(self.conduct))
        self.artifacts: ChosenRoutes = artifacts_of(self.tracking)
        self.run = self.new_run()

    def new_run(self) -> StoredRun:
        made = self.tracking.find_experiment("/Shared/x") or self.tracking.create_experiment("/Shared/x")
        tags = {"mlflow_rest_export.owner": str(len(self.workspace.runs.runs))}
        return self.tracking.create_run(
            NewRun(experiment_id=made.experiment_id, run_name="r", start_time=1, tags=tags)
        )

    def stored(self, run: StoredRun | None = None) -> dict[str, bytes]:
        return files_of(self.workspace, self.workspace.runs.runs[(run or self.run).run_id])

    def lease(self, path: str) -> Lease:
        databricks = route.DatabricksRoute(self.tracking, Transport(conduct=self.conduct))
        place = databricks._ask("write", self.run, [path])[path]

        def renew() -> Place:
            return databricks._ask("write", self.run, [path])[path]

        return Lease(Transport(conduct=self.conduct), place, renew=renew, doing="uploading")
