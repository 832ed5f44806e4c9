"""What is measured: each function runs one comparison and gives what it found."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import scaling
from bench import Bench, Found, home
from data import FILES, METRICS, make_file, make_job_with, make_jobs, make_points
from holding import Holding, require
from measuring import Command, Side, alternate, run, summed
from servers import FaultProxy, Line, MlflowServer, drop_artifacts

LAUNCHER_AGAIN = 5
"""Rounds of the launcher's export of unchanged jobs at the most: each takes minutes."""


@dataclass(frozen=True, slots=True)
class Work:
    """One side's work: the command for an address and an experiment, and what must be there afterwards."""

    command: Callable[[str, str], Command]
    least: Holding


def _requests(running: MlflowServer, works: Mapping[str, Work]) -> dict[str, int]:
    """Count the requests of one run of each side; the proxy costs time, so this run is not measured."""
    counts = {}
    for name, work in works.items():
        with FaultProxy(running.port) as proxy:
            run(work.command(proxy.url, f"count-{name}"))
            counts[name] = len(proxy.seen)
        require(running, f"count-{name}", work.least, side=name)
    return counts


def _compared(
    title: str, url: str, running: MlflowServer, rounds: int, works: Mapping[str, Work]
) -> dict[str, object]:
    """Run sides that need a server; each command gets the address and a new experiment."""

    def side(name: str, work: Work) -> Side:
        def after(token: str) -> None:
            require(running, f"{name}-{token}", work.least, side=name)
            drop_artifacts(running)

        return Side(name, lambda token: work.command(url, f"{name}-{token}"), after)

    counts = _requests(running, works)
    samples = alternate(title, [side(name, work) for name, work in works.items()], rounds)
    rows = [{**row, "requests": counts[str(row["side"])]} for row in summed(samples)]
    return {"title": title, "rows": rows}


def _same(name: str, command: Command, *, most: int | None = None) -> Side:
    """Give a side whose command is the same in every round."""

    def make(_: str) -> Command:
        return command

    return Side(name, make, most=most)


def jobs(bench: Bench, count: int, line: Line = Line.LOOPBACK) -> Found:
    """Export new jobs: ours, the launcher, and the requests alone."""
    count = bench.small(count)
    root = bench.work / f"jobs{count}"
    ids = make_jobs(root, count)
    folder = next((root / "results").iterdir())
    least = Holding(runs=count, points=count, files=count * len(FILES))
    works = {
        "mlflow-rest-export": Work(lambda uri, name: bench.ours(root, ids, uri, name), least),
        "nemo-evaluator-launcher": Work(lambda uri, name: bench.theirs(root, ids, uri, name), least),
        "bare requests": Work(lambda uri, name: bench.peer("bare_jobs", uri, name, folder), least),
    }
    if line is not Line.LOOPBACK:
        more = ("--workers", "16")
        works[" ".join(("mlflow-rest-export", *more))] = Work(
            lambda uri, name: bench.ours(root, ids, uri, name, *more), least
        )
    with bench.server(line) as (running, url):
        found = _compared(f"{count} new jobs, {line.value}", url, running, bench.rounds, works)
    return {**found, "count": count}


def again(bench: Bench, count: int) -> Found:
    """Export jobs that are on the server already, unchanged; the first exports are not measured."""
    count = bench.small(count)
    root = bench.work / f"jobs{count}"
    ids = make_jobs(root, count)
    least = Holding(runs=count, points=count, files=count * len(FILES))
    skip = ("-o", "export.mlflow.skip_existing=true")
    works: dict[str, tuple[str, Callable[[str], Command]]] = {
        "mlflow-rest-export": ("ours", lambda uri: bench.ours(root, ids, uri, "ours")),
        "nemo-evaluator-launcher": ("theirs", lambda uri: bench.theirs(root, ids, uri, "theirs")),
        "nemo-evaluator-launcher, skip_existing": (
            "theirs",
            lambda uri: bench.theirs(root, ids, uri, "theirs", *skip),
        ),
    }
    counts = {}
    with bench.server() as (running, url):
        for name, (experiment, make) in list(works.items())[:2]:
            run(make(url))
            require(running, experiment, least, side=name)
        for name, (experiment, make) in works.items():
            with FaultProxy(running.port) as proxy:
                run(make(proxy.url))
                counts[name] = len(proxy.seen)
            require(running, experiment, least, side=name)
        sides = [
            _same(name, make(url), most=LAUNCHER_AGAIN if experiment == "theirs" else None)
            for name, (experiment, make) in works.items()
        ]
        taken = alternate(f"{count} unchanged jobs again", sides, bench.rounds)
        for name, (experiment, _) in works.items():
            require(running, experiment, least, side=name)
    rows = [{**row, "requests": counts[str(row["side"])]} for row in summed(taken)]
    return {"title": f"{count} unchanged jobs again, loopback", "rows": rows, "count": count}


def big_file(bench: Bench, size: int) -> Found:
    """Upload one large file: ours with hashing and everything else, ``curl -T`` with the bytes alone."""
    size = bench.small(size)
    file = make_file(bench.work / f"file{size}.bin", size)
    root = bench.work / f"file{size}"
    ids = make_job_with(root, [file])

    def ours(uri: str, name: str) -> Command:
        return bench.ours(root, ids, uri, name, "-o", "export.mlflow.only_required=false")

    def curl(uri: str, name: str) -> Command:
        place = f"{uri}/api/2.0/mlflow-artifacts/artifacts/{quote(name)}/{file.name}"
        tool = shutil.which("curl") or "curl"
        return Command([tool, "-sS", "-f", "-H", "Expect:", "-T", str(file), place])

    works = {
        "mlflow-rest-export": Work(ours, Holding(runs=1, files=1 + len(FILES), size=size)),
        "curl -T": Work(curl, Holding(files=1, size=size)),
    }
    rounds = bench.rounds if bench.quick else max(bench.rounds, 9)
    with bench.server() as (running, url):
        return _compared(f"one file of {size / 1e9:g} GB", url, running, rounds, works)


