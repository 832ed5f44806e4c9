"""A writer that is killed before any one of its steps on disk, and one that comes after it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mlruns_stores import START, a_run, all_files, finish, found, store

from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.atomic_files import UNFINISHED
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.records import Dataset, Metric, RunRecord, Unreadable

STEPS = frozenset({"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir"})
"""What Python tells its audit hooks before it does it."""


def deliver(root: Path) -> None:
    """Write one whole run, in the order of an export."""
    tracking = store(root)
    run = a_run(tracking, tags={"a/b": "c"})
    points = [Metric(key, step / 4, START + step, step) for key in ("m", "n/o") for step in range(3)]
    tracking.log_values(run.run_id, metrics=points, params={"p": "1", "q/r": ""}, tags={"t": "u"})
    tracking.log_inputs(run.run_id, [Dataset("gsm8k", "d1", "hf", "s", context="eval")])
    FileArtifacts().upload(run, "logs/out.txt", BytesContent(b"hello"))
    finish(tracking, run)


def killed_before_step(number: int, root: Path) -> bool:
    """Deliver in a process that dies before its step ``number``; False when it had fewer steps."""
    child = os.fork()
    if child == 0:
        left = [number]

        def step(event: str, _: object) -> None:
            if event in STEPS:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(9)

        sys.addaudithook(step)
        deliver(root)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def settled(root: Path) -> dict[str, bytes]:
    """Give the files of a store, without what a killed writer may leave until somebody sweeps."""
    return {name: data for name, data in all_files(root).items() if UNFINISHED not in name}


def outcomes(root: Path) -> Iterator[str]:
    """Say what a reader makes of the store."""
    if root.exists():
        for one in found(root):
            if isinstance(one, RunRecord):
                yield "complete"
            elif isinstance(one, Unreadable):
                yield "unfinished" if "unfinished" in one.reason else one.reason


def test_a_writer_killed_anywhere_leaves_whole_files_and_the_next_one_completes_them(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    deliver(root)
    expected = settled(root)
    shutil.rmtree(root)
    number = 0
    seen: set[str] = set()

    while killed_before_step(number := number + 1, root):
        for name, data in settled(root).items():
            assert expected[name] == data or name.endswith(("meta.yaml", "mlflow.runName")), name
        seen.update(outcomes(root))
        deliver(root)
        assert settled(root) == expected, f"killed before step {number}"
        shutil.rmtree(root)

    assert number > 60
    assert seen <= {"complete", "unfinished"}
    assert settled(root) == expected


def test_what_was_left_is_swept_when_it_is_an_hour_old(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    deliver(root)
    (experiment,) = (root / name for name in reading.subfolders(root) if name != ".trash")
    run = next(path for path in (experiment.iterdir()) if (path / "params").is_dir())
    old, young = run / f"{UNFINISHED}old", run / f"{UNFINISHED}young"
    workshop = experiment / ".creating" / f"{UNFINISHED}old"
    workshop.mkdir(parents=True)
    for path in (old, young):
        path.touch()
    for path in (old, workshop):
        os.utime(path, (START / 1000, START / 1000))

    deliver(root)

    assert (old.exists(), young.exists(), workshop.parent.exists()) == (False, True, False)
