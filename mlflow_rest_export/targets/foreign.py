"""Addresses that came with results, which may come from anybody: no credentials of the user go there."""

from __future__ import annotations

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.failures import host_of
from mlflow_rest_export.redaction import without_secrets


def refuse_credentials(uri: str, connection: Connection) -> None:
    """Refuse to send the user's credentials to an address that only the results name.

    ``databricks`` and ARNs name no address: they lead where the user's own login leads.

    Raises:
        SettingsError: there are credentials that the server would get.
    """
    lower = uri.lower()
    if lower.startswith("azureml:"):
        lost = "your Azure login"
    elif lower.startswith(("http://", "https://")):
        lost = _credentials(connection)
    else:
        return
    if lost:
        raise SettingsError(
            f"{host_of(uri)} would get {lost}, but only the results name that server, and a results folder "
            f"may come from anybody; if you mean it: --tracking-uri {without_secrets(uri)}"
        )


def _credentials(connection: Connection) -> str:
    """Name what a server would get to know of the user; "" when it is nothing."""
    found = {
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD": connection.username and connection.password,
        "MLFLOW_TRACKING_TOKEN": connection.token,
        "the token of token_file": connection.token_file,
        "the token of token_command": connection.token_command,
        f"the login of MLFLOW_TRACKING_AUTH={connection.auth}": connection.auth,
        "a signature with your AWS keys": connection.aws_sigv4,
        "the headers of the settings": connection.headers,
    }
    return next((name for name, given in found.items() if given), "")
