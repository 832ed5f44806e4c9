from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from launcher_folders import make_job, one, reason, row, split, write_database

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.records import Dataset, RunRecord, RunStatus
from mlflow_rest_export.sources.nemo import launcher
from mlflow_rest_export.sources.nemo.record import flattened
from mlflow_rest_export.sources.options import ReadOptions

NAME = "20250101_000000-aaaaaaaa/h.t.0"
OK = {"logs/stage.running": "2026-11-22T19:06:20Z\n", "logs/stage.exit": "2026-11-22T19:06:32Z 0\n"}
DEFAULT = ReadOptions()


def by_path(job: Path, **settings: Any) -> RunRecord:
    return one(launcher.read(job, ReadOptions(**settings)))


def by_id(tmp_path: Path, job: Path, **more: Any) -> RunRecord:
    data = {"output_dir": str(job), **more.pop("data", {})}
    database = write_database(tmp_path / "db", [row("aaaaaaaa.0", data=data, **more)])
    return one(launcher.read_ids(["aaaaaaaa.0"], DEFAULT, exec_db=database))


def test_start_and_end_are_those_of_the_stage_files(tmp_path: Path) -> None:
    record = by_path(make_job(tmp_path / NAME, OK))

    assert (record.start_time, record.end_time) == (1795374380000, 1795374392000)
    assert {metric.timestamp for metric in record.metrics} == {1795374392000}
    assert {metric.step for metric in record.metrics} == {0}


def test_without_stage_files_the_launch_and_the_results_file_tell_the_times(tmp_path: Path) -> None:
    job = make_job(tmp_path / NAME)
    os.utime(job / "artifacts" / "results.yml", ns=(0, 1_795_374_392_123_456_789))

    by_database, by_folder = by_id(tmp_path, job), by_path(job)

    assert (by_database.start_time, by_database.end_time) == (1795374380500, 1795374392123)
    assert (by_folder.start_time, by_folder.end_time) == (1795374392123, 1795374392123)
    assert by_folder.params["timestamp"] == "1795374392.123"


@pytest.mark.parametrize("timestamp", [1e300, -5, None, 0, "yesterday", "", [1], True])
def test_a_noted_time_that_is_none_does_no_harm(timestamp: object, tmp_path: Path) -> None:
    record = by_id(tmp_path, make_job(tmp_path / NAME), timestamp=timestamp)

    assert record.start_time == record.end_time


def test_the_start_is_never_after_the_end(tmp_path: Path) -> None:
    stages = {"logs/stage.running": "2026-11-22T19:06:40Z", "logs/stage.exit": "2026-11-22T19:06:32Z 0"}

    record = by_path(make_job(tmp_path / NAME, stages))

    assert record.start_time == record.end_time == 1795374392000


def test_the_times_of_the_launch_are_written_as_the_launcher_writes_them(tmp_path: Path) -> None:
    job = make_job(tmp_path / NAME)

    assert by_id(tmp_path, job, timestamp=1795374380).params["timestamp"] == "1795374380"
    assert by_id(tmp_path, job, timestamp=1795374380.0356078).params["timestamp"] == "1795374380.0356078"


@pytest.mark.parametrize(
    ("files", "data", "status"),
    [
        (OK, {}, RunStatus.FINISHED),
        ({}, {}, RunStatus.FINISHED),
        ({"logs/stage.running": "x"}, {}, RunStatus.FINISHED),
        ({"logs/stage.exit": "2026-11-22T19:06:32Z 2"}, {}, RunStatus.FAILED),
        (OK, {"killed": True}, RunStatus.KILLED),
        (OK, {"status": "killed"}, RunStatus.KILLED),
        ({**OK, "../killed_jobs.txt": "aaaaaaaa.3\naaaaaaaa.0\n"}, {}, RunStatus.KILLED),
        ({**OK, "../killed_jobs.txt": "aaaaaaaa.03\n"}, {}, RunStatus.FINISHED),
    ],
)
def test_the_status_of_the_job_is_that_of_the_run(
    files: dict[str, str], data: dict[str, Any], status: RunStatus, tmp_path: Path
) -> None:
    record = by_id(tmp_path, make_job(tmp_path / NAME, files), data=data)

    assert record.status is status
    assert bool([note for note in record.adjustments if note.field == "status"]) == (
        status is not RunStatus.FINISHED or files == {"logs/stage.running": "x"}
    )


