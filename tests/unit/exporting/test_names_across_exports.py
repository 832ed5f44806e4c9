"""A file store keeps names as paths: what a run has already is no obstacle to what it gets later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import START, Folder, a_record

from mlflow_rest_export import marks
from mlflow_rest_export.exporting.exporter import Habits
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import Metric, RunRecord


def holding(name: str) -> RunRecord:
    """Make a record in which everything has one name."""
    record = a_record(metrics=[Metric(name, 1.0, START)], params={name: "1"}, files={name: name.encode()})
    return replace(record, tags={name: "1"})


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("a", "a/b/c"), ("a/b", "a/b/c", "a")])
def test_a_name_that_became_a_folder_gets_another_one_and_says_so(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    folder = Folder(tmp_path / "mlruns")
    folder.export(holding(names[0]))

    for name in names[1:]:
        (result,) = folder.export(holding(name))

        assert result.outcome is Outcome.EXPORTED, result.error
        told = {change.field: change.after for change in result.adjustments}
        run = folder.run()
        assert run.metrics[told[f"metric {name}"]].value == 1.0
        assert run.params[told[f"param {name}"]] == "1"
        assert run.tags[told[f"tag {name}"]] == "1"
        assert folder.files()[told[f"artifact {name}"]] == name.encode()
    (again,) = replace(folder, habits=Habits(verify=True)).export(holding(names[-1]))
    assert again.outcome is Outcome.UNCHANGED, again.error


def test_a_file_called_like_our_own_folder_does_not_keep_the_receipt_out(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")

    (result,) = folder.export(a_record(files={marks.FOLDER: b"1", f"{marks.RECEIPT}/x": b"2"}))

    assert result.outcome is Outcome.EXPORTED, result.error
    files = folder.files()
    assert marks.RECEIPT in files
    assert sorted(data for path, data in files.items() if path != marks.RECEIPT) == [b"1", b"2"]


def test_a_tag_that_lies_below_one_of_mlflow_is_stored_beside_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    record = replace(a_record(), tags={"mlflow.runName/x": "1", "mlflow.note.content/x": "2"})

    (result,) = folder.export(record)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert sorted(set(folder.run().tags.values()) & {"1", "2"}) == ["1", "2"]
