"""Keeps signatures out of the debug log of urllib3, which writes whole addresses."""

from __future__ import annotations

import logging

from mlflow_rest_export.network.answers import without_secrets


class _WithoutSecrets(logging.Filter):
    """Takes secrets out of each record and lets it pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Write the message out, without its secrets."""
        record.msg, record.args = without_secrets(record.getMessage()), None
        return True


_FILTER = _WithoutSecrets()


def protect_logs() -> None:
    """Filter what is logged about requests from now on; doing it again changes nothing."""
    logging.getLogger("urllib3.connectionpool").addFilter(_FILTER)
