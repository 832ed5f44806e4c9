"""Words of the command line that make no sense, told in one line: what is wrong, and what to do.

Never repeats a value: it may be a password behind a misspelt option.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Sequence

from mlflow_rest_export.api import cut_short
from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.cli.arguments import Misuse, commands_of
from mlflow_rest_export.cli.console import Voice

_TAKES_MORE = frozenset({"+", "?"})
"""Numbers of values with which an option takes a word behind it that was meant for the command."""


def check(top: argparse.ArgumentParser, chosen: argparse.Namespace, unknown: Sequence[str]) -> None:
    """Look at what argparse lets pass: words that are left over, and empty ones.

    Raises:
        Misuse: there are some.
    """
    command = commands_of(top)[chosen.command]
    if unknown:
        raise Misuse(_about_unknown(command, chosen, unknown), program=command.prog)
    for action in _actions(command):
        value = getattr(chosen, action.dest, None)
        words = value if isinstance(value, list) else [value]
        if any(isinstance(word, str) and not word.strip() for word in words):
            name = (*action.option_strings, action.metavar)[0]
            said = f"{name} is empty, as an unset variable is: give it a value, or leave it out"
            raise Misuse(said, program=command.prog)


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


def _about_unknown(
    command: argparse.ArgumentParser, chosen: argparse.Namespace, unknown: Sequence[str]
) -> str:
    options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
    if options:
        option = options[0] if options[0].startswith("--") else options[0][:2]  # a value may be stuck to -x
        known = [name for action in _actions(command) for name in action.option_strings]
        near = difflib.get_close_matches(option, known, n=1, cutoff=0.7)
        return f"there is no option {option}" + (f"; did you mean {near[0]}?" if near else "")
    said = f"{len(unknown)} word{'s' if len(unknown) > 1 else ''} too many"
    if any("=" not in text and not text.startswith("~") for text in getattr(chosen, "override", ())):
        return f"{said}: an override is one word, -o export.mlflow.KEY=VALUE"
    return f"{said}: what the command is about stands in one place, before all options"


def _about_swallowed(command: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """Name the options that took the words that are missing now."""
    greedy = {
        name for action in _actions(command) if action.nargs in _TAKES_MORE for name in action.option_strings
    }
    used = [word for word in arguments if word in greedy]
    return f"; {used[-1]} took what stands behind it, so give them before it" if used else ""


def _actions(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    yield from command._actions  # noqa: SLF001  # no other way
