"""A run that a script fills while it works: values are collected here and sent by a thread of their own."""

from __future__ import annotations

import enum
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import SupportsIndex, final

from mlflow_rest_export.content import BytesContent, content_of
from mlflow_rest_export.errors import ExportError, SourceError, why
from mlflow_rest_export.exporting.stores import Store
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.live_sender import Buffering, LiveSender
from mlflow_rest_export.live_values import Collected, LiveValues
from mlflow_rest_export.planning.fitting import ILLEGAL
from mlflow_rest_export.planning.names import clean_path, marked_path
from mlflow_rest_export.records import Adjustment, RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun

_log = logging.getLogger("mlflow_rest_export")


class State(enum.Enum):
    """How far a run is; the value is what is said to who logs too early or too late."""

    NEW = "is not begun"
    OPEN = "is under way"
    OVER = "is over"


@final
class LiveRun:
    """One run under way; a context manager, whose end gives the run its status.

    An exception makes it FAILED, Ctrl-C KILLED, everything else FINISHED. What the store refuses raises at
    the next call. An outage is waited out in the background; it raises at ``flush`` and at the end only.
    Methods may be called from several threads, inside the ``with`` block.

    Args:
        store: where the run is.
        run: as it was created.
        limits: what the store accepts.
        tags: to begin with.
        buffering: how much is kept, and for how long.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        run: StoredRun,
        *,
        limits: Limits,
        tags: Mapping[str, object] | None = None,
        buffering: Buffering | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.run_id = run.run_id
        self.url = store.tracking.run_url(run)
        self._store, self._run, self._limits, self._clock = store, run, limits, clock
        self._values = LiveValues(run.run_id, limits)
        self._told: set[str] = set()
        self._paths: dict[str, str] = {}
        """Path in the run -> the path that was asked for, so that two files never become one."""
        self._lock = threading.Lock()
        """Guards names and what was told of them."""
        self._sender = LiveSender(store.tracking, run.run_id, buffering or Buffering(), self._forget)
        self._state = State.NEW
        self._add(lambda: self._values.tags(tags or {}))

    def log_metrics(self, metrics: Mapping[str, float], *, step: SupportsIndex = 0) -> None:
        """Log one value of each metric.

        Args:
            metrics: name -> value; NaN and infinities that the store cannot keep go into a tag.
            step: of the training, a whole number.

        Raises:
            TypeError: a value is no number, or the step no whole one.
        """
        self._collect(lambda: self._values.metrics(metrics, step=step, now=self._now()))

    def log_metric(self, key: str, value: float, *, step: SupportsIndex = 0) -> None:
        """Log one value of one metric."""
        self.log_metrics({key: value}, step=step)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params, each of which can be set once; values become text.

        Raises:
            ParamConflict: one was logged with another value before.
        """
        self._collect(lambda: self._values.params(params))

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags, over whatever they were; values become text."""
        self._collect(lambda: self._values.tags(tags))

    def log_artifact(self, path: str | Path, artifact_path: str = "") -> None:
        """Upload a file, or a folder with everything in it, now; in an outage this waits, then raises.

        Args:
            path: on this machine.
            artifact_path: folder in the run.

        Raises:
            SourceError: it is not there or cannot be read.
        """
        self._check()
        source = Path(path)
        for file in self._files_of(source) if source.is_dir() else [source]:
            inside = file.relative_to(source.parent).as_posix()
            try:
                self._upload(f"{artifact_path}/{inside}" if artifact_path else inside, file)
            except OSError as error:
                raise SourceError(f"cannot read {file}: {why(error)}") from error

    def log_text(self, text: str, path: str) -> None:
        """Upload a text as the file ``path`` of the run."""
        self._check()
        self._upload(path, text.encode("utf-8", "replace"))

    def flush(self) -> None:
        """Send what was collected, now.

        Raises:
            ExportError: it could not be sent.
        """
        self._check()
        self._sender.send()
        self._check()
        if self._sender.outage is not None:
            raise self._sender.outage

    def __enter__(self) -> LiveRun:
        """Begin to send every now and then.

        Raises:
            ExportError: the run was begun before.
        """
        if self._state is not State.NEW:
            raise ExportError(f"run {self.run_id} was begun before: give a second block a run of its own")
        self._state = State.OPEN
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
        self._state = State.OVER
        try:
            self._sender.stop()
        finally:  # Ctrl-C may come while the rest is sent
            failure = self._end(error)
        if failure is not None and error is not None:
            _log.error("run %s is not complete: %s", self.run_id, failure)
        elif failure is not None:
            raise failure

    def _end(self, error: BaseException | None) -> Exception | None:
        """Set the status, which is FAILED where something did not arrive; give what went wrong."""
        failure = self._sender.refusal() or self._sender.outage
        if self._sender.missing:
            lost = f"run {self.run_id}: {self._sender.missing} values did not arrive"
            _log.error("%s", lost)
            failure = failure or ExportError(lost)
        status = _status_after(error)
        if failure is not None and status is RunStatus.FINISHED:
            status = RunStatus.FAILED
        try:
            self._store.tracking.update_run(
                self.run_id, status=status, end_time=self._now(), run_name=self._name()
            )
        except ExportError as refused:
            failure = failure or refused
        return failure

    def _name(self) -> str:
        """Give the name of now, which must be said again at the end: somebody may have changed it."""
        try:
            return self._store.tracking.get_run(self.run_id).run_name or self._run.run_name
        except ExportError:
            return self._run.run_name

    def _collect(self, values: Callable[[], Collected]) -> None:
        self._check()
        self._sender.wait_for_room()
        self._add(values)

    def _add(self, values: Callable[[], Collected]) -> None:
        """Hand values over, and warn of each change, once for each name."""
        with self._lock:
            self._sender.add(values())
            changes, self._values.changes[:] = list(self._values.changes), []
        self._warn(changes)

    def _warn(self, changes: Sequence[Adjustment]) -> None:
        with self._lock:
            changes = [change for change in changes if change.field not in self._told]
            self._told.update(change.field for change in changes)
        for change in changes:
            _log.warning("run %s: %s -> %s (%s)", self.run_id, change.field, change.after, change.reason)

    def _forget(self, refused: Collected) -> None:
        with self._lock:
            self._values.forget(refused)

    def _check(self) -> None:
        """Raise what went wrong in the background, once: whoever catches it may go on.

        Raises:
            ExportError: that, or the run is not under way.
        """
        if self._state is not State.OPEN:
            raise ExportError(f"run {self.run_id} {self._state.value}: log values inside its with block")
        refusal = self._sender.refusal()
        if refusal is not None:
            raise refusal

    def _files_of(self, folder: Path) -> list[Path]:
        """List the files of a folder and of those below; links to folders are told, not followed."""

        def unreadable(error: OSError) -> None:
            raise SourceError(f"cannot read {error.filename}: {why(error)}") from error

        files = []
        for place, folders, names in os.walk(folder, onerror=unreadable):
            for path in (Path(place, name) for name in folders):
                if path.is_symlink():
                    self._warn([Adjustment(f"artifact {path}", str(path), "", "it is a link to a folder")])
            files += [path for path in (Path(place, name) for name in names) if path.is_file()]
        return sorted(files)

    def _upload(self, path: str, source: Path | bytes) -> None:
        content = BytesContent(source) if isinstance(source, bytes) else content_of(source)
        name = clean_path(path, self._limits)
        with self._lock:
            if self._paths.setdefault(name, path) != path:
                digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:6]
                name = marked_path(name, digest, self._limits)
        if name != path:
            self._warn([Adjustment(f"artifact {path!r}", path, name, ILLEGAL)])
        self._store.artifacts.upload(self._run, name, content)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _status_after(error: BaseException | None) -> RunStatus:
    if isinstance(error, KeyboardInterrupt):
        return RunStatus.KILLED
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return RunStatus.FINISHED
    return RunStatus.FAILED
