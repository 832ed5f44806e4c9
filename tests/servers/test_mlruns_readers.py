"""The folders that we write, read by real MLflow of every version and moved into a database by the newest."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mlruns_stores import END, START, a_run, finish, folder_of, store
from server_pool import Pool, newest

from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.atomic_files import UNFINISHED
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.records import Dataset, Metric, RunStatus
from mlflow_rest_export.tracking.files import FileTracking

READER = Path(__file__).with_name("read_store.py")
TIMEOUT = 300.0
"""Seconds; importing MLflow alone takes several."""
VALUES = {
    "PI": math.pi,
    "a b/c-d.e_f": 1e-300,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "é" * 120: 0.1,
}
PARAMS = {"p": "1", "empty": "", "deep/er/est": "line 1\nline 2\r\nünï\u2028", "k" * 250: "x" * 6000}
TAGS = {"mlflow.note.content": "*note*\t😀", "t/u": "", "long": "y" * 8000}
FILES = {"a.txt": b"hello", "sub folder/#1 50%25 ü.bin": bytes(range(256)), "empty": b""}


def run_python(python: Path, *arguments: str, home: Path) -> str:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUTF8": "1",
    }
    said = subprocess.run(
        [str(python), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert said.returncode == 0, said.stderr[-4000:]
    return said.stdout


def read(python: Path, uri: str, *, home: Path) -> dict[str, Any]:
    seen = json.loads(run_python(python, str(READER), uri, home=home))
    assert isinstance(seen, dict)
    return seen


def fill(tracking: FileTracking) -> dict[str, dict[str, Any]]:
    """Write runs of every kind; gives what readers shall see of each, by run id."""
    parent = a_run(tracking, key="parent", name="älter # 1", experiment="exp/é", tags=TAGS)
    points = [
        Metric(key, value * (step + 1), START + step, step)
        for key, value in VALUES.items()
        for step in range(3)
    ]
    for _ in range(2):  # once more changes nothing
        tracking.log_values(parent.run_id, metrics=points, params=PARAMS)
        tracking.log_inputs(parent.run_id, [Dataset("gsm8k", "d1", "hf", "s", context="eval")])
        for path, data in FILES.items():
            FileArtifacts().upload(parent, path, BytesContent(data))
        finish(tracking, parent)
    child = a_run(tracking, key="child", experiment="exp/é", tags={"mlflow.parentRunId": parent.run_id})
    finish(tracking, child, RunStatus.FAILED)
    going = a_run(tracking, key="going", experiment="other")
    deleted = a_run(tracking, key="deleted", experiment="other")
    tracking.delete_run(deleted.run_id)
    runs = {}
    for run in (parent, child, going, deleted):
        now = tracking.get_run(run.run_id)
        runs[run.run_id] = {
            "experiment_id": now.experiment_id,
            "run_name": now.run_name,
            "status": now.status.name,
            "start_time": START,
            "end_time": END if now.end_time else None,
            "lifecycle_stage": "deleted" if now.deleted else "active",
            "artifact_uri": now.artifact_uri,
            "params": dict(now.params),
            "tags": dict(now.tags),
            "history": histories(points) if run is parent else {},
            "artifacts": {path: len(data) for path, data in FILES.items()} if run is parent else {},
        }
    return runs


def histories(points: list[Metric]) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    for point in points:
        found.setdefault(point.key, []).append([point.timestamp, repr(point.value), point.step])
    return found


def litter(tracking: FileTracking, run_folder: Path) -> None:
    """Leave what a writer that is killed at the worst moments leaves."""
    experiment = run_folder.parent
    built = experiment / ".creating" / f"{UNFINISHED}1"
    for name in ("metrics", "params", "tags", "artifacts"):
        (built / name).mkdir(parents=True)
    (built / "meta.yaml").write_text("half")
    (run_folder / f"{UNFINISHED}2").write_text("half")
    (run_folder / f"{UNFINISHED}3").mkdir()
    (run_folder / f"{UNFINISHED}3/meta.yaml").write_text("half")
    (experiment / f"{UNFINISHED}4").write_text("half")
    (tracking.root / "123456789").mkdir()
    (tracking.root / f"123456789/{UNFINISHED}5").write_text("half")


@pytest.mark.parametrize("littered", [False, True])
def test_every_mlflow_reads_what_we_wrote(pool: Pool, tmp_path: Path, littered: bool) -> None:
    tracking = store(tmp_path / "a b%20c#ü/mlruns")
    expected = fill(tracking)
    if littered:
        litter(tracking, folder_of(tracking, tracking.get_run(next(iter(expected)))))

    for version, python in pool.installed.items():
        seen = read(python, tracking.root.as_uri(), home=tmp_path)

        assert seen["version"] == version
        names = {e["name"]: e["lifecycle_stage"] for e in seen["experiments"].values()}
        assert names == {"exp/é": "active", "other": "active"}
        inputs = [run.pop("inputs") for run in seen["runs"].values() if run["artifacts"]]
        for run in seen["runs"].values():
            run.pop("latest")
            run.pop("inputs", None)
        assert seen["runs"] == expected, version
        if not version.startswith("1."):
            data = {"name": "gsm8k", "digest": "d1", "source_type": "hf", "source": "s"}
            assert inputs == [[{**data, "tags": {"mlflow.data.context": "eval"}}]]


@pytest.mark.parametrize("littered", [False, True])
def test_migrate_filestore_takes_all_of_it(pool: Pool, tmp_path: Path, littered: bool) -> None:
    version = newest(pool)
    if int(version.split(".")[0]) < 3:
        pytest.skip("no MLflow with migrate-filestore is installed here")
    tracking = store(tmp_path / "mlruns")
    expected = fill(tracking)
    if littered:
        litter(tracking, folder_of(tracking, tracking.get_run(next(iter(expected)))))
    target = f"sqlite:///{tmp_path / 'migrated.db'}"
    command = ("-m", "mlflow", "migrate-filestore", "--source", str(tracking.root), "--target", target)

    run_python(pool.installed[version], *command, home=tmp_path)

    seen = read(pool.installed[version], target, home=tmp_path)
    assert seen["runs"].keys() == expected.keys()
    for run_id, run in expected.items():
        for field in ("tags", "status", "run_name", "end_time", "lifecycle_stage", "artifacts"):
            assert seen["runs"][run_id][field] == run[field], field
        # migrate-filestore itself opens values as text, which makes one character of a \r\n
        params = {key: value.replace("\r\n", "\n") for key, value in run["params"].items()}
        assert seen["runs"][run_id]["params"] == params
        history = {
            key: [[at, as_sql(value), step] for at, value, step in points]
            for key, points in run["history"].items()
        }
        assert {key: sorted(points) for key, points in seen["runs"][run_id]["history"].items()} == history


def as_sql(value: str) -> str:
    """Give a value as a database keeps it."""
    return value.replace("inf", "1.7976931348623157e+308")
