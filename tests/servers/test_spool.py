"""Outages of every length: nothing is lost, and what was spooled arrives later as the same runs, once."""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attempts import START, Attempt, record
from command_line import run
from fault_proxy import FaultProxy
from faults import FAULTS, Seen
from launcher_folders import FOLDER, INVOCATION, LCR, MMLU, OUTPUT
from mlflow_server import MlflowServer, free_port
from server_pool import Tally
from stored_runs import StoredRuns

from mlflow_rest_export import marks
from mlflow_rest_export.api import export_results
from mlflow_rest_export.records import Metric, RunRecord
from mlflow_rest_export.sources import mlruns
from mlflow_rest_export.sources.options import ReadOptions

OF_THE_WRITER = {marks.OWNER, marks.ERROR, marks.TIME, "mlflow.user"}
JOBS = [f"{INVOCATION}.0", f"{INVOCATION}.1"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The results of two launcher jobs."""
    folder = tmp_path / FOLDER
    shutil.copytree(OUTPUT / FOLDER / MMLU, folder / MMLU)
    shutil.copytree(OUTPUT / FOLDER / LCR, folder / LCR)
    return folder


def export(results: Path, uri: str | Path, experiment: str, **settings: object) -> Any:
    """Export in this process, with little patience."""
    config = {"tracking_uri": str(uri), "experiment_name": experiment, "timeout": 0.5, **settings}
    return export_results([str(results)], config=config)


def deliver(spool: Path, uri: str) -> Any:
    """Export a spool; each run goes to the experiment that it was meant for."""
    return export_results([str(spool)], config={"tracking_uri": uri, "timeout": 0.5})


def outcomes(answer: Any) -> list[str]:
    return [one["outcome"] for one in answer["runs"]]


def content(server: MlflowServer, experiment: str) -> dict[str, Any]:
    """Give what every run of an experiment holds, without what only says who wrote it."""
    store = StoredRuns(server, experiment)
    return {_tags(one)["job_id"]: _content(store, one) for one in store.runs()}


def _content(store: StoredRuns, one: dict[str, Any]) -> dict[str, Any]:
    run_id = one["info"]["run_id"]
    receipt = json.loads(store.content(one, marks.RECEIPT))
    hashes = {path: hashlib.sha256(store.content(one, path)).hexdigest() for path in store.files(run_id)}
    assert {path: told["sha256"] for path, told in receipt["files"].items()} == {
        path: digest for path, digest in hashes.items() if path != marks.RECEIPT
    }
    return {
        "name": one["info"].get("run_name") or _tags(one)["mlflow.runName"],
        "status": one["info"]["status"],
        "times": (one["info"]["start_time"], one["info"]["end_time"]),
        "params": {p["key"]: p["value"] for p in one["data"]["params"] if not _is_claim(p["key"])},
        "tags": {key: value for key, value in _tags(one).items() if key not in OF_THE_WRITER},
        "metrics": {m["key"]: store.history(run_id, m["key"]) for m in one["data"].get("metrics", [])},
        "files": hashes.keys(),
        "hashes": receipt["files"],
    }


def _tags(one: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in one["data"]["tags"]}


def _is_claim(param: str) -> bool:
    return param == marks.CLAIM or param.startswith(marks.TAKEOVER)


def test_runs_for_a_server_that_is_down_are_spooled_and_arrive_later_just_as_if_they_were_sent_at_once(
    server: MlflowServer, experiment: str, results: Path, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    nowhere = f"http://127.0.0.1:{free_port()}"

    down = run(
        *("export", results, "--tracking-uri", nowhere, "--experiment-name", experiment),
        *("--spool", spool, "--timeout", "1", "--json"),
        home=tmp_path,
    )
    later = run("export", spool, "--tracking-uri", server.url, "--json", home=tmp_path)
    again = run("export", spool, "--tracking-uri", server.url, "--json", home=tmp_path)

    assert (down.code, down.outcomes) == (3, dict.fromkeys(JOBS, "spooled")), down.err
    assert (later.code, later.outcomes) == (0, dict.fromkeys(JOBS, "exported")), later.err
    assert (again.code, again.outcomes) == (0, dict.fromkeys(JOBS, "unchanged")), again.err
    keys = [[one["key"] for one in said.json["runs"]] for said in (down, later)]
    assert keys[0] == keys[1]
    assert export(results, server.url, f"{experiment} direct")["success"]
    assert content(server, experiment) == content(server, f"{experiment} direct")
    assert outcomes(export(results, server.url, experiment)) == ["unchanged", "unchanged"]


class Outage:
    """From request ``number`` on, every connection of a proxy is reset."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.proxy: FaultProxy | None = None

    def __call__(self, seen: Seen) -> None:
        if seen.number == self.number - 1:
            self.begin()

    def begin(self) -> None:
        assert self.proxy is not None
        self.proxy.inject(FAULTS["reset_before"], times=1_000_000)


def wrong_after_an_outage(
    server: MlflowServer, results: Path, experiment: str, spool: Path, *, number: int
) -> list[str]:
    """Let the server go away at one request; export the spool once it is back, and say what is wrong."""
    outage = Outage(number)
    with FaultProxy(server.port, before=outage) as proxy:
        outage.proxy = proxy
        if number == 1:
            outage.begin()
        first = export(results, proxy.url, experiment, spool=str(spool))
    wrong = [] if set(outcomes(first)) <= {"exported", "spooled"} else [f"at first {first}"]
    if "spooled" in outcomes(first):
        delivered = deliver(spool, server.url)
        if set(outcomes(delivered)) <= {"exported", "unchanged"}:
            wrong += [] if first["runs"][0]["key"] else ["no key"]
        else:
            wrong.append(f"delivery {delivered}")
    found, expected = content(server, experiment), content(server, f"{experiment} direct")
    wrong += [] if found == expected else [f"{found} instead of {expected}"]
    again = outcomes(export(results, server.url, experiment))
    return wrong if again == ["unchanged", "unchanged"] else [*wrong, f"again {again}"]


@pytest.mark.faults
def test_an_outage_from_any_request_on_leaves_one_whole_run_a_job_once_the_spool_is_exported(
    server: MlflowServer, experiment: str, results: Path, tmp_path: Path, long_run: bool, tally: Tally
) -> None:
    with FaultProxy(server.port) as proxy:
        export(results, proxy.url, f"{experiment} 0 direct")
        requests = len(proxy.seen)
    wrong = {}
    numbers = range(1, requests + 1, 1 if long_run else 11)

    for number in numbers:
        place = f"{experiment} {number}"
        export(results, server.url, f"{place} direct")
        found = wrong_after_an_outage(server, results, place, tmp_path / f"spool{number}", number=number)
        if found:
            wrong[number] = found

    tally.add(f"outages, MLflow {server.kind}", len(numbers), len(wrong))
    assert not wrong


def test_what_was_sent_before_the_outage_is_completed_and_not_doubled(
    server: MlflowServer, proxy: FaultProxy, experiment: str, results: Path, tmp_path: Path
) -> None:
    proxy.inject(FAULTS["reset_before"], method="PUT", times=1_000_000)

    first = export(results, proxy.url, experiment, spool=str(tmp_path / "spool"))
    partly = StoredRuns(server, experiment).runs()
    deliver(tmp_path / "spool", server.url)

    whole = StoredRuns(server, experiment).runs()
    assert outcomes(first) == ["spooled", "spooled"]
    assert {one["info"]["status"] for one in partly} & {"FINISHED"} == set()
    assert {one["info"]["run_id"] for one in whole} == {one["info"]["run_id"] for one in partly}
    assert {one["info"]["status"] for one in whole} == {"FINISHED"}


def test_a_job_that_was_spooled_joins_its_siblings_under_their_parent(
    server: MlflowServer, nowhere: str, experiment: str, results: Path, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"

    first = export(results / MMLU, server.url, experiment, group_by="invocation")
    second = export(results / LCR, nowhere, experiment, group_by="invocation", spool=str(spool))
    delivered = deliver(spool, server.url)

    assert outcomes(first) == ["exported", "exported"]
    assert outcomes(second) == ["spooled", "spooled"]
    assert outcomes(delivered) == ["unchanged", "exported"]
    runs = StoredRuns(server, experiment).runs()
    (parent,) = (one["info"]["run_id"] for one in runs if "job_id" not in _tags(one))
    above = [_tags(one)["mlflow.parentRunId"] for one in runs if "job_id" in _tags(one)]
    assert above == [parent, parent]


@pytest.fixture
def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize("kind", ["a file in the way", "no place for a folder of runs"])
def test_a_spool_that_cannot_be_one_is_told_before_anything_is_sent(
    nowhere: str, results: Path, tmp_path: Path, kind: str
) -> None:
    spool = tmp_path / "spool" if kind == "a file in the way" else tmp_path / "artifacts" / "spool"
    if kind == "a file in the way":
        spool.write_text("a file")

    said = run(
        *("export", results, "--tracking-uri", nowhere, "--spool", spool, "--timeout", "1"), home=tmp_path
    )

    assert said.code == 2, said.err
    assert str(spool) in said.err
    assert "Traceback" not in said.err


def test_a_spool_on_a_full_disk_fails_with_the_reason_and_leaves_nothing_that_looks_whole(
    nowhere: str, results: Path, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    large = results / LCR / "artifacts" / "eval_factory_metrics.json"
    large.write_text(large.read_text() + " " * 100_000)
    limit: Callable[[], None] = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (50_000, 50_000))

    said = subprocess.run(
        [
            *(sys.executable, "-m", "mlflow_rest_export", "export", str(results), "--json"),
            *("--tracking-uri", nowhere, "--spool", str(spool), "--timeout", "1"),
        ],
        cwd=tmp_path,
        preexec_fn=limit,  # no threads here
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    told = {one["job_id"]: one for one in json.loads(said.stdout)["runs"]}
    assert said.returncode == 1, said.stderr
    assert [told[job]["outcome"] for job in JOBS] == ["spooled", "failed"]
    assert "file too large" in told[JOBS[1]]["error"]["message"]
    assert "refused" in told[JOBS[1]]["error"]["message"]
    read = run("export", spool, "--tracking-uri", str(tmp_path / "mlruns"), "--json", home=tmp_path)
    assert sorted(read.outcomes.values()) == ["exported", "failed"]
    whole = run("export", results, "--tracking-uri", tmp_path / "whole", home=tmp_path)
    assert whole.code == 0, whole.err
    assert files(spool).items() <= files(tmp_path / "whole").items()


def files(root: Path) -> dict[str, bytes]:
    """Give every artifact of every run, the receipts apart."""
    found = (path for path in root.glob("*/*/artifacts/**/*") if path.is_file())
    return {
        "/".join(path.relative_to(root).parts[1:]): path.read_bytes()
        for path in found
        if path.name != "receipt.json"
    }


def test_names_that_a_folder_cannot_keep_arrive_as_if_they_were_sent_at_once(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path
) -> None:
    points = [Metric("acc", 0.5, START), Metric("acc/math", 0.25, START)]
    wanted = replace(record(tmp_path / "files"), metrics=points, params={"big": "x" * 9000, "p": "1"})
    if server.variant.files:
        pytest.skip("a server of a file store cannot keep them either")
    proxy.inject(FAULTS["reset_before"], method="PUT", times=1_000_000)

    broken = Attempt(uri=proxy.url, experiment=experiment, patience=0.5).export(wanted)
    spooled = Attempt(uri=str(tmp_path / "spool"), experiment=experiment).export(wanted)
    (kept,) = mlruns.read(tmp_path / "spool", ReadOptions())
    assert isinstance(kept, RunRecord)
    delivered = Attempt(uri=server.url, experiment=experiment).export(kept)
    again = Attempt(uri=server.url, experiment=experiment).export(wanted)

    told = [one.outcome.value for (one,) in (broken, spooled, delivered, again)]
    assert told == ["failed", "exported", "exported", "unchanged"]
    (one,) = StoredRuns(server, experiment).runs()
    assert sorted(metric["key"] for metric in one["data"]["metrics"]) == ["acc", "acc/math"]
    whole = json.loads(StoredRuns(server, experiment).content(one, marks.FULL_VALUES))
    assert whole == {"params": {"big": "x" * 9000}}
