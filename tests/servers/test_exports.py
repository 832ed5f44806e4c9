"""What an export does to a running server: how many requests, which, and what is there afterwards."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from attempts import Attempt, record
from fault_proxy import FaultProxy
from faults import FAULTS, Seen
from mlflow_server import ADMIN, MlflowServer
from stored_runs import StoredRuns, tag_of

from mlflow_rest_export import marks
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.records import Artifact, Dataset, RunRecord


def exported(
    uri: str, experiment: str, *records: RunRecord, connection: Connection | None = None
) -> RunResult:
    """Export, and give the result of the last record; all of them must have gone well."""
    results = Attempt(uri=uri, experiment=experiment, connection=connection or Connection()).export(*records)
    assert [result.error for result in results] == [None] * len(records)
    return results[-1]


def paths(proxy: FaultProxy) -> list[str]:
    """Give the requests that passed, without the ids in them."""
    last = [seen.path.removeprefix("/api/2.0/mlflow/") for seen in proxy.seen]
    kinds = ["artifact" if "mlflow-artifacts" in path else path.removeprefix("/") for path in last]
    return [f"{seen.method} {kind}" for seen, kind in zip(proxy.seen, kinds, strict=True)]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_new_job_with_five_files_costs_nine_requests_and_a_call_four_more(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path, *, is_new: bool
) -> None:
    wanted = record(tmp_path)
    if not is_new:
        exported(server.url, experiment, record(tmp_path, name="another job"))

    assert exported(proxy.url, experiment, wanted).outcome is Outcome.EXPORTED

    sent = paths(proxy)
    assert sorted(sent[:2]) == ["GET experiments/get-by-name", "GET version"]  # side by side
    call = ["POST experiments/create" if is_new else "POST runs/search"]  # nothing is in a new experiment
    job = ["POST runs/create", "POST runs/search", "POST runs/log-batch"]
    assert sent[2:] == [*call, *job, *["PUT artifact"] * 6, "POST runs/update"]
    assert StoredRuns(server, experiment).faults(wanted) == []


def test_a_dataset_input_costs_one_request_more_where_servers_know_them(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path
) -> None:
    wanted = replace(record(tmp_path), datasets=(Dataset("mmlu", "abcd1234", source="{}", context="eval"),))

    exported(proxy.url, experiment, wanted)

    known = server.release >= (2, 4)
    assert len(proxy.seen) == 4 + 9 + known
    assert paths(proxy).count("POST runs/log-inputs") == known


def test_several_jobs_share_what_a_call_costs(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path
) -> None:
    records = [
        replace(record(tmp_path, name=f"job{number}"), lookup=record(tmp_path).lookup) for number in range(3)
    ]
    records = [replace(one, tags={**one.tags, "invocation_id": "job"}) for one in records]

    exported(proxy.url, experiment, *records)

    assert len(proxy.seen) == 4 + 3 * 9
    assert [StoredRuns(server, experiment).faults(one) for one in records] == [[], [], []]


def test_exporting_again_sends_no_write_request_at_all(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)
    first = exported(proxy.url, experiment, wanted)
    proxy.forget()

    again = exported(proxy.url, experiment, wanted)

    assert (again.outcome, again.run_id) == (Outcome.UNCHANGED, first.run_id)
    assert proxy.writes == []
    assert len(proxy.seen) == 3
    assert StoredRuns(server, experiment).faults(wanted) == []


@pytest.mark.parametrize("steps", [0, 3])
def test_corrected_values_become_the_latest_and_only_changed_files_are_sent_again(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path, steps: int
) -> None:
    before = record(tmp_path, steps=steps)
    after = record(
        tmp_path, steps=steps, shift=-1
    )  # smaller values: a server left to itself shows the larger
    after = replace(after, artifacts=(*before.artifacts[:-1], after.artifacts[-1]))
    first = exported(proxy.url, experiment, before)
    proxy.forget()

    again = exported(proxy.url, experiment, after)

    assert (again.outcome, again.run_id) == (Outcome.EXPORTED, first.run_id)
    (run,) = StoredRuns(server, experiment).runs()
    latest = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
    assert latest == {point.key: point.value for point in after.metrics}
    uploads = [seen.path.rpartition("/")[2] for seen in proxy.seen if seen.method == "PUT"]
    assert sorted(set(uploads)) == ["f4.txt", "receipt.json"]
    assert StoredRuns(server, experiment).faults(after, before=before) == []


ODD_NAMES = [
    "a b.txt",
    "ünï 日本 🙂.txt",
    "100% sure.txt",
    "q?m=1&x.txt",
    "plus+semi;co,ma.txt",
    "dots..txt",
    "~t!.txt",
]
NAMES_THAT_CANNOT_SURVIVE_EVERYWHERE = [
    "has#hash.txt",
    "looks%20escaped.txt",
    "per%cent.txt",
    "tab\there.txt",
]


def test_odd_file_names_arrive_whole_or_are_renamed_aloud(
    server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    names = [f"d {number}/{name}" for number, name in enumerate(ODD_NAMES)]
    renamed = [f"x/{name}" for name in NAMES_THAT_CANNOT_SURVIVE_EVERYWHERE]
    contents = {name: f"content of {name}".encode() for name in [*names, *renamed, "config.yaml"]}
    contents["empty/nothing.log"] = b""
    wanted = replace(
        record(tmp_path), artifacts=tuple(Artifact(path, content) for path, content in contents.items())
    )

    result = exported(server.url, experiment, wanted)

    after = {
        change.field.removeprefix("artifact "): change.after
        for change in result.adjustments
        if change.field.startswith("artifact ")
    }
    assert after.keys() <= set(renamed)
    store = StoredRuns(server, experiment)
    (run,) = store.runs()
    sizes = store.files(run["info"]["run_id"])
    expected = {after.get(path, path): len(content) for path, content in contents.items()}
    assert {
        path: size for path, size in sizes.items() if not path.startswith("mlflow_rest_export/")
    } == expected
    if server.release >= (3, 12):  # older ones cannot send a name back that is not Latin-1
        assert all(
            store.content(run, after.get(path, path)) == content
            for path, content in contents.items()
            if content
        )
    assert exported(server.url, experiment, wanted).outcome is Outcome.UNCHANGED


def test_basic_auth_is_used_and_a_wrong_password_is_said_to_be_refused(
    auth_server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)
    known = Connection(username=ADMIN[0], password=ADMIN[1])
    unknown = Connection(username=ADMIN[0], password="canary-wrong")

    (refused,) = Attempt(uri=auth_server.url, experiment=experiment, connection=unknown).export(wanted)
    good = exported(auth_server.url, experiment, wanted, connection=known)

    assert refused.outcome is Outcome.FAILED
    assert isinstance(refused.error, ApiError)
    assert refused.error.refused
    assert "canary" not in repr(refused)
    assert good.outcome is Outcome.EXPORTED
    assert good.artifacts == 5


def test_a_path_prefix_leads_everywhere(
    prefixed_server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)

    result = exported(prefixed_server.url, experiment, wanted)

    assert StoredRuns(prefixed_server, experiment).faults(wanted) == []
    assert result.run_url.startswith(f"{prefixed_server.url}/#/experiments/")
    assert requests.get(result.run_url, timeout=10).status_code == 200
    assert exported(prefixed_server.url, experiment, wanted).outcome is Outcome.UNCHANGED


def test_an_upload_that_takes_long_is_accompanied_by_signs_of_life_though_all_workers_are_busy(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path, files=1)
    uploading, alive = threading.Event(), threading.Event()

    def hold(seen: Seen) -> None:
        if seen.method == "PUT" and not uploading.is_set():
            uploading.set()
            assert alive.wait(20)
        elif uploading.is_set() and seen.path.endswith("log-batch"):
            alive.set()

    proxy.before = hold
    (result,) = Attempt(uri=proxy.url, experiment=experiment, workers=1, beat=0.05).export(wanted)

    assert (result.outcome, result.error) == (Outcome.EXPORTED, None)
    assert StoredRuns(server, experiment).faults(wanted) == []
    (run,) = StoredRuns(server, experiment).runs()
    assert tag_of(run, marks.ALIVE)


def test_too_many_requests_slow_the_export_down_and_nothing_more(
    server: MlflowServer, proxy: FaultProxy, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)
    proxy.inject(FAULTS["limit_429"], method="PUT", path="/artifacts/", times=2)

    assert exported(proxy.url, experiment, wanted).outcome is Outcome.EXPORTED
    assert StoredRuns(server, experiment).faults(wanted) == []
