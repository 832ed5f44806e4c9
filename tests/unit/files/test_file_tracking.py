from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from mlruns_stores import END, START, a_run, finish, folder_of, store

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import ApiError, SettingsError, StoreError
from mlflow_rest_export.records import Dataset, Lookup, Metric, RunStatus
from mlflow_rest_export.tracking import run_folders
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import Artifacts, NewRun, Tracking


@pytest.fixture
def tracking(tmp_path: Path) -> FileTracking:
    return store(tmp_path / "mlruns")


def meta_of(folder: Path) -> dict[str, object]:
    meta = yaml.safe_load((folder / "meta.yaml").read_text(encoding="utf-8"))
    assert isinstance(meta, dict)
    return meta


def test_it_is_a_tracking_store_with_artifacts(tracking: FileTracking) -> None:
    stores: tuple[Tracking, Artifacts] = (tracking, FileArtifacts())

    assert stores[0].limits().keys_share_folders
    assert stores[0].limits().keeps_nan
    assert stores[0].limits().keeps_infinity
    assert stores[0].limits().hash_in_paths
    assert not stores[0].limits().paths_decoded_twice


def test_a_place_that_mlflow_could_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="artifacts"):
        FileTracking(tmp_path / "artifacts/mlruns")


def test_nothing_is_made_before_the_first_experiment(tracking: FileTracking) -> None:
    assert tracking.find_experiment("e") is None
    assert not tracking.root.exists()


def test_an_experiment_is_made_once(tracking: FileTracking) -> None:
    made = tracking.create_experiment("älter # 1")

    assert made == tracking.create_experiment("älter # 1") == tracking.find_experiment("älter # 1")
    assert meta_of(tracking.root / made.experiment_id) == {
        "artifact_location": (tracking.root / made.experiment_id).as_uri(),
        "creation_time": START,
        "experiment_id": made.experiment_id,
        "last_update_time": START,
        "lifecycle_stage": "active",
        "name": "älter # 1",
    }
    assert (tracking.root / ".trash").is_dir()


def test_an_experiment_of_mlflow_is_found_under_its_own_id(tracking: FileTracking) -> None:
    (tracking.root / "7").mkdir(parents=True)
    (tracking.root / "7/meta.yaml").write_text("experiment_id: '7'\nname: theirs\n")

    found = tracking.create_experiment("theirs")

    assert (found.experiment_id, found.deleted) == ("7", False)


def test_an_id_that_is_taken_by_another_name_is_passed_over(tmp_path: Path) -> None:
    first = store(tmp_path / "a").create_experiment("e").experiment_id
    tracking = store(tmp_path / "b")
    (tracking.root / first).mkdir(parents=True)
    (tracking.root / first / "meta.yaml").write_text(f"experiment_id: '{first}'\nname: other\n")
    (tracking.root / ".trash" / str(int(first) + 1)).mkdir(parents=True)

    assert tracking.create_experiment("e").experiment_id == str(int(first) + 2)
    assert tracking.find_experiment("e") == tracking.create_experiment("e")


def test_an_experiment_whose_maker_was_killed_is_completed(tmp_path: Path) -> None:
    made = store(tmp_path / "a").create_experiment("e").experiment_id
    tracking = store(tmp_path / "b")
    (tracking.root / made).mkdir(parents=True)

    assert tracking.create_experiment("e").experiment_id == made


def test_our_own_experiment_with_a_broken_meta_is_an_error_and_not_a_new_one(tracking: FileTracking) -> None:
    made = tracking.create_experiment("e")
    (tracking.root / made.experiment_id / "meta.yaml").write_text("")

    with pytest.raises(StoreError, match=r"creating the experiment 'e' .*meta.yaml is empty"):
        tracking.create_experiment("e")


def bin_experiment(tracking: FileTracking, experiment_id: str) -> None:
    """Delete as MLflow does."""
    (tracking.root / experiment_id).rename(tracking.root / ".trash" / experiment_id)
    meta = tracking.root / ".trash" / experiment_id / "meta.yaml"
    meta.write_text(meta.read_text().replace("lifecycle_stage: active", "lifecycle_stage: deleted"))


def test_a_deleted_experiment_is_found_as_such_and_restored_with_its_runs(tracking: FileTracking) -> None:
    run = a_run(tracking)
    tracking.delete_run(run.run_id)
    bin_experiment(tracking, run.experiment_id)

    deleted = tracking.create_experiment("exp")
    with pytest.raises(StoreError, match="is deleted: restore it first"):
        tracking.create_run(
            NewRun(experiment_id=run.experiment_id, run_name="r", start_time=START, tags={marks.KEY: "k"})
        )
    tracking.restore_experiment(run.experiment_id)
    tracking.restore_experiment(run.experiment_id)

    assert deleted.deleted
    again = tracking.find_experiment("exp")
    assert again is not None
    assert not again.deleted
    assert not tracking.get_run(run.run_id).deleted
    assert meta_of(tracking.root / run.experiment_id)["lifecycle_stage"] == "active"


