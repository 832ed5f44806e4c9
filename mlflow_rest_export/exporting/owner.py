"""Who fills a run, and whether that somebody can still be at work."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
UNTOLD = "?"
"""When a process began, on systems that do not tell."""


class Life(enum.Enum):
    """What can be known about the owner of a run."""

    GONE = enum.auto()
    AT_WORK = enum.auto()
    UNKNOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class Owner:
    """One export under way.

    Args:
        machine: host, its boot and process namespace, in which ``process`` means something.
        process: process id.
        born: when the process began, by the system's count: ids are used again.
        token: tells the exports of one process apart.
    """

    machine: str
    process: int
    born: str
    token: str = field(default_factory=lambda: secrets.token_hex(4))

    @classmethod
    def of_this_process(cls) -> Owner:
        """Describe an export of this process."""
        namespace = Path("/proc/self/ns/pid")
        inside = str(namespace.readlink()) if namespace.is_symlink() else ""
        machine = machine_of(socket.gethostname(), inside, BOOT_ID)
        return cls(machine, os.getpid(), _born(os.getpid()))

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Count as being at work as long as the context lasts."""
        _at_work.add(self.token)
        try:
            yield
        finally:
            _at_work.discard(self.token)

    def mark(self) -> str:
        """Give a text for one run that no other run ever gets, from which ``life_of`` knows us."""
        return f"{self.machine}:{self.process}:{self.born}:{self.token}:{secrets.token_hex(6)}"

    def life_of(self, mark: str) -> Life:
        """Say whether the owner that left ``mark`` on a run can still be at work."""
        machine, process, born, token, *_ = [*mark.split(":"), "", "", "", ""]
        if machine != self.machine or not process.isdigit():
            return Life.UNKNOWN
        if (int(process), born) == (self.process, self.born):
            return Life.AT_WORK if token in _at_work else Life.GONE
        now = _born(int(process))
        return Life.AT_WORK if now and (now == born or UNTOLD in {now, born}) else Life.GONE


def machine_of(host: str, namespace: str, boot: Path) -> str:
    """Name what process ids mean something in.

    Args:
        host: its name; many are called ``localhost``.
        namespace: of process ids, which has the same name on every machine without containers.
        boot: the file that tells an id of the running system, where there is one.
    """
    try:
        running = boot.read_text().strip()
    except OSError:
        running = ""
    return hashlib.sha256(f"{host} {namespace} {running}".encode()).hexdigest()[:12]


def _born(process: int) -> str:
    """Give when a process began; "" for one that has ended, even if its parent has not noticed yet."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:  # somebody else's, so it is there
        pass
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return UNTOLD
    return "" if fields[0] in {"Z", "X"} else fields[19]


_at_work: set[str] = set()
"""Tokens of the exports of this process that have not ended."""
