"""Which failures are spooled, and what is told when that fails, too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import WISHES, Folder, a_record
from loopback import Loopback, say, serving, stall
from mlruns_stores import records

from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError, NoAnswer, PlanError, StoreError
from mlflow_rest_export.exporting.exporter import Exporter, Habits
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.spool import Spool
from mlflow_rest_export.exporting.stores import Store, open_store
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.pace import Pace
from mlflow_rest_export.network.passing_faults import is_outage
from mlflow_rest_export.network.retry import Patience
from mlflow_rest_export.records import RunRecord
from mlflow_rest_export.tracking.files import FileTracking

DOWN = NoAnswer("creating run x: nothing listens at host (connection refused)", may_have_arrived=False)


def spool_to(root: Path) -> Spool:
    return Spool(
        root=root,
        open_folder=lambda: Store(FileTracking(root), FileArtifacts()),
        conduct=Conduct.ordinary(),
        wishes=lambda _: WISHES,
    )


def failed(error: Exception | None) -> RunResult:
    return RunResult(label="job", key="key:job", outcome=Outcome.FAILED, error=error)


@pytest.mark.parametrize(
    "error",
    [DOWN, ApiError("busy", status=429), ApiError("gateway", status=502), ApiError("late", status=504)],
)
def test_what_an_outage_would_cost_is_written_to_the_folder(tmp_path: Path, error: Exception) -> None:
    folder = Folder(tmp_path / "spool")

    result = spool_to(folder.root).catch(a_record(files={"a.txt": b"a"}), failed(error))

    assert (result.outcome, result.key, result.error) == (Outcome.SPOOLED, "key:job", error)
    assert result.run_id == folder.run().run_id
    assert folder.files()["a.txt"] == b"a"


@pytest.mark.parametrize(
    "error",
    [ApiError("not allowed", status=403), ApiError("wrong", status=400), PlanError("nan"), TypeError("bug")],
)
def test_what_another_try_would_not_mend_stays_failed(tmp_path: Path, error: Exception) -> None:
    result = failed(error)

    assert spool_to(tmp_path / "spool").catch(a_record(), result) is result
    assert not (tmp_path / "spool").exists()


def test_what_went_well_is_not_spooled(tmp_path: Path) -> None:
    good = replace(failed(None), outcome=Outcome.EXPORTED)

    assert spool_to(tmp_path / "spool").catch(a_record(), good) is good


def test_spooling_twice_is_one_run(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "spool")
    spool = spool_to(folder.root)

    outcomes = [spool.catch(a_record(), failed(DOWN)).outcome for _ in range(2)]

    assert outcomes == [Outcome.SPOOLED, Outcome.SPOOLED]
    assert len(folder.runs()) == 1


def test_a_folder_that_cannot_be_opened_is_told_with_why_it_was_needed(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")

    result = spool_to(tmp_path / "spool").catch(a_record(), failed(DOWN))

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, StoreError)
    assert str(tmp_path / "spool") in str(result.error)
    assert str(result.error).endswith(f"since it could not be sent: {DOWN}")


def test_a_run_that_cannot_be_spooled_is_told_with_why_it_was_to_be(tmp_path: Path) -> None:
    missing = replace(
        a_record(files={"a.txt": b""}),
        artifacts=(replace(a_record(files={"a.txt": b""}).artifacts[0], content=tmp_path / "no"),),
    )

    result = spool_to(tmp_path / "spool").catch(missing, failed(DOWN))

    assert result.outcome is Outcome.FAILED
    assert "no such file" in str(result.error).lower()
    assert "connection refused" in str(result.error)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("ours", [True, False])
def test_a_run_that_came_out_of_the_folder_stays_there_untouched(tmp_path: Path, ours: bool) -> None:
    folder = Folder(tmp_path / "spool")
    folder.export(a_record())
    run = folder.run()
    if not ours:
        for path in folder.root.glob("*/*/tags/mlflow_rest_export.*"):
            path.unlink()
    before = contents(folder.root)
    (record,) = records(folder.root)

    result = spool_to(folder.root).catch(record, failed(DOWN))

    assert (result.outcome, result.run_id, result.error) == (Outcome.SPOOLED, run.run_id, DOWN)
    assert result.run_url == (folder.root / run.experiment_id / run.run_id).as_uri()
    assert contents(folder.root) == before


def test_the_server_is_asked_while_the_later_results_are_being_read() -> None:
    def read(server: Loopback) -> Iterator[RunRecord]:
        yield a_record("0")
        deadline = time.monotonic() + 10
        while len(server.received) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        asked.update(one.target.partition("?")[0].rpartition("/")[2] for one in server.received)
        yield a_record("1")

    asked: set[str] = set()
    conduct = Conduct.ordinary()
    with serving(say(403, "no")) as server:
        store = open_store(server.url, Connection(), conduct)
        exporter = Exporter(
            tracking=store.tracking, artifacts=store.artifacts, conduct=conduct, wishes=lambda _: WISHES
        )
        assert len(list(exporter.export(read(server)))) == 2

    assert asked == {"version", "get-by-name"}


@pytest.mark.parametrize("workers", [1, 8])
def test_hundreds_of_jobs_for_a_silent_server_take_no_longer_than_one(workers: int) -> None:
    records = [a_record(str(number)) for number in range(300)]
    conduct = Conduct(
        patience=Patience(clock=time.monotonic, first_contact=0.5, stall=0.5),
        pace=Pace(workers, clock=time.monotonic),
    )

    with serving(stall) as silent:
        store = open_store(silent.url, Connection(), conduct)
        exporter = Exporter(
            tracking=store.tracking,
            artifacts=store.artifacts,
            conduct=conduct,
            wishes=lambda _: WISHES,
            habits=Habits(workers=workers),
        )
        results = list(exporter.export(records))

        # The version and the experiment, side by side; each more would have cost its own time to fail.
        assert len(silent.received) == min(workers, 2)
    assert len(results) == 300
    assert all(result.error is not None and is_outage(result.error) for result in results)
