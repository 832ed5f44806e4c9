from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from mlruns_stores import END, RECORDED, START, a_run, finish, folder_of, found, records, split, store

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.records import Dataset, Lookup, Metric, RunRecord, RunStatus, Unreadable
from mlflow_rest_export.sources import mlruns
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.tracking.files import FileTracking

VERSIONS = sorted(path.name for path in RECORDED.iterdir() if path.is_dir())
EVERYTHING = ReadOptions(include_deleted=True)


@pytest.fixture
def tracking(tmp_path: Path) -> FileTracking:
    return store(tmp_path / "mlruns")


def named(path: Path, options: ReadOptions | None = None) -> dict[str, RunRecord]:
    return {record.run_name: record for record in records(path, options)}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_run_of_a_real_store_is_read(version: str) -> None:
    runs = named(RECORDED / version)

    assert list(runs)[-1] == "child"
    assert sorted(runs) == ["child", "parent", "still going"]
    parent, child = runs["parent"], runs["child"]
    assert parent.key == f"mlruns:{parent.label}"
    assert parent.lookup == Lookup(marks.KEY, parent.key)
    assert (parent.start_time, parent.end_time) == (1_700_000_000_000, 1_700_000_060_000)
    assert [run.status.name for run in (parent, child, runs["still going"])] == [
        "FINISHED",
        "FAILED",
        "RUNNING",
    ]
    assert {run.experiment for run in runs.values()} == {"älter als REST"}
    assert parent.params == {"model/name": "m-7b", "prompt": "line 1\nline 2 ü", "empty": ""}
    assert parent.tags["mlflow.note.content"] == "a *note*"
    assert parent.tags["owner.name"] == "someone"
    assert parent.description is None
    assert not {"mlflow.runName", "mlflow.parentRunId"} & {*parent.tags, *child.tags}
    assert child.parent_key == parent.key
    assert all(run.verbatim_names and run.digest is None and not run.twin for run in runs.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_metrics_keep_their_histories(version: str) -> None:
    points = list(named(RECORDED / version)["parent"].metrics)

    assert points[0] == Metric("edge", -math.inf, 1_700_000_000_000, -3)
    assert points[1:6] == [Metric("loss", 1 / (n + 1), 1_700_000_000_000 + n, n) for n in range(5)]
    assert [point.key for point in points[6:]] == ["val/acc", "val/acc"]
    assert math.isnan(points[7].value)


def test_metrics_may_be_read_as_often_as_needed() -> None:
    metrics = named(RECORDED / "3.17.2")["child"].metrics

    assert list(metrics) == list(metrics) == [Metric("acc", 1.0, 1_700_000_000_000, 0)]


@pytest.mark.parametrize("version", VERSIONS)
def test_artifacts_of_a_store_that_was_moved_are_found(version: str) -> None:
    parent = named(RECORDED / version)["parent"]

    (artifact,) = parent.artifacts
    assert artifact.path == "sub folder/r #1.txt"
    assert isinstance(artifact.content, Path)
    assert artifact.content.read_text(encoding="utf-8") == "hello\n"
    assert parent.adjustments == ()


def test_artifacts_may_be_left_out() -> None:
    parent = named(RECORDED / "3.17.2", ReadOptions(copy_artifacts=False))["parent"]

    assert parent.artifacts == ()
    assert parent.adjustments == ()


@pytest.mark.parametrize("version", ["2.22.5", "3.17.2"])
def test_datasets_come_with_their_context(version: str) -> None:
    source = '{"path": "gsm8k"}'

    assert named(RECORDED / version)["parent"].datasets == (
        Dataset("gsm8k", "d1g3st", "hf", source, "", '{"rows": 8}', "eval"),
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_deleted_runs_and_experiments_come_when_asked_for(version: str) -> None:
    runs = named(RECORDED / version, EVERYTHING)

    assert runs.keys() - named(RECORDED / version).keys() == {"deleted", "in the bin"}
    assert runs["in the bin"].experiment == "gone"
    for name in ("deleted", "in the bin"):
        assert [change.field for change in runs[name].adjustments] == ["lifecycle"]


@pytest.mark.parametrize("version", VERSIONS)
def test_one_experiment_or_one_run_may_be_read(version: str) -> None:
    root = RECORDED / version
    (meta,) = (path for path in root.glob("*/meta.yaml") if "name: Default" not in path.read_text())
    child = named(root)["child"]

    assert len(records(meta.parent)) == 3
    (alone,) = records(meta.parent / child.label)
    assert (alone.key, alone.parent_key, alone.experiment) == (child.key, child.parent_key, child.experiment)
    for path in (root, meta.parent, meta.parent / child.label):
        assert mlruns.recognises(path)


def test_a_run_alone_has_no_experiment_and_no_parent(tmp_path: Path) -> None:
    child = named(RECORDED / "3.17.2")["child"]
    (source,) = RECORDED.glob(f"3.17.2/*/{child.label}")
    shutil.copytree(source, tmp_path / child.label)

    (alone,) = records(tmp_path / child.label)

    assert (alone.key, alone.experiment, alone.parent_key) == (child.key, None, None)
    assert [change.field for change in alone.adjustments] == ["tag mlflow.parentRunId"]


@pytest.mark.parametrize("name", ["", "empty", "job/results.yml", "mlruns/models/m/meta.yaml", "0/notes.txt"])
def test_other_folders_are_not_recognised(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name:
        path.write_text("name: x\n")

    assert not mlruns.recognises(tmp_path)
    assert not mlruns.recognises(path)


def test_a_logged_model_of_mlflow_3_is_no_run(tmp_path: Path) -> None:
    for part in ("metrics", "params", "tags"):
        (tmp_path / part).mkdir()
    (tmp_path / "meta.yaml").write_text("model_id: m-1\nexperiment_id: '1'\nname: x\n")

    assert not mlruns.recognises(tmp_path)


def test_our_own_runs_keep_key_and_digest(tracking: FileTracking) -> None:
    run = a_run(tracking, tags={"job_id": "8abcd123.0", "invocation_id": "8abcd123"})
    claims = {marks.CLAIM: "kept:x", f"{marks.TAKEOVER}1": "o"}
    tracking.log_values(run.run_id, params={**claims, "p": "1"})
    finish(tracking, run)

    (record,) = records(tracking.root)

    assert (record.key, record.digest, record.label) == ("k1", "digest of k1", "8abcd123.0")
    assert record.lookup == Lookup("invocation_id", "8abcd123")
    assert record.twin == {"job_id": "8abcd123.0"}
    assert record.tags == {"job_id": "8abcd123.0", "invocation_id": "8abcd123"}
    assert record.params == {"p": "1"}
    assert (record.start_time, record.end_time, record.status) == (START, END, RunStatus.FINISHED)


def test_a_run_of_the_launcher_itself_is_no_twin_of_ours(tracking: FileTracking) -> None:
    run = a_run(tracking, key=None, tags={"job_id": "8abcd123.0", "invocation_id": "8abcd123"})
    finish(tracking, run)

    (record,) = records(tracking.root)

    assert (record.key, record.twin, record.label) == (f"mlruns:{run.run_id}", {}, run.run_id)


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.FAILED, RunStatus.KILLED])
def test_a_run_whose_export_was_interrupted_is_not_passed_on(
    tracking: FileTracking, status: RunStatus
) -> None:
    run = a_run(tracking, name="my run")
    finish(tracking, run, status)

    good, (bad,) = split(tracking.root)

    assert good == []
    assert "(my run) is unfinished" in bad.reason
    assert "run that export again" in bad.reason


def test_a_whole_run_of_a_failed_evaluation_is_passed_on(tracking: FileTracking) -> None:
    run = a_run(tracking)
    tracking.log_values(run.run_id, tags={marks.COMPLETE: "digest of k1"})
    finish(tracking, run, RunStatus.FAILED)

    (record,) = records(tracking.root)

    assert (record.status, record.tags) == (RunStatus.FAILED, {})


def test_a_run_that_lost_an_election_is_nobodys(tracking: FileTracking) -> None:
    run = a_run(tracking)
    tracking.log_values(run.run_id, params={marks.CLAIM: marks.SUPERSEDED})
    finish(tracking, run, RunStatus.KILLED)

    assert records(tracking.root, EVERYTHING) == []


def test_a_deleted_run_does_not_claim_the_key_of_its_successor(tracking: FileTracking) -> None:
    old = a_run(tracking)
    tracking.delete_run(old.run_id)
    new = a_run(tracking)
    finish(tracking, new)

    keys = {record.label: record.key for record in records(tracking.root, EVERYTHING)}

    assert keys == {old.run_id: f"mlruns:{old.run_id}", new.run_id: "k1"}


def test_what_an_earlier_export_changed_is_not_forgotten(tracking: FileTracking) -> None:
    run = a_run(tracking)
    change = {"field": "metric a@b", "before": "a@b", "after": "a_at_b", "reason": "r"}
    receipt = json.dumps({"state": "complete", "adjustments": [change]}).encode()
    for path, data in ((marks.RECEIPT, receipt), (marks.FULL_VALUES, b"{}"), ("f", b"x")):
        FileArtifacts().upload(run, path, BytesContent(data))
    finish(tracking, run)

    (record,) = records(tracking.root)

    assert [file.path for file in record.artifacts] == ["f", marks.FULL_VALUES]
    assert [(told.field, told.after) for told in record.adjustments] == [("metric a@b", "a_at_b")]


@pytest.mark.parametrize("data", [b"no json", b'{"adjustments": [{"field": "x"}]}', b"\xff", b"[]"])
def test_a_damaged_receipt_says_nothing(tracking: FileTracking, data: bytes) -> None:
    run = a_run(tracking)
    FileArtifacts().upload(run, marks.RECEIPT, BytesContent(data))
    finish(tracking, run)

    (record,) = records(tracking.root)

    assert (record.artifacts, record.adjustments) == ((), ())


def test_parents_come_before_children_at_any_depth_and_across_experiments(tracking: FileTracking) -> None:
    above = ""
    for number in range(4):
        tags = {"mlflow.parentRunId": above} if above else {}
        run = a_run(
            tracking, key=f"k{9 - number}", name=f"level {number}", experiment=f"e{number % 2}", tags=tags
        )
        finish(tracking, run)
        above = run.run_id

    everything = records(tracking.root)

    assert [record.run_name for record in everything] == ["level 0", "level 1", "level 2", "level 3"]
    assert [record.parent_key for record in everything] == [None, "k9", "k8", "k7"]


def test_runs_in_a_circle_are_still_read(tracking: FileTracking) -> None:
    runs = [a_run(tracking, key=f"k{number}", name=f"r{number}") for number in range(3)]
    for run, parent in zip(runs, [*runs[1:], runs[0]], strict=True):
        tracking.log_values(run.run_id, tags={"mlflow.parentRunId": parent.run_id})
        finish(tracking, run)

    assert sorted(record.run_name for record in records(tracking.root)) == ["r0", "r1", "r2"]


@pytest.mark.parametrize(
    ("deleted", "said"), [(True, "the parent is deleted"), (False, "is not in this folder")]
)
def test_a_child_whose_parent_is_not_exported_says_so(
    tracking: FileTracking, deleted: bool, said: str
) -> None:
    parent = a_run(tracking, key="p")
    child = a_run(tracking, key="c", tags={"mlflow.parentRunId": parent.run_id})
    finish(tracking, child)
    if deleted:
        tracking.delete_run(parent.run_id)
    else:
        shutil.rmtree(folder_of(tracking, parent))

    (record,) = records(tracking.root)

    assert record.parent_key is None
    assert said in record.adjustments[0].reason


def test_a_deleted_parent_that_is_exported_keeps_its_child(tracking: FileTracking) -> None:
    parent = a_run(tracking, key="p")
    child = a_run(tracking, key="c", tags={"mlflow.parentRunId": parent.run_id})
    finish(tracking, child)
    tracking.delete_run(parent.run_id)

    first, second = records(tracking.root, EVERYTHING)

    assert first.key == second.parent_key == f"mlruns:{parent.run_id}"


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s3://me:secret@bucket/7/{run}/artifacts?sig=secret", "s3://bucket/7/{run}/artifacts"),
        ("mlflow-artifacts:/7/{run}/artifacts", "mlflow-artifacts:///7/{run}/artifacts"),
        ("http://[broken/x", "another place"),
    ],
)
def test_artifacts_that_are_kept_elsewhere_are_told(tracking: FileTracking, uri: str, told: str) -> None:
    run = a_run(tracking, key=None)
    meta = folder_of(tracking, run) / "meta.yaml"
    meta.write_text(meta.read_text().replace(run.artifact_uri, uri.format(run=run.run_id)))

    (record,) = records(tracking.root)

    assert [(change.field, change.before) for change in record.adjustments] == [
        ("artifacts", told.format(run=run.run_id))
    ]


