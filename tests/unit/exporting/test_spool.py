"""Runs that an outage would cost are written to a folder; all others stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import WISHES, Folder, a_record

from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.errors import ApiError, ExportError, NoAnswer, SettingsError, SourceError, StoreError
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.spool import Spool
from mlflow_rest_export.exporting.stores import Store
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.passing_faults import is_outage
from mlflow_rest_export.tracking.files import FileTracking

OUTAGE = NoAnswer("creating the run: nothing listens there", may_have_arrived=False)
RECORD = a_record(files={"a.txt": b"aaa"})


def failed(error: Exception) -> RunResult:
    return RunResult(label="job", key=RECORD.key, outcome=Outcome.FAILED, error=error)


def spool(root: Path) -> Spool:
    return Spool(
        root=root,
        open_folder=lambda: Store(FileTracking(root), FileArtifacts()),
        conduct=Conduct.ordinary(),
        wishes=lambda _: WISHES,
    )


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (OUTAGE, True),
        (NoAnswer("broke", may_have_arrived=True), True),
        *((ApiError("busy", status=status), True) for status in (408, 429, 500, 502, 503, 504)),
        (ApiError("too much", status=400, code="ThrottlingException"), True),
        (ApiError("no", status=503, reason="Artifact serving is disabled"), False),
        (ApiError("no", status=500, code="QUOTA_EXCEEDED"), False),
        *((ApiError("no", status=status), False) for status in (400, 401, 403, 404, 501)),
        (SettingsError("no"), False),
        (SourceError("no"), False),
        (OSError("no"), False),
    ],
)
def test_an_outage_is_what_a_later_try_may_get_over(error: Exception, outage: bool) -> None:
    assert is_outage(error) is outage


def test_a_run_that_could_not_be_sent_is_whole_in_the_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "spool")
    kept = spool(folder.root).catch(RECORD, failed(OUTAGE))

    assert (kept.outcome, kept.error, kept.run_id) == (Outcome.SPOOLED, OUTAGE, folder.run().run_id)
    assert folder.files()["a.txt"] == b"aaa"


def test_a_run_that_is_in_the_folder_already_is_there_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "spool")
    for _ in range(2):
        assert spool(folder.root).catch(RECORD, failed(OUTAGE)).outcome is Outcome.SPOOLED

    assert len(folder.runs()) == 1


@pytest.mark.parametrize(
    "result",
    [
        failed(ApiError("refused", status=403)),
        replace(failed(OUTAGE), outcome=Outcome.EXPORTED, error=None),
        replace(failed(OUTAGE), outcome=Outcome.UNCHANGED, error=None),
        replace(failed(OUTAGE), error=None),
    ],
)
def test_any_other_result_stays_as_it_is_and_the_folder_is_not_even_opened(
    tmp_path: Path, result: RunResult
) -> None:
    assert spool(tmp_path / "spool").catch(RECORD, result) is result
    assert not (tmp_path / "spool").exists()


def test_where_the_folder_cannot_be_written_both_reasons_are_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    lost = spool(tmp_path / "spool").catch(RECORD, failed(OUTAGE))

    assert lost.outcome is Outcome.FAILED
    assert isinstance(lost.error, StoreError)
    assert str(OUTAGE) in str(lost.error)


def test_where_the_folder_cannot_be_opened_both_reasons_are_told(tmp_path: Path) -> None:
    def refuse() -> Store:
        raise ExportError("no such folder")

    closed = Spool(root=tmp_path, open_folder=refuse, conduct=Conduct.ordinary(), wishes=lambda _: WISHES)
    lost = closed.catch(RECORD, failed(OUTAGE))

    assert str(lost.error).startswith("no such folder; the run was to be spooled")
    assert str(OUTAGE) in str(lost.error)
