"""The small parts of an export: stores by URI, files looked at, hashes on the way, results told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from clocks import conduct_of
from folder_exports import Folder, a_record, created, plan_of

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import BytesContent, FileContent, content_of, sha256
from mlflow_rest_export.errors import (
    ApiError,
    ExportError,
    ParamConflict,
    SettingsError,
    SourceError,
    VerifyError,
)
from mlflow_rest_export.exporting.file_facts import HASHED_UP_TO, facts_of
from mlflow_rest_export.exporting.filling import HashedWhileSent, distrust, finish, write_values
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult, error_json
from mlflow_rest_export.exporting.owner import Owner
from mlflow_rest_export.exporting.stores import open_rest, open_store
from mlflow_rest_export.exporting.verify import verify
from mlflow_rest_export.records import Adjustment, Artifact, Dataset, Metric, RunStatus
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.rest import RestTracking


def test_a_folder_is_a_store_and_so_is_a_server(tmp_path: Path) -> None:
    folder = open_store(str(tmp_path / "mlruns"), Connection(), conduct_of())
    uri = open_store(f"file://{tmp_path}/mlruns", Connection(), conduct_of())
    server = open_store("http://127.0.0.1:1", Connection(), conduct_of())

    assert isinstance(folder.tracking, FileTracking)
    assert isinstance(uri.tracking, FileTracking)
    assert isinstance(server.tracking, RestTracking)
    assert isinstance(server.artifacts, ChosenRoutes)


def test_signs_of_life_wait_for_no_worker_and_spend_no_patience_of_the_export() -> None:
    conduct = conduct_of(workers=1)
    store = open_store("http://127.0.0.1:1", Connection(), conduct)
    assert isinstance(store.tracking, RestTracking)
    assert isinstance(store.signs, RestTracking)
    ours, beside = store.tracking.transport.conduct, store.signs.transport.conduct

    with ours.pace.turn(), beside.pace.turn():
        beside.patience.progress()

    assert (ours.patience.spent, beside.patience.spent) == (
        "no good answer within 60 s",
        "no progress for 10 s",
    )


def test_opening_a_store_asks_nobody_and_an_unknown_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="no MLflow host is known"):
        open_store("gopher://h", Connection(), conduct_of())


def test_the_time_for_one_answer_is_that_of_the_user() -> None:
    assert open_rest("http://h", Connection(), conduct_of()).transport.conduct.timeout == 10
    patient = open_rest("http://h", Connection(request_timeout=300), conduct_of())
    assert patient.transport.conduct.timeout == 300


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_files_are_hashed_up_to_a_size(tmp_path: Path, over: int) -> None:
    path = tmp_path / "f"
    with path.open("wb") as file:
        file.truncate(HASHED_UP_TO + over)
    (facts,) = facts_of(replace(a_record(), artifacts=(Artifact("a/f", path),)))

    assert (facts.path, facts.content.size) == ("a/f", HASHED_UP_TO + over)
    assert (facts.sha256 is None) == (over > 0)
    assert facts.sha256 in {None, hashlib.sha256(path.read_bytes()).hexdigest()}


def test_bytes_in_memory_are_files_too() -> None:
    (facts,) = facts_of(a_record(files={"f": b"data"}))

    assert (facts.content.size, facts.sha256) == (4, hashlib.sha256(b"data").hexdigest())


def test_a_file_that_cannot_be_read_is_named_with_its_job(tmp_path: Path) -> None:
    gone = replace(a_record(), artifacts=(Artifact("f", tmp_path / "gone"),))
    folder = replace(a_record(), artifacts=(Artifact("f", tmp_path),))

    with pytest.raises(SourceError, match=f"job: {tmp_path}/gone cannot be read: no such file"):
        facts_of(gone)
    with pytest.raises(SourceError, match=f"job: {tmp_path} cannot be read: is a directory"):
        facts_of(folder)


def test_a_large_file_is_hashed_by_whoever_sends_it_whole() -> None:
    content = HashedWhileSent(BytesContent(b"0123456789"))

    assert content.size == 10
    assert b"".join(content.chunks(2, 5)) == b"234"
    assert b"".join(content.chunks()) == b"0123456789"
    assert content.sha256() == hashlib.sha256(b"0123456789").hexdigest()


def test_a_large_file_that_nobody_read_whole_is_hashed_in_the_end() -> None:
    content = HashedWhileSent(BytesContent(b"0123456789"))
    next(content.chunks())
    list(content.chunks(0, 5))

    assert content.sha256() == hashlib.sha256(b"0123456789").hexdigest()


def test_content_can_be_read_from_any_place_as_often_as_needed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(range(256)) * 10_000)
    data = path.read_bytes()
    for content in (content_of(path), content_of(data)):
        assert content.size == len(data)
        for start, end in ((0, None), (0, 0), (5, 5), (1, 2_000_001), (2_559_999, None), (3_000_000, None)):
            assert b"".join(content.chunks(start, end)) == data[start:end]
        assert sha256(content) == hashlib.sha256(data).hexdigest()


def test_a_file_that_is_not_there_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        content_of(tmp_path / "gone")
    with pytest.raises(OSError, match="became shorter"):
        list(FileContent(_with(tmp_path, b"abc"), 5).chunks())


def _with(folder: Path, data: bytes) -> Path:
    (folder / "f").write_bytes(data)
    return folder / "f"


def test_a_result_is_told_with_everything_and_in_order() -> None:
    told = RunResult(
        label="abc.0",
        outcome=Outcome.EXPORTED,
        key="k",
        run_id="r1",
        run_url="http://h/r1",
        experiment_id="7",
        experiment_url="http://h/7",
        metrics=1,
        params=2,
        artifacts=3,
        bytes=4,
        adjustments=(Adjustment("param p", "a", "b", "why"),),
    ).as_json()

    assert json.loads(json.dumps(told)) == {
        "job_id": "abc.0",
        "key": "k",
        "outcome": "exported",
        "run_id": "r1",
        "run_url": "http://h/r1",
        "experiment_id": "7",
        "metrics": 1,
        "params": 2,
        "artifacts": 3,
        "bytes": 4,
        "adjustments": [{"field": "param p", "before": "a", "after": "b", "reason": "why"}],
        "error": None,
    }


def test_an_error_is_told_by_its_kind_and_what_the_server_said() -> None:
    api = ApiError("creating r: no", status=403, code="PERMISSION_DENIED", request_id="q1")

    assert error_json(None) is None
    assert error_json(ExportError("no")) == {"type": "ExportError", "message": "no"}
    assert error_json(api) == {
        "type": "ApiError",
        "message": "creating r: no",
        "status": 403,
        "error_code": "PERMISSION_DENIED",
        "request_id": "q1",
    }


def test_a_result_that_fails_keeps_what_is_known_of_the_run() -> None:
    error = ExportError("no")
    failed = RunResult(label="abc.0", outcome=Outcome.EXPORTED, run_id="r1").failed(error)

    assert (failed.outcome, failed.error, failed.run_id) == (Outcome.FAILED, error, "r1")


def test_verify_tells_a_few_differences_and_counts_the_others(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    record = a_record(params={f"p{number:02}": "1" for number in range(14)})
    folder.export(record)
    run = folder.run()
    place = folder.root / run.experiment_id / run.run_id
    for param in (place / "params").glob("p*"):
        param.unlink()
    (place / "tags" / "t").unlink()
    folder.store.update_run(run.run_id, status=RunStatus.FAILED, end_time=1, run_name=run.run_name)

    with pytest.raises(VerifyError) as told:
        verify(folder.store, FileArtifacts(), plan_of(record, folder.store), run.run_id, volatile=frozenset())
    said = str(told.value)
    assert said.startswith(f"run {run.run_id} differs from what was exported: param p00 is missing; ")
    assert said.endswith("param p09 is missing and 6 more (export again to mend it)")


def test_verify_tells_a_missing_tag_and_another_status(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    folder.export(a_record())
    run = folder.run()
    (folder.root / run.experiment_id / run.run_id / "tags" / "t").unlink()
    folder.store.update_run(run.run_id, status=RunStatus.FAILED, end_time=1, run_name=run.run_name)

    with pytest.raises(VerifyError, match="tag t is missing; status is FAILED, not FINISHED"):
        verify(
            folder.store, FileArtifacts(), plan_of(a_record(), folder.store), run.run_id, volatile=frozenset()
        )


def test_a_large_file_arrives_with_its_hash_in_the_receipt_and_is_not_sent_again(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(HASHED_UP_TO + 1)
    folder = Folder(tmp_path / "mlruns")
    record = replace(a_record(), artifacts=(Artifact("large.bin", large),))
    folder.export(record)
    receipt = json.loads(folder.files()[marks.RECEIPT])

    assert receipt["files"]["large.bin"] == {
        "size": HASHED_UP_TO + 1,
        "sha256": hashlib.sha256(large.read_bytes()).hexdigest(),
    }
    assert folder.export(record)[0].outcome is Outcome.UNCHANGED


def test_datasets_are_recorded_with_the_run(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    record = replace(a_record(), datasets=(Dataset("squad", "d1", context="eval"),))
    (result,) = folder.export(record)

    (stored,) = (folder.root / folder.run().experiment_id / "datasets").glob("*/meta.yaml")
    assert "name: squad" in stored.read_text()
    assert result.adjustments == ()


class Refusing(FileTracking):
    """A folder that refuses the first values, as servers may."""

    def __init__(self, root: Path, *refusals: ExportError) -> None:
        super().__init__(root)
        self.refusals = list(refusals)

    def log_values(
        self,
        run_id: str,
        *,
        metrics: Iterable[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        if params and self.refusals:
            raise self.refusals.pop(0)
        super().log_values(run_id, metrics=metrics, params=params, tags=tags)


def new_job(root: Path) -> Job:
    """A job whose run this process has just created."""
    store = FileTracking(root)
    job = Job(a_record(files={"f": b"data"}))
    job.plan = plan_of(job.record, store)
    job.owner = Owner.of_this_process().mark()
    job.run = created(store, job.plan, job.owner)
    job.is_new = True
    return job


CONFLICT = ParamConflict("another value", status=400)


def test_a_refusal_that_has_nothing_to_do_with_the_election_is_told(tmp_path: Path) -> None:
    job = new_job(tmp_path / "mlruns")
    store = Refusing(tmp_path / "mlruns", ApiError("not allowed", status=403))

    with pytest.raises(ApiError, match="not allowed"):
        write_values(store, FileArtifacts(), job)


def test_a_run_that_takes_the_claim_alone_is_ours_and_one_that_does_not_is_lost(tmp_path: Path) -> None:
    ours, lost = new_job(tmp_path / "one"), new_job(tmp_path / "other")

    assert write_values(Refusing(tmp_path / "one", CONFLICT), FileArtifacts(), ours)
    assert not write_values(Refusing(tmp_path / "other", CONFLICT, CONFLICT), FileArtifacts(), lost)
    assert FileTracking(tmp_path / "one").get_run(ours.stored().run_id).params["p"] == "1"
    assert FileTracking(tmp_path / "other").get_run(lost.stored().run_id).params == {}


def test_a_file_that_nobody_had_to_send_is_in_the_receipt_with_its_hash(tmp_path: Path) -> None:
    job = new_job(tmp_path / "mlruns")
    finish(FileTracking(tmp_path / "mlruns"), FileArtifacts(), job)
    stored = b"".join(FileArtifacts().read(job.stored(), marks.RECEIPT))

    assert json.loads(stored)["files"]["f"]["sha256"] == hashlib.sha256(b"data").hexdigest()


@pytest.mark.parametrize("uploads", [True, False])
def test_a_receipt_is_taken_back_where_there_is_one(tmp_path: Path, uploads: bool) -> None:
    job = new_job(tmp_path / "mlruns")
    job.plan = replace(job.planned(), with_receipt=uploads)
    distrust(FileTracking(tmp_path / "mlruns"), FileArtifacts(), job)

    assert (marks.RECEIPT in FileArtifacts().listing(job.stored())) is uploads
