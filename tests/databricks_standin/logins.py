"""What users of each way to log in have, in their environment and in their home folder."""

from __future__ import annotations

import os
import stat
import uuid
from pathlib import Path

from databricks_standin.tokens import (
    AZURE_CLIENT,
    AZURE_RESOURCE,
    CLIENT,
    GITHUB_BEARER,
    JWT,
    PASSWORD,
    PAT,
)
from mlflow_rest_export.connection import Connection

LOGINS = (
    *("pat", "basic", "profile", "machine", "env-oidc", "file-oidc", "github-oidc", "databricks-cli"),
    "azure-client-secret",
)


def login(kind: str, url: str, folder: Path) -> Connection:
    """Everything that a user of this way to log in has; of a process of its own, so it shares no token."""
    environment = {"DATABRICKS_HOST": url, "DATABRICKS_ACCOUNT_ID": uuid.uuid4().hex}
    more: dict[str, dict[str, str]] = {
        "pat": {"DATABRICKS_TOKEN": PAT},
        "basic": {"DATABRICKS_USERNAME": PASSWORD[0], "DATABRICKS_PASSWORD": PASSWORD[1]},
        "machine": {"DATABRICKS_CLIENT_ID": CLIENT[0], "DATABRICKS_CLIENT_SECRET": CLIENT[1]},
        "env-oidc": {"DATABRICKS_OIDC_TOKEN": JWT},
        "file-oidc": {"DATABRICKS_OIDC_TOKEN_FILEPATH": str(folder / "oidc")},
        "github-oidc": {
            "DATABRICKS_CLIENT_ID": "sp",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/github/id-token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": GITHUB_BEARER,
        },
        "azure-client-secret": {
            "ARM_CLIENT_ID": AZURE_CLIENT[0],
            "ARM_CLIENT_SECRET": AZURE_CLIENT[1],
            "AZURE_AUTHORITY_HOST": url,
            "DATABRICKS_AZURE_RESOURCE_ID": AZURE_RESOURCE,
        },
        "databricks-cli": {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
    }
    if kind == "profile":
        (folder / ".databrickscfg").write_text(f"[DEFAULT]\nhost = {url}\ntoken = {PAT}\n")
        return Connection(home=str(folder))
    (folder / "oidc").write_text(JWT)
    program = folder / "databricks"
    program.write_text(f'#!/bin/sh\necho \'{{"access_token": "{PAT}"}}\'\n')
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return Connection(environment={**environment, **more[kind]})
