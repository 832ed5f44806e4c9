"""More and more jobs: time and memory per job must stay flat, however the jobs are named."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import Bench, Found
from data import make_jobs, make_results
from holding import Holding, require
from measuring import Command, Sample, run, summed

COUNTS = (10, 100, 1000, 10_000)
RUNS_OF_SMALL = 3
"""Runs of each count but the largest; the table has their medians."""
FILES_OF_A_JOB = 4
"""At least; each side adds some of its own."""
Make = Callable[[int, str, str], Command]
"""From count, address and experiment to the command."""


def launcher_jobs(bench: Bench, per_invocation: int) -> Found:
    """Export launcher jobs, so many in each invocation."""

    def make(count: int, url: str, experiment: str) -> Command:
        root = _root(bench, f"jobs{count}-{per_invocation}")
        return bench.ours(root, make_jobs(root, count, per_invocation=per_invocation), url, experiment)

    return _scaling(bench, f"scaling, {per_invocation} jobs an invocation", make, files=FILES_OF_A_JOB)


def hashed_keys(bench: Bench) -> Found:
    """Export results whose keys are hashes, so that no search finds just those of one call."""

    def make(count: int, url: str, experiment: str) -> Command:
        folder = make_results(_root(bench, f"lm-eval{count}"), count)
        return bench.ours(folder, [str(folder), "--format", "lm-eval"], url, experiment)

    return _scaling(bench, "scaling, keys that are hashes", make, files=1)


def _root(bench: Bench, name: str) -> Path:
    return bench.work / name


def _scaling(bench: Bench, title: str, make: Make, *, files: int) -> Found:
    rows = []
    counts: Sequence[int] = COUNTS[:2] if bench.quick else COUNTS
    for count in counts:
        first: list[Sample] = []
        again: list[Sample] = []
        with bench.server() as (server, url):
            for number in range(1 if count == COUNTS[-1] else RUNS_OF_SMALL):
                experiment = f"scale-{number}"
                for taken in (first, again):
                    taken.append(run(make(count, url, experiment)))
                    require(server, experiment, Holding(runs=count, files=count * files), side=title)
        rows.append(_row(count, first, again))
        print(f"{title}: {count} jobs in {rows[-1]['seconds']:.1f} s", flush=True)
        shutil.rmtree(bench.work / "server", ignore_errors=True)
    return {"title": title, "kind": "scaling", "rows": rows}


def _row(count: int, first: Sequence[Sample], again: Sequence[Sample]) -> dict[str, object]:
    row, second = summed({f"{count} jobs": first, "again": again})
    more = {"again": second["seconds"], "again_peak": second["peak"], "count": count}
    return {**row, **more}
