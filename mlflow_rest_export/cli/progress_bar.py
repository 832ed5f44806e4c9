"""How far an export is: one line on a terminal, a line now and then in a log. tqdm is known here alone."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from tqdm import tqdm

from mlflow_rest_export.cli.closing_table import size

HEARTBEAT = 30.0
"""Seconds between two lines in a log."""
_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{rate_fmt}, {remaining} left]"


@dataclass(slots=True)
class Tally:
    """What is known of an export under way; sizes in bytes."""

    runs: int = 0
    runs_done: int = 0
    files: int = 0
    files_sent: int = 0
    size: int = 0
    size_sent: int = 0

    def described(self) -> str:
        """Give the counts for people."""
        files = f", {self.files_sent}/{self.files} files" if self.files else ""
        return f"{self.runs_done}/{self.runs} runs{files}"


class Bar:
    """A bar over the bytes of the files, on a terminal; without colours, as ``NO_COLOR`` wants it.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._lock = threading.Lock()
        self._tally = Tally()
        columns, rows = shutil.get_terminal_size()  # tqdm takes the 0 x 0 of some containers at its word
        self._bar = tqdm(
            total=0,
            unit="B",
            unit_scale=True,
            leave=False,
            bar_format=_FORMAT,
            ncols=columns,
            nrows=rows,
            file=stream,
        )

    def runs_found(self, count: int) -> None:
        """Note more runs."""
        with self._lock:
            self._tally.runs += count
            self._show()

    def files_found(self, count: int, size: int) -> None:
        """Note more files."""
        with self._lock:
            self._tally.files += count
            self._bar.total = (self._bar.total or 0) + size
            self._show()

    def file_sent(self, size: int) -> None:
        """Note a file that arrived."""
        with self._lock:
            self._tally.files_sent += 1
            self._bar.update(size)
            self._show()

    def run_done(self, label: str, outcome: str) -> None:
        """Note a run that is handled."""
        del label, outcome
        with self._lock:
            self._tally.runs_done += 1
            self._show()

    def hide(self) -> None:
        """Make room for a line of text."""
        with self._lock:
            self._bar.clear()

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def _show(self) -> None:
        self._bar.set_description_str(self._tally.described())


class Heartbeat:
    """A plain line every half minute, as long as runs are under way: so a log shows that the job is alive.

    Args:
        say: writes a line.
        interval: seconds between two lines.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        interval: float = HEARTBEAT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._interval = interval
        self._clock = clock
        self._began = clock()
        self._tally = Tally()
        self._lock = threading.Lock()
        self._over = threading.Event()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def runs_found(self, count: int) -> None:
        """Note more runs."""
        with self._lock:
            if self._tally.runs == self._tally.runs_done:  # nothing is under way: a new account begins
                self._tally, self._began = Tally(), self._clock()
            self._tally.runs += count

    def files_found(self, count: int, size: int) -> None:
        """Note more files."""
        with self._lock:
            self._tally.files += count
            self._tally.size += size

    def file_sent(self, size: int) -> None:
        """Note a file that arrived."""
        with self._lock:
            self._tally.files_sent += 1
            self._tally.size_sent += size

    def run_done(self, label: str, outcome: str) -> None:
        """Note a run that is handled."""
        del label, outcome
        with self._lock:
            self._tally.runs_done += 1

    def hide(self) -> None:
        """Do nothing: lines of a log stay."""

    def close(self) -> None:
        """Say no more."""
        self._over.set()

    def _beat(self) -> None:
        while not self._over.wait(self._interval):
            with self._lock:
                under_way = self._tally.runs_done < self._tally.runs
                line = beat(self._tally, self._clock() - self._began)
            if under_way:
                self._say(line)


def beat(tally: Tally, seconds: float) -> str:
    """Give the line for a log.

    Args:
        tally: the counts.
        seconds: since the export began.
    """
    line = f"under way for {duration(seconds)}: {tally.described()}"
    if not tally.size:
        return line
    line += f", {size(tally.size_sent)} of {size(tally.size)}"
    rate = tally.size_sent / seconds if seconds > 0 else 0.0
    if not rate:
        return line
    return f"{line}, {size(rate)}/s, about {duration((tally.size - tally.size_sent) / rate)} left"


def duration(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def progress_on(stream: TextIO | None, *, say: Callable[[str], None]) -> Bar | Heartbeat:
    """Give a bar where somebody looks, lines elsewhere."""
    return Bar(stream) if stream is not None and stream.isatty() else Heartbeat(say)
