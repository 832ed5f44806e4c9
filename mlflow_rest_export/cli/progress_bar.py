"""The one line that shows how far an export is; the only place that knows tqdm."""

from __future__ import annotations

import threading

from tqdm import tqdm


class Bar:
    """A bar over the bytes of a wave on a terminal; silent elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bar = tqdm(total=0, unit="B", unit_scale=True, disable=None, leave=False, delay=0.5)
        self._runs = self._runs_done = 0

    def runs_found(self, count: int) -> None:
        """Note more runs."""
        with self._lock:
            self._runs += count
            self._show()

    def files_found(self, count: int, size: int) -> None:
        """Note more files."""
        del count
        with self._lock:
            self._bar.total = (self._bar.total or 0) + size
            self._bar.refresh()

    def file_sent(self, size: int) -> None:
        """Note a file that arrived."""
        with self._lock:
            self._bar.update(size)

    def run_done(self, label: str, outcome: str) -> None:
        """Note a run that is handled."""
        del label, outcome
        with self._lock:
            self._runs_done += 1
            self._show()

    def hide(self) -> None:
        """Make room for a line of text."""
        with self._lock:
            self._bar.clear()

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def _show(self) -> None:
        self._bar.set_description_str(f"{self._runs_done}/{self._runs} runs", refresh=False)
