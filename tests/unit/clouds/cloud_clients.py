"""A typed client for the documented exchanges of clouds, in a hurry."""

from __future__ import annotations

import time
from pathlib import Path

from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.pace import Pace
from mlflow_rest_export.network.retry import Backoff, Patience
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

FIXTURES = Path(__file__).parents[3] / "fixtures"
RUN_ID = "0123456789abcdef0123456789abcdef"


def run(artifact_uri: str) -> StoredRun:
    """Give a run whose artifacts are kept there."""
    return StoredRun(run_id=RUN_ID, experiment_id="7", status=RunStatus.RUNNING, artifact_uri=artifact_uri)


def hurried(seconds: float = 20.0) -> Conduct:
    """Give a conduct that waits for nothing long."""
    return Conduct(
        patience=Patience(clock=time.monotonic, first_contact=seconds, stall=seconds),
        pace=Pace(8, clock=time.monotonic),
        backoff=Backoff(first=0.001, longest=0.002, longest_asked=0.01),
    )


def client(uri: str, connection: Connection | None = None, *, seconds: float = 20.0) -> RestTracking:
    """Give the typed client of a tracking URI."""
    target = choose(uri, connection or Connection())
    return RestTracking(target, target.transport(hurried(seconds)))


def artifacts(uri: str, connection: Connection | None = None, *, seconds: float = 20.0) -> ChosenRoutes:
    """Give the artifact store of a tracking URI."""
    return artifacts_of(client(uri, connection, seconds=seconds))
