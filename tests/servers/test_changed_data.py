"""Data that changed between exports, or in the middle of one: the run ends up with the newest, each once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attempts import Attempt, record
from fault_proxy import FaultProxy
from faults import FAULTS, Seen
from mlflow_server import MlflowServer
from server_pool import Tally
from stored_runs import StoredRuns

from mlflow_rest_export import marks
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.records import Metric, RunRecord


def exported(uri: str, experiment: str, wanted: RunRecord, *, patience: float = 20.0) -> RunResult:
    (result,) = Attempt(uri=uri, experiment=experiment, patience=patience).export(wanted)
    return result


REPRESENTATIVE = {(5, 5), (8, 7), (9, 9), (10, 8), (11, 11), (12, 6)}
"""Requests at which the first and the second export break off, without --long."""


def versions(folder: Path) -> list[RunRecord]:
    """Give one result as it was, was then, and is now; its files always have the same sizes."""
    return [record(folder, files=4, metrics=3, shift=shift) for shift in (3, 2, 1)]


def run_of(server: MlflowServer, experiment: str) -> dict[str, Any]:
    (run,) = StoredRuns(server, experiment).runs()
    return run


def tags_of(run: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def receipt_of(server: MlflowServer, experiment: str) -> Any:
    store = StoredRuns(server, experiment)
    return json.loads(store.content(run_of(server, experiment), marks.RECEIPT))


class Watcher:
    """Looks at the run in the store before each upload of an export."""

    def __init__(self, server: MlflowServer, experiment: str) -> None:
        self._server = server
        self._experiment = experiment
        self.seen: list[tuple[str, str, str, str]] = []

    def __call__(self, seen: Seen) -> None:
        if seen.method == "PUT":
            run = run_of(self._server, self._experiment)
            receipt = receipt_of(self._server, self._experiment)
            name = seen.path.rpartition("/")[2]
            self.seen.append((name, run["info"]["status"], tags_of(run)[marks.DIGEST], receipt["state"]))


def test_while_it_is_updated_a_run_is_running_under_the_new_digest_and_its_receipt_is_taken_back_first(
    server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    before, after, _ = versions(tmp_path)
    exported(server.url, experiment, before)
    old = receipt_of(server, experiment)
    watcher = Watcher(server, experiment)

    with FaultProxy(server.port, before=watcher) as proxy:
        Attempt(uri=proxy.url, experiment=experiment, workers=1).export(after)

    new = receipt_of(server, experiment)
    first, *files, last = (name for name, *_ in watcher.seen)
    assert (first, last) == ("receipt.json", "receipt.json")
    assert sorted(files) == ["f1.txt", "f2.txt", "f3.txt"]
    assert {(status, digest) for _, status, digest, _ in watcher.seen} == {("RUNNING", new["digest"])}
    assert [state for *_, state in watcher.seen] == ["complete", *["updating"] * 4]
    assert (old["state"], new["state"]) == ("complete", "complete")
    assert old["digest"] != new["digest"]


def test_params_that_changed_are_kept_and_told_everywhere(
    server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    before = record(tmp_path)
    after = replace(before, params={**before.params, "batch_size": "64", "new": "1"})
    exported(server.url, experiment, before)

    result = exported(server.url, experiment, after)

    params = {param["key"]: param["value"] for param in run_of(server, experiment)["data"]["params"]}
    (told,) = result.adjustments
    assert (told.field, told.before, told.after) == ("param batch_size", "64", "32")
    assert (params["batch_size"], params["new"]) == ("32", "1")
    assert receipt_of(server, experiment)["adjustments"][0]["field"] == "param batch_size"
    assert exported(server.url, experiment, after).outcome is Outcome.UNCHANGED


def test_values_that_did_not_change_get_no_new_point(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path
) -> None:
    before = record(tmp_path, files=2)
    changed = [replace(point, value=0.125) if point.key == "acc_3" else point for point in before.metrics]
    after = replace(before, metrics=changed)
    exported(server.url, experiment, before)
    proxy.forget()

    exported(proxy.url, experiment, after)

    assert [seen.path.rpartition("/")[2] for seen in proxy.writes if seen.method == "PUT"] == ["receipt.json"]
    assert StoredRuns(server, experiment).faults(after, before=before) == []
    run_id = run_of(server, experiment)["info"]["run_id"]
    first = next(point for point in before.metrics if point.key == "acc_3")
    points = sorted(
        StoredRuns(server, experiment).history(run_id, "acc_3"), key=lambda point: point.timestamp
    )
    assert points == [first, Metric("acc_3", 0.125, first.timestamp + 1)]


def test_data_that_changes_and_changes_back_ends_as_it_began(
    server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    first, second, _ = versions(tmp_path)

    for wanted in (first, second, first):
        assert exported(server.url, experiment, wanted).outcome is Outcome.EXPORTED
        assert wrong_in(StoredRuns(server, experiment), wanted, first, second) == []


def wrong_in(store: StoredRuns, wanted: RunRecord, *earlier: RunRecord) -> list[str]:
    """Say in what the only run differs from ``wanted``, apart from points that earlier data left."""
    runs = store.runs()
    if len(runs) != 1:
        return [f"{len(runs)} runs"]
    (run,) = runs
    wrong = [] if run["info"]["status"] == "FINISHED" else [run["info"]["status"]]
    latest = {one["key"]: one["value"] for one in run["data"]["metrics"]}
    last = {point.key: point.value for point in wanted.metrics}
    wrong += [
        f"{key} shows {latest.get(key)}, not {value}"
        for key, value in last.items()
        if latest.get(key) != value
    ]
    for key in last:
        points = [(point.step, point.value) for point in store.history(run["info"]["run_id"], key)]
        known = {
            (point.step, point.value)
            for one in (wanted, *earlier)
            for point in one.metrics
            if point.key == key
        }
        if any(points.count(point) > len(earlier) for point in points) or not set(points) <= known:
            wrong.append(f"metric {key}: {points}")
    for artifact in wanted.artifacts:
        assert isinstance(artifact.content, Path)
        if store.content(run, artifact.path) != artifact.content.read_bytes():
            wrong.append(f"file {artifact.path} has other bytes")
    return wrong


def broken_off(server: MlflowServer, experiment: str, wanted: RunRecord, *, number: int) -> None:
    """Export until request ``number`` and be gone: nothing is heard of the exporter any more."""
    with FaultProxy(server.port) as proxy:
        _die(proxy, number)
        exported(proxy.url, experiment, wanted, patience=0.3)


def _die(proxy: FaultProxy, number: int) -> None:
    def at(seen: Seen) -> None:
        if seen.number == number - 1:
            proxy.inject(FAULTS["reset_before"], times=1_000_000)

    if number == 1:
        proxy.inject(FAULTS["reset_before"], times=1_000_000)
    proxy.before = at


def places(requests: int, *, long_run: bool) -> Iterator[tuple[int, int]]:
    """Give where the first and the second export break off."""
    for first in range(5, requests + 1):
        for second in range(4, requests + 4):
            if long_run or (first, second) in REPRESENTATIVE:
                yield first, second


@pytest.mark.faults
def test_data_that_changed_while_exports_broke_off_arrives_whole_wherever_they_did(
    server: MlflowServer, experiment: str, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    one, two, three = versions(tmp_path)
    with FaultProxy(server.port) as proxy:
        exported(proxy.url, f"{experiment} clean", one)
        requests = len(proxy.seen)
    wrong = {}
    cases = list(places(requests, long_run=long_run))

    for first, second in cases:
        place = f"{experiment} {first} {second}"
        store = StoredRuns(server, place)
        broken_off(server, place, one, number=first)
        broken_off(server, place, two, number=second)
        resumed = exported(server.url, place, two)
        found = wrong_in(store, two, one)
        changed = exported(server.url, place, three)
        found += wrong_in(store, three, one, two)
        errors = [str(result.error) for result in (resumed, changed) if result.error]
        if found or errors:
            wrong[first, second] = [*found, *errors]

    tally.add(f"data changed in broken off exports, MLflow {server.kind}", len(cases), len(wrong))
    assert not wrong
