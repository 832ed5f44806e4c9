"""Words that make no sense: one line on stderr, and a JSON object where one is wanted."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mlflow_rest_export.api import cut_short
from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.cli.arguments import Misuse, commands_of
from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.cli.usage import actions_of

_TAKES_MORE = frozenset({"+", "?"})
"""Numbers of values with which an option takes a word behind it that was meant for the command."""


def refuse(top: argparse.ArgumentParser, misuse: Misuse, arguments: Sequence[str]) -> int:
    """Say what is wrong, also as JSON where that is wanted, and give the exit code."""
    command = next((one for one in commands_of(top).values() if one.prog == misuse.program), None)
    hint = _about_swallowed(command, arguments) if "are required" in str(misuse) and command else ""
    sentence = f"{misuse}{hint}; see {misuse.program} --help"
    voice = Voice(as_json="--json" in arguments)
    voice.error(sentence)
    if voice.as_json:
        voice.json(cut_short([], sentence))
    return exit_codes.USAGE


def _about_swallowed(command: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """Name the options that took the words that are missing now."""
    greedy = {
        name
        for action in actions_of(command)
        if action.nargs in _TAKES_MORE
        for name in action.option_strings
    }
    used = [word for word in arguments if word in greedy]
    return f"; {used[-1]} took what stands behind it, so give them before it" if used else ""
