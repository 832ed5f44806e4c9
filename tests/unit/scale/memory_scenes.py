"""What is done by a process of its own whose memory is looked at: ``memory_scenes.py SCENE ARGUMENT...``.

Prints the peak of its memory in KiB: after something small, then after something large of the same kind.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from folder_exports import START, Folder, a_record, created, plan_of

from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.artifacts.proxied import ProxiedRoute
from mlflow_rest_export.content import Content, FileContent
from mlflow_rest_export.exporting.completion import missing_values
from mlflow_rest_export.exporting.exporter import Habits
from mlflow_rest_export.exporting.receipt import NOTHING
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.records import Metric, RunRecord, RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun

WARM_UP = 20_000


def tell() -> None:
    """Print the peak so far; that of ``getrusage`` would begin with the parent's memory."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    sys.stdout.write(line.split()[1] + "\n")


def put(url: str, size: str) -> None:
    """Upload a file through the server."""
    file = Path("large")
    with file.open("wb") as out:
        out.truncate(int(size))
    route = ProxiedRoute(url, Transport(conduct=Conduct.ordinary()))
    run = StoredRun(
        run_id="r", experiment_id="1", status=RunStatus.RUNNING, artifact_uri="mlflow-artifacts:/1/r"
    )
    for end in (1 << 20, int(size)):
        route.upload(run, "large", FileContent(file, end))
        tell()


class Swallowing(FileArtifacts):
    """Stores no file: what is looked at is what is known of each."""

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        del run, path, content


def files(runs: str, each: str) -> None:
    """Export runs with files, in waves of five runs."""
    folder = Folder(Path("mlruns").absolute(), habits=Habits(files=5 * int(each)))
    content = {f"{number}.txt": b"x" for number in range(int(each))}

    def records(count: int) -> Iterator[RunRecord]:
        return (a_record(f"{count}-{number}", files=content) for number in range(count))

    for count in (10, int(runs)):
        for result in folder.exporter(artifacts=Swallowing()).export(records(count)):
            assert result.error is None
        tell()


@dataclass(frozen=True)
class Points:
    """Points of one metric."""

    count: int
    grow: bool

    def __iter__(self) -> Iterator[Metric]:
        for number in range(self.count):
            yield Metric("loss", number / 7, START + number, number if self.grow else number % 1000)


def resume(count: str, how: str) -> None:
    """Find out what a run lacks that has all points but the last."""
    store = Folder(Path("mlruns").absolute()).store
    for size in (WARM_UP, int(count)):
        points = Points(size, grow=how == "growing")
        plan = replace(plan_of(a_record(f"{size}"), store), metrics=points, single_points=False)
        run = created(store, plan, "m")
        store.log_values(run.run_id, metrics=Points(size - 1, grow=points.grow))
        missing = missing_values(plan, store.get_run(run.run_id), store, NOTHING).metrics
        assert [point.timestamp for point in missing] == [START + size - 1]
        tell()


if __name__ == "__main__":
    {"put": put, "files": files, "resume": resume}[sys.argv[1]](*sys.argv[2:])
