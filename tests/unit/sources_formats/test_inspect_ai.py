from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from result_samples import (
    INSPECT_EVAL,
    INSPECT_JSON,
    INSPECT_ZSTD,
    document,
    one,
    paths,
    reason,
    values,
    written,
)

from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.sources import inspect_ai


def archive(folder: Path, **members: object) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, member in members.items():
            packed.writestr(name, json.dumps(member))
    return written(folder, "log.eval", buffer.getvalue())


def header(**members: object) -> dict[str, Any]:
    with zipfile.ZipFile(INSPECT_EVAL) as packed:
        return {**json.loads(packed.read("header.json")), **members}


@pytest.mark.parametrize("path", [INSPECT_EVAL, INSPECT_JSON], ids=["eval", "json"])
def test_both_forms_of_a_log_give_the_same_run(path: Path) -> None:
    record = one(inspect_ai.read, path)

    assert values(record) == {
        "popularity/n_samples": 1.0,
        "popularity/match/accuracy": 0.0,
        "popularity/match/stderr": 0.0,
        "usage/ollama/llama3.1/input_tokens": 66.0,
        "usage/ollama/llama3.1/output_tokens": 2.0,
        "usage/ollama/llama3.1/total_tokens": 68.0,
    }
    assert record.key == one(inspect_ai.read, INSPECT_EVAL).key
    assert record.status is RunStatus.FINISHED
    assert record.start_time == record.end_time == 1729011193000
    assert record.params["plan.config.temperature"] == "1.0"
    assert record.params["config.limit"] == "1"
    assert record.params["packages.inspect_ai"] == "0.3.41.dev123+g9ad2119a.d20241015"
    assert record.params["model_id"] == record.tags["model"] == "ollama/llama3.1"
    assert record.tags["git_commit"] == "02526f4c"
    assert record.tags["inspect_status"] == "success"
    assert [data.name for data in record.datasets] == ["popularity"]
    assert paths(record) == [path.name]


def test_a_log_packed_with_zstd_is_read() -> None:
    record = one(inspect_ai.read, INSPECT_ZSTD)

    assert values(record) == {
        "arith/n_samples": 8.0,
        "arith/match/accuracy": 0.75,
        "arith/match/stderr": 0.25,
        "arith/match/scored_samples": 4.0,
        "arith/match/unscored_samples": 0.0,
        "arith/includes/accuracy": 0.75,
        "arith/includes/stderr": 0.25,
        "arith/includes/scored_samples": 4.0,
        "arith/includes/unscored_samples": 0.0,
    }
    assert record.tags["eval_tags"] == "demo"
    assert record.tags["eval_id"] == "DgXdBGsyAvzokVuYArWJTy"
    assert not record.datasets


def test_without_the_extra_a_zstd_log_names_the_line_that_installs_it() -> None:
    script = (
        "import sys; sys.modules['zstandard'] = None\n"
        "from pathlib import Path\n"
        "from mlflow_rest_export.sources import inspect_ai\n"
        "from mlflow_rest_export.sources.options import ReadOptions\n"
        "print(*inspect_ai.read(Path(sys.argv[1]), ReadOptions()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(INSPECT_ZSTD)], capture_output=True, text=True, check=True
    )

    assert "pip install 'mlflow-rest-export[inspect]'" in done.stdout


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("success", RunStatus.FINISHED),
        ("error", RunStatus.FAILED),
        ("cancelled", RunStatus.KILLED),
        ("started", RunStatus.FAILED),
        ("on fire", RunStatus.FAILED),
    ],
)
def test_the_status_is_the_evaluators_own(tmp_path: Path, status: str, expected: RunStatus) -> None:
    path = archive(tmp_path, **{"header.json": header(status=status)})

    assert one(inspect_ai.read, path).status is expected


def test_an_error_is_told_as_a_tag(tmp_path: Path) -> None:
    error = {"message": "no such model", "traceback": "..."}
    path = archive(tmp_path, **{"header.json": header(status="error", error=error, results=None)})

    record = one(inspect_ai.read, path)

    assert record.tags["error"] == "no such model"
    assert "popularity/match/accuracy" not in values(record)


def test_a_log_cut_off_by_a_crash_has_its_run_from_the_journal(tmp_path: Path) -> None:
    start = {name: header()[name] for name in ("version", "eval", "plan")}
    path = archive(tmp_path, **{"_journal/start.json": start, "samples/1_epoch_1.json": {}})

    record = one(inspect_ai.read, path)

    assert inspect_ai.recognises(path)
    assert record.status is RunStatus.FAILED
    assert record.tags["inspect_status"] == "crashed"
    assert record.key == one(inspect_ai.read, INSPECT_EVAL).key
    assert record.start_time == 1729011193000
    assert values(record) == {}


