from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.sources.nemo.stages import Stages, read_stages


def stages(tmp_path: Path, *, killed: bool = False, **said: str) -> Stages:
    for name, text in said.items():
        (tmp_path / f"stage.{name.replace('_', '-')}").write_text(text)
    return read_stages(tmp_path, killed=killed)


def test_times_and_exit_code_are_read_from_the_stage_files(tmp_path: Path) -> None:
    found = stages(
        tmp_path,
        pre_start="2026-11-22T19:06:20Z\n",
        running="2026-11-22T19:06:21Z\n",
        exit="2026-11-22T19:06:32Z 0\n",
    )

    assert (found.started, found.ended, found.exit_code) == (1795374381000, 1795374392000, 0)
    assert found.outcome() == (RunStatus.FINISHED, ())


def test_the_words_of_lepton_jobs_are_understood(tmp_path: Path) -> None:
    found = stages(tmp_path, pre_start="started\n", running="running\n", exit="exit_code: 3\n")

    assert (found.started, found.ended, found.exit_code) == (None, None, 3)


def test_the_last_line_of_stage_exit_counts(tmp_path: Path) -> None:
    assert stages(tmp_path, exit="2026-11-22T19:06:32Z 1\n2026-11-22T19:08:32Z 0\n\n").exit_code == 0


@pytest.mark.parametrize(
    ("said", "killed", "status", "reason"),
    [
        ({"running": "", "exit": "2026-11-22T19:06:32Z 1"}, False, RunStatus.FAILED, "stage.exit says 1"),
        ({"running": "", "exit": "2026-11-22T19:06:32Z 143"}, True, RunStatus.KILLED, "the job was killed"),
        ({"running": "2026-11-22T19:06:32Z"}, False, RunStatus.FINISHED, "there is no stage.exit"),
    ],
)
def test_whole_results_of_a_job_that_did_not_end_well_say_so(
    said: dict[str, str], killed: bool, status: RunStatus, reason: str, tmp_path: Path
) -> None:
    found, (note,) = stages(tmp_path, killed=killed, **said).outcome()

    assert found is status
    assert note.field == "status"
    assert note.after == status.name
    assert note.reason.startswith(reason)


def test_without_stage_files_a_job_counts_as_finished(tmp_path: Path) -> None:
    assert read_stages(tmp_path).outcome() == (RunStatus.FINISHED, ())
    assert read_stages(None).outcome() == (RunStatus.FINISHED, ())
    assert read_stages(tmp_path / "nowhere").present == ()


@pytest.mark.parametrize(
    ("said", "killed", "reason"),
    [
        ({}, True, "the job was killed"),
        ({"exit": "2026-11-22T19:06:32Z 1"}, False, "exit code 1"),
        ({"exit": ""}, False, "does not say how"),
        ({"running": "", "pre_start": ""}, False, "still running, or was cut off"),
        ({"pre_start": ""}, False, "has not begun"),
        ({}, False, "there are no stage files"),
    ],
)
def test_why_there_are_no_results_is_told_from_the_stages(
    said: dict[str, str], killed: bool, reason: str, tmp_path: Path
) -> None:
    assert reason in stages(tmp_path, killed=killed, **said).why_no_results()


def test_odd_stage_files_do_no_harm(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stage.running")
    (tmp_path / "stage.exit").write_bytes(b"\xff\xfe garbage")
    (tmp_path / "stage.pre-start").symlink_to(tmp_path / "nowhere")

    found = read_stages(tmp_path)

    assert found.present == ("stage.exit",)
    assert (found.started, found.ended, found.exit_code) == (None, None, None)
