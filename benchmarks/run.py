"""Measures this project beside its peers: ``python benchmarks/run.py``.

Each measurement is kept in ``--work`` as soon as it is done, so a run that was broken off goes on where it
was; ``--only`` measures again what it names. Writes ``results.md`` and ``chart.svg``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES, Bench
from environments import HERE, REQUIREMENTS, Environments
from measuring import keep, kept
from report import chart, markdown


def main() -> None:
    """Measure what is asked for and write the report."""
    asked = _arguments()
    given = dict(pair.split("=", 1) for pair in asked.env)
    environments = Environments(HERE / ".envs", {name: Path(place) for name, place in given.items()})
    work = asked.work.absolute()
    results = work / ("quick" if asked.quick else "results")
    if asked.fresh:
        shutil.rmtree(results, ignore_errors=True)
    bench = Bench(environments, work, 2 if asked.quick else asked.rounds, asked.quick)
    environments.renew()
    for name in asked.only or [name for name in CASES if name not in kept(results)]:
        began = time.monotonic()
        keep(results, name, CASES[name](bench))
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        _write(asked.output, results)
    _write(asked.output, results)


def _write(folder: Path, results: Path) -> None:
    found = kept(results)
    found = {name: found[name] for name in CASES if name in found}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(markdown(found))
    (folder / "chart.svg").write_text(chart(found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(CASES), help="measure this one, again; repeat"
    )
    parser.add_argument("--quick", action="store_true", help="two rounds of a tenth of the data")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side (default 5)")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="folder for data and servers")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of results.md and chart.svg")
    names = ", ".join(REQUIREMENTS)
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=FOLDER", help=f"use this environment ({names})"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
