from __future__ import annotations

import io
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from result_mutations import as_text, broken, mutated
from result_samples import (
    BUNDLE,
    BUNDLES,
    EEE,
    HELM,
    INSPECT_EVAL,
    INSPECT_JSON,
    INSPECT_ZSTD,
    JUNIT,
    LIGHTEVAL,
    LIGHTEVAL_OLD,
    LM_EVAL,
    SAMPLES,
    TABLES,
    document,
)

from mlflow_rest_export.limits import STRICTEST
from mlflow_rest_export.planning.export_plan import ExportPlan, Wishes
from mlflow_rest_export.planning.plan import build
from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources import (
    detection,
    every_eval_ever,
    helm,
    inspect_ai,
    junit,
    lighteval,
    lm_eval,
    nemo_bundle,
    table,
)
from mlflow_rest_export.sources.nemo import launcher
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.yaml_files import load_yaml

DOCUMENTS: list[tuple[detection.Format, Path]] = [
    (nemo_bundle, BUNDLE),
    (lm_eval, LM_EVAL),
    (inspect_ai, INSPECT_JSON),
    (lighteval, LIGHTEVAL),
    (lighteval, LIGHTEVAL_OLD),
    (every_eval_ever, EEE),
    (table, TABLES / "flat.json"),
    (helm, HELM / "run_spec.json"),
    (helm, HELM / "stats.json"),
]
FILES = [
    *DOCUMENTS,
    (inspect_ai, INSPECT_EVAL),
    (inspect_ai, INSPECT_ZSTD),
    (junit, JUNIT),
    (table, TABLES / "history.csv"),
    (table, TABLES / "runs.jsonl"),
    (table, TABLES / "flat.yaml"),
]
MANY = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    derandomize=True,  # `nox -s fuzz` looks for what is new
)
LAUNCHER = min((SAMPLES.parent / "results").rglob("results.yml"))


def check(module: detection.Format, path: Path) -> None:
    """Read a broken result: it gives runs that can be planned, or one line for each that it cannot give."""
    module.recognises(path)
    for per_task in (False, True):
        for found in module.read(path, ReadOptions(per_task=per_task)):
            if isinstance(found, Unreadable):
                assert found.reason.isprintable(), found.reason
                assert len(found.reason) < 1000
            else:
                assert isinstance(found, RunRecord)
                assert isinstance(planned(found), ExportPlan)
    assert list(detection.read([path], ReadOptions()))
    assert list(detection.read([path.parent], ReadOptions()))


def planned(record: RunRecord) -> ExportPlan:
    return build(record, (), Wishes(nan="skip"), STRICTEST)


def named(case: tuple[detection.Format, Path]) -> str:
    return f"{case[0].NAME}-{case[1].name[-20:]}"


@pytest.fixture
def place(tmp_path: Path) -> Callable[[Path], Path]:
    """Give where a broken copy of a sample goes: beside copies of what it needs."""

    def give(sample: Path) -> Path:
        if sample.parent == HELM and not (tmp_path / "run").exists():
            shutil.copytree(HELM, tmp_path / "run")
        (tmp_path / "run").mkdir(exist_ok=True)
        return tmp_path / "run" / sample.name

    return give


@pytest.mark.parametrize("case", DOCUMENTS, ids=named)
@MANY
@given(seed=st.integers(0, 2**32), count=st.integers(1, 4))
def test_wrong_documents_give_one_clear_line(
    case: tuple[detection.Format, Path], place: Callable[[Path], Path], seed: int, count: int
) -> None:
    module, sample = case
    path = place(sample)
    path.write_bytes(as_text(mutated(document(sample), random.Random(seed), count)))

    check(module, path)


@pytest.mark.parametrize("case", FILES, ids=named)
@MANY
@given(seed=st.integers(0, 2**32))
def test_damaged_files_give_one_clear_line(
    case: tuple[detection.Format, Path], place: Callable[[Path], Path], seed: int
) -> None:
    module, sample = case
    path = place(sample)
    path.write_bytes(broken(sample.read_bytes(), random.Random(seed)))

    check(module, path)


@MANY
@given(seed=st.integers(0, 2**32), count=st.integers(1, 4))
def test_wrong_checkpoints_and_results_of_the_launcher_give_one_clear_line(
    tmp_path: Path, seed: int, count: int
) -> None:
    chance = random.Random(seed)
    for module, sample in ((nemo_bundle, BUNDLES / "checkpoint.json"), (launcher, LAUNCHER)):
        (tmp_path / module.NAME).mkdir(exist_ok=True)
        path = tmp_path / module.NAME / sample.name
        path.write_bytes(as_text(mutated(load_yaml(sample), chance, count)))

        check(module, path)


@MANY
@given(seed=st.integers(0, 2**32), count=st.integers(1, 4))
def test_wrong_headers_of_archives_give_one_clear_line(
    place: Callable[[Path], Path], seed: int, count: int
) -> None:
    path = place(INSPECT_EVAL)
    log = document(INSPECT_JSON)
    del log["samples"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("header.json", as_text(mutated(log, random.Random(seed), count)))
    path.write_bytes(buffer.getvalue())

    check(inspect_ai, path)


@pytest.mark.parametrize("case", FILES, ids=named)
def test_files_cut_off_anywhere_give_one_clear_line(
    case: tuple[detection.Format, Path], place: Callable[[Path], Path]
) -> None:
    module, sample = case
    path = place(sample)
    data = sample.read_bytes()
    for cut in range(0, len(data), max(1, len(data) // 40)):
        path.write_bytes(data[:cut])
        check(module, path)
