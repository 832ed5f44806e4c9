"""Measures this project beside its peers: ``python benchmarks/run.py``.

Each measurement is kept in ``--work`` as soon as it is done, so a run that was broken off goes on where it
was, unless the code has changed since; ``--only`` measures again what it names. Writes ``results.md`` and
``chart.svg``.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bench import PEERS, Bench
from cases import CASES
from environments import HERE, PROJECT, REQUIREMENTS, Environments
from measuring import code_of, keep, kept
from report import chart, markdown


def main() -> None:
    """Measure what is asked for and write the report."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, _end)
    given = dict(pair.split("=", 1) for pair in asked.env)
    environments = Environments(HERE / ".envs", {name: Path(place) for name, place in given.items()})
    work = asked.work.absolute()
    results = work / ("quick" if asked.quick else "results")
    output = asked.output or (results if asked.quick else HERE)
    if asked.fresh:
        shutil.rmtree(results, ignore_errors=True)
    bench = Bench(environments, work, 2 if asked.quick else asked.rounds, asked.quick)
    environments.renew()
    code = _code()
    for name in asked.only or [name for name in CASES if name not in kept(results, code=code)]:
        began = time.monotonic()
        keep(results, name, CASES[name](bench), code=code)
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        _write(output, results, code)
    _write(output, results, code)


def _end(number: int, _: object) -> None:
    """End as after an error, so that no server outlives us."""
    raise SystemExit(128 + number)


def _code() -> str:
    """Give the digest of what decides over a measurement: our package, the benchmark, but not its report."""
    package = (PROJECT / "mlflow_rest_export").rglob("*.py")
    ours = (path for path in HERE.glob("*.py") if path.stem not in {"report", "verdicts", "run"})
    return code_of([*package, *ours, *PEERS.glob("*.py")])


def _write(folder: Path, results: Path, code: str) -> None:
    found = kept(results, code=code)
    found = {name: found[name] for name in CASES if name in found}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(
        markdown(found, code=code, missing=[name for name in CASES if name not in found])
    )
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
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of results.md and chart.svg (default: here; when quick, in --work)",
    )
    names = ", ".join(REQUIREMENTS)
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=FOLDER", help=f"use this environment ({names})"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
