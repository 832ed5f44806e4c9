"""Exports that take long: they show that they live, and notice when they were taken for dead all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from clocks import Clock
from folder_exports import START, WISHES, Folder, a_record

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import NoAnswer
from mlflow_rest_export.exporting.exporter import Exporter, Habits
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.owner import Owner
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.records import Metric, RunRecord
from mlflow_rest_export.sources import mlruns
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import StoredRun

LATE = 30.0
"""Seconds: long enough for an export to doubt whether its run is its own still."""


@dataclass
class Machine:
    """An exporter on a machine of its own, with its own clock; something happens while it uploads a file."""

    root: Path
    name: str
    clock: Clock = field(default_factory=Clock)

    def export(self, record: RunRecord, *, during: Callable[[], None] | None = None) -> RunResult:
        exporter = Exporter(
            tracking=FileTracking(self.root),
            artifacts=Uploads(during),
            conduct=Conduct.ordinary(),
            wishes=lambda _: WISHES,
            habits=Habits(workers=1),
            owner=Owner(self.name, 4242, "1"),
            clock=self.clock,
        )
        (result,) = exporter.export([record])
        return result


class Uploads(FileArtifacts):
    """Lets something happen before the upload of ``big.bin``, once."""

    def __init__(self, during: Callable[[], None] | None) -> None:
        self._during = during

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        if path == "big.bin" and self._during is not None:
            during, self._during = self._during, None
            during()
        super().upload(run, path, content)


class Rushing(Clock):
    """A clock by which every look takes half a minute, so that others are soon taken for dead."""

    def __call__(self) -> float:
        self.pass_by(LATE)
        return self.now


OLD = a_record(files={"big.bin": b"OLD", "r.json": b"old"}, metrics=[Metric("acc", 0.1, START)])
NEW = a_record(files={"big.bin": b"NEW", "r.json": b"new"}, metrics=[Metric("acc", 0.9, START)])


@pytest.mark.parametrize("mine", [OLD, NEW])
def test_an_export_that_was_taken_for_dead_mixes_its_data_with_nobody_elses(
    tmp_path: Path, mine: RunRecord
) -> None:
    """It gives way, and is then an export like any later one: whoever comes last leaves the run whole."""
    folder = Folder(tmp_path / "mlruns")
    one, other = Machine(folder.root, "one"), Machine(folder.root, "other", Rushing())
    theirs: list[RunResult] = []

    def suspended() -> None:
        one.clock.pass_by(LATE)
        theirs.append(other.export(NEW))

    result = one.export(mine, during=suspended)

    run, files = folder.run(), folder.files()
    receipt = json.loads(files.pop(marks.RECEIPT))
    assert theirs[0].outcome is Outcome.EXPORTED
    assert (result.outcome, result.error) == (Outcome.UNCHANGED if mine is NEW else Outcome.EXPORTED, None)
    assert files == {artifact.path: artifact.content for artifact in mine.artifacts}
    assert run.metrics["acc"].value == next(iter(mine.metrics)).value
    assert receipt["digest"] == run.tags[marks.DIGEST]
    assert folder.export(mine)[0].outcome is Outcome.UNCHANGED


class Counting(FileTracking):
    """Counts how often a run is read, and tells of every sign of life."""

    def __init__(self, root: Path, *, fails: bool = False) -> None:
        super().__init__(root)
        self.reads = 0
        self.signs: list[str] = []
        self.two_signs = threading.Event()
        self._fails = fails

    def get_run(self, run_id: str) -> StoredRun:
        self.reads += 1
        return super().get_run(run_id)

    def log_values(self, run_id: str, **values: object) -> None:
        tags = values.get("tags")
        if isinstance(tags, dict) and marks.ALIVE in tags:
            self.signs.append(tags[marks.ALIVE])
            if len(self.signs) > 1:
                self.two_signs.set()
            if self._fails:
                raise NoAnswer("nobody there", may_have_arrived=False)
        super().log_values(run_id, **values)  # type: ignore[arg-type]


def long_export(store: FileTracking, signs: Counting, *, until: threading.Event) -> RunResult:
    """Export a file whose upload lasts until an event."""
    exporter = Exporter(
        tracking=store,
        artifacts=Uploads(lambda: assert_set(until)),
        conduct=Conduct.ordinary(),
        wishes=lambda _: WISHES,
        habits=Habits(beat=0.01),
        signs=signs,
    )
    (result,) = exporter.export([NEW])
    return result


def assert_set(event: threading.Event) -> None:
    assert event.wait(20)


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_shows_signs_of_life_while_a_large_file_is_uploaded(tmp_path: Path, fails: bool) -> None:
    folder = Folder(tmp_path / "mlruns")
    signs = Counting(folder.root, fails=fails)

    result = long_export(folder.store, signs, until=signs.two_signs)

    assert (result.outcome, result.error) == (Outcome.EXPORTED, None)
    assert len(signs.signs) == len(set(signs.signs)) > 1
    assert (marks.ALIVE in folder.run().tags) is not fails


def test_a_short_export_shows_none_and_never_asks_whether_its_run_is_still_its_own(tmp_path: Path) -> None:
    store = Counting(tmp_path / "mlruns")
    exporter = Exporter(
        tracking=store, artifacts=FileArtifacts(), conduct=Conduct.ordinary(), wishes=lambda _: WISHES
    )

    (result,) = exporter.export([replace(NEW)])

    assert result.outcome is Outcome.EXPORTED
    assert (store.reads, store.signs) == (0, [])


def test_an_export_that_takes_long_asks_once_in_a_while_whether_its_run_is_still_its_own(
    tmp_path: Path,
) -> None:
    store, clock = Counting(tmp_path / "mlruns"), Clock()
    exporter = Exporter(
        tracking=store,
        artifacts=Uploads(lambda: clock.pass_by(LATE)),
        conduct=Conduct.ordinary(),
        wishes=lambda _: WISHES,
        habits=Habits(workers=1),
        clock=clock,
    )

    (result,) = exporter.export([NEW])

    assert (result.outcome, store.reads) == (Outcome.EXPORTED, 1)


def test_a_sign_of_life_is_no_part_of_what_a_folder_of_runs_is_exported_with(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mlruns")
    folder.export(NEW)
    folder.store.log_values(folder.run().run_id, tags={marks.ALIVE: "7"})

    (read,) = mlruns.read(folder.root, ReadOptions())

    assert isinstance(read, RunRecord)
    assert marks.ALIVE not in read.tags
