"""The token that a user's own settings give, which every kind of host takes."""

from __future__ import annotations

import time
from pathlib import Path

from requests.auth import AuthBase

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.network.auth import BearerAuth
from mlflow_rest_export.network.command_auth import CommandAuth
from mlflow_rest_export.network.token_sources import CommandToken, FileToken


def auth_given(connection: Connection, *, token: str = "") -> AuthBase | None:
    """Give the authentication with the user's own token, None when there is none.

    Args:
        connection: its command wins over its file.
        token: one that stays as it is and counts least, "" for none.
    """
    if connection.token_command:
        return CommandAuth(CommandToken(connection.token_command, clock=time.monotonic))
    if connection.token_file:
        return BearerAuth(FileToken(Path(connection.token_file)))
    return BearerAuth(lambda: token) if token else None
