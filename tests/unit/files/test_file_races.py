"""Several writers of one run at the same time, in threads and in processes."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlruns_stores import START, a_run, finish, records, store

from mlflow_rest_export import marks
from mlflow_rest_export.errors import ParamConflict
from mlflow_rest_export.mlruns_layout import CREATING
from mlflow_rest_export.records import Lookup, Metric
from mlflow_rest_export.tracking.protocol import NewRun
from mlflow_rest_export.tracking.run_folders import build

WRITERS = 8


def at_once(work: Callable[[int], int]) -> list[int]:
    """Let processes do ``work(number)`` at the same time; gives what they return (below 200), or 255."""
    start, go = os.pipe()
    children = []
    for number in range(WRITERS):
        child = os.fork()
        if child == 0:
            code = 255
            with contextlib.suppress(Exception):
                os.close(go)
                os.read(start, 1)  # until the parent closes its end
                code = work(number)
            os._exit(code)
        children.append(child)
    os.close(start)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


@pytest.mark.parametrize("attempt", range(5))
def test_processes_that_make_the_same_run_have_one_with_each_point_once(tmp_path: Path, attempt: int) -> None:
    del attempt
    root = tmp_path / "mlruns"
    points = [Metric(key, step / 4, START + step, step) for key in ("m", "n/o") for step in range(20)]

    def work(number: int) -> int:
        tracking = store(root)
        run = a_run(tracking, tags={"who": str(number)})
        tracking.log_values(run.run_id, metrics=points, params={"p": "1"})
        finish(tracking, run)
        return int(run.run_id[:2], 16) % 100

    codes = at_once(work)

    (record,) = records(root)
    assert len(set(codes)) == 1
    assert list(record.metrics) == points
    assert record.params == {"p": "1"}


def test_one_of_many_gets_a_param(tmp_path: Path) -> None:
    tracking = store(tmp_path / "mlruns")
    run = a_run(tracking)

    def work(number: int) -> int:
        try:
            store(tracking.root).log_values(run.run_id, params={marks.CLAIM: str(number), f"x{number}": "1"})
        except ParamConflict:
            return 100
        return number

    for _ in range(5):
        codes = at_once(work)
        winners = [code for code in codes if code != 100]
        stored = tracking.get_run(run.run_id).params
        assert stored == {marks.CLAIM: str(winners[0]), f"x{winners[0]}": "1"}
        assert len(winners) == 1
        tracking.delete_run(run.run_id)
        run = a_run(tracking)


def test_processes_that_add_to_one_metric_lose_no_point(tmp_path: Path) -> None:
    tracking = store(tmp_path / "mlruns")
    run = a_run(tracking)

    def work(number: int) -> int:
        for step in range(10):
            store(tracking.root).log_values(run.run_id, metrics=[Metric("m", number, START, step)])
        return 0

    assert set(at_once(work)) == {0}
    assert len(set(tracking.metric_history(run.run_id, "m"))) == 10 * WRITERS


def test_threads_may_share_one_store(tmp_path: Path) -> None:
    tracking = store(tmp_path / "mlruns")

    def work(number: int) -> str:
        run = a_run(tracking, key=f"k{number % 4}")
        points = (Metric("m", step, START + step, step) for step in range(50))
        tracking.log_values(run.run_id, metrics=points, tags={f"t{number}": "x"})
        finish(tracking, run)
        return run.run_id

    with ThreadPoolExecutor(WRITERS) as pool:
        ids = set(pool.map(work, range(32)))

    everything = records(tracking.root)
    assert len(ids) == len(everything) == 4
    assert all(sum(1 for _ in record.metrics) == 50 for record in everything)
    assert all(sum(1 for tag in record.tags if tag.startswith("t")) == 8 for record in everything)


def test_a_run_is_made_while_other_writers_make_and_clear_away_the_folder_they_build_in(
    tmp_path: Path,
) -> None:
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):
                (tmp_path / CREATING).mkdir()
                (tmp_path / CREATING).rmdir()

    new = NewRun(experiment_id="1", run_name="run", start_time=START, tags={})
    with ThreadPoolExecutor(1) as others:
        others.submit(come_and_go)
        try:
            assert all(build(tmp_path, str(number), new) for number in range(300))
        finally:
            done.set()


def test_processes_that_make_the_same_experiment_have_one(tmp_path: Path) -> None:
    def work(_: int) -> int:
        return int(store(tmp_path / "mlruns").create_experiment("e").experiment_id) % 100

    assert len(set(at_once(work))) == 1
    tracking = store(tmp_path / "mlruns")
    experiment = tracking.create_experiment("e")
    assert sorted(path.name for path in tracking.root.iterdir()) == [".trash", experiment.experiment_id]
    assert list(tracking.find_runs(experiment.experiment_id, [Lookup(marks.KEY, "", prefix=True)])) == []
