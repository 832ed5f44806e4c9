"""Who wants to know how far an export is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told by the exporter, from several threads; shown by the command line alone."""

    def runs_found(self, count: int) -> None:
        """So many more runs are to be handled."""
        ...

    def files_found(self, count: int, size: int) -> None:
        """So many more files, of so many bytes together, are to be sent."""
        ...

    def file_sent(self, size: int) -> None:
        """One file of ``size`` bytes arrived."""
        ...

    def run_done(self, label: str, outcome: str) -> None:
        """One run is handled."""
        ...


class NoProgress:
    """For those who do not want to know."""

    def runs_found(self, count: int) -> None:
        """Ignore it."""

    def files_found(self, count: int, size: int) -> None:
        """Ignore it."""

    def file_sent(self, size: int) -> None:
        """Ignore it."""

    def run_done(self, label: str, outcome: str) -> None:
        """Ignore it."""
