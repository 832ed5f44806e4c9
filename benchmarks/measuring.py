"""Whole processes, measured by the kernel: wall time, CPU time and peak memory."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and variables beside PATH."""

    arguments: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    stdin: Path | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a program: seconds, CPU seconds of its own, MB (10^6 bytes) at the peak.

    The kernel counts from the fork, so no peak is lower than the memory of the measuring process, some 50 MB.
    """

    seconds: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Side:
    """One of those that are compared.

    Args:
        name: of the table's row.
        command: makes the command of one round; the text differs for every round and side.
        after: called with the same text when the round is over, to look at what was done and to clean up.
        most: rounds at the most, of a side that takes very long.
    """

    name: str
    command: Callable[[str], Command]
    after: Callable[[str], None] = lambda _: None
    most: int | None = None


def run(command: Command) -> Sample:
    """Run a program to its end.

    Raises:
        SystemExit: it failed; with what it said.
    """
    variables = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", **command.variables}
    with (command.stdin or Path(os.devnull)).open("rb") as stdin:
        began = time.monotonic()
        process = subprocess.Popen(
            command.arguments,
            env=variables,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        end = said.decode(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command.arguments)} ended with {process.returncode}:\n{end}")
    return Sample(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def alternate(title: str, sides: Sequence[Side], rounds: int) -> dict[str, list[Sample]]:
    """Run every side in turn, ``rounds`` times, each round in the opposite order of the one before."""
    samples: dict[str, list[Sample]] = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            if side.most is not None and number >= side.most:
                continue
            token = f"{os.getpid()}-{time.time_ns()}"
            samples[side.name].append(run(side.command(token)))
            side.after(token)
        told = ", ".join(f"{name} {taken[-1].seconds:.2f} s" for name, taken in samples.items())
        print(f"{title}, {number + 1} of {rounds}: {told}", file=sys.stderr, flush=True)
    return samples


def summed(samples: Mapping[str, Sequence[Sample]]) -> list[dict[str, object]]:
    """Give one row for each side: medians of time and CPU time, range of the times, highest peak."""
    return [
        {
            "side": name,
            "seconds": statistics.median(sample.seconds for sample in taken),
            "fastest": min(sample.seconds for sample in taken),
            "slowest": max(sample.seconds for sample in taken),
            "cpu": statistics.median(sample.cpu for sample in taken),
            "peak": max(sample.peak for sample in taken),
            "rounds": len(taken),
        }
        for name, taken in samples.items()
    ]


def code_of(files: Iterable[Path]) -> str:
    """Give the digest of code: what was measured with other code is of no use."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def keep(folder: Path, name: str, found: Mapping[str, object], *, code: str) -> None:
    """Write down what one measurement found, so that the next call need not repeat it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({**found, "code": code}, indent=1) + "\n")


def kept(folder: Path, *, code: str) -> dict[str, dict[str, object]]:
    """Give all that was measured so far with this code, by name."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return {name: case for name, case in found.items() if case.get("code") == code}