def many_files(bench: Bench, count: int, line: Line = Line.LOOPBACK) -> Found:
    """Upload many small files: ours, MLflow's own ``log_artifacts``, and the PUTs alone."""
    count = bench.small(count)
    root = bench.work / f"files{count}"
    ids = make_job_with(root, count)
    folder = next((root / "results").rglob("more"))

    def ours(uri: str, name: str) -> Command:
        return bench.ours(root, ids, uri, name, "-o", "export.mlflow.only_required=false")

    works = {
        "mlflow-rest-export": Work(ours, Holding(runs=1, files=count + len(FILES))),
        "mlflow.log_artifacts": Work(
            lambda uri, name: bench.peer("sdk_files", uri, name, folder), Holding(runs=1, files=count)
        ),
        "bare requests": Work(
            lambda uri, name: bench.peer("bare_files", uri, name, folder), Holding(files=count)
        ),
    }
    with bench.server(line) as (running, url):
        return _compared(f"{count} small files, {line.value}", url, running, bench.rounds, works)


def points(bench: Bench, count: int) -> Found:
    """Export many metric points of a file store: ours, and MLflow's client with batches of 1,000.

    Runs of a file store keep their experiment, so each round of ours gets a store of its own.
    """
    count = bench.small(count)
    tool = bench.environments.tool("ours", "mlflow-rest-export")
    plain = make_points(bench.work / f"points{count}", count, experiment="points")
    metrics = next(plain.glob("1/*/metrics"))
    least = Holding(runs=1, points=count // METRICS * METRICS)

    def ours(uri: str, name: str) -> Command:
        store = make_points(bench.work / "points-of-a-round", count, experiment=name)
        return Command([tool, "export", str(store), "--tracking-uri", uri], home(bench.work))

    works = {
        "mlflow-rest-export": Work(ours, least),
        "MlflowClient.log_batch": Work(lambda uri, name: bench.peer("sdk_points", uri, name, metrics), least),
    }
    with bench.server() as (running, url):
        return _compared(f"{count:,} metric points", url, running, bench.rounds, works)


ARGPARSE, REQUESTS = 'python -c "import argparse"', 'python -c "import requests"'


def cold_start(bench: Bench, rounds: int = 15) -> Found:
    """Start and do nothing; each line of ours beside the bare one that the issue compares it with."""
    ours, tool = bench.environments.tool("ours"), bench.environments.tool("ours", "mlflow-rest-export")
    launcher = bench.environments.tool("launcher", "nemo-evaluator-launcher")
    skinny, server = bench.environments.tool("skinny"), bench.environments.tool("server")
    lines: dict[str, tuple[list[str], str]] = {
        ARGPARSE: ([ours, "-c", "import argparse"], ""),
        "mlflow-rest-export --version": ([tool, "--version"], ARGPARSE),
        "mlflow-rest-export --help": ([tool, "--help"], ARGPARSE),
        REQUESTS: ([ours, "-c", "import requests"], ""),
        'python -c "import mlflow_rest_export"': ([ours, "-c", "import mlflow_rest_export"], REQUESTS),
        "nemo-evaluator-launcher --version": ([launcher, "--version"], ARGPARSE),
        'python -c "import mlflow" (skinny)': ([skinny, "-c", "import mlflow"], REQUESTS),
        'python -c "import mlflow"': ([server, "-c", "import mlflow"], REQUESTS),
    }
    sides = [_same(name, Command(line, home(bench.work))) for name, (line, _) in lines.items()]
    rows = summed(alternate("cold start", sides, 2 if bench.quick else rounds))
    rows = [{**row, "reference": lines[str(row["side"])][1]} for row in rows]
    return {"title": "cold start", "kind": "cold start", "rows": rows}


def installed(bench: Bench) -> Found:
    """Weigh the environments beyond a bare one."""
    names = {
        "mlflow-rest-export": "ours",
        "nemo-evaluator-launcher with mlflow": "launcher",
        "mlflow-skinny": "skinny",
        "mlflow": "server",
    }
    rows = [{"side": name, "megabytes": bench.environments.megabytes(key)} for name, key in names.items()]
    return {"title": "installed size", "kind": "sizes", "rows": rows}


CASES: dict[str, Callable[[Bench], Found]] = {
    "installed": installed,
    "cold-start": cold_start,
    "jobs-20": lambda bench: jobs(bench, 20),
    "jobs-20-proxy": lambda bench: jobs(bench, 20, Line.PROXY),
    "files-2000": lambda bench: many_files(bench, 2000),
    "points-100000": lambda bench: points(bench, 100_000),
    "file-1g": lambda bench: big_file(bench, 1_000_000_000),
    "again-200": lambda bench: again(bench, 200),
    "jobs-200": lambda bench: jobs(bench, 200),
    "scaling": lambda bench: scaling.launcher_jobs(bench, 200),
    "scaling-5": lambda bench: scaling.launcher_jobs(bench, 5),
    "scaling-hashed": scaling.hashed_keys,
    "jobs-20-far": lambda bench: jobs(bench, 20, Line.LONG),
    "files-2000-far": lambda bench: many_files(bench, 2000, Line.LONG),
    "jobs-200-far": lambda bench: jobs(bench, 200, Line.LONG),
}
"""In the order of a whole run, the longest last."""
