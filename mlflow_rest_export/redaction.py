"""Keeps secrets out of what is told: errors, whatever is printed, and urllib3's log of whole addresses."""

from __future__ import annotations

import logging
import re

_QUERY_SECRET = re.compile(
    r"([?&;](?:sig|signature|x-amz-[a-z-]+|x-goog-[a-z-]+|token|access_token|password|se|sp|sv)=)[^&\s\"'<>]+",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s\"'?#<>]+@", re.IGNORECASE)
"""To the last ``@`` before the path: a password may hold one, and urlsplit takes it so."""
_CREDENTIAL = re.compile(r"\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_FIELD = re.compile(
    r"([\"'](?:\w*token|\w*secret|password|assertion|signed_uri)[\"']\s*:\s*[\"'])[^\"']+", re.IGNORECASE
)
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w.-]+|\b(?:dapi|dose|dkea)[0-9a-f]{16,}(?:-\d+)?")
"""JSON web tokens, and what Databricks calls its tokens and secrets."""


def without_secrets(text: str) -> str:
    """Take user names, passwords, signatures and tokens out of a text that quotes URLs or headers."""
    text = _USERINFO.sub(r"\1", text)
    text = _QUERY_SECRET.sub(r"\1***", text)
    text = _FIELD.sub(r"\1***", text)
    text = _TOKEN.sub("***", text)
    return _CREDENTIAL.sub(r"\1 ***", text)


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