@pytest.mark.parametrize(("name", "expected"), [("elsewhere", ["artifacts"]), ("gone", [])])
def test_artifacts_in_another_folder_are_told_when_there_are_some(
    tracking: FileTracking, tmp_path: Path, name: str, expected: list[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").touch()
    run = a_run(tracking, key=None)
    meta = folder_of(tracking, run) / "meta.yaml"
    meta.write_text(meta.read_text().replace(run.artifact_uri, (tmp_path / name).as_uri()))

    (record,) = records(tracking.root)

    assert [change.field for change in record.adjustments] == expected


def test_links_and_pipes_among_artifacts_are_told(tracking: FileTracking) -> None:
    run = a_run(tracking, key=None)
    folder = folder_of(tracking, run) / "artifacts"
    (folder / "real").write_text("x")
    (folder / "link").symlink_to(folder / "real")
    (folder / "loop").symlink_to(folder)

    (record,) = records(tracking.root)

    assert [file.path for file in record.artifacts] == ["link", "real"]
    assert [change.field for change in record.adjustments] == ["artifact loop"]


def test_links_that_leave_the_run_are_not_followed(tracking: FileTracking, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("canary")
    run = a_run(tracking, key=None)
    folder = folder_of(tracking, run)
    (folder / "artifacts" / "notes.txt").symlink_to(tmp_path / "key")

    (record,) = records(tracking.root)

    assert record.artifacts == ()
    assert [change.field for change in record.adjustments] == ["artifact notes.txt"]

    (folder / "params" / "p").symlink_to(tmp_path / "key")
    (told,) = mlruns.read(tracking.root, ReadOptions())
    assert isinstance(told, Unreadable)
    assert "is a link that leaves" in told.reason


def test_logged_models_and_inputs_that_are_no_datasets_are_told(tracking: FileTracking) -> None:
    run = a_run(tracking, key=None)
    folder = folder_of(tracking, run)
    (folder / "outputs/m-1").mkdir(parents=True)
    for name, kind in (("i1", "MODEL"), ("i2", "DATASET")):
        (folder / "inputs" / name).mkdir(parents=True)
        (folder / "inputs" / name / "meta.yaml").write_text(
            f"source_type: {kind}\nsource_id: x-{name}\ntags: {{}}\n"
        )
    tracking.log_inputs(run.run_id, [Dataset("d", "1")])
    (tie,) = (path for path in (folder / "inputs").iterdir() if len(path.name) == 32)
    (tie / "meta.yaml").write_text((tie / "meta.yaml").read_text().replace("tags: {}", "tags: {split: test}"))

    (record,) = records(tracking.root)

    assert record.datasets == (Dataset("d", "1"),)
    assert [change.field for change in record.adjustments] == [
        "input x-i1",
        "input x-i2",
        "input d",
        "outputs",
    ]


def test_points_tied_to_a_dataset_go_without_it_and_say_so(tracking: FileTracking) -> None:
    run = a_run(tracking, key=None)
    (folder_of(tracking, run) / "metrics/acc").write_text("17 0.5 3 gsm8k d1\n")

    (record,) = records(tracking.root)

    assert list(record.metrics) == [Metric("acc", 0.5, 17, 3)]
    assert [change.before for change in record.adjustments] == ["dataset of its points"]


def test_runs_come_one_by_one(tracking: FileTracking) -> None:
    for number in range(3):
        finish(tracking, a_run(tracking, key=f"k{number}", name=f"r{number}"))
    stream = found(tracking.root)

    first = next(stream)
    (folder_of(tracking, a_run(tracking, key="k2")) / "params/late").write_text("1")
    rest = list(stream)

    assert isinstance(first, RunRecord)
    assert [record.params for record in rest if isinstance(record, RunRecord)] == [{}, {"late": "1"}]
