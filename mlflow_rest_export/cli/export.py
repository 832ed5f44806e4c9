"""The command ``export``."""

from __future__ import annotations

import argparse

from mlflow_rest_export.api import answer, cut_short
from mlflow_rest_export.calls import ExportCall
from mlflow_rest_export.cli import console, exit_codes
from mlflow_rest_export.cli.settings import layers_of
from mlflow_rest_export.cli.signals import listening
from mlflow_rest_export.errors import ExportError, Interrupted
from mlflow_rest_export.exporting.outcomes import RunResult
from mlflow_rest_export.exporting.shards import shard_of


def main(chosen: argparse.Namespace) -> int:
    """Export what was asked for, and give the exit code."""
    voice = console.Voice.of(chosen)
    results: list[RunResult] = []
    try:
        voice.listen()
        call = _call(chosen, voice)
        return _show_plans(call, voice) if chosen.dry_run else _export(call, voice, results)
    except (ExportError, OSError) as error:
        voice.error(str(error))
        if chosen.json:
            voice.json(cut_short(results, str(error)))
        return exit_codes.of_error(error)
    finally:
        voice.close()


def _export(call: ExportCall, voice: console.Voice, results: list[RunResult]) -> int:
    with listening(call.conduct.stop, voice) as signals:
        try:
            for result in call.run():
                results.append(result)
                voice.result(result)
        except Interrupted as stopped:
            voice.interrupted(len(results))
            if voice.as_json:
                voice.json(cut_short(results, str(stopped)))
            return signals.exit_code()
        finally:
            voice.close_progress()
    _tell_of_nothing(call, results, voice)
    voice.summary(results, answer(results), with_table=True)
    return exit_codes.of_results(results)


def _call(chosen: argparse.Namespace, voice: console.Voice) -> ExportCall:
    layers = layers_of(chosen)
    shard = shard_of(chosen.shard, layers.environment.variables) if chosen.shard else None
    return ExportCall.of(chosen.things, layers, progress=voice.progress(), shard=shard)


def _show_plans(call: ExportCall, voice: console.Voice) -> int:
    results = []
    for result, planned in call.dry_run():
        results.append(result)
        voice.plan(result, planned)
    _tell_of_nothing(call, results, voice)
    voice.summary(results, answer(results))
    return exit_codes.of_results(results)


def _tell_of_nothing(call: ExportCall, results: list[RunResult], voice: console.Voice) -> None:
    if call.shard is not None and not results:
        voice.note(f"nothing in this part ({call.shard.number}/{call.shard.count})")
