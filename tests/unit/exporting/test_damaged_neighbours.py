"""A damaged run in the folder that is exported to costs itself, and nobody takes its place."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from folder_exports import Folder, a_record
from mlruns_stores import a_run

from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.tracking.files import FileTracking

RECORDS = [a_record(str(number)) for number in range(3)]


def run_folder(folder: Folder, run_id: str) -> Path:
    (path,) = folder.root.glob(f"*/{run_id}")
    return path


@pytest.mark.parametrize("part", ["meta.yaml", "metrics/acc", "params/p"])
def test_a_damaged_run_of_ours_fails_alone_and_comes_back_once_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    folder = Folder(tmp_path / "mlruns")
    broken = run_folder(folder, folder.export(RECORDS[0])[0].run_id) / part
    good = broken.read_bytes()
    broken.write_bytes(b"\xff\n" if part != "meta.yaml" else b"")

    with caplog.at_level(logging.WARNING, "mlflow_rest_export"):
        results = folder.export(*RECORDS)

    assert [result.outcome for result in results] == [Outcome.FAILED, Outcome.EXPORTED, Outcome.EXPORTED]
    assert str(broken) in str(results[0].error)
    assert str(broken) in caplog.text
    broken.write_bytes(good)
    assert [result.outcome for result in folder.export(*RECORDS)] == [Outcome.UNCHANGED] * 3


def test_a_damaged_run_that_stands_elsewhere_keeps_its_key(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    first = run_folder(folder, folder.export(RECORDS[0])[0].run_id)
    elsewhere = first.rename(first.parent / ("0" * 32))
    (elsewhere / "meta.yaml").write_text("")

    results = folder.export(*RECORDS)

    assert [result.outcome for result in results] == [Outcome.FAILED, Outcome.EXPORTED, Outcome.EXPORTED]
    assert not first.exists()


def test_a_run_whose_tags_cannot_be_read_costs_nobody_anything(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    foreign = a_run(FileTracking(folder.root), key=None, tags={"mlflow_rest_export.key": "x"})
    (run_folder(folder, foreign.run_id) / "tags/mlflow_rest_export.key").write_bytes(b"\xff")

    assert [result.outcome for result in folder.export(*RECORDS)] == [Outcome.EXPORTED] * 3


def test_a_run_that_was_mended_may_be_created_again_by_the_same_client(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    meta = run_folder(folder, folder.export(RECORDS[0])[0].run_id) / "meta.yaml"
    good = meta.read_bytes()
    store = folder.store
    (experiment,) = (path.name for path in folder.root.iterdir() if path.name.isdigit())
    meta.write_bytes(b"")
    assert list(store.find_runs(experiment, [RECORDS[0].lookup])) == []
    meta.write_bytes(good)

    assert len(list(store.find_runs(experiment, [RECORDS[0].lookup]))) == 1
