"""What is measured: each function runs one comparison and gives what it found."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from data import make_file, make_job_with, make_jobs, make_points
from environments import HERE, Environments
from measuring import Command, Sample, Side, alternate, run, summed
from servers import ROUND_TRIP, FaultProxy, MlflowServer, drop_artifacts, server

PEERS = HERE / "peers"
Found = dict[str, object]


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs.

    Args:
        environments: the programs.
        work: where data and servers live.
        rounds: how often each side runs.
        quick: smaller data, to see that everything works.
    """

    environments: Environments
    work: Path
    rounds: int
    quick: bool

    def small(self, count: int) -> int:
        """Give a tenth of a count when quick."""
        return max(2, count // 10) if self.quick else count

    @contextlib.contextmanager
    def far_server(self, delay: float) -> Iterator[tuple[MlflowServer, str]]:
        """Run a server, ``delay`` seconds away; give it and its address."""
        with server(self.environments, self.work / "server") as running:
            if not delay:
                yield running, running.url
                return
            with FaultProxy(running.port, delay=delay) as proxy:
                yield running, proxy.url

    def ours(self, root: Path, ids: list[str], url: str, experiment: str, *more: str) -> Command:
        """Give the command of an export of ours."""
        tool = self.environments.tool("ours", "mlflow-rest-export")
        return Command([tool, "export", *ids, *_settings(url, experiment), *more], _home(root))

    def theirs(self, root: Path, ids: list[str], url: str, experiment: str, *more: str) -> Command:
        """Give the command of an export of the launcher: the same line."""
        tool = self.environments.tool("launcher", "nemo-evaluator-launcher")
        return Command([tool, "export", *ids, *_settings(url, experiment), *more], _home(root))

    def peer(self, name: str, url: str, experiment: str, folder: Path) -> Command:
        """Give the command of a script of ``peers``."""
        environment = "server" if name.startswith("sdk") else "ours"
        python = self.environments.tool(environment)
        return Command([python, str(PEERS / f"{name}.py"), url, experiment, str(folder)], _home(self.work))


def _settings(url: str, experiment: str) -> list[str]:
    """Give what both sides are told alike."""
    told = {
        "tracking_uri": url,
        "experiment_name": experiment,
        "log_config_params": "false",
        "copy_logs": "false",
    }
    overrides = [word for key, value in told.items() for word in ("-o", f"export.mlflow.{key}={value}")]
    return ["--dest", "mlflow", *overrides]


def _home(root: Path) -> dict[str, str]:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0"}
    return {"HOME": str(root), **quiet}


def _requests(port: int, sides: dict[str, Callable[[str, str], Command]]) -> dict[str, int]:
    """Count the requests of one run of each side; the proxy costs time, so this run is not measured."""
    counts = {}
    for name, command in sides.items():
        with FaultProxy(port) as proxy:
            run(command(proxy.url, f"count-{name}"))
            counts[name] = len(proxy.seen)
    return counts


def _compared(
    title: str, url: str, running: MlflowServer, rounds: int, sides: dict[str, Callable[[str, str], Command]]
) -> Found:
    """Run sides that need a server; each command gets the address and a new experiment."""

    def side(name: str, make: Callable[[str, str], Command]) -> Side:
        return Side(name, lambda token: make(url, f"{name}-{token}"), lambda _: drop_artifacts(running))

    counts = _requests(running.port, sides)
    samples = alternate(title, [side(name, make) for name, make in sides.items()], rounds)
    rows = [{**row, "requests": counts[str(row["side"])]} for row in summed(samples)]
    return {"title": title, "rows": rows}


def _same(name: str, command: Command) -> Side:
    """Give a side whose command is the same in every round."""

    def make(_: str) -> Command:
        return command

    return Side(name, make)


def jobs(bench: Bench, count: int, *, delay: float = 0.0) -> Found:
    """Export new jobs: ours, the launcher, and the requests alone."""
    count = bench.small(count)
    root = bench.work / f"jobs{count}"
    ids = make_jobs(root, count)
    folder = next((root / "results").iterdir())
    where = f"{delay * 1e3:.0f} ms round trip" if delay else "loopback"
    with bench.far_server(delay) as (running, url):
        return _compared(
            f"{count} new jobs, {where}",
            url,
            running,
            bench.rounds,
            {
                "mlflow-rest-export": lambda uri, name: bench.ours(root, ids, uri, name),
                "nemo-evaluator-launcher": lambda uri, name: bench.theirs(root, ids, uri, name),
                "bare requests": lambda uri, name: bench.peer("bare_jobs", uri, name, folder),
            },
        )


def again(bench: Bench, count: int) -> Found:
    """Export jobs that are on the server already, unchanged; the first exports are not measured."""
    count = bench.small(count)
    root = bench.work / f"jobs{count}"
    ids = make_jobs(root, count)
    with bench.far_server(0.0) as (running, url):
        run(bench.ours(root, ids, url, "ours"))
        run(bench.theirs(root, ids, url, "theirs"))
        sides: dict[str, Callable[[str], Command]] = {
            "mlflow-rest-export": lambda uri: bench.ours(root, ids, uri, "ours"),
            "nemo-evaluator-launcher": lambda uri: bench.theirs(root, ids, uri, "theirs"),
            "nemo-evaluator-launcher, skip_existing": lambda uri: bench.theirs(
                root, ids, uri, "theirs", "-o", "export.mlflow.skip_existing=true"
            ),
        }
        counts = {}
        for name, make in sides.items():
            with FaultProxy(running.port) as proxy:
                run(make(proxy.url))
                counts[name] = len(proxy.seen)
        taken = alternate(
            f"{count} unchanged jobs again",
            [_same(name, make(url)) for name, make in sides.items()],
            bench.rounds,
        )
    rows = [{**row, "requests": counts[str(row["side"])]} for row in summed(taken)]
    return {"title": f"{count} unchanged jobs again, loopback", "rows": rows}


def big_file(bench: Bench, size: int) -> Found:
    """Upload one large file: ours with hashing and everything else, ``curl -T`` with the bytes alone."""
    size = bench.small(size)
    file = make_file(bench.work / f"file{size}.bin", size)
    root = bench.work / f"file{size}"
    ids = make_job_with(root, [file])
    with bench.far_server(0.0) as (running, url):

        def curl(uri: str, name: str) -> Command:
            place = f"{uri}/api/2.0/mlflow-artifacts/artifacts/curl/{quote(name)}/{file.name}"
            tool = shutil.which("curl") or "curl"
            return Command([tool, "-sS", "-f", "-H", "Expect:", "-T", str(file), place])

        return _compared(
            f"one file of {size / 1e9:g} GB",
            url,
            running,
            max(bench.rounds, 2 if bench.quick else 9),
            {
                "mlflow-rest-export": lambda uri, name: bench.ours(
                    root, ids, uri, name, "-o", "export.mlflow.only_required=false"
                ),
                "curl -T": curl,
            },
        )


def many_files(bench: Bench, count: int, *, delay: float = 0.0) -> Found:
    """Upload many small files: ours, MLflow's own ``log_artifacts``, and the PUTs alone."""
    count = bench.small(count)
    root = bench.work / f"files{count}"
    ids = make_job_with(root, count)
    folder = next((root / "results").rglob("more"))
    where = f"{delay * 1e3:.0f} ms round trip" if delay else "loopback"
    with bench.far_server(delay) as (running, url):
        return _compared(
            f"{count} small files, {where}",
            url,
            running,
            bench.rounds,
            {
                "mlflow-rest-export": lambda uri, name: bench.ours(
                    root, ids, uri, name, "-o", "export.mlflow.only_required=false"
                ),
                "mlflow.log_artifacts": lambda uri, name: bench.peer("sdk_files", uri, name, folder),
                "bare requests": lambda uri, name: bench.peer("bare_files", uri, name, folder),
            },
        )


def points(bench: Bench, count: int) -> Found:
    """Export many metric points of a file store: ours, and MLflow's client with batches of 1,000.

    Runs of a file store keep their experiment, so each round of ours gets a store of its own.
    """
    count = bench.small(count)
    tool = bench.environments.tool("ours", "mlflow-rest-export")
    plain = make_points(bench.work / f"points{count}", count, experiment="points")
    metrics = next(plain.glob("1/*/metrics"))

    def ours(uri: str, name: str) -> Command:
        store = make_points(bench.work / "points-of-a-round", count, experiment=name)
        return Command([tool, "export", str(store), "--tracking-uri", uri], _home(bench.work))

    sides = {
        "mlflow-rest-export": ours,
        "MlflowClient.log_batch": lambda uri, name: bench.peer("sdk_points", uri, name, metrics),
    }
    with bench.far_server(0.0) as (running, url):
        return _compared(f"{count:,} metric points", url, running, bench.rounds, sides)


def cold_start(bench: Bench, rounds: int = 15) -> Found:
    """Start and do nothing."""
    ours, tool = bench.environments.tool("ours"), bench.environments.tool("ours", "mlflow-rest-export")
    launcher = bench.environments.tool("launcher", "nemo-evaluator-launcher")
    lines = {
        'python -c "import argparse"': [ours, "-c", "import argparse"],
        "mlflow-rest-export --version": [tool, "--version"],
        "mlflow-rest-export --help": [tool, "--help"],
        'python -c "import requests"': [ours, "-c", "import requests"],
        'python -c "import mlflow_rest_export"': [ours, "-c", "import mlflow_rest_export"],
        "nemo-evaluator-launcher --version": [launcher, "--version"],
        'python -c "import mlflow" (skinny)': [bench.environments.tool("skinny"), "-c", "import mlflow"],
        'python -c "import mlflow"': [bench.environments.tool("server"), "-c", "import mlflow"],
    }
    home = _home(bench.work)
    sides = [_same(name, Command(line, home)) for name, line in lines.items()]
    return {
        "title": "cold start",
        "rows": summed(alternate("cold start", sides, 2 if bench.quick else rounds)),
    }


def installed(bench: Bench) -> Found:
    """Weigh the environments beyond a bare one."""
    names = {
        "mlflow-rest-export": "ours",
        "nemo-evaluator-launcher with mlflow": "launcher",
        "mlflow-skinny": "skinny",
        "mlflow": "server",
    }
    rows = [{"side": name, "megabytes": bench.environments.megabytes(key)} for name, key in names.items()]
    return {"title": "installed size", "rows": rows}


def scaling(bench: Bench, counts: tuple[int, ...] = (10, 100, 1000, 10_000)) -> Found:
    """Export more and more jobs: time and memory per job must stay flat."""
    rows = []
    for count in counts[:2] if bench.quick else counts:
        root = bench.work / f"jobs{count}"
        ids = make_jobs(root, count)
        with bench.far_server(0.0) as (_, url):
            taken: list[Sample] = [run(bench.ours(root, ids, url, f"scale-{count}"))]
            again_taken = run(bench.ours(root, ids, url, f"scale-{count}"))
        row = summed({f"{count} jobs": taken})[0]
        more = {
            "per_job": taken[0].seconds / count,
            "again": again_taken.seconds,
            "again_peak": again_taken.peak,
        }
        rows.append({**row, **more})
        print(f"scaling: {count} jobs in {taken[0].seconds:.1f} s, {taken[0].peak:.0f} MB", flush=True)
    return {"title": "scaling", "rows": rows}


CASES: dict[str, Callable[[Bench], Found]] = {
    "installed": installed,
    "cold-start": cold_start,
    "jobs-20": lambda bench: jobs(bench, 20),
    "jobs-20-far": lambda bench: jobs(bench, 20, delay=ROUND_TRIP),
    "files-2000": lambda bench: many_files(bench, 2000),
    "points-100000": lambda bench: points(bench, 100_000),
    "file-1g": lambda bench: big_file(bench, 1_000_000_000),
    "again-200": lambda bench: again(bench, 200),
    "jobs-200": lambda bench: jobs(bench, 200),
    "scaling": scaling,
    "jobs-200-far": lambda bench: jobs(bench, 200, delay=ROUND_TRIP),
}
"""In the order of a whole run, the longest last."""
