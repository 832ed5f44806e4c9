"""One expiring token in one header, with or without other credentials beside it."""

from __future__ import annotations

import threading

from requests import PreparedRequest
from requests.auth import AuthBase

from mlflow_rest_export.network.auth import NoAuth, RenewableAuth
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.header_values import fit_for_header
from mlflow_rest_export.network.oauth import OAuthToken


class TokenAuth(RenewableAuth):
    """Sends a token as a bearer and has it renewed.

    Args:
        token: the token.
        header: where it goes; ``Proxy-Authorization`` where MLflow behind a gateway wants ``Authorization``.
        behind: the credentials for what is behind the gateway.
    """

    def __init__(
        self, token: OAuthToken, *, header: str = "Authorization", behind: AuthBase | None = None
    ) -> None:
        self._token = token
        self._header = header
        self._behind = behind or NoAuth()
        self._of_thread = threading.local()

    def prepare(self, conduct: Conduct) -> None:
        """Make sure that all tokens are good."""
        self._token.prepare(conduct)
        if isinstance(self._behind, RenewableAuth):
            self._behind.prepare(conduct)

    def renew(self, conduct: Conduct) -> bool:
        """Replace the token that this thread sent last."""
        sent: str = getattr(self._of_thread, "sent", "")
        self._token.replace(sent, conduct)
        other = isinstance(self._behind, RenewableAuth) and self._behind.renew(conduct)
        return self._token.value != sent or other

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the headers."""
        request = self._behind(request)
        self._of_thread.sent = self._token.value
        request.headers[self._header] = f"Bearer {fit_for_header(self._of_thread.sent, what='the token')}"
        return request
