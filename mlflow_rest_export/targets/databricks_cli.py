"""Tokens of the Databricks command line: it knows logins that need a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.oauth import Token
from mlflow_rest_export.network.token_sources import printed_by
from mlflow_rest_export.network.transport import Transport

CLI_PATIENCE = 60.0
"""Seconds that ``databricks auth token`` may take."""


@dataclass(frozen=True, slots=True)
class CliToken:
    """Whatever ``databricks auth login`` arranged: the program renews its tokens by itself."""

    command: tuple[str, ...]
    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)

    def __call__(self, transport: Transport) -> Token:
        """Run ``databricks auth token``.

        Raises:
            SettingsError: it is not there, fails, or answers something else.
        """
        del transport
        said = "databricks auth token"
        try:
            printed = printed_by(self.command, called=said, patience=CLI_PATIENCE)
        except SettingsError as error:
            raise SettingsError(f"{error}; run databricks auth login for this workspace") from None
        try:
            answer = json.loads(printed)
            return Token(str(answer["access_token"]), _seconds_until(answer.get("expiry"), self.clock()))
        except (ValueError, KeyError, TypeError):
            raise SettingsError(f"{said} printed no token; is it the Databricks CLI 0.2xx?") from None


def _seconds_until(expiry: object, now: datetime) -> float:
    """Read the CLI's ``2026-03-14T16:09:26.123456789Z`` or ``...+01:00``; five minutes when it tells none."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?", str(expiry))
    if not found:
        return 300.0
    zone = found.group(2) or "Z"
    moment = datetime.fromisoformat(found.group(1) + ("+00:00" if zone == "Z" else zone))
    return (moment - now).total_seconds()
