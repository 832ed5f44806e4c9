"""Records, plans and stores for the tests of an export into a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.exporting.exporter import Exporter, Habits
from mlflow_rest_export.exporting.file_facts import facts_of
from mlflow_rest_export.exporting.outcomes import RunResult
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.planning import plan
from mlflow_rest_export.planning.export_plan import ExportPlan, Wishes
from mlflow_rest_export.records import Artifact, Lookup, Metric, RunRecord, Unreadable
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.protocol import NewRun, StoredRun

START = 1_700_000_000_000
WISHES = Wishes(experiment_name="exp")


def a_record(
    name: str = "job",
    *,
    metrics: Sequence[Metric] = (Metric("acc", 0.5, START),),
    params: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    parent: str | None = None,
) -> RunRecord:
    """Make a record whose files are in memory."""
    return RunRecord(
        key=f"key:{name}",
        label=name,
        lookup=Lookup(marks.KEY, f"key:{name}"),
        run_name=f"run {name}",
        start_time=START,
        end_time=START + 1000,
        metrics=metrics,
        params={"p": "1"} if params is None else params,
        tags={"t": "u"},
        artifacts=tuple(Artifact(path, content) for path, content in (files or {}).items()),
        parent_key=parent,
    )


def plan_of(record: RunRecord, store: FileTracking, wishes: Wishes = WISHES) -> ExportPlan:
    """Plan a record for a store."""
    return plan.build(record, facts_of(record), wishes, store.limits())


def created(store: FileTracking, planned: ExportPlan, mark: str, *, twin: int = 0) -> StoredRun:
    """Create a run as an exporter does; ``twin`` makes it another run than those with the same key."""
    run = store.create_run(
        NewRun(
            experiment_id=store.create_experiment(planned.experiment).experiment_id,
            run_name=planned.run_name,
            start_time=planned.start_time,
            tags={**planned.tags, marks.KEY: f"{planned.key}{twin or ''}", marks.OWNER: mark},
        )
    )
    store.log_values(run.run_id, tags={marks.KEY: planned.key})
    return store.get_run(run.run_id)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to export to."""

    root: Path
    habits: Habits = field(default_factory=Habits)
    wishes: Wishes = WISHES

    @property
    def store(self) -> FileTracking:
        """The folder, opened anew."""
        return FileTracking(self.root)

    def exporter(self, *, conduct: Conduct | None = None, artifacts: FileArtifacts | None = None) -> Exporter:
        """Give an exporter to the folder."""
        return Exporter(
            tracking=self.store,
            artifacts=artifacts or FileArtifacts(),
            conduct=conduct or Conduct.ordinary(),
            wishes=lambda _: self.wishes,
            habits=self.habits,
        )

    def export(
        self,
        *records: RunRecord | Unreadable,
        conduct: Conduct | None = None,
        artifacts: FileArtifacts | None = None,
    ) -> list[RunResult]:
        """Export records."""
        return list(self.exporter(conduct=conduct, artifacts=artifacts).export(records))

    def runs(self) -> list[StoredRun]:
        """Give all active runs of the experiment."""
        experiment = self.store.find_experiment(self.wishes.experiment_name)
        if experiment is None:
            return []
        return list(self.store.find_runs(experiment.experiment_id, [Lookup(marks.KEY, "", prefix=True)]))

    def run(self) -> StoredRun:
        """Give the only run."""
        (run,) = self.runs()
        return run

    def files(self) -> dict[str, bytes]:
        """Give the artifacts of the only run."""
        run = self.run()
        return {path: b"".join(FileArtifacts().read(run, path)) for path in FileArtifacts().listing(run)}
