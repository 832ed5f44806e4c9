"""SIGKILL at any point of an export, then the same export: one complete run."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from attempts import Attempt, invocation
from fault_proxy import FaultProxy
from faults import FAULTS, Seen
from launcher_folders import FOLDER, LCR, MMLU, OUTPUT
from mlflow_server import MlflowServer, Variant
from processes import Killer, exporting_processes
from server_pool import Pool, Tally, newest
from stored_runs import StoredRuns

from mlflow_rest_export import marks
from mlflow_rest_export.atomic_files import UNFINISHED
from mlflow_rest_export.mlruns_layout import CREATING

pytestmark = pytest.mark.kill

NAMES = ["a job", "another job"]
OF_THE_WRITER = (marks.CLAIM, marks.TAKEOVER, marks.OWNER, marks.ERROR)


def killed_at(server: MlflowServer, experiment: str, folder: Path, *, number: int, after: bool) -> list[str]:
    """Kill an export at one request, export again, and say what is wrong then."""
    with exporting_processes(1) as (process,):
        killer = Killer(process, number)
        hooks = {"after": killer} if after else {"before": killer}
        with FaultProxy(server.port, **hooks) as proxy:  # type: ignore[arg-type]
            process.order(uri=proxy.url, experiment=experiment, folder=str(folder), names=NAMES)
            died = process.answer() is None
    records = invocation(folder, *NAMES)
    results = Attempt(uri=server.url, experiment=experiment).export(*records)
    store = StoredRuns(server, experiment)
    wrong = [f"{one.label}: {what}" for one in records for what in store.faults(one)]
    wrong += [f"{result.label}: {result.error}" for result in results if result.error]
    return wrong if died else [*wrong, "the process was not killed"]


def test_a_kill_at_any_request_leaves_what_the_next_export_completes(
    pool: Pool, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    server = pool.get(newest(pool), Variant())
    with FaultProxy(server.port) as proxy:
        Attempt(uri=proxy.url, experiment=f"{experiment} clean").export(*invocation(tmp_path, *NAMES))
        requests = len(proxy.seen)
    wrong: dict[str, list[str]] = {}
    cases = 0

    for number in range(1, requests + 1, 1 if long_run else 6):
        for after in (False, True) if long_run else (number % 12 == 1,):
            case = f"{'after' if after else 'before'} {number}"
            found = killed_at(server, f"{experiment} {case}", tmp_path, number=number, after=after)
            cases += 1
            if found:
                wrong[case] = found

    tally.add(f"kills, MLflow {server.kind}, {requests} requests", cases, len(wrong))
    assert not wrong


def test_a_kill_at_any_change_of_a_file_leaves_a_folder_the_next_export_completes(
    tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    results, root = tmp_path / "results", tmp_path / "mlruns"
    Attempt(uri=str(root), experiment="e").export(*invocation(results, *NAMES))
    whole = set(content(root))
    shutil.rmtree(root)
    wrong: dict[int, list[str]] = {}
    numbers = itertools.count(1, 1 if long_run else 41)
    cases = 0

    for number in numbers:
        if not kill_at_change(number, root, results):
            break
        cases += 1
        again = Attempt(uri=str(root), experiment="e").export(*invocation(results, *NAMES))
        found = sorted({name for name, _ in set(content(root)) ^ whole})
        found += [str(result.error) for result in again if result.error]
        if found:
            wrong[number] = found
        shutil.rmtree(root, ignore_errors=True)

    tally.add("kills, file store", cases, len(wrong))
    assert cases > (100 if long_run else 2)
    assert not wrong


def kill_at_change(number: int, root: Path, results: Path) -> bool:
    """Export into a new file store and die at one change; False when there were fewer changes."""
    with exporting_processes(1) as (process,):
        order = {"uri": str(root), "experiment": "e", "folder": str(results), "names": NAMES}
        process.order(**order, die_at=number)
        return process.answer() is None


def content(root: Path) -> list[tuple[str, bytes]]:
    """Give every file of every run with its bytes, without what says who wrote it and what was left over."""
    files = (path for path in sorted(root.glob("[0-9]*/*/**/*")) if path.is_file())
    return [
        (path.relative_to(root).as_posix(), path.read_bytes())
        for path in files
        if not path.name.startswith((*OF_THE_WRITER, UNFINISHED)) and CREATING not in path.parts
    ]


def command(results: Path, uri: str, experiment: str) -> list[str]:
    """Give the command line that exports the sample jobs."""
    what = [sys.executable, "-m", "mlflow_rest_export", "export", str(results), "--json"]
    return [*what, "--tracking-uri", uri, "--experiment-name", experiment]


class Signaller:
    """Sends a signal to a process when request ``number`` comes."""

    def __init__(self, number: int, signum: signal.Signals) -> None:
        self._number = number
        self._signum = signum
        self.process: subprocess.Popen[str] | None = None
        self.at = 0.0

    def __call__(self, seen: Seen) -> None:
        if seen.number == self._number and self.process is not None:
            self.at = time.monotonic()
            self.process.send_signal(self._signum)


@dataclass(slots=True)
class Ended:
    """How a process ended after a signal; ``seconds`` is what it still took."""

    code: int
    err: str
    seconds: float


def signalled(
    server: MlflowServer, line: list[str], *, number: int, signum: signal.Signals, hang: bool = False
) -> Ended:
    """Run a command line, and send it a signal at one request, which may hang for ever."""
    signaller = Signaller(number, signum)
    with FaultProxy(server.port, before=signaller) as proxy:
        if hang:
            proxy.inject(FAULTS["stall_before"], number=number)
        line = [proxy.url if part == server.url else part for part in line]
        signaller.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=server.folder
        )
        _, err = signaller.process.communicate(timeout=60)
        return Ended(signaller.process.returncode, err, time.monotonic() - signaller.at)


def wrong_after_a_signal(
    server: MlflowServer, results: Path, experiment: str, *, number: int, signum: signal.Signals, hang: bool
) -> list[str]:
    """Send a signal at one request, look at what is left, export again, and say what is wrong."""
    line = command(results, server.url, experiment)
    ended = signalled(server, line, number=number, signum=signum, hang=hang)
    store = StoredRuns(server, experiment)
    left = [run["info"]["status"] for run in store.runs()]
    wrong = [] if ended.code == 128 + signum else [f"exit code {ended.code}: {ended.err}"]
    wrong += [] if ended.seconds < 5 else [f"took {ended.seconds:.1f} s"]
    wrong += [] if "the same command completes it" in ended.err else [ended.err]
    wrong += [] if hang or "RUNNING" not in left else [f"left {left}"]
    again = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    whole = [run["info"]["status"] for run in store.runs()]
    if again.returncode or whole != ["FINISHED", "FINISHED"]:
        wrong.append(f"again {again.returncode} {again.stderr}, {whole}")
    return wrong


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("hang", [False, True], ids=["answered", "hanging"])
def test_a_signal_at_any_request_ends_the_export_in_time_and_the_next_one_completes_it(
    pool: Pool,
    experiment: str,
    tmp_path: Path,
    long_run: bool,
    tally: Tally,
    signum: signal.Signals,
    hang: bool,
) -> None:
    server = pool.get(newest(pool), Variant())
    results = tmp_path / FOLDER
    for job in (MMLU, LCR):
        shutil.copytree(OUTPUT / FOLDER / job, results / job)
    with FaultProxy(server.port) as proxy:
        subprocess.run(command(results, proxy.url, f"{experiment} clean"), check=True, capture_output=True)
        requests = len(proxy.seen)
    wrong: dict[int, list[str]] = {}
    numbers = range(1, requests) if long_run else [requests // 2, *([] if hang else [3])]

    for number in numbers:
        found = wrong_after_a_signal(
            server, results, f"{experiment} {number}", number=number, signum=signum, hang=hang
        )
        if found:
            wrong[number] = found

    what = "hanging" if hang else "answered"
    tally.add(f"{signum.name} at {what} requests, MLflow {server.kind}", len(numbers), len(wrong))
    assert not wrong
