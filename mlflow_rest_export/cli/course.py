"""The course that ``export`` and ``watch`` have in common: results as they come, signals, errors, the end."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mlflow_rest_export.api import answer, cut_short
from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.cli.signals import Signals, listening
from mlflow_rest_export.errors import ExportError, Interrupted
from mlflow_rest_export.exporting.outcomes import RunResult
from mlflow_rest_export.network.conduct import Stop


@dataclass(slots=True)
class Course:
    """One command under way.

    Args:
        voice: says what happens.
        lines: each result gets a line at once, in place of a table at the end.
    """

    voice: Voice
    lines: bool = False
    results: list[RunResult] = field(default_factory=list, init=False)

    @classmethod
    def of(cls, chosen: argparse.Namespace, act: Callable[[Course], int], *, lines: bool = False) -> int:
        """Act, and say why the command ended where it did not come to its end; give the exit code."""
        course = cls(Voice.of(chosen), lines)
        voice = course.voice
        try:
            voice.listen()
            return voice.code(act(course))
        except (ExportError, OSError) as error:
            voice.error(str(error))
            if voice.as_json:
                voice.json(cut_short(course.results, str(error)))
            return exit_codes.of_error(error)
        finally:
            voice.close()

    def follow(
        self, stop: Stop, results_of: Callable[[Signals], Iterable[RunResult]], *, patience: float = 0.0
    ) -> int:
        """Tell of each result as it comes, until the last one or a signal; give the exit code.

        Args:
            stop: what a signal sets.
            results_of: gives the results; may ask whether a signal came.
            patience: seconds from a signal to the stop.
        """
        voice = self.voice
        with listening(stop, voice, patience=patience) as signals:
            try:
                for result in results_of(signals):
                    self.results.append(result)
                    voice.result(result, line=self.lines)
            except Interrupted as stopped:
                voice.interrupted(len(self.results))
                if voice.as_json:
                    voice.json(cut_short(self.results, str(stopped)))
                return signals.exit_code()
            finally:
                voice.close_progress()
        voice.summary(self.results, answer, with_table=not self.lines)
        return exit_codes.of_results(self.results)
