"""What launcher 0.2.6 itself stored for the genuine invocation, against what we read of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from launcher_folders import FOLDER, INVOCATION, LCR, MMLU, NOTED, OFFICIAL, genuine, one, split, texts

from mlflow_rest_export.records import RunRecord
from mlflow_rest_export.sources.nemo import launcher
from mlflow_rest_export.sources.options import ReadOptions

OPTIONS = ReadOptions(copy_logs=True, log_config_params=True)
SECRET = "dummy-judge-key"
GENERIC = {"batch_size", "hardware"}
"""Params of ``extra_metadata``, which the plan adds for every format."""
OF_THE_SDK = {
    "mlflow.user",
    "mlflow.source.name",
    "mlflow.source.type",
    "mlflow.runName",
    "mlflow.note.content",
}
JOBS = pytest.mark.parametrize("job_id", [f"{INVOCATION}.0", f"{INVOCATION}.1"])
GENERIC_TAGS = {"model_family", "version"}


def official() -> dict[str, Any]:
    stored = json.loads((OFFICIAL / "official-0.2.6-export.json").read_text())
    return {run["tags"]["job_id"]: run for run in stored["runs"]}


@pytest.fixture(params=["id", "path"])
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, RunRecord]:
    output, database = genuine(tmp_path)
    if request.param == "id":
        found = launcher.read_ids([INVOCATION], OPTIONS, exec_db=database)
    else:
        found = launcher.read(output, OPTIONS)
    records, unreadable = split(found)
    assert [job.label for job in unreadable] == [f"{INVOCATION}.2"]
    return {record.label: record for record in records}


@JOBS
def test_metrics_are_the_official_ones_and_statistics(job_id: str, exported: dict[str, RunRecord]) -> None:
    ours = {metric.key: metric.value for metric in exported[job_id].metrics}
    theirs = {key: value for key, (value, _, _) in official()[job_id]["metrics"].items()}
    added = set(ours) - set(theirs)

    assert {key: ours[key] for key in theirs} == theirs
    assert added
    assert all(key.endswith(("_stderr", "_stddev")) for key in added)


@JOBS
def test_params_are_the_official_ones_and_the_model(
    job_id: str, exported: dict[str, RunRecord], tmp_path: Path
) -> None:
    moved = str(tmp_path / "nel-results")
    ours = {key: value.replace(moved, NOTED) for key, value in exported[job_id].params.items()}
    theirs = {key: value for key, value in official()[job_id]["params"].items() if key not in GENERIC}
    theirs |= {"config.env_vars.JUDGE_API_KEY": "lit:***", "model_id": "meta/llama-3.1-8b-instruct"}

    assert ours | {"timestamp": ""} == theirs | {"timestamp": ""}


def test_by_id_the_timestamp_is_the_noted_one_and_by_path_that_of_the_first_stage(tmp_path: Path) -> None:
    output, database = genuine(tmp_path)
    by_id = one(launcher.read_ids([f"{INVOCATION}.0"], OPTIONS, exec_db=database))
    by_path = one(launcher.read(output / FOLDER / MMLU, OPTIONS))

    assert by_id.params["timestamp"] == official()[by_id.label]["params"]["timestamp"]
    assert by_path.params["timestamp"] == "1795374380.0"


@JOBS
def test_tags_and_name_are_the_official_ones_and_model_and_versions(
    job_id: str, exported: dict[str, RunRecord]
) -> None:
    record = exported[job_id]
    theirs = official()[job_id]["tags"]

    assert record.run_name == theirs["mlflow.runName"]
    assert record.twin == {"job_id": job_id}
    assert record.lookup.tag == "invocation_id"
    assert record.lookup.value == INVOCATION
    assert dict(record.tags) == {
        **{key: value for key, value in theirs.items() if key not in OF_THE_SDK | GENERIC_TAGS},
        "model": "meta/llama-3.1-8b-instruct",
        "nemo_evaluator_version": "0.2.8",
        "nemo_evaluator_launcher_version": "0.2.6",
    }


@JOBS
def test_files_are_the_official_ones_but_for_masked_values(
    job_id: str, exported: dict[str, RunRecord]
) -> None:
    ours = texts(exported[job_id])
    theirs = {path: size for path, size in official()[job_id]["artifacts"] if "client_stdout.log" not in path}
    unchanged = [path for path in theirs if not path.endswith(("config.yaml", "metadata.yaml", "stdout.log"))]

    assert set(ours) == set(theirs)
    assert {path: len(ours[path]) for path in unchanged} == {path: theirs[path] for path in unchanged}
    assert SECRET not in "".join(ours.values())


@JOBS
def test_the_config_is_the_stored_one_with_the_secret_masked(
    job_id: str, exported: dict[str, RunRecord]
) -> None:
    written = yaml.safe_load(texts(exported[job_id])["config.yaml"])

    assert written["env_vars"] == {"JUDGE_API_KEY": "lit:***"}
    assert written["target"]["api_endpoint"]["model_id"] == "meta/llama-3.1-8b-instruct"
    assert [note.reason for note in exported[job_id].adjustments if note.field == "artifact config.yaml"] == [
        "secrets are masked in the copy"
    ]


def test_by_id_and_by_path_the_same_job_differs_only_in_what_the_digest_leaves_out(tmp_path: Path) -> None:
    output, database = genuine(tmp_path)
    database.write_text((output.parent / "exec.v1.jsonl").read_text().replace(str(output), NOTED))
    options = ReadOptions(copy_logs=True, log_config_params=True, job_dirs=(output,))
    by_id = split(launcher.read_ids([INVOCATION], options, exec_db=database))[0]
    by_path = split(launcher.read(output / FOLDER, options))[0]

    assert [record.label for record in by_id] == [f"{INVOCATION}.0", f"{INVOCATION}.1"]
    for this, that in zip(by_id, by_path, strict=True):
        assert this.key == that.key
        assert this.tags == that.tags
        assert {key for key in this.params if this.params[key] != that.params[key]} <= this.volatile
        assert texts(this) == texts(that)
        assert (this.metrics, this.status, this.start_time) == (that.metrics, that.status, that.start_time)


def test_the_raw_metric_names_are_those_the_launcher_derives(tmp_path: Path) -> None:
    output, _ = genuine(tmp_path)
    listed = json.loads((OFFICIAL / "official-metric-keys.json").read_text())
    for place, keys in listed.items():
        job = LCR if LCR in place else MMLU
        (record,) = launcher.read(output / FOLDER / job, ReadOptions())
        assert isinstance(record, RunRecord)
        found = {metric.key: metric.value for metric in record.metrics}
        assert {key: found.get(key) for key in keys["raw"]} == keys["raw"]


def test_a_record_is_the_same_each_time_it_is_read(tmp_path: Path) -> None:
    output, _ = genuine(tmp_path)

    assert list(launcher.read(output, OPTIONS)) == list(launcher.read(output, OPTIONS))
