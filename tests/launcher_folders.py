"""The genuine launcher results in ``fixtures``, and jobs made up for what no genuine one shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from mlflow_rest_export.records import RunRecord, Unreadable

FIXTURES = Path(__file__).parent.parent / "fixtures"
SHAPES = FIXTURES / "results-shapes"
OFFICIAL = FIXTURES / "official"
OUTPUT = FIXTURES / "results"
FAILED_JOB = FIXTURES / "failed-job" / "tooltalk.tooltalk.2"

INVOCATION = "4d4685867b13b968"
FOLDER = f"20261122_190618-{INVOCATION}"
MMLU, LCR, FAILED = "simple_evals.mmlu.0", "AA-LCR.aa_lcr.1", "tooltalk.tooltalk.2"
NOTED = "/data/nemo/nel-results"
"""The output folder as the genuine files name it."""

SCORES = {"tasks": {"t": {"metrics": {"m": {"scores": {"s": {"value": 0.5}}}}}}}


def genuine(tmp_path: Path) -> tuple[Path, Path]:
    """Put the genuine output folder together again; give it, and a database whose paths lead there."""
    output = tmp_path / "nel-results"
    shutil.copytree(OUTPUT, output)
    shutil.copytree(FAILED_JOB, output / FOLDER / FAILED)
    database = tmp_path / "exec.v1.jsonl"
    database.write_text((OUTPUT / "exec.v1.jsonl").read_text().replace(NOTED, str(output)))
    (output / "exec.v1.jsonl").unlink()
    return output, database


def write_database(path: Path, rows: Iterable[Mapping[str, Any] | str]) -> Path:
    """Write a database of rows, or of lines as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def row(job_id: str, **more: Any) -> dict[str, Any]:
    """Give a row of the database."""
    invocation = more.pop("invocation_id", job_id.partition(".")[0])
    data = {"timestamp": 1795374380.5, "executor": "local", "data": {}, "config": None}
    return {"invocation_id": invocation, "job_id": job_id, **data, **more}


def make_job(folder: Path, files: Mapping[str, object] | None = None, *, results: object = SCORES) -> Path:
    """Make a job folder: ``results`` in its results file, and ``files`` (bytes, texts, or data for YAML)."""
    content = {"artifacts/results.yml": {"config": {"type": "t"}, "results": results}, **(files or {})}
    for name, said in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(said, bytes):
            path.write_bytes(said)
        elif said is not None:
            path.write_text(said if isinstance(said, str) else yaml.safe_dump(said))
    return folder


def split(found: Iterable[RunRecord | Unreadable]) -> tuple[list[RunRecord], list[Unreadable]]:
    """Part the readable from the unreadable."""
    everything = list(found)
    records = [one for one in everything if isinstance(one, RunRecord)]
    return records, [one for one in everything if isinstance(one, Unreadable)]


def one(found: Iterable[RunRecord | Unreadable]) -> RunRecord:
    """Give the only record."""
    (record,) = found
    assert isinstance(record, RunRecord), record
    return record


def reason(found: Iterable[RunRecord | Unreadable]) -> str:
    """Give why the only result is unreadable."""
    (unreadable,) = found
    assert isinstance(unreadable, Unreadable), unreadable
    return unreadable.reason


def texts(record: RunRecord) -> dict[str, str]:
    """Give the uploads by path as text."""
    return {
        artifact.path: (
            artifact.content if isinstance(artifact.content, bytes) else artifact.content.read_bytes()
        ).decode("utf-8", "replace")
        for artifact in record.artifacts
    }
