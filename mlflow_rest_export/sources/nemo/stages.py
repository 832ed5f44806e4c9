"""How far a launcher job came: its stage files, and the note that it was killed."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from mlflow_rest_export.records import Adjustment, RunStatus
from mlflow_rest_export.sources import times

_STAGES = ("stage.pre-start", "stage.running", "stage.exit")
_READ = 4096
"""Bytes of a stage file that are looked at; genuine ones have about 20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What the stage files of a job say. Slurm jobs have none."""

    present: tuple[str, ...] = ()
    started: int | None = None
    """Milliseconds since 1970."""
    ended: int | None = None
    """Milliseconds since 1970."""
    exit_code: int | None = None
    killed: bool = False

    def outcome(self) -> tuple[RunStatus, tuple[Adjustment, ...]]:
        """Say the status of a job whose results are whole, and why when it is not plainly finished."""
        if self.killed:
            return _told(RunStatus.KILLED, "killed", "the job was killed; its results are whole and exported")
        if self.exit_code:
            reason = f"stage.exit says {self.exit_code}; the results are whole and exported"
            return _told(RunStatus.FAILED, f"exit code {self.exit_code}", reason)
        if self.present and "stage.exit" not in self.present:
            reason = (
                "there is no stage.exit: the job may still be running, its results are whole and exported"
            )
            return _told(RunStatus.FINISHED, "running", reason)
        return RunStatus.FINISHED, ()

    def why_no_results(self) -> str:
        """Say why a job may have no results, the end of a sentence."""
        if self.killed:
            return "the job was killed"
        if self.exit_code is not None:
            return f"the evaluation ended with exit code {self.exit_code} (logs/stage.exit)"
        if "stage.exit" in self.present:
            return "the evaluation ended (logs/stage.exit does not say how)"
        if "stage.running" in self.present:
            return "the evaluation is still running, or was cut off (there is no logs/stage.exit)"
        if self.present:
            return "the evaluation has not begun (there is no logs/stage.running)"
        return "nothing tells how the evaluation ended (there are no stage files in logs)"


def read_stages(logs: Path | None, *, killed: bool = False) -> Stages:
    """Read the stage files in a folder of logs; what cannot be read counts as not there.

    Local jobs write ``2026-11-22T19:06:42Z 0``, Lepton jobs ``exit_code: 0``.
    """
    said = {name: _last_line(logs / name) for name in _STAGES} if logs else {}
    present = tuple(name for name, line in said.items() if line is not None)
    ending = said.get("stage.exit") or ""
    code = re.search(r"(?:^|\s)(-?\d{1,9})$", ending)
    return Stages(
        present=present,
        started=_time(said.get("stage.running")) or _time(said.get("stage.pre-start")),
        ended=_time(ending),
        exit_code=int(code[1]) if code else None,
        killed=killed,
    )


def _told(status: RunStatus, before: str, reason: str) -> tuple[RunStatus, tuple[Adjustment, ...]]:
    return status, (Adjustment("status", before, status.name, reason),)


def _time(line: str | None) -> int | None:
    return times.from_iso(line.partition(" ")[0]) if line else None


def _last_line(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            lines = file.read(_READ).decode("utf-8", "replace").split("\n")
    except OSError:
        return None
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
