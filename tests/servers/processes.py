"""Exporting processes, as seen by the test that starts, orders and kills them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults import Seen

SCRIPT = Path(__file__).with_name("exporting_process.py")


class ExportingProcess:
    """One process that exports when told to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def order(self, **order: object) -> None:
        """Send an order and do not wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the next answer; None when the process has died instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def kill(self) -> None:
        """Kill it at once."""
        self._process.kill()

    def close(self) -> None:
        """End it and wait for it."""
        self._process.kill()
        self._process.communicate()


class Killer:
    """Kills a process when request ``number`` comes; a hook of the fault proxy."""

    def __init__(self, process: ExportingProcess, number: int) -> None:
        self._process = process
        self._number = number

    def __call__(self, seen: Seen) -> None:
        if seen.number == self._number:
            self._process.kill()


@contextmanager
def exporting_processes(number: int) -> Iterator[list[ExportingProcess]]:
    """Start processes, wait until all are ready, and end them afterwards."""
    processes = [ExportingProcess() for _ in range(number)]
    try:
        for process in processes:
            assert process.answer() == "ready"
        yield processes
    finally:
        for process in processes:
            process.close()
