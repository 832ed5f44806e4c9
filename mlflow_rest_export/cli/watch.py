"""The command ``watch``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow_rest_export.cli.course import Course
from mlflow_rest_export.cli.settings import layers_of
from mlflow_rest_export.cli.signals import Signals
from mlflow_rest_export.config import Layers
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.export_call import ExportCall
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.network.conduct import Stop
from mlflow_rest_export.progress import Progress
from mlflow_rest_export.targets import files
from mlflow_rest_export.watch import Watch

FIRST_CONTACT = 15.0
"""Seconds for the server to show itself when no ``--timeout`` is given: the watch asks again anyway."""


def main(chosen: argparse.Namespace) -> int:
    """Watch until all jobs are final, and give the exit code."""

    def act(course: Course) -> int:
        layers, voice, stop = layers_of(chosen), course.voice, Stop()
        if layers.settings.tracking_uri is None:
            voice.note("no tracking URI is given, so only jobs that bring their own can be exported")
        else:  # one that makes no sense is told now, and not when the first job completes
            ExportCall.of([], layers).open()
        if layers.settings.spool is not None:  # the same
            files.check_root(layers.settings.spool.absolute())
        sender = Sender(layers, stop, voice.progress())

        def results_of(signals: Signals) -> Iterable[RunResult]:
            return Watch(
                folder=Path(chosen.folder).absolute(),
                export=sender.export,
                wait=signals.asked.wait,
                note=voice.note,
                idle=chosen.idle,
            ).results()

        return course.follow(stop, results_of, patience=chosen.grace)

    return Course.of(chosen, act, lines=True)


@dataclass(frozen=True, slots=True)
class Sender:
    """Exports one job after the other, each with patience of its own."""

    layers: Layers
    stop: Stop
    progress: Progress

    def export(self, job: Path) -> Sequence[RunResult]:
        """Export one job."""
        call = ExportCall.of([str(job)], self.layers, progress=self.progress)
        conduct = replace(call.conduct, stop=self.stop)
        if self.layers.settings.timeout is None:
            patience = conduct.patience.with_another_host(first_contact=FIRST_CONTACT)
            conduct = replace(conduct, patience=patience)
        try:
            return list(replace(call, conduct=conduct).run())
        except SettingsError as error:  # of the job's own stored settings: it costs this job alone
            return [RunResult(label=job.name, outcome=Outcome.FAILED, error=error)]
