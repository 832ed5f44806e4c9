from __future__ import annotations

import math
import os
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import SourceError, StoreError
from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.point_files import HELD, merge_points
from mlflow_rest_export.tracking.points import PointSet, fingerprint

POINTS = st.lists(
    st.builds(
        Metric,
        key=st.sampled_from(["a", "b/c", "b/d e"]),
        value=st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf]) | st.floats(),
        timestamp=st.integers(0, 3),
        step=st.integers(-1, 2),
    ),
    max_size=30,
)


def merge(run: Path, points: Iterable[Metric]) -> None:
    (run / "metrics").mkdir(exist_ok=True, parents=True)
    merge_points(run, points, doing="writing")


def stored(run: Path) -> list[Metric]:
    return [p for key, path in reading.key_files(run / "metrics") for p in reading.read_points(path, key)]


def kinds(points: Iterable[Metric]) -> list[tuple[str, int]]:
    return sorted((point.key, fingerprint(point)) for point in points)


@settings(max_examples=150, deadline=None)
@given(batches=st.lists(POINTS, max_size=4))
def test_each_point_is_there_once_whatever_comes_how_often(
    batches: list[list[Metric]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = tmp_path_factory.mktemp("run")

    for points in [*batches, *batches]:
        merge(run, points)

    expected = {one for points in batches for one in kinds(points)}
    assert kinds(stored(run)) == sorted(expected)
    assert {path.name for path in run.iterdir()} <= {"metrics"}


def test_points_in_order_of_time_stay_in_order(tmp_path: Path) -> None:
    points = [Metric("m", step / 2, 1000 + step // 3, step) for step in range(50)]

    merge(tmp_path, points[:20])
    merge(tmp_path, points)

    assert stored(tmp_path) == points


@pytest.mark.parametrize("columns", [3, 40])
def test_each_column_of_a_table_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    on_disk: list[int] = []
    monkeypatch.setattr(os, "fsync", on_disk.append)
    points = [Metric(f"m{n}", n, step, 0) for step in range(3 * HELD // columns) for n in range(columns)]

    merge(tmp_path, points)

    assert kinds(stored(tmp_path)) == kinds(points)
    assert len(on_disk) == columns


@pytest.mark.parametrize("by", ["key", "row"])
def test_points_that_wait_for_their_files_keep_their_order_and_come_once(tmp_path: Path, by: str) -> None:
    keys, rows = [f"m{n}" for n in range(7)], range(HELD // 3)
    points = [Metric(key, row / 7, 1000 + row, row) for row in rows for key in keys]
    if by == "key":
        points.sort(key=lambda point: point.key)

    merge(tmp_path, points)
    first = stored(tmp_path)
    merge(tmp_path, points)

    assert first == sorted(points, key=lambda point: (point.key, point.step))
    assert stored(tmp_path) == first


def test_what_was_begun_is_taken_away_when_the_points_break_off(tmp_path: Path) -> None:
    def points() -> Iterator[Metric]:
        yield from (Metric(f"m{step % 3}", 1.0, step, step) for step in range(HELD + 1))
        raise SourceError("broken off")

    with pytest.raises(SourceError, match="broken off"):
        merge(tmp_path, points())

    assert [path.name for path in tmp_path.iterdir()] == ["metrics"]
    assert stored(tmp_path) == []


def test_a_million_points_in_order_take_no_memory(tmp_path: Path) -> None:
    points = (Metric("m", step * 0.5, 1000 + step, step) for step in range(200_000))
    tracemalloc.start()

    merge(tmp_path, points)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert sum(1 for _ in reading.read_lines(tmp_path / "metrics/m")) == 200_000


def test_points_that_are_there_already_take_a_few_bytes_each(tmp_path: Path) -> None:
    def points() -> Iterator[Metric]:
        return (Metric("m", step * 0.5, 1000 + step, step) for step in range(50_000))

    merge(tmp_path, points())
    tracemalloc.start()

    merge(tmp_path, points())

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000 * 40
    assert sum(1 for _ in reading.read_lines(tmp_path / "metrics/m")) == 50_000


@pytest.mark.parametrize("half", ["17", "17 0.2", "17 0.25 1"])
def test_half_a_line_of_a_killed_writer_is_replaced_by_the_whole_one(tmp_path: Path, half: str) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/m").write_text(f"16 0.125 0\n{half}")

    merge(tmp_path, [Metric("m", 0.125, 16, 0), Metric("m", 0.25, 17, 12)])

    assert (tmp_path / "metrics/m").read_text() == "16 0.125 0\n17 0.25 12\n"


def test_half_a_line_is_taken_away_even_when_nothing_is_added(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/m").write_text("16 0.125 0\n17 0.")

    merge(tmp_path, [Metric("m", 0.125, 16, 0)])

    assert (tmp_path / "metrics/m").read_text() == "16 0.125 0\n"


def test_a_file_that_mlflow_made_and_left_empty_is_filled(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/m").touch()

    merge(tmp_path, [Metric("m", 0.125, 16, 0)])

    assert (tmp_path / "metrics/m").read_text() == "16 0.125 0\n"


def test_points_as_mlflow_spells_them_are_known_again(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/m").write_text("16 1\n17 2 0 gsm8k d1\n")

    merge(tmp_path, [Metric("m", 1.0, 16, 0), Metric("m", 2.0, 17, 0)])

    assert (tmp_path / "metrics/m").read_text() == "16 1\n17 2 0 gsm8k d1\n"


def test_a_file_without_points_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/m").write_text("something else\n")

    with pytest.raises(StoreError, match=r"writing failed: .*metrics/m:1: this is no point"):
        merge(tmp_path, [Metric("m", 1.0, 16, 0)])

    assert (tmp_path / "metrics/m").read_text() == "something else\n"


def test_what_the_points_themselves_raise_is_not_an_error_of_the_store(tmp_path: Path) -> None:
    def points() -> Iterator[Metric]:
        yield Metric("m", 1.0, 16, 0)
        raise SourceError("the source is broken")

    with pytest.raises(SourceError, match="the source is broken"):
        merge(tmp_path, points())

    assert stored(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics"]


@given(st.sets(st.integers(-(2**63), 2**63 - 1), max_size=3000), st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_point_set_is_a_set(values: set[int], crowd: bool) -> None:
    crowded = {value & ~0xFFF for value in values} if crowd else values - {0}
    crowded -= {0, 1}
    known = PointSet()

    assert all(known.add(value) for value in crowded)
    assert not any(known.add(value) for value in crowded)
