"""Each fault at each request of an export: after at most one re-run there is exactly one whole run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from attempts import Attempt, invocation, record
from fault_proxy import FaultProxy
from faults import FAULTS, Fault, Kind
from mlflow_server import MlflowServer
from mlruns_stores import START, a_run, finish, store
from server_pool import Tally
from stored_runs import StoredRuns, tag_of

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.exporting.grouping import grouped
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import Metric, RunRecord
from mlflow_rest_export.sources import mlruns
from mlflow_rest_export.sources.options import ReadOptions

pytestmark = pytest.mark.faults

SAMPLE = "reset_after"
"""Without --long this one hits every request, the others every sixth one."""


@dataclass(slots=True)
class Sweep:
    """Breaks one request after the other of an export that is otherwise always the same.

    Args:
        before: what was exported before the export under test; None: nothing.
        wanted: what the runs must be in the end.
    """

    server: MlflowServer
    proxy: FaultProxy
    experiment: str
    wanted: tuple[RunRecord, ...]
    before: RunRecord | None = None
    cases: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)
    """Case -> what was wrong in the end."""

    def requests(self) -> int:
        """Count the requests of an export that meets no fault."""
        self._prepare("clean")
        self.proxy.forget()
        results = Attempt(uri=self.proxy.url, experiment=f"{self.experiment} clean").export(*self.wanted)
        assert [result.error for result in results] == [None] * len(results)
        return len(self.proxy.seen)

    def hit(self, name: str, number: int) -> None:
        """Let fault ``name`` hit request ``number``, export, export again if need be, and compare."""
        case = f"{name} at {number}"
        experiment = f"{self.experiment} {case}"
        self._prepare(case)
        self.proxy.forget()
        fault = FAULTS[name]
        self.proxy.inject(fault, number=number)
        attempt = Attempt(uri=self.proxy.url, experiment=experiment, answer_timeout=_timeout(fault))
        first = attempt.export(*self.wanted)
        self.proxy.forget()
        second = Attempt(uri=self.proxy.url, experiment=experiment).export(*self.wanted)
        wrong = self._wrong_in(StoredRuns(self.server, experiment))
        wrong += [f"re-run: {result.error}" for result in second if result.error]
        if all(result.outcome is Outcome.EXPORTED for result in first) and self.proxy.writes:
            wrong.append(f"re-run wrote: {[seen.path for seen in self.proxy.writes]}")
        self.cases += 1
        if wrong:
            self.wrong[f"{case}, at first {[(one.outcome.value, str(one.error)) for one in first]}"] = wrong
        self.server.forget()

    def _wrong_in(self, store: StoredRuns) -> list[str]:
        wrong = [what for one in self.wanted for what in store.faults(one, before=self.before)]
        runs = store.runs()
        gone = store.runs("DELETED_ONLY")
        if len(runs) != len(self.wanted) or gone:
            wrong.append(f"{len(runs)} runs, {len(gone)} deleted")
        ids = {tag_of(run, marks.KEY): run["info"]["run_id"] for run in runs}
        for run in runs:
            above = ids.get(tag_of(run, marks.PARENT))
            if tag_of(run, mlflow_tags.PARENT) != above:
                wrong.append(f"{run['info']['run_id']} is not under {above}")
        return wrong

    def _prepare(self, case: str) -> None:
        if self.before is not None:
            attempt = Attempt(uri=self.server.url, experiment=f"{self.experiment} {case}")
            (result,) = attempt.export(self.before)
            assert result.outcome is Outcome.EXPORTED, result.error


def _timeout(fault: Fault) -> float:
    return 0.8 if fault.kind is Kind.STALL else 30.0


def _numbers(name: str, requests: int, *, long_run: bool) -> Iterator[int]:
    every = 1 if long_run or name == SAMPLE else 6
    first = 1 if every == 1 else 1 + sorted(FAULTS).index(name) % 6
    yield from range(first, requests + 1, every)


def test_a_fault_anywhere_leaves_exactly_one_whole_run(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    sweep = Sweep(server, proxy, experiment, (record(tmp_path),))
    requests = sweep.requests()

    for name in FAULTS:
        for number in _numbers(name, requests, long_run=long_run):
            sweep.hit(name, number)

    tally.add(f"faults, new run, MLflow {server.kind}", sweep.cases, len(sweep.wrong))
    assert not sweep.wrong


def test_a_fault_anywhere_in_an_update_leaves_exactly_one_whole_run(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    before = record(tmp_path, files=3, metrics=4, steps=0)
    wanted = record(tmp_path, files=5, metrics=12, steps=0, shift=1)
    sweep = Sweep(server, proxy, experiment, (wanted,), before)
    requests = sweep.requests()

    for name in FAULTS if long_run else (SAMPLE, "unavailable_503_after", "stall_after"):
        for number in _numbers(name, requests, long_run=long_run):
            sweep.hit(name, number)

    tally.add(f"faults, update, MLflow {server.kind}", sweep.cases, len(sweep.wrong))
    assert not sweep.wrong


def test_a_fault_anywhere_leaves_all_jobs_of_an_invocation_whole_under_their_parent(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    found = list(grouped(invocation(tmp_path, "a job", "another job"), wanted=lambda _: True))
    wanted = tuple(one for one in found if isinstance(one, RunRecord))
    sweep = Sweep(server, proxy, experiment, wanted)
    requests = sweep.requests()

    for name in FAULTS if long_run else (SAMPLE,):
        for number in range(1, requests + 1, 1 if long_run else 4):
            sweep.hit(name, number)

    tally.add(f"faults, invocation with parent, MLflow {server.kind}", sweep.cases, len(sweep.wrong))
    assert not sweep.wrong


def file_store(root: Path, files: Path) -> tuple[RunRecord, ...]:
    """Fill a file store as MLflow and we would, nested and with histories, and read it."""
    tracking = store(root)
    above = ""
    for name in ("parent", "child", "grandchild"):
        run = a_run(tracking, key=None, name=name, tags={mlflow_tags.PARENT: above} if above else {})
        losses = [Metric("loss", 1 / (step + 1), START + step, step) for step in range(40)]
        tracking.log_values(run.run_id, metrics=losses, params={"lr": "0.1"}, tags={"made by": "MLflow"})
        FileArtifacts().upload(run, "log.txt", BytesContent(name.encode()))
        finish(tracking, run)
        above = run.run_id
    (result,) = Attempt(uri=str(root), experiment="exp").export(record(files, files=3, metrics=4))
    assert result.outcome is Outcome.EXPORTED
    found = [one for one in mlruns.read(root, ReadOptions()) if isinstance(one, RunRecord)]
    return tuple(replace(one, experiment=None) for one in found)


def test_a_fault_anywhere_leaves_every_run_of_a_file_store_whole_under_its_parent(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    wanted = file_store(tmp_path / "mlruns", tmp_path / "files")
    sweep = Sweep(server, proxy, experiment, wanted)
    requests = sweep.requests()

    for name in FAULTS if long_run else (SAMPLE,):
        for number in range(1, requests + 1, 1 if long_run else 5):
            sweep.hit(name, number)

    tally.add(f"faults, file store as source, MLflow {server.kind}", sweep.cases, len(sweep.wrong))
    assert len(wanted) == 4
    assert not sweep.wrong
