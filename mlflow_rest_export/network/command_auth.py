"""Credentials printed by a command: one token, or the headers that a gateway wants."""

from __future__ import annotations

import re
from collections.abc import Callable

from requests import PreparedRequest
from requests.auth import AuthBase

from mlflow_rest_export.network.auth import BearerAuth
from mlflow_rest_export.network.header_values import fit_for_header

_HEADER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*):[ \t]+(\S.*)")


class CommandAuth(AuthBase):
    """Sends what a command prints.

    Args:
        printed: gives the output; lines such as ``X-Gateway-Key: abc`` are headers, anything else is a token.
    """

    def __init__(self, printed: Callable[[], str]) -> None:
        self._printed = printed

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the headers, or the token as a bearer."""
        text = self._printed()
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
