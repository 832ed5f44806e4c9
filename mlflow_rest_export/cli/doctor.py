"""The command ``doctor``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.cli.settings import layers_of
from mlflow_rest_export.doctor.check import Check, Layer, State, failed
from mlflow_rest_export.doctor.examination import Examination
from mlflow_rest_export.errors import ExportError

EXIT_CODES: Mapping[Layer, int] = {
    Layer.SETTINGS: exit_codes.USAGE,
    Layer.CREDENTIALS: exit_codes.REFUSED,
    Layer.FOLDER: 10,
    Layer.PROXY: 10,
    Layer.NAME: 11,
    Layer.TCP: 12,
    Layer.TLS: 13,
    Layer.SERVER: 14,
    Layer.FEATURES: 14,
    Layer.CLOCK: 15,
    Layer.EXPERIMENT: 16,
    Layer.RUN: 17,
    Layer.ARTIFACTS: 18,
}
"""By the first layer that fails; the two that ``export`` knows have its numbers."""


def main(chosen: argparse.Namespace) -> int:
    """Look at every layer, one line each."""
    voice = Voice(as_json=chosen.json)
    checks = []
    for check in _checks(chosen, voice):
        checks.append(check)
        if not chosen.json:
            voice.line(f"{check.state.value:<8} {check.layer.value:<12} {check.said}")
    first = next((check.layer for check in checks if check.state is State.FAILED), None)
    if chosen.json:
        voice.json({"success": first is None, "checks": [_json(one) for one in checks]})
    return voice.code(exit_codes.GOOD if first is None else EXIT_CODES[first])


def _checks(chosen: argparse.Namespace, voice: Voice) -> Iterator[Check]:
    try:
        layers = layers_of(chosen)
    except ExportError as error:
        voice.error(str(error))
        yield failed(Layer.SETTINGS, error)
        return
    yield from Examination(layers=layers, write=chosen.write).checks()


def _json(check: Check) -> dict[str, str]:
    return {"layer": check.layer.value, "state": check.state.value, "said": check.said}
