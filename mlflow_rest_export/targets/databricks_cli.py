"""Tokens of the Databricks command line: it knows logins that need a browser."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.answers import without_secrets
from mlflow_rest_export.network.oauth import Token
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
            done = subprocess.run(
                self.command, capture_output=True, text=True, timeout=CLI_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise SettingsError(f"{said} took over {CLI_PATIENCE:g} s") from None
        except OSError as error:
            raise SettingsError(f"{said} cannot be run: {error.strerror}") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise SettingsError(
                f"{said} failed: {without_secrets(last)[:200]}; run databricks auth login for this workspace"
            )
        try:
            answer = json.loads(done.stdout)
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