def test_a_job_without_results_is_told_not_exported_as_an_empty_run(tmp_path: Path) -> None:
    stages = {"logs/stage.running": "", "logs/stage.exit": "2026-11-22T19:06:51Z 1"}
    job = make_job(
        tmp_path / NAME, {**stages, "artifacts/results.yml": None, "artifacts/run_config.yml": "{}"}
    )

    assert reason(launcher.read(job, DEFAULT)) == (
        f"job aaaaaaaa.0: there is no {job}/artifacts/results.yml: the evaluation ended with exit code 1 "
        f"(logs/stage.exit); look into {job}/logs"
    )


def test_run_config_and_metadata_are_not_needed(tmp_path: Path) -> None:
    results = {
        "config": {"type": "t", "params": {"limit_samples": 3}},
        "target": {"api_endpoint": {"model_id": "m/1"}},
        "metadata": {"versioning": {"nemo_evaluator": 0.3, "odd": {"a": 1}}},
        "results": {"tasks": {"t": {"metrics": {"m": {"scores": {"m": {"value": 1}}}}}}},
    }

    record = by_path(make_job(tmp_path / NAME, {"artifacts/results.yml": results}))

    assert record.tags == {
        "invocation_id": "aaaaaaaa",
        "job_id": "aaaaaaaa.0",
        "task_name": "t",
        "benchmark": "t",
        "harness": "h",
        "model": "m/1",
        "nemo_evaluator_version": "0.3",
    }
    assert record.params["model_id"] == "m/1"
    assert record.run_name == "eval-aaaaaaaa-t"
    assert record.adjustments == ()


@pytest.mark.parametrize("name", ["run_config.yml", "metadata.yaml"])
@pytest.mark.parametrize("content", ["a: [", "[]", "launcher_command: {}\nconfig: 5", b"\xff"])
def test_a_broken_companion_file_is_told_and_left(name: str, content: str | bytes, tmp_path: Path) -> None:
    record = by_path(make_job(tmp_path / NAME, {f"artifacts/{name}": content}))

    (note,) = [note for note in record.adjustments if note.field == name]
    assert note.reason.endswith("what it says is left out")
    assert str(tmp_path / NAME / "artifacts" / name) in note.reason
    assert record.tags["task_name"] == "t"


def test_companion_files_are_asked_first(tmp_path: Path) -> None:
    run = {
        "framework_name": "harness",
        "config": {"type": "task", "params": {"task": "sub", "limit_samples": 4}},
        "target": {"api_endpoint": {"model_id": 7}},
    }
    record = by_path(make_job(tmp_path / NAME, {"artifacts/run_config.yml": run}))

    assert (record.tags["harness"], record.tags["task_name"], record.tags["model"]) == (
        "harness",
        "task",
        "7",
    )
    assert record.datasets == (
        Dataset(
            name="task",
            digest=record.datasets[0].digest,
            source_type="nemo-evaluator",
            source='{"benchmark": "task", "harness": "harness", "limit_samples": 4, "task": "sub"}',
            context="eval",
        ),
    )
    assert len(record.datasets[0].digest) == 8


def test_a_result_without_a_task_has_no_dataset(tmp_path: Path) -> None:
    results = "results: {groups: {g: {metrics: {m: {scores: {m: {value: 1}}}}}}}"

    record = by_path(make_job(tmp_path / NAME, {"artifacts/results.yml": results}))

    assert record.datasets == ()
    assert record.run_name == "eval-aaaaaaaa"


