"""Who we are, as ``requests`` authentication objects: applied anew at every attempt.

Even "nobody" is an object: without one ``requests`` would send the user and password of an address.
"""

from __future__ import annotations

from collections.abc import Callable

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.header_values import fit_for_header


class NoAuth(AuthBase):
    """Send no credentials."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Leave the request as it is."""
        return request


class RenewableAuth(AuthBase):
    """Credentials that are fetched over the network and expire.

    The transport prepares them before each attempt, outside of it: so a failure to get them is told as what
    it is, and nobody waits for them while holding a place among the requests under way.
    """

    def prepare(self, conduct: Conduct) -> None:
        """Make sure that there are credentials which will still be good when the server sees them.

        Raises:
            ApiError: they are refused to us.
            NoAnswer: who gives them does not answer.
        """
        raise NotImplementedError

    def renew(self, conduct: Conduct) -> bool:
        """Replace the credentials that this thread used last, which the server refused.

        Returns:
            True when there are others now, so that asking again makes sense.
        """
        raise NotImplementedError


class BasicAuth(HTTPBasicAuth):
    """User name and password, in UTF-8."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username.encode(), password.encode())

    def __repr__(self) -> str:
        """Name the user, never the password."""
        return "BasicAuth(***)"


class BearerAuth(AuthBase):
    """A token, asked of ``token`` at every attempt so that it may change.

    Args:
        token: gives the token.
        header: ``Proxy-Authorization`` where MLflow behind a gateway needs ``Authorization`` itself.
    """

    def __init__(self, token: Callable[[], str], *, header: str = "Authorization") -> None:
        self._token = token
        self._header = header

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        request.headers[self._header] = f"Bearer {fit_for_header(self._token(), what='the token')}"
        return request
