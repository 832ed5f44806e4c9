"""Histories that are exported again: matched with what is there, and read once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from folder_exports import START, Folder, a_record, created, plan_of
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export import marks
from mlflow_rest_export.exporting.exporter import Habits
from mlflow_rest_export.exporting.missing_points import MissingPoints
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.exporting.receipt import NOTHING
from mlflow_rest_export.records import Lookup, Metric, RunRecord
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.table import read
from mlflow_rest_export.tracking.files import FileTracking

ROWS = [f"{step},{1 / (step + 1)},{step / 10}" for step in range(10)]
TABLES = {
    "descending": ROWS[::-1],
    "one step twice": [*ROWS, "5,.5,.7"],
    "every row twice": ROWS + ROWS,
    "one value at one step": ["0,.5,.5"] * 3 + ["1,.5,.5", "0,.5,.5"],
    "growing": ROWS,
}


def touched(path: Path, rows: list[str], *, at: int) -> RunRecord:
    """Write a table whose file has some time, and read it."""
    path.write_text("\n".join(["step,loss,acc", *rows, ""]))
    os.utime(path, (at, at))
    (record,) = read(path, ReadOptions())
    assert isinstance(record, RunRecord)
    return replace(record, key="key:t", lookup=Lookup(marks.KEY, "key:t"))  # whatever rows it has


def points(folder: Folder) -> Counter[tuple[str, int, float]]:
    """Count the points of the only run, without their times."""
    run = folder.run()
    return Counter(
        (key, point.step, point.value)
        for key in run.metrics
        for point in folder.store.metric_history(run.run_id, key)
    )


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("later", [-1000, 1000])
def test_a_table_whose_file_was_touched_is_unchanged_and_verified(
    tmp_path: Path, rows: list[str], later: int
) -> None:
    folder = Folder(tmp_path / "mlruns", habits=Habits(verify=True))
    folder.export(touched(tmp_path / "t.csv", rows, at=1_700_000_000))
    before = points(folder)

    (result,) = folder.export(touched(tmp_path / "t.csv", rows, at=1_700_000_000 + later))

    assert (result.outcome, result.error) == (Outcome.UNCHANGED, None)
    assert points(folder) == before


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_a_touched_table_that_became_longer_gets_its_new_rows_only(tmp_path: Path, rows: list[str]) -> None:
    folder = Folder(tmp_path / "mlruns", habits=Habits(verify=True))
    folder.export(touched(tmp_path / "t.csv", rows, at=1_700_000_000))
    before = points(folder)
    longer = [*rows, "70,.125,.25"]

    outcomes = [
        folder.export(touched(tmp_path / "t.csv", longer, at=1_700_000_000 + second))[0]
        for second in (1000, 2000)
    ]

    assert [(result.outcome, result.error) for result in outcomes] == [
        (Outcome.EXPORTED, None),
        (Outcome.UNCHANGED, None),
    ]
    assert points(folder) - before == Counter([("loss", 70, 0.125), ("acc", 70, 0.25)])


class CountedReads(FileTracking):
    """A store that counts how often histories are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads = 0

    def metric_history(self, run_id: str, key: str) -> Iterator[Metric]:
        self.reads += 1
        return super().metric_history(run_id, key)


@pytest.mark.parametrize("kept", [0, 7, 20, 45, 1000])
@pytest.mark.parametrize("steps", [range(10), range(10, 0, -1)], ids=["growing", "falling"])
def test_each_history_is_read_once_however_little_is_remembered(
    tmp_path: Path, kept: int, steps: range
) -> None:
    store = CountedReads(tmp_path / "mlruns")
    wanted = [Metric(key, step / 7, START + step, step) for step in steps for key in "abcdef"]
    plan = plan_of(a_record(metrics=wanted), store)
    run = created(store, plan, "m")
    store.log_values(run.run_id, metrics=wanted[:-8])

    lacks = MissingPoints(plan, store.get_run(run.run_id), store, NOTHING, thorough=True, kept=kept)

    assert sorted(lacks, key=wanted.index) == wanted[-8:]
    assert store.reads == 6


POINT = st.builds(
    Metric,
    st.sampled_from(["a", "b"]),
    st.sampled_from([0.0, 0.5]),
    st.integers(START, START + 3),
    st.integers(0, 1),
)


@given(there=st.lists(POINT, max_size=10), wanted=st.lists(POINT, max_size=10), later=st.integers(1, 5))
def test_whatever_a_run_holds_a_second_export_and_a_later_one_add_nothing(
    there: list[Metric], wanted: list[Metric], later: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = FileTracking(tmp_path_factory.mktemp("store") / "mlruns")
    wanted += [Metric("c", 0.5, START), Metric("c", 0.25, START + 1)]  # a history, whatever the others are
    plan = plan_of(a_record(metrics=wanted), store)
    run = created(store, plan, "m")
    store.log_values(run.run_id, metrics=there)

    def lacks(points: list[Metric]) -> list[Metric]:
        asked = replace(plan, metrics=points)
        return list(MissingPoints(asked, store.get_run(run.run_id), store, NOTHING, thorough=True))

    store.log_values(run.run_id, metrics=lacks(wanted))

    assert lacks(wanted) == []
    moved = [replace(point, timestamp=point.timestamp + 10 * later) for point in wanted]
    assert lacks(moved) == []
