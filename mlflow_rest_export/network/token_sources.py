"""Tokens that somebody else gives and renews: kept in a file, or printed by a program."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.redaction import without_secrets

_log = logging.getLogger("mlflow_rest_export")
PAUSE = 30.0
"""Seconds until a command that failed is asked again, as long as its last token is not refused."""


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
        command: program with its arguments; no shell runs.
        clock: monotonic seconds.
        lifetime: seconds for which one answer is used.
        patience: seconds that the command may take.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        clock: Callable[[], float],
        lifetime: float = 300.0,
        patience: float = 30.0,
    ) -> None:
        self._command = command
        self._clock = clock
        self._lifetime = lifetime
        self._patience = patience
        self._token = ""
        self._until = 0.0
        self._lasting = ""
        """A refused token for which the command had no other; it is not asked again before its time."""
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Give the token.

        Raises:
            SettingsError: there is none yet, and the command is not there, fails, takes too long or prints
                nothing.
        """
        with self._lock:
            if not self._token:
                self._ask()
            elif self._clock() >= self._until:
                self._ask_early()
            return self._token

    def replace(self, refused: str) -> bool:
        """Ask for another token in the place of a refused one, unless another thread did so already.

        Returns:
            True when there is another one now; errors as when it is called.
        """
        with self._lock:
            if self._token == refused != self._lasting:
                self._ask()
                self._lasting = refused if self._token == refused else ""
            return self._token != refused

    def _ask_early(self) -> None:
        """Ask before the token is refused; it may be good for long, so a failure costs nothing yet."""
        try:
            self._ask()
        except SettingsError as error:
            _log.info("%s; the token of before is used for now", error)
            self._until = self._clock() + PAUSE

    def _ask(self) -> None:
        called = f"the token command {self._command[0]}"
        self._token = printed_by(self._command, called=called, patience=self._patience)
        self._until = self._clock() + self._lifetime


def printed_by(command: Sequence[str], *, called: str, patience: float) -> str:
    """Run a program and give what it prints, without white space around it.

    Args:
        command: the program with its arguments.
        called: its name in errors.
        patience: seconds that it may take.

    Raises:
        SettingsError: it is not there, fails, takes too long or prints nothing.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        raise SettingsError(f"{called} took over {patience:g} s") from None
    except OSError as error:
        raise SettingsError(f"{called} cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        last = without_secrets((done.stderr.strip().splitlines() or ["it said nothing"])[-1])[:200]
        raise SettingsError(f"{called} failed with exit code {done.returncode}: {last}")
    if not done.stdout.strip():
        raise SettingsError(f"{called} printed no token")
    return done.stdout.strip()
