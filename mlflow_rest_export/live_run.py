"""A run that a script fills while it works: values are collected and sent in batches."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, final

from mlflow_rest_export.content import BytesContent, content_of
from mlflow_rest_export.errors import ExportError, SourceError, why
from mlflow_rest_export.exporting.spool import is_outage
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.planning.fitting import Fitting
from mlflow_rest_export.planning.names import clean_path
from mlflow_rest_export.records import Adjustment, Metric, RunStatus
from mlflow_rest_export.tracking.protocol import Artifacts, StoredRun, Tracking

BATCH = 1000
"""Values that are collected before they are sent at once."""
INTERVAL = 10.0
"""Seconds after which what was collected is sent however little it is."""
_log = logging.getLogger("mlflow_rest_export")


@dataclass(slots=True)
class Collected:
    """Values that are not sent yet."""

    metrics: list[Metric] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the values."""
        return len(self.metrics) + len(self.params) + len(self.tags)

    def add(self, later: Collected) -> None:
        """Put later values behind these."""
        self.metrics += later.metrics
        self.params |= later.params
        self.tags |= later.tags


@final
class LiveRun:
    """One run under way; a context manager, whose end gives the run its status.

    An exception makes it FAILED, Ctrl-C KILLED, everything else FINISHED. Values that the server refuses, or
    that could not be sent in all the time there is, raise at the next call or at the end: nothing is lost
    silently. Methods may be called from several threads.

    Args:
        tracking: the store.
        artifacts: where its files live.
        run: as it was created.
        limits: what the store accepts.
        interval: seconds between two batches.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        tracking: Tracking,
        artifacts: Artifacts,
        run: StoredRun,
        *,
        limits: Limits,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.run_id = run.run_id
        self.url = tracking.run_url(run)
        self._tracking, self._artifacts, self._run = tracking, artifacts, run
        self._limits = limits
        self._clock = clock
        self._collected = Collected()
        self._failure: ExportError | None = None
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._over = threading.Event()
        self._sender = threading.Thread(target=self._send_now_and_then, args=(interval,), daemon=True)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Log one value of each metric.

        Args:
            metrics: name -> value; NaN and infinities that the store cannot keep go into a tag.
            step: of the training.
        """
        now = self._now()
        changes: list[Adjustment] = []
        names = self._fitting(changes).names(metrics, what="metric")
        self._tell(changes)
        values = {names[raw]: float(value) for raw, value in metrics.items()}
        odd = {key: value for key, value in values.items() if not self._keeps(value)}
        points = [Metric(key, value, now, step) for key, value in values.items() if key not in odd]
        tags = {f"nonfinite.{key}": f"{value} at step {step}" for key, value in odd.items()}
        self._collect(Collected(metrics=points, tags=tags))

    def log_metric(self, key: str, value: float, *, step: int = 0) -> None:
        """Log one value of one metric."""
        self.log_metrics({key: value}, step=step)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params, each of which can be set once; values become text."""
        self._collect(Collected(params=self._fitted(params, what="param")))

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags, over whatever they were; values become text."""
        self._collect(Collected(tags=self._fitted(tags, what="tag")))

    def log_artifact(self, path: str | Path, artifact_path: str = "") -> None:
        """Upload a file, or a folder with everything in it.

        Args:
            path: on this machine.
            artifact_path: folder in the run.

        Raises:
            SourceError: it is not there or cannot be read.
        """
        self._raise_failure()
        source = Path(path)
        files = sorted(file for file in source.rglob("*") if file.is_file()) if source.is_dir() else [source]
        for file in files:
            inside = file.relative_to(source.parent).as_posix()
            try:
                self._upload(f"{artifact_path}/{inside}" if artifact_path else inside, file)
            except OSError as error:
                raise SourceError(f"cannot read {file}: {why(error)}") from error

    def log_text(self, text: str, path: str) -> None:
        """Upload a text as the file ``path`` of the run."""
        self._raise_failure()
        self._upload(path, text.encode("utf-8", "replace"))

    def flush(self) -> None:
        """Send what was collected, now.

        Raises:
            ExportError: it could not be sent.
        """
        self._send()
        self._raise_failure()

    def __enter__(self) -> LiveRun:
        """Begin to send every now and then."""
        self._sender.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send the rest and set the status.

        Raises:
            ExportError: something could not be sent, and no exception of the script's own is on its way.
        """
        self._over.set()
        self._sender.join()
        self._send()
        status = _status_after(error)
        if self._failure is not None and status is RunStatus.FINISHED:
            status = RunStatus.FAILED
        self._end(status)
        if self._failure is not None and error is not None:
            _log.error("run %s is not complete: %s", self.run_id, self._failure)
        elif self._failure is not None:
            raise self._failure

    def _end(self, status: RunStatus) -> None:
        try:
            self._tracking.update_run(
                self.run_id, status=status, end_time=self._now(), run_name=self._run.run_name
            )
        except ExportError as error:
            self._failure = self._failure or error

    def _collect(self, values: Collected) -> None:
        self._raise_failure()
        with self._lock:
            self._collected.add(values)
            full = len(self._collected) >= BATCH
        if full:
            self.flush()

    def _send_now_and_then(self, interval: float) -> None:
        while not self._over.wait(interval):
            self._send()

    def _send(self) -> None:
        """Send what there is; what an outage kept from arriving is kept for the next time."""
        with self._sending:
            with self._lock:
                values, self._collected = self._collected, Collected()
            if not len(values):
                return
            try:
                self._tracking.log_values(
                    self.run_id, metrics=values.metrics, params=values.params, tags=values.tags
                )
            except ExportError as error:
                with self._lock:
                    self._failure = error
                    if is_outage(error):
                        values.add(self._collected)
                        self._collected = values
            else:
                with self._lock:  # what an outage had kept has arrived
                    self._failure = self._failure if self._failure and not is_outage(self._failure) else None

    def _raise_failure(self) -> None:
        """Raise what went wrong in the background, once: whoever catches it may go on."""
        with self._lock:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _upload(self, path: str, source: Path | bytes) -> None:
        content = BytesContent(source) if isinstance(source, bytes) else content_of(source)
        self._artifacts.upload(self._run, clean_path(path, self._limits), content)

    def _fitting(self, changes: list[Adjustment]) -> Fitting:
        return Fitting(self._limits, verbatim=True, keeps_whole=False, changes=changes)

    def _fitted(self, values: Mapping[str, object], *, what: Literal["param", "tag"]) -> dict[str, str]:
        changes: list[Adjustment] = []
        texts = {key: str(value) for key, value in values.items()}
        fitted = self._fitting(changes).values(texts, what=what)
        self._tell(changes)
        return fitted

    def _tell(self, changes: list[Adjustment]) -> None:
        """Warn of each change once, however often the script logs the name."""
        for change in changes:
            if change.field not in self._told:
                self._told.add(change.field)
                _log.warning("run %s: %s -> %s (%s)", self.run_id, change.field, change.after, change.reason)

    def _keeps(self, value: float) -> bool:
        if math.isnan(value):
            return self._limits.keeps_nan
        return math.isfinite(value) or self._limits.keeps_infinity

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _status_after(error: BaseException | None) -> RunStatus:
    if isinstance(error, KeyboardInterrupt):
        return RunStatus.KILLED
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return RunStatus.FINISHED
    return RunStatus.FAILED
