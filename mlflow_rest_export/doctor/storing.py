"""Whether an experiment can be read and written: with ``--write`` a tiny run goes there and back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.doctor.check import Check, Layer, failed, ok, warning
from mlflow_rest_export.errors import ExportError
from mlflow_rest_export.exporting.stores import Store
from mlflow_rest_export.records import Lookup, Metric, RunStatus
from mlflow_rest_export.tracking.protocol import Experiment, NewRun, StoredRun

RUN_NAME = "mlflow-rest-export doctor"
FILE = "doctor.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Storing:
    """The experiment that is exported to.

    Args:
        store: the open store.
        experiment: its name.
        write: whether to write a run, which is deleted again; an experiment is created for it, or restored,
            as by an export.
        restore: whether an export would restore a deleted experiment.
    """

    store: Store
    experiment: str
    write: bool = False
    restore: bool = False

    def checks(self) -> Iterator[Check]:
        """Look at the experiment, then write a run with a file, read it and delete it."""
        try:
            found = self.store.tracking.find_experiment(self.experiment)
            yield self._about(found)
            if found is not None and found.deleted and not self.restore:
                return
            if found is not None and found.deleted and self.write:
                self.store.tracking.restore_experiment(found.experiment_id)
                yield ok(Layer.EXPERIMENT, f"{found.name!r} is restored (id {found.experiment_id})")
            if found is None and self.write:
                found = self.store.tracking.create_experiment(self.experiment)
                yield ok(Layer.EXPERIMENT, f"{found.name!r} is created (id {found.experiment_id})")
        except ExportError as error:
            yield failed(Layer.EXPERIMENT, error)
            return
        if not self.write or found is None:
            yield warning(Layer.RUN, "not tried: give --write to send a tiny run, which is deleted again")
            return
        yield from self._round_trip(found)

    def _about(self, found: Experiment | None) -> Check:
        name = repr(self.experiment)
        if found is None:
            return ok(Layer.EXPERIMENT, f"there is no {name} yet; an export creates it")
        if found.deleted and not self.restore:
            said = f"{name} is deleted; give --restore-experiment, choose another name, or delete it for good"
            return failed(Layer.EXPERIMENT, said)
        if found.deleted:
            return ok(Layer.EXPERIMENT, f"{name} is deleted; an export restores it")
        runs = self.store.tracking.find_runs(found.experiment_id, [Lookup(marks.KEY, "doctor")])
        next(iter(runs), None)  # that they could be searched is what we want to know
        return ok(Layer.EXPERIMENT, f"{name} can be read (id {found.experiment_id})")

    def _round_trip(self, experiment: Experiment) -> Iterator[Check]:
        run: StoredRun | None = None
        try:
            run = self._write_run(experiment)
            yield ok(Layer.RUN, f"a run was created, a metric logged and read (id {run.run_id})")
        except ExportError as error:
            yield failed(Layer.RUN, error)
            return
        try:
            yield self._write_file(run)
        finally:
            self._delete(run)

    def _write_run(self, experiment: Experiment) -> StoredRun:
        tracking = self.store.tracking
        now = int(time.time() * 1000)
        tags = {marks.OWNER: f"doctor-{secrets.token_hex(8)}", mlflow_tags.SOURCE_NAME: RUN_NAME}
        new = NewRun(experiment_id=experiment.experiment_id, run_name=RUN_NAME, start_time=now, tags=tags)
        run = tracking.create_run(new)
        tracking.log_values(run.run_id, metrics=[Metric("doctor", 1.0, now)])
        if "doctor" not in tracking.get_run(run.run_id).metrics:
            raise ExportError(f"run {run.run_id} lacks the metric that was just logged to it")
        tracking.update_run(run.run_id, status=RunStatus.FINISHED, end_time=now, run_name=RUN_NAME)
        return run

    def _write_file(self, run: StoredRun) -> Check:
        sent = secrets.token_hex(16).encode()
        artifacts = self.store.artifacts
        try:
            artifacts.expect(run, [FILE])
            artifacts.upload(run, FILE, BytesContent(sent))
            came = b"".join(artifacts.read(run, FILE))
        except (ExportError, OSError) as error:
            return failed(Layer.ARTIFACTS, error)
        if came != sent:
            return failed(Layer.ARTIFACTS, f"{FILE} came back with other bytes than were sent")
        kind = run.artifact_uri.partition(":")[0] or "a folder"
        return ok(Layer.ARTIFACTS, f"a file went there and back ({kind})")

    def _delete(self, run: StoredRun) -> None:
        try:
            self.store.tracking.delete_run(run.run_id)
        except ExportError:
            return  # a finished run named after us is left; nothing that an export needs has failed
