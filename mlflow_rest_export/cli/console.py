"""What is said, and where: results on stdout, talk on stderr."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.cli.closing_table import size, table
from mlflow_rest_export.cli.progress_bar import Bar, Heartbeat, progress_on
from mlflow_rest_export.errors import SettingsError, why
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.staleness import NEWER
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.progress import NoProgress, Progress
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.redaction import without_secrets

ADJUSTMENTS_SHOWN = 5
"""Changes of one run that are told one by one without ``-v``."""
_CHANGED = {Outcome.EXPORTED, Outcome.SPOOLED, Outcome.PLANNED}
_TOLD = {*_CHANGED, Outcome.UNCHANGED}
_GOOD = {Outcome.EXPORTED, Outcome.UNCHANGED, Outcome.SKIPPED}


@dataclass(slots=True)
class Voice:
    """Speaks to the person, or to the program, that called.

    Args:
        as_json: stdout holds one JSON object and nothing else.
        quiet: errors only.
        loudness: number of ``-v``.
        with_progress: show a bar on a terminal, a line now and then elsewhere.
    """

    as_json: bool = False
    quiet: bool = False
    loudness: int = 0
    with_progress: bool = True
    log_file: str | None = None
    """Hears what ``-vv`` would say."""
    _bar: Bar | Heartbeat | None = field(default=None, init=False)
    _listeners: list[logging.Handler] = field(default_factory=list, init=False)
    _lost: bool = field(default=False, init=False)
    """Whether what was asked for could not be written although somebody waits for it."""

    @classmethod
    def of(cls, chosen: argparse.Namespace) -> Voice:
        """Make the voice that was asked for."""
        return cls(
            as_json=chosen.json,
            quiet=chosen.quiet,
            loudness=chosen.verbose,
            with_progress=not chosen.no_progress,
            log_file=chosen.log_file,
        )

    def listen(self) -> None:
        """Let the package's log speak, too.

        Raises:
            SettingsError: the log file cannot be written.
        """
        screen = logging.StreamHandler()
        level = [logging.WARNING, logging.INFO, logging.DEBUG][min(self.loudness, 2)]
        screen.setLevel(logging.ERROR if self.quiet else level)
        screen.setFormatter(_Discreet("%(levelname)s: %(message)s"))
        self._listeners.append(screen)
        if self.log_file:
            try:
                file = logging.FileHandler(self.log_file, encoding="utf-8", errors="backslashreplace")
            except OSError as error:
                raise SettingsError(
                    f"the log file {self.log_file} cannot be written: {error.strerror}"
                ) from None
            file.setFormatter(_Discreet("%(asctime)s %(levelname)s %(message)s"))
            self._listeners.append(file)
        log = logging.getLogger("mlflow_rest_export")
        log.setLevel(logging.DEBUG)
        for listener in self._listeners:
            log.addHandler(listener)

    def close(self) -> None:
        """Take the bar off the screen, and listen to the log no longer."""
        self.close_progress()
        for listener in self._listeners:
            logging.getLogger("mlflow_rest_export").removeHandler(listener)
            listener.close()

    def progress(self) -> Progress:
        """Give who is told of progress."""
        if self.quiet or not self.with_progress:
            return NoProgress()
        self._bar = progress_on(sys.stderr, say=self._say)
        return self._bar

    def close_progress(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.close()

    def result(self, result: RunResult, *, line: bool = False) -> None:
        """Tell at once what went wrong with a run or had to be changed.

        Args:
            result: the run.
            line: give it a line of its own now, since no table will close the call.
        """
        if result.error is not None:
            self._say(f"{result.outcome.value}: {_labelled(result.label, str(result.error))}", always=True)
        if not self.quiet and result.outcome in (_TOLD if self.loudness else _CHANGED):
            self._adjustments(result.label, result.adjustments)
        elif not self.quiet and result.outcome is Outcome.SKIPPED:
            older = [change for change in result.adjustments if change.field == NEWER]
            self._adjustments(result.label, older)
        if line and not self.as_json and not self.quiet:
            self._out(_line(result))

    def plan(self, result: RunResult, planned: ExportPlan | None) -> None:
        """Show what would be sent for one run."""
        self.result(result, line=True)
        if planned is None or self.as_json or self.quiet:
            return
        self._out(f"  run       {planned.run_name}  in  {planned.experiment}")
        for name, values in (("tag", planned.tags), ("param", planned.params)):
            for key, value in values.items():
                self._out(f"  {name:<9} {key} = {value.splitlines()[0][:100] if value else ''}")
        if planned.metric_points <= planned.metric_keys:
            for point in planned.metrics:
                self._out(f"  metric    {point.key} = {point.value!r}")
        for file in planned.files:
            self._out(f"  artifact  {file.path} ({size(file.content.size)})")

    def summary(
        self,
        results: Sequence[RunResult],
        answer: Callable[[Sequence[RunResult]], Mapping[str, object]],
        *,
        with_table: bool = False,
    ) -> None:
        """End the call: the JSON object, or a table and the address at which the runs can be seen.

        Args:
            results: the runs.
            answer: makes the JSON object; of many runs it is large.
            with_table: show a table.
        """
        if self.as_json:
            self.json(answer(results))
            return
        for text in table(results) if with_table and not self.quiet else ():
            self._out(text)
        urls = [result.run_url for result in results if result.outcome in _GOOD and result.run_url]
        if len(urls) == 1:
            self._out(urls[0])
        elif urls:
            good = [result.experiment_url for result in results if result.outcome in _GOOD]
            for url in dict.fromkeys(filter(None, good)):
                self._out(url)

    def json(self, answer: Mapping[str, object]) -> None:
        """Print the answer as one JSON object."""
        told = _discreetly({"schema": 1, **answer})
        text = json.dumps(told, ensure_ascii="utf" not in _encoding(sys.stdout))
        self._write(sys.stdout, _printable(text))

    def error(self, sentence: str) -> None:
        """Tell why the whole call ended."""
        self._say(f"mlflow-rest-export: {sentence}", always=True)

    def note(self, sentence: str) -> None:
        """Tell something that is good to know."""
        self._say(f"note: {sentence}")

    def interrupted(self, done: int | None) -> None:
        """Tell what a signal left behind."""
        said = "" if done is None else f" after {done} run{'' if done == 1 else 's'}"
        self._say(
            f"stopped by a signal{said}; what was begun is left as not complete, and the same command "
            "completes it",
            always=True,
        )

    def line(self, text: str) -> None:
        """Print a line of what was asked for."""
        self._out(text)

    def script(self, text: str) -> None:
        """Print a program of our own, as it is."""
        self._write(sys.stdout, text.rstrip("\n"))

    def code(self, code: int) -> int:
        """Give the exit code of a call: a good one failed all the same when its answer was lost."""
        return code or (exit_codes.FAILED if self._lost else code)

    def _adjustments(self, label: str, adjustments: Sequence[Adjustment]) -> None:
        shown = adjustments if self.loudness else adjustments[:ADJUSTMENTS_SHOWN]
        for change in shown:
            became = f" -> {change.after}" if change.after else " left out"
            self._say(f"changed: {label}: {change.field}{became} ({change.reason})")
        if len(shown) < len(adjustments):
            self._say(f"changed: {label}: {len(adjustments) - len(shown)} more, in the receipt and with -v")

    def _say(self, text: str, *, always: bool = False) -> None:
        if always or not self.quiet:
            self._write(sys.stderr, _printable(without_secrets(text)))

    def _out(self, text: str) -> None:
        self._write(sys.stdout, _printable(without_secrets(text)))

    def _write(self, stream: TextIO | None, text: str) -> None:
        """Write a line; that it cannot be written is no reason to stop an export."""
        if stream is None:  # whoever started us closed it
            return
        try:
            if self._bar is not None:
                self._bar.hide()
            print(_writable(text, stream), file=stream, flush=True)
        except OSError as error:
            _mute(stream)
            if stream is sys.stdout and not isinstance(
                error, BrokenPipeError
            ):  # a reader that left has enough
                self._lost = True
                self.error(f"the answer cannot be written to stdout: {why(error)}")


class _Discreet(logging.Formatter):
    """Takes secrets out of whatever is logged, tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        return without_secrets(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Give the line without its traceback, which has lines of its own."""
        return _printable(super().formatMessage(record))


def _discreetly(value: object) -> object:
    """Give what will be JSON without secrets in its texts; in JSON itself a text has other ends."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {name: _discreetly(part) for name, part in value.items()}
    return [_discreetly(part) for part in value] if isinstance(value, (list, tuple)) else value


def _encoding(stream: TextIO | None) -> str:
    return (getattr(stream, "encoding", None) or "utf-8").lower()


def _printable(text: str) -> str:
    """Give the text on one line and without what a terminal would obey: names come from files.

    Escapes are those of JSON, so that what is JSON stays JSON.
    """
    if text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode()
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def _writable(text: str, stream: TextIO) -> str:
    """Give the text with what the stream has no signs for as escapes, and without halves of signs."""
    text = text.encode("utf-8", "replace").decode()
    return text.encode(_encoding(stream), "backslashreplace").decode(_encoding(stream))


def _mute(stream: TextIO) -> None:
    """Lead a stream nowhere, so that Python does not complain about it at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _labelled(label: str, sentence: str) -> str:
    """Put the label before a sentence that does not begin with it."""
    sentence = sentence.removeprefix("job ") if sentence.startswith(f"job {label}:") else sentence
    return sentence if sentence.startswith(f"{label}:") else f"{label}: {sentence}"


def _line(result: RunResult) -> str:
    held = f"{result.metrics} metrics, {result.params} params, {result.artifacts} files"
    held += f" ({size(result.bytes)})" if result.artifacts else ""
    if result.outcome is Outcome.FAILED:
        return f"{result.outcome.value:<10}{result.label}"
    return f"{result.outcome.value:<10}{result.label}  {held}  {result.run_url}".rstrip()