def test_reducers_and_groups_stand_in_the_name(tmp_path: Path) -> None:
    scores = [
        {"name": "match", "scorer": "match", "reducer": "mean", "metrics": {"accuracy": {"value": 0.5}}},
        {
            "name": "match",
            "scorer": "match",
            "reducer": "at_least_2",
            "metrics": {"accuracy": {"value": 0.25}},
        },
    ]
    results = {"total_samples": 4, "completed_samples": 3, "scores": scores}
    path = archive(tmp_path, **{"header.json": header(results=results, stats=None)})

    record = one(inspect_ai.read, path)

    assert values(record) == {
        "popularity/n_samples": 3.0,
        "popularity/match/mean/accuracy": 0.5,
        "popularity/match/at_least_2/accuracy": 0.25,
    }
    assert record.params["total_samples"] == "4"


def test_not_a_number_stays_not_a_number(tmp_path: Path) -> None:
    log = document(INSPECT_JSON)
    log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = math.nan
    path = written(tmp_path, "log.json", log)

    assert "NaN" in path.read_text()
    assert math.isnan(values(one(inspect_ai.read, path))["popularity/match/accuracy"])


@pytest.mark.parametrize(
    "results",
    [
        {"scorer": {"name": "fact"}, "metrics": {"accuracy": {"value": 1}}},
        {"scorers": [{"name": "fact", "metrics": {"accuracy": {"value": 1}}}]},
    ],
)
def test_logs_of_the_first_version_are_read(tmp_path: Path, results: object) -> None:
    log = {
        "version": 1,
        "status": "success",
        "eval": {"task": "wiki", "model": "m", "run_id": "r", "created": "2024-05-05T07:59:35"},
        "plan": {"name": "plan"},
        "results": results,
        "stats": {"started_at": "2024-05-05T07:59:35", "completed_at": "2024-05-05T08:00:03"},
    }
    record = one(inspect_ai.read, written(tmp_path, "log.json", log))

    assert values(record) == {"wiki/fact/accuracy": 1.0}
    assert (record.start_time, record.end_time) == (1714895975000, 1714896003000)


def test_samples_are_not_read_however_many_there_are(tmp_path: Path) -> None:
    log = document(INSPECT_JSON)
    samples = log.pop("samples")
    text = json.dumps(log)[:-1] + ', "samples": [' + ",".join([json.dumps(samples[0])] * 7_000) + "]}"
    path = written(tmp_path, "log.json", text)

    assert path.stat().st_size > 32 << 20
    assert values(one(inspect_ai.read, path)) == values(one(inspect_ai.read, INSPECT_JSON))


def test_a_score_changed_later_changes_the_run_and_not_its_key(tmp_path: Path) -> None:
    log = document(INSPECT_JSON)
    log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 1
    other = document(INSPECT_JSON)
    other["eval"]["run_id"] = "another"

    changed = one(inspect_ai.read, written(tmp_path, "changed.json", log))
    another = one(inspect_ai.read, written(tmp_path, "other.json", other))

    assert changed.key == one(inspect_ai.read, INSPECT_JSON).key
    assert another.key != changed.key


def test_a_log_without_any_id_is_known_by_its_bytes(tmp_path: Path) -> None:
    log = {"version": 2, "status": "success", "eval": {"task": "t"}, "plan": {}}
    record = one(inspect_ai.read, written(tmp_path, "log.json", log))

    assert record.run_name == "t"
    assert "model" not in record.tags


def test_only_logs_are_recognised(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("notes.txt", "x")

    assert inspect_ai.recognises(INSPECT_EVAL)
    assert inspect_ai.recognises(INSPECT_ZSTD)
    assert inspect_ai.recognises(INSPECT_JSON)
    assert not inspect_ai.recognises(tmp_path)
    assert not inspect_ai.recognises(written(tmp_path, "a.eval", buffer.getvalue()))
    assert not inspect_ai.recognises(written(tmp_path, "b.json", {"version": 2, "eval": {}}))


def test_a_log_that_was_cut_off_is_recognised_and_told(tmp_path: Path) -> None:
    path = written(tmp_path, "cut.eval", INSPECT_EVAL.read_bytes()[:-100])

    assert inspect_ai.recognises(path)
    assert reason(inspect_ai.read, path) == f"{path}: the ZIP archive is damaged or cut off"


def test_an_archive_that_is_no_log_is_told(tmp_path: Path) -> None:
    path = archive(tmp_path, **{"notes.json": {}})

    assert "neither header.json nor _journal/start.json" in reason(inspect_ai.read, path)


def test_a_mistake_inside_the_archive_is_told_with_its_member(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("header.json", '{"eval": \n oops}')
    path = written(tmp_path, "log.eval", buffer.getvalue())

    assert reason(inspect_ai.read, path) == f"header.json in {path}:2:2: not JSON, expecting value"
