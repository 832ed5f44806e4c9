"""Exports made records to a running server, as the command line would, but in this process and in a hurry."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.exporting.exporter import Exporter, Habits
from mlflow_rest_export.exporting.outcomes import RunResult
from mlflow_rest_export.exporting.stores import open_store
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.pace import Pace
from mlflow_rest_export.network.retry import Backoff, Patience
from mlflow_rest_export.planning.export_plan import Wishes
from mlflow_rest_export.records import Artifact, Lookup, Metric, RunRecord

START = 1_795_374_396_315
"""Milliseconds: when the made runs began."""
LARGE = 300_000
"""Bytes of the large file of a made record."""
HURRY = Backoff(first=0.02, longest=0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One export of some records; each is a process of its own as far as others can see.

    Args:
        uri: the tracking URI.
        experiment: where the runs go.
        answer_timeout: seconds to wait for one answer.
        patience: seconds without any progress until it gives up.
        beat: seconds between two signs of life.
    """

    uri: str
    experiment: str
    answer_timeout: float = 30.0
    patience: float = 20.0
    workers: int = 8
    beat: float = 20.0
    connection: Connection = field(default_factory=Connection)

    def export(self, *records: RunRecord) -> list[RunResult]:
        """Export and give what became of each record."""
        conduct = Conduct(
            patience=Patience(clock=time.monotonic, first_contact=self.patience, stall=self.patience),
            pace=Pace(self.workers, clock=time.monotonic),
            backoff=HURRY,
            timeout=self.answer_timeout,
        )
        store = open_store(self.uri, self.connection, conduct)
        wishes = Wishes(experiment_name=self.experiment)
        exporter = Exporter(
            tracking=store.tracking,
            artifacts=store.artifacts,
            conduct=conduct,
            wishes=lambda _: wishes,
            signs=store.signs,
            habits=Habits(workers=self.workers, beat=self.beat),
        )
        return list(exporter.export(records))


def record(
    folder: Path,
    *,
    name: str = "job",
    files: int = 5,
    metrics: int = 12,
    steps: int = 3,
    shift: int = 0,
    large: int = LARGE,
) -> RunRecord:
    """Make a record with files on disk.

    Args:
        folder: where its files are written.
        name: makes it another record.
        files: number of files: an empty one, a large one, small ones.
        metrics: number of metrics with one point each.
        steps: points of one more metric, ``loss``.
        shift: makes it the same record with other values and files.
        large: bytes of the large file.
    """
    place = folder / f"{name}-{shift}"
    place.mkdir(parents=True, exist_ok=True)
    artifacts = []
    for number in range(files):
        path = place / f"f{number}.txt"
        size = (0, large)[number] if number < 2 else 50 + number
        if not path.exists():  # others may be reading it
            text = f"{name} {number} {shift} ".encode()
            path.write_bytes((text * (size // len(text) + 1))[:size])
        artifacts.append(Artifact(f"task/artifacts/f{number}.txt", path))
    points = [Metric(f"acc_{number}", (number + shift) / 7, START) for number in range(metrics)]
    points += [Metric("loss", (1 - shift / 10) / (step + 1), START + step, step) for step in range(steps)]
    key = hashlib.sha256(name.encode()).hexdigest()[:16]
    return RunRecord(
        key=key,
        label=f"{name}.0",
        lookup=Lookup("invocation_id", name),
        run_name=f"eval-{name}",
        start_time=START,
        end_time=START + 60_000,
        metrics=points,
        params={"model_id": "meta/llama", "batch_size": "32"},
        tags={"invocation_id": name, "job_id": f"{name}.0", "task_name": "mmlu"},
        artifacts=tuple(artifacts),
    )


def invocation(folder: Path, *names: str, large: int = LARGE) -> list[RunRecord]:
    """Make several records that one search finds, as the jobs of one invocation."""
    together = Lookup("invocation_id", "an invocation")
    made = [record(folder, name=name, files=3, metrics=5, large=large) for name in names]
    return [replace(one, lookup=together, tags={**one.tags, "invocation_id": together.value}) for one in made]
