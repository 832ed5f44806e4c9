"""Credentials printed by a command: one token, or the headers that a gateway wants."""

from __future__ import annotations

import re
import threading

from requests import PreparedRequest

from mlflow_rest_export.network.auth import BearerAuth, RenewableAuth
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.header_values import fit_for_header
from mlflow_rest_export.network.token_sources import CommandToken

_HEADER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*):[ \t]+(\S.*)")


class CommandAuth(RenewableAuth):
    """Sends what a command prints, and asks it again when that is refused: it may have kept an old token.

    Args:
        printed: the output; lines such as ``X-Gateway-Key: abc`` are headers, anything else is a token.
    """

    def __init__(self, printed: CommandToken) -> None:
        self._printed = printed
        self._of_thread = threading.local()

    def prepare(self, conduct: Conduct) -> None:
        """Ask the command where its last answer is old; raises ``SettingsError`` when it has none."""
        del conduct  # a program of this machine, whose time is bounded
        self._printed()

    def renew(self, conduct: Conduct) -> bool:
        """Ask for another answer in the place of the one that this thread sent last."""
        del conduct
        return self._printed.replace(getattr(self._of_thread, "sent", ""))

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the headers, or the token as a bearer."""
        text = self._of_thread.sent = self._printed()
        headers = headers_in(text)
        if not headers:
            return BearerAuth(lambda: text)(request)
        request.headers.update(headers)
        return request


def headers_in(text: str) -> dict[str, str]:
    """Read a text whose every line is a header; anything else gives none.

    Raises:
        SettingsError: a header holds characters that none may carry.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [_HEADER.fullmatch(line) for line in lines]
    if not all(found):
        return {}
    headers = {match.group(1): match.group(2) for match in found if match is not None}
    for name, value in headers.items():
        fit_for_header(value, what=f"the header {name} that the token command printed")
    return headers
