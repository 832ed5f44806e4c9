"""An Azure Machine Learning workspace: its own MLflow API, reached by ``azureml://...``.

Facts: azureml-mlflow 1.62 for addresses;
https://learn.microsoft.com/azure/machine-learning/resource-limits-capacity for limits.
"""

from __future__ import annotations

import re

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.routes import Route
from mlflow_rest_export.targets import http
from mlflow_rest_export.targets.azureml_auth import CLOUDS, Cloud, auth_of
from mlflow_rest_export.targets.target import Target

ROUTES = (Route.AZUREML, Route.OBJECT_STORE)
LIMITS = Limits(
    param_value=500,
    tag_value=1000,
    hash_in_paths=False,
    batch_metrics=100,
    batch_params=100,
    batch_tags=50,
    batch_entries=200,
)
"""250 points a batch and 200 params a run are documented or seen in refusals; 100 were seen, too."""

_URI = re.compile(
    r"azureml://(?P<host>[^/?#]+)/mlflow/v[\d.]+(?P<workspace>/subscriptions/[^/?#]+/resourceGroups/[^/?#]+"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/[^/?#]+)/?(?:[?#].*)?",
    re.IGNORECASE,
)


def recognises(uri: str) -> bool:
    """Say whether the tracking URI names a workspace of Azure ML."""
    return uri.lower().startswith("azureml:")


def target(uri: str, connection: Connection) -> Target:
    """Make the target of a workspace. The version in the URI is ignored, as the official plugin does.

    Raises:
        SettingsError: the URI is not what the portal shows.
    """
    found = _URI.fullmatch(uri.strip())
    if found is None:
        raise SettingsError(
            "the tracking URI of an Azure ML workspace looks like azureml://REGION.api.azureml.ms/mlflow/v1.0"
            "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.MachineLearningServices/workspaces/"
            "NAME; `az ml workspace show --query mlflow_tracking_uri` prints it"
        )
    certificates = http.tls(connection)
    cloud = cloud_of(found["host"], connection.environment.get("AZUREML_CURRENT_CLOUD", ""))
    return Target(
        kind="Azure ML",
        base_url=f"https://{found['host']}/mlflow/v2.0{found['workspace']}",
        page="https://ml.azure.com",
        page_of_experiments="experiments/id",
        page_query=f"?wsid={found['workspace']}",
        auth=auth_of(connection, cloud, tls=certificates),
        tls=certificates,
        headers=http.headers(connection),
        routes=ROUTES,
        limits=LIMITS,
        variables=connection.environment,
    )


def cloud_of(host: str, named: str) -> Cloud:
    """Find out which of Azure's clouds a workspace is in.

    Args:
        host: of the workspace.
        named: ``AZUREML_CURRENT_CLOUD``, which wins.

    Raises:
        SettingsError: there is no cloud of that name.
    """
    if named and named not in CLOUDS:
        raise SettingsError(f"AZUREML_CURRENT_CLOUD={named} must be one of {', '.join(CLOUDS)}")
    if not named:
        name = host.partition(":")[0]
        named = "AzureChinaCloud" if name.endswith(".cn") else "AzureCloud"
        named = "AzureUSGovernment" if name.endswith(".us") else named
    return CLOUDS[named]