def test_a_run_is_made_with_all_its_tags(tracking: FileTracking) -> None:
    run = a_run(tracking, name="my run", tags={"a/b": "c", "empty": "", "mlflow.user": "me"})
    folder = folder_of(tracking, run)

    assert run == tracking.get_run(run.run_id)
    assert (run.status, run.start_time, run.end_time) == (RunStatus.RUNNING, START, None)
    assert run.tags["a/b"] == "c"
    assert run.tags["empty"] == ""
    assert run.tags["mlflow.runName"] == run.run_name == "my run"
    assert run.artifact_uri == (folder / "artifacts").as_uri()
    assert meta_of(folder) == {
        "artifact_uri": run.artifact_uri,
        "end_time": None,
        "experiment_id": run.experiment_id,
        "lifecycle_stage": "active",
        "run_id": run.run_id,
        "run_name": "my run",
        "run_uuid": run.run_id,
        "start_time": START,
        "status": 1,
        "user_id": "me",
    }
    assert sorted(path.name for path in folder.iterdir()) == [
        "artifacts",
        "meta.yaml",
        "metrics",
        "params",
        "tags",
    ]
    assert not (folder.parent / ".creating").exists()


def test_the_same_key_gives_the_same_run_whoever_asks(tracking: FileTracking) -> None:
    first = a_run(tracking, tags={"who": "first"})
    again = a_run(store(tracking.root), name="other name", tags={"who": "second"})

    assert again == first


def test_the_same_key_in_another_experiment_is_another_run(tracking: FileTracking) -> None:
    ids = {a_run(tracking, experiment=name).run_id for name in ("one", "two")}

    assert len(ids) == 2


def test_runs_without_a_key_are_all_new(tracking: FileTracking) -> None:
    assert a_run(tracking, key=None).run_id != a_run(tracking, key=None).run_id


def test_a_key_whose_run_was_deleted_gets_a_new_run(tracking: FileTracking) -> None:
    first = a_run(tracking)
    tracking.delete_run(first.run_id)
    second = a_run(tracking)

    assert second.run_id != first.run_id
    assert a_run(tracking).run_id == second.run_id
    assert tracking.get_run(first.run_id).deleted


def test_what_stands_in_the_place_of_a_run_and_is_none_is_an_error(tracking: FileTracking) -> None:
    run = a_run(tracking)
    (folder_of(tracking, run) / "meta.yaml").unlink()

    with pytest.raises(StoreError, match=r"creating the run run .*meta.yaml"):
        a_run(tracking)


def test_values_are_written_and_read_back(tracking: FileTracking) -> None:
    run = a_run(tracking)
    points = [
        Metric("acc", 0.5, START, 0),
        Metric("acc", 0.7, START, 1),
        Metric("a b/c", float("-inf"), 5, -1),
    ]

    tracking.log_values(
        run.run_id, metrics=points, params={"p/q": "v\r\nü", "empty": ""}, tags={"t": "x" * 8000}
    )

    stored = tracking.get_run(run.run_id)
    assert stored.metrics == {"acc": points[1], "a b/c": points[2]}
    assert stored.params == {"p/q": "v\r\nü", "empty": ""}
    assert stored.tags["t"] == "x" * 8000
    assert list(tracking.metric_history(run.run_id, "acc")) == points[:2]
    assert list(tracking.metric_history(run.run_id, "none")) == []


def test_tags_are_replaced_and_the_name_follows_its_tag(tracking: FileTracking) -> None:
    run = a_run(tracking, tags={"t": "1"})

    tracking.log_values(run.run_id, tags={"t": "2", "mlflow.runName": "new"})

    assert tracking.get_run(run.run_id).tags["t"] == "2"
    assert tracking.get_run(run.run_id).run_name == "new"


def test_the_end_of_a_run_is_set_and_unset(tracking: FileTracking) -> None:
    run = a_run(tracking)

    finish(tracking, run)
    done = tracking.get_run(run.run_id)
    tracking.update_run(run.run_id, status=RunStatus.RUNNING, end_time=None, run_name="again")
    again = tracking.get_run(run.run_id)

    assert (done.status, done.end_time, done.run_name) == (RunStatus.FINISHED, END, "run")
    assert (again.status, again.end_time, again.run_name) == (RunStatus.RUNNING, None, "again")
    assert again.tags["mlflow.runName"] == "again"


def test_fields_that_mlflow_put_into_a_meta_yaml_stay(tracking: FileTracking) -> None:
    run = a_run(tracking)
    meta = folder_of(tracking, run) / "meta.yaml"
    meta.write_text(meta.read_text() + "source_version: abc\ntags: []\n")

    finish(tracking, run)

    assert meta_of(meta.parent)["source_version"] == "abc"
    assert meta_of(meta.parent)["tags"] == []