def test_jobs_of_a_cluster_found_by_path_name_their_host(tmp_path: Path) -> None:
    config = {"execution": {"type": "slurm", "hostname": "login"}, "export": {"mlflow": None}}
    job = make_job(tmp_path / NAME, {"artifacts/metadata.yaml": {"launcher_resolved_config": config}})

    record = by_path(job)

    assert record.params["results_dir"] == f"login:{job}"
    assert record.params["executor"] == record.tags["executor"] == "slurm"
    assert record.stored == {}


def test_the_config_is_logged_as_params_on_request_only(tmp_path: Path) -> None:
    config = {"a": {"b": [1, None, "x"]}, "empty": {}, "yes": True}
    job = make_job(tmp_path / NAME, {"artifacts/metadata.yaml": {"launcher_resolved_config": config}})
    params = by_path(job, log_config_params=True).params
    shallow = by_path(job, log_config_params=True, log_config_params_max_depth=2).params

    assert {key: value for key, value in params.items() if key.startswith("config.")} == {
        "config.a.b.0": "1",
        "config.a.b.1": "null",
        "config.a.b.2": "x",
        "config.yes": "True",
    }
    assert shallow["config.a.b"] == "[1, None, 'x']"
    assert not [key for key in by_path(job).params if key.startswith("config.")]


def test_the_config_noted_at_the_launch_is_stronger_than_the_stored_one(tmp_path: Path) -> None:
    job = make_job(
        tmp_path / NAME, {"artifacts/metadata.yaml": {"launcher_resolved_config": {"a": "stored"}}}
    )
    database = write_database(
        tmp_path / "db", [row("aaaaaaaa.0", data={"output_dir": str(job)}, config={"a": "noted"})]
    )
    options = ReadOptions(log_config_params=True)

    record = one(launcher.read_ids(["aaaaaaaa"], options, exec_db=database))

    assert record.params["config.a"] == "noted"


def test_flattening_stops_at_the_depth_as_the_launcher_does() -> None:
    assert dict(flattened({"a": {"b": None}}, "c", 0)) == {"c": "{'a': {'b': None}}"}
    assert dict(flattened({"a": {"b": None}}, "c", 1)) == {"c.a": "{'b': None}"}
    assert dict(flattened({"a": {"b": None}}, "c", 2)) == {"c.a.b": "None"}
    assert dict(flattened({"a": {"b": None}}, "c", 3)) == {"c.a.b": "null"}


def test_stored_settings_that_make_no_sense_cost_their_own_job(tmp_path: Path) -> None:
    config = {"launcher_resolved_config": {"export": {"mlflow": {"nan": "odd"}}}}
    bad = make_job(tmp_path / NAME, {"artifacts/metadata.yaml": config})
    make_job(bad.parent / "h.t.1")

    def complete(stored: Any, origin: str) -> ReadOptions:
        raise SettingsError(
            f"the stored config of {origin}: nan: {stored['nan']} is not one of skip, tag, fail"
        )

    records, (failure,) = split(launcher.read(bad.parent, ReadOptions(complete=complete)))

    assert [record.label for record in records] == ["aaaaaaaa.1"]
    assert failure.reason.startswith("the stored config of aaaaaaaa.0: nan")


def test_where_and_when_it_was_read_is_no_part_of_the_digest(tmp_path: Path) -> None:
    assert by_path(make_job(tmp_path / NAME)).volatile == {"timestamp", "results_dir"}


def test_values_of_a_config_that_come_to_one_name_are_kept_apart(tmp_path: Path) -> None:
    config = {"a.b": 1, "a": {"b": 2, "c": 3}, "a.b-2": 4}
    job = make_job(tmp_path / NAME, {"artifacts/metadata.yaml": {"launcher_resolved_config": config}})

    record = by_path(job, log_config_params=True)

    values = {key: value for key, value in record.params.items() if key.startswith("config.")}
    assert sorted(values.values()) == ["1", "2", "3", "4"]
    told = [(change.field, change.before, change.after) for change in record.adjustments]
    assert ("param config.a.b", "2" if values["config.a.b"] == "1" else "1", "config.a.b-2") in told
