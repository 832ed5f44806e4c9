"""The command ``export``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mlflow_rest_export.api import answer
from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.cli.course import Course
from mlflow_rest_export.cli.settings import layers_of
from mlflow_rest_export.export_call import ExportCall
from mlflow_rest_export.exporting.outcomes import RunResult
from mlflow_rest_export.exporting.shards import shard_of


def main(chosen: argparse.Namespace) -> int:
    """Export what was asked for, and give the exit code."""

    def act(course: Course) -> int:
        call = _call(chosen, course.voice)
        if chosen.dry_run:
            return _show_plans(call, course.voice)
        code = course.follow(call.conduct.stop, lambda _: call.run())
        _tell_of_nothing(call, course.results, course.voice)
        return code

    return Course.of(chosen, act)


def _call(chosen: argparse.Namespace, voice: Voice) -> ExportCall:
    layers = layers_of(chosen)
    shard = shard_of(chosen.shard, layers.environment.variables) if chosen.shard else None
    return ExportCall.of(chosen.things, layers, progress=voice.progress(), shard=shard)


def _show_plans(call: ExportCall, voice: Voice) -> int:
    results: list[RunResult] = []
    voice.note("planned for what every MLflow takes; the server may take more, and change less")
    for result, planned in call.dry_run():
        results.append(result)
        voice.plan(result, planned)
    _tell_of_nothing(call, results, voice)
    voice.summary(results, answer)
    return exit_codes.of_results(results)


def _tell_of_nothing(call: ExportCall, results: Sequence[RunResult], voice: Voice) -> None:
    if call.shard is not None and not results:
        voice.note(f"nothing in this part ({call.shard.number}/{call.shard.count})")
