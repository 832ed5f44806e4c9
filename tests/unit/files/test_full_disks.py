from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlruns_stores import START, a_run, all_files, store

from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import StoreError
from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.store_failures import store_error

ROOM = 4096
"""Bytes that a file may have on our small disk."""


@pytest.fixture
def tracking(tmp_path: Path) -> FileTracking:
    return store(tmp_path / "mlruns")


@pytest.fixture
def run(tracking: FileTracking) -> StoredRun:
    run = a_run(tracking)
    tracking.log_values(run.run_id, metrics=[Metric("m", 1, START, 0)], params={"p": "1"})
    return run


@contextlib.contextmanager
def small_disk() -> Iterator[None]:
    """Let no file of this process grow beyond ``ROOM``, not even the report of the tests: be brief."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_an_artifact_that_does_not_fit_leaves_nothing(tracking: FileTracking, run: StoredRun) -> None:
    before = all_files(tracking.root)

    with small_disk(), pytest.raises(StoreError, match=r"storing a/b in run .* failed: file too large"):
        FileArtifacts().upload(run, "a/b", BytesContent(b"x" * (ROOM + 1)))

    assert all_files(tracking.root) == before


def test_metrics_that_do_not_fit_leave_the_file_as_it_was(tracking: FileTracking, run: StoredRun) -> None:
    before = all_files(tracking.root)
    points = (Metric("m", step / 7, START + step, step) for step in range(20_000))

    with small_disk(), pytest.raises(StoreError, match=r"writing values to run .* failed: file too large"):
        tracking.log_values(run.run_id, metrics=points)

    assert all_files(tracking.root) == before


def test_metrics_that_do_not_fit_at_the_very_end_leave_the_file_as_it_was(
    tracking: FileTracking, run: StoredRun
) -> None:
    before = all_files(tracking.root)
    points = (Metric("m", step / 7, START + step, step) for step in range(200))

    with small_disk(), pytest.raises(StoreError, match=r"writing values to run .* failed: file too large"):
        tracking.log_values(run.run_id, metrics=points)

    assert all_files(tracking.root) == before


def test_params_that_do_not_fit_leave_none_of_their_batch(tracking: FileTracking, run: StoredRun) -> None:
    before = all_files(tracking.root)

    with small_disk(), pytest.raises(StoreError, match="file too large"):
        tracking.log_values(run.run_id, params={"a": "fits", "b": "x" * 5000}, tags={"t": "never reached"})

    assert all_files(tracking.root) == before


def test_a_run_that_does_not_fit_is_not_there_at_all(tracking: FileTracking, run: StoredRun) -> None:
    before = all_files(tracking.root)

    with small_disk(), pytest.raises(StoreError, match=r"creating the run run in .* failed: file too large"):
        a_run(tracking, key="k2", tags={"long": "x" * 5000})

    assert all_files(tracking.root) == before
    there = {path.name for path in (tracking.root / run.experiment_id).iterdir()}
    assert there == {"meta.yaml", run.run_id}


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "no space left on device (/x/f); free some space or choose another disk"),
        (errno.EDQUOT, "free some of your quota"),
        (errno.EROFS, "choose a folder that can be written"),
        (errno.EACCES, "choose a folder that this user may write"),
    ],
)
def test_what_to_do_is_said(number: int, advice: str) -> None:
    error = OSError(number, os.strerror(number), "/x/f")

    assert advice in str(store_error("writing", error))


def test_an_error_without_a_place_is_a_sentence_too() -> None:
    assert str(store_error("writing", OSError("it broke"))) == "writing failed: it broke"
