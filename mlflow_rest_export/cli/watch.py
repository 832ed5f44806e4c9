"""The command ``watch``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow_rest_export.api import answer, cut_short
from mlflow_rest_export.calls import ExportCall
from mlflow_rest_export.cli import console, exit_codes
from mlflow_rest_export.cli.settings import layers_of
from mlflow_rest_export.cli.signals import listening
from mlflow_rest_export.config import Layers
from mlflow_rest_export.errors import ExportError, Interrupted, SettingsError
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.network.conduct import Stop
from mlflow_rest_export.progress import Progress
from mlflow_rest_export.watch import Watch


def main(chosen: argparse.Namespace) -> int:
    """Watch until all jobs are final, and give the exit code."""
    voice = console.Voice.of(chosen)
    results: list[RunResult] = []
    stop = Stop()
    try:
        voice.listen()
        layers = layers_of(chosen)
        if layers.settings.tracking_uri is None:
            voice.note("no tracking URI is given, so only jobs that bring their own can be exported")
        sender = Sender(layers, stop, voice.progress())
        with listening(stop, voice, patience=chosen.grace) as signals:
            watch = Watch(
                folder=Path(chosen.folder).absolute(),
                export=sender.export,
                wait=signals.asked.wait,
                idle=chosen.idle,
            )
            try:
                for result in watch.results():
                    results.append(result)
                    voice.result(result, line=True)
            except Interrupted as stopped:
                voice.interrupted(len(results))
                if chosen.json:
                    voice.json(cut_short(results, str(stopped)))
                return signals.exit_code()
            finally:
                voice.close_progress()
    except (ExportError, OSError) as error:
        voice.error(str(error))
        if chosen.json:
            voice.json(cut_short(results, str(error)))
        return exit_codes.of_error(error)
    finally:
        voice.close()
    for folder in watch.waiting:
        voice.unfinished(folder.name)
    voice.summary(results, answer(results))
    return exit_codes.of_results(results) or (exit_codes.FAILED if watch.waiting else exit_codes.GOOD)


@dataclass(frozen=True, slots=True)
class Sender:
    """Exports one job after the other, each with patience of its own."""

    layers: Layers
    stop: Stop
    progress: Progress

    def export(self, job: Path) -> Sequence[RunResult]:
        """Export one job."""
        call = ExportCall.of([str(job)], self.layers, progress=self.progress)
        try:
            return list(replace(call, conduct=replace(call.conduct, stop=self.stop)).run())
        except SettingsError as error:  # of the job's own stored settings: it costs this job alone
            return [RunResult(label=job.name, outcome=Outcome.FAILED, error=error)]
