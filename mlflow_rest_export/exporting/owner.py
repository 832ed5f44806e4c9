"""Who fills a run, and whether that somebody can still be at work."""

from __future__ import annotations

import enum
import hashlib
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from mlflow_rest_export import marks


class Life(enum.Enum):
    """What can be known about the owner of a run."""

    GONE = enum.auto()
    AT_WORK = enum.auto()
    UNKNOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class Owner:
    """One exporting process.

    Args:
        machine: host and process namespace, in which ``process`` means something.
        process: process id.
        nonce: random, new for each process: ids are used again, often within a restarted container.
    """

    machine: str
    process: int
    nonce: str

    @classmethod
    def of_this_process(cls) -> Owner:
        """Describe this process."""
        namespace = Path("/proc/self/ns/pid")
        inside = str(namespace.readlink()) if namespace.is_symlink() else ""
        machine = hashlib.sha256(f"{socket.gethostname()} {inside}".encode()).hexdigest()[:12]
        return cls(machine, os.getpid(), _NONCE)

    def mark(self) -> str:
        """Give a value for the tag of one run, which no other run ever gets."""
        return f"{self.machine}:{self.process}:{self.nonce}:{secrets.token_hex(6)}"

    def life_of(self, mark: str) -> Life:
        """Say whether the owner that left ``mark`` on a run can still be at work."""
        machine, process, nonce, *_ = [*mark.split(":"), "", "", ""]
        if machine != self.machine or not process.isdigit():
            return Life.UNKNOWN if machine else Life.GONE
        if int(process) == self.process:
            return Life.AT_WORK if nonce == self.nonce else Life.GONE
        return Life.AT_WORK if _exists(int(process)) else Life.GONE


def claim_of(mark: str) -> str:
    """Give the value of the claim param for the owner's mark of a run."""
    return f"{marks.KEPT}:{hashlib.sha256(mark.encode()).hexdigest()[:12]}"


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_NONCE = secrets.token_hex(4)
