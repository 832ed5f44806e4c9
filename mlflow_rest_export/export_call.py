"""One call of the tool, from names and settings to what became of each run."""

from __future__ import annotations

import collections
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlflow_rest_export.config import Layers, Settings
from mlflow_rest_export.errors import ExportError, SettingsError, TrackingError
from mlflow_rest_export.exporting.exporter import Exporter, Habits
from mlflow_rest_export.exporting.file_facts import facts_of
from mlflow_rest_export.exporting.grouping import grouped
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.repeats import Repeats
from mlflow_rest_export.exporting.shards import Shard
from mlflow_rest_export.exporting.spool import Spool
from mlflow_rest_export.exporting.stores import Store, open_store
from mlflow_rest_export.limits import STRICTEST
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.planning import plan
from mlflow_rest_export.planning.export_plan import ExportPlan, Wishes
from mlflow_rest_export.progress import NoProgress, Progress
from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.redaction import without_secrets
from mlflow_rest_export.sources import selection
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.targets import choice, files, http
from mlflow_rest_export.targets.foreign import refuse_credentials

_log = logging.getLogger("mlflow_rest_export")
EXEC_DB = "NEMO_EVALUATOR_EXEC_DB_FILE"
_STORED = "address stored by the job; --tracking-uri overrides it"
Records = Iterable[RunRecord | Unreadable]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where records go together, and what else of their settings is one for all of them."""

    uri: str | None
    skip_existing: bool
    stored: bool = False
    """Whether the address is one that the job has stored."""
    by_results: bool = False
    """Whether the results alone name the address, and not the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCall:
    """What one call exports, and how.

    Args:
        things: ids of launcher jobs and paths of results.
        layers: the settings.
        conduct: patience, pace and the wish to stop.
        progress: who wants to know.
        shard: the part of the results that this call handles; None: all.
        clock: gives seconds since 1970, for the note when the data was read.
    """

    things: Sequence[str]
    layers: Layers
    conduct: Conduct
    progress: Progress = field(default_factory=NoProgress)
    shard: Shard | None = None
    clock: Callable[[], float] = time.time

    @classmethod
    def of(
        cls,
        things: Sequence[str],
        layers: Layers,
        *,
        progress: Progress | None = None,
        shard: Shard | None = None,
    ) -> ExportCall:
        """Make the call with the conduct that its settings ask for."""
        settings = layers.settings
        conduct = Conduct.ordinary(workers=settings.workers, timeout=settings.timeout)
        progress = progress or NoProgress()
        return cls(things=things, layers=layers, conduct=conduct, progress=progress, shard=shard)

    def run(self) -> Iterator[RunResult]:
        """Export everything, and give what became of each run, in order.

        Raises:
            SettingsError: before anything is sent, when no store is named or what it needs is missing.
            Interrupted: after a signal.
        """
        repeats = collections.defaultdict[str, Repeats](Repeats)
        for place, records in itertools.groupby(self._records(), key=self._place):
            if place.uri is None:
                yield from (_failed(record) for record in records if isinstance(record, Unreadable))
            else:
                found = self._to_store(place.uri, place, records, repeats[place.uri])
                told = _with_origin(found) if place.stored else found
                yield from (result for result in told if result.outcome is not Outcome.REPEATED)

    def open(self) -> Store:
        """Open the store that the settings name; nothing is asked of it.

        Raises:
            SettingsError: none is named, or what it needs is missing.
        """
        return open_store(
            self.layers.settings.required_tracking_uri(), self.layers.connection(), self.conduct
        )

    def dry_run(self) -> Iterator[tuple[RunResult, ExportPlan | None]]:
        """Plan everything for the strictest store, asking nobody.

        That a server would be too old for datasets is not supposed: nearly all know them.
        """
        limits, repeats = replace(STRICTEST, dataset_inputs=True), Repeats()
        for record in self._records():
            if isinstance(record, Unreadable):
                yield _failed(record), None
                continue
            try:
                planned = plan.build(record, facts_of(record), self._wishes(record), limits)
                if repeats.has(planned, record):
                    continue
            except ExportError as error:
                yield RunResult(label=record.label, key=record.key, outcome=Outcome.FAILED, error=error), None
            else:
                yield _planned(planned), planned

    def _records(self) -> Iterator[RunRecord | Unreadable]:
        settings, environment = self.layers.settings, self.layers.environment
        home = environment.home or Path()
        exec_db = Path(environment.get(EXEC_DB) or home / ".nemo-evaluator" / "exec-db" / "exec.v1.jsonl")
        leave = _exported_to(settings.tracking_uri, settings.spool)
        options = replace(settings.read_options(), complete=self._options_of, leave=leave)
        found: Records = selection.read(self.things, options, format_name=settings.format, exec_db=exec_db)
        found = grouped(found, wanted=lambda record: self._settings(record).group_by == "invocation")
        return found if self.shard is None else self.shard.of(found, named=frozenset(self.things))

    def _options_of(self, stored: Mapping[str, object], origin: str) -> ReadOptions:
        return self.layers.with_stored(stored, origin=origin).read_options()

    def _settings(self, record: RunRecord) -> Settings:
        if not record.stored:
            return self.layers.settings
        return self.layers.with_stored(record.stored, origin=record.label)

    def _wishes(self, record: RunRecord) -> Wishes:
        settings = self._settings(record)
        environment = self.layers.environment
        return Wishes(
            experiment_name=settings.experiment_name,
            run_name=settings.run_name,
            description=settings.description,
            tags=settings.tags,
            extra_metadata=settings.extra_metadata,
            log_metrics=settings.log_metrics,
            nan=settings.nan,
            log_artifacts=settings.copy_artifacts or settings.copy_logs,
            moves_runs="experiment_name" in settings.model_fields_set,
            now=int(self.clock() * 1000),
            user=environment.get("LOGNAME") or environment.get("USER") or "",
        )

    def _place(self, record: RunRecord | Unreadable) -> _Place:
        """Say where a record goes; results that cannot be read need no store."""
        if isinstance(record, Unreadable):
            settings = self.layers.settings
            return _Place(settings.tracking_uri, settings.skip_existing)
        settings = self._settings(record)
        stored = self.layers.leaves_address_to(record.stored)
        by_results = stored and not record.stored_by_user
        uri = settings.required_tracking_uri()
        return _Place(uri, settings.skip_existing, stored=stored, by_results=by_results)

    def _to_store(self, uri: str, place: _Place, records: Records, repeats: Repeats) -> Iterator[RunResult]:
        settings = self.layers.settings
        connection = self.layers.connection()
        if place.stored:
            _log.info("exporting to %s: %s", without_secrets(uri), _STORED)
        for warning in http.warnings(uri, connection):
            _log.warning("%s", warning)
        try:
            _refuse_to_itself(uri, self.things)
            if place.by_results:
                refuse_credentials(uri, connection)
            store = open_store(uri, connection, self.conduct, trusted=not place.by_results)
        except SettingsError as error:
            if uri == settings.tracking_uri:
                raise
            yield from (_lost(one, error) for one in records if isinstance(one, RunRecord))  # their own store
            return
        exporter = Exporter(
            tracking=store.tracking,
            artifacts=store.artifacts,
            signs=store.signs,
            conduct=self.conduct,
            wishes=self._wishes,
            habits=Habits(
                skip_existing=place.skip_existing,
                restore_experiment=settings.restore_experiment,
                workers=settings.workers,
                verify=settings.verify,
            ),
            repeats=repeats,
            progress=self.progress,
        )
        yield from self._caught(exporter, records)

    def _caught(self, exporter: Exporter, records: Records) -> Iterator[RunResult]:
        """Export, and write what an outage would cost to the spool."""
        folder = self.layers.settings.spool
        if folder is None:
            yield from exporter.export(records)
            return
        files.check_root(folder.absolute())  # now, and not when the outage has come
        connection = self.layers.connection()
        spool = Spool(
            root=folder.absolute(),
            open_folder=lambda: open_store(str(folder.absolute()), connection, self.conduct),
            conduct=self.conduct,
            wishes=self._wishes,
        )
        ahead, behind = itertools.tee(records)
        for record, result in zip(behind, exporter.export(ahead), strict=True):
            yield spool.catch(record, result) if isinstance(record, RunRecord) else result