def test_a_deleted_run_is_marked_and_takes_nothing_more(tracking: FileTracking) -> None:
    run = a_run(tracking)

    tracking.delete_run(run.run_id)
    before = (folder_of(tracking, run) / "meta.yaml").read_bytes()
    tracking.delete_run(run.run_id)

    assert (folder_of(tracking, run) / "meta.yaml").read_bytes() == before
    assert meta_of(folder_of(tracking, run))["deleted_time"] == START
    with pytest.raises(StoreError, match="was deleted, so nothing more is written"):
        tracking.log_values(run.run_id, params={"a": "b"})
    with pytest.raises(StoreError, match="was deleted"):
        finish(tracking, run)
    assert tracking.get_run(run.run_id).params == {}


def test_runs_are_found_by_one_tag_or_its_beginning(tracking: FileTracking) -> None:
    runs = {key: a_run(tracking, key=key, tags={"job": key[0]}) for key in ("a1", "a2", "b1")}
    a_run(tracking, key=None)
    a_run(tracking, key="a3", experiment="elsewhere")
    experiment = runs["a1"].experiment_id

    def keys(*lookups: Lookup) -> list[str]:
        return sorted(run.tags[marks.KEY] for run in tracking.find_runs(experiment, lookups))

    assert keys(Lookup(marks.KEY, "a1")) == ["a1"]
    assert keys(Lookup(marks.KEY, "a", prefix=True)) == ["a1", "a2"]
    assert keys(Lookup(marks.KEY, "a")) == []
    assert keys(Lookup("job", "b"), Lookup(marks.KEY, "a2"), Lookup(marks.KEY, "b", prefix=True)) == [
        "a2",
        "b1",
    ]
    assert keys(Lookup("no such tag", "", prefix=True)) == []
    assert keys() == []


def test_deleted_runs_are_not_found(tracking: FileTracking) -> None:
    run = a_run(tracking)
    tracking.delete_run(run.run_id)

    assert list(tracking.find_runs(run.experiment_id, [Lookup(marks.KEY, "k1")])) == []


def test_a_run_that_cannot_be_read_is_not_found_and_its_key_is_not_free(tracking: FileTracking) -> None:
    run = a_run(tracking)
    (folder_of(tracking, run) / "params/p").write_bytes(b"\xff")

    assert list(tracking.find_runs(run.experiment_id, [Lookup(marks.KEY, "k1")])) == []
    with pytest.raises(StoreError, match=r"creating the run .*params/p is not UTF-8"):
        a_run(tracking)


@pytest.mark.parametrize("run_id", ["0" * 32, "../../etc", "", "a/b", ".."])
def test_a_run_that_is_not_there_is_not_found(tracking: FileTracking, run_id: str) -> None:
    a_run(tracking)

    with pytest.raises(ApiError) as caught:
        tracking.get_run(run_id)

    assert caught.value.not_found


@pytest.mark.parametrize("experiment_id", ["123", "../x", ".trash", ""])
def test_an_experiment_that_is_not_there_is_not_found(tracking: FileTracking, experiment_id: str) -> None:
    tracking.create_experiment("e")

    with pytest.raises(ApiError) as caught:
        list(tracking.find_runs(experiment_id, []))

    assert caught.value.not_found


def test_datasets_are_named_once(tracking: FileTracking) -> None:
    run = a_run(tracking)
    data = Dataset("gsm8k", "d1", "hf", "s", context="eval")

    tracking.log_inputs(run.run_id, [data, data])
    tracking.log_inputs(run.run_id, [data])

    folder = folder_of(tracking, run)
    (dataset,) = (folder.parent / "datasets").iterdir()
    (tie,) = (folder / "inputs").iterdir()
    assert meta_of(dataset) == {
        "digest": "d1",
        "name": "gsm8k",
        "profile": None,
        "schema": None,
        "source": "s",
        "source_type": "hf",
    }
    assert meta_of(tie)["source_id"] == dataset.name
    assert meta_of(tie)["tags"] == {"mlflow.data.context": "eval"}


def test_urls_name_the_folders(tracking: FileTracking) -> None:
    run = a_run(tracking)

    assert tracking.run_url(run) == folder_of(tracking, run).as_uri()
    assert tracking.experiment_url(run.experiment_id) == folder_of(tracking, run).parent.as_uri()


def test_a_store_in_a_folder_with_an_odd_name_finds_its_own_artifacts(tmp_path: Path) -> None:
    tracking = store(tmp_path / "a b%20c#ü/mlruns")
    run = a_run(tracking)

    FileArtifacts().upload(run, "f", BytesContent(b"x"))

    assert (folder_of(tracking, run) / "artifacts/f").read_bytes() == b"x"


def test_a_run_that_another_writer_made_meanwhile_is_left_as_it_is(tracking: FileTracking) -> None:
    run = a_run(tracking, tags={"who": "first"})
    new = NewRun(experiment_id=run.experiment_id, run_name="late", start_time=1, tags={"who": "late"})

    made = run_folders.build(folder_of(tracking, run).parent, run.run_id, new)

    assert not made
    assert tracking.get_run(run.run_id).tags["who"] == "first"
    assert not (folder_of(tracking, run).parent / ".creating").exists()
