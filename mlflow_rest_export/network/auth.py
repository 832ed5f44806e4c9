"""Who we are, as ``requests`` authentication objects: applied anew at every attempt.

Even "nobody" is an object: without one ``requests`` would send a password from ``~/.netrc``
(psf/requests issue 3929).
"""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.answers import without_secrets
from mlflow_rest_export.network.conduct import Conduct


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
        request.headers[self._header] = f"Bearer {_clean(self._token())}"
        return request


class FileToken:
    """A token kept in a file that somebody else renews; read again whenever the file changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._token = ""
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Give the token of now.

        Raises:
            SettingsError: the file cannot be read or is empty.
        """
        with self._lock:
            try:
                state = self._path.stat()
                mark = (state.st_mtime_ns, state.st_size)
                if mark != self._seen:
                    self._token = self._path.read_text(encoding="utf-8").strip()
                    self._seen = mark
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not text"
                raise SettingsError(f"the token file {self._path} cannot be read: {reason}") from None
            if not self._token:
                raise SettingsError(f"the token file {self._path} is empty")
            return self._token


class CommandToken:
    """A token printed by a command; asked once, and again after ``lifetime`` seconds.

    Args:
        command: program with its arguments, or one line that is split as a shell would; no shell runs.
        clock: monotonic seconds.
        lifetime: seconds for which one answer is used.
        patience: seconds that the command may take.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        clock: Callable[[], float],
        lifetime: float = 300.0,
        patience: float = 30.0,
    ) -> None:
        try:
            self._command = shlex.split(command) if isinstance(command, str) else list(command)
        except ValueError:
            raise SettingsError("the token command has a quote that is never closed") from None
        self._clock = clock
        self._lifetime = lifetime
        self._patience = patience
        self._token = ""
        self._until = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Give the token.

        Raises:
            SettingsError: the command is not there, fails, takes too long or prints nothing.
        """
        with self._lock:
            if not self._token or self._clock() >= self._until:
                self._token = self._ask()
                self._until = self._clock() + self._lifetime
            return self._token

    def _ask(self) -> str:
        name = self._command[0] if self._command else "(empty)"
        try:
            done = subprocess.run(
                self._command,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self._patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SettingsError(f"the token command {name} took over {self._patience:g} s") from None
        except (OSError, IndexError) as error:
            raise SettingsError(f"the token command {name} cannot be run: {error}") from None
        if done.returncode != 0:
            last = without_secrets((done.stderr.strip().splitlines() or ["it said nothing"])[-1])[:200]
            raise SettingsError(f"the token command {name} failed with exit code {done.returncode}: {last}")
        if not done.stdout.strip():
            raise SettingsError(f"the token command {name} printed no token")
        return done.stdout.strip()


def _clean(token: str) -> str:
    if not token.isascii() or not token.isprintable():
        raise SettingsError("the token holds characters that no HTTP header may carry")
    return token
