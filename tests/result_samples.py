"""The genuine results in ``fixtures/formats``, and short ways to read them in tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources.options import ReadOptions

SAMPLES = Path(__file__).parent.parent / "fixtures" / "formats"

LM_EVAL = SAMPLES / "lm-eval" / "results_2026-01-21T03-44-18.458309.json"
INSPECT_EVAL = SAMPLES / "inspect" / "log_formats.eval"
INSPECT_JSON = SAMPLES / "inspect" / "log_formats.json"
INSPECT_ZSTD = SAMPLES / "inspect" / "generated_inspect_ai_0.3.285_zstd_arith.eval"
LIGHTEVAL = SAMPLES / "lighteval" / "docs_example_new_keys.json"
LIGHTEVAL_OLD = SAMPLES / "lighteval" / "docs_example_old_keys.json"
BUNDLE = SAMPLES / "nemo-bundle" / "suite-run" / "mmlu" / "eval-20261122T192319Z-mmlu.json"
BUNDLES = SAMPLES / "nemo-bundle" / "suite-run"
HELM = next((SAMPLES / "helm").iterdir())
EEE = next((SAMPLES / "every-eval-ever" / "popularity").glob("*/*/*.json"))
JUNIT = SAMPLES / "junit" / "pytest.xml"
TABLES = SAMPLES / "table"

Read = Callable[[Path, ReadOptions], Iterator[RunRecord | Unreadable]]


def one(read: Read, path: Path, **settings: Any) -> RunRecord:
    """Read a result that is one run."""
    (record,) = read(path, ReadOptions(**settings))
    assert isinstance(record, RunRecord), record
    return record


def many(read: Read, path: Path, **settings: Any) -> list[RunRecord]:
    """Read a result of several runs."""
    records = list(read(path, ReadOptions(**settings)))
    assert all(isinstance(record, RunRecord) for record in records), records
    return [record for record in records if isinstance(record, RunRecord)]


def reason(read: Read, path: Path, **settings: Any) -> str:
    """Read a result that cannot be read, and give the sentence."""
    (unreadable,) = read(path, ReadOptions(**settings))
    assert isinstance(unreadable, Unreadable), unreadable
    assert unreadable.label == str(path)
    assert "\n" not in unreadable.reason
    return unreadable.reason


def values(record: RunRecord) -> dict[str, float]:
    """Give the metrics of a record that has one point of each."""
    points = list(record.metrics)
    assert len({point.key for point in points}) == len(points)
    return {point.key: point.value for point in points}


def paths(record: RunRecord) -> list[str]:
    """Give where the files of a record go."""
    return [artifact.path for artifact in record.artifacts]


def document(path: Path) -> Any:
    """Read a JSON sample to change it."""
    return json.loads(path.read_text())


def written(folder: Path, name: str, content: object) -> Path:
    """Write a JSON document, or a text or bytes as they are."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def copied(source: Path, folder: Path, names: Iterable[str] = ("*",)) -> Path:
    """Copy a sample, with what lies beside it, and give the copy."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for path in source.parent.glob(name):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
    return folder / source.name