def _exported_to(uri: str | None, spool: Path | None) -> tuple[Path, ...]:
    """Give the folders of runs that an export writes, with every link resolved."""
    target = files.path_of(uri) if uri and files.recognises(uri) and not choice.recognises(uri) else None
    return tuple(Path(os.path.realpath(folder)) for folder in (target, spool) if folder is not None)


def _refuse_to_itself(uri: str, things: Sequence[str]) -> None:
    """Refuse to export a folder of runs into itself, which would double what MLflow wrote there."""
    for target in _exported_to(uri, None):
        for thing in things:
            if not os.path.exists(thing):  # noqa: PTH110  # Path.exists() fails for names that no file can have
                continue
            path = Path(thing).resolve()
            if path == target or target in path.parents:
                raise SettingsError(
                    f"{thing} lies in {uri}, the folder that is exported to: choose another one"
                )


def _with_origin(results: Iterable[RunResult]) -> Iterator[RunResult]:
    """Say in errors of the way to a server that the job named it: who has forgotten that looks elsewhere."""
    for result in results:
        error = result.error
        if isinstance(error, TrackingError | SettingsError) and "--tracking-uri" not in str(error):
            error.args = (f"{error} ({_STORED})",)
        yield result


def _failed(record: Unreadable) -> RunResult:
    return RunResult(label=record.label, outcome=Outcome.FAILED, error=ExportError(record.reason))


def _lost(record: RunRecord, error: ExportError) -> RunResult:
    return RunResult(label=record.label, key=record.key, outcome=Outcome.FAILED, error=error)


def _planned(planned: ExportPlan) -> RunResult:
    return RunResult(
        label=planned.label,
        key=planned.key,
        outcome=Outcome.PLANNED,
        metrics=planned.metric_points,
        params=len(planned.params),
        artifacts=len(planned.files),
        bytes=planned.size,
        adjustments=planned.adjustments,
    )
