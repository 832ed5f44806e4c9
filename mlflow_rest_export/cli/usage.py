"""Looks at what argparse lets pass. Imports ``argparse`` alone, since every command needs it.

Never repeats a value: it may be a password behind a misspelt option.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Sequence

from mlflow_rest_export.cli.arguments import Misuse, commands_of


def check(top: argparse.ArgumentParser, chosen: argparse.Namespace, unknown: Sequence[str]) -> None:
    """Look at what argparse lets pass: words that are left over, and empty ones.

    Raises:
        Misuse: there are some.
    """
    command = commands_of(top)[chosen.command]
    if unknown:
        raise Misuse(_about_unknown(command, chosen, unknown), program=command.prog)
    for action in actions_of(command):
        value = getattr(chosen, action.dest, None)
        words = value if isinstance(value, list) else [value]
        if any(isinstance(word, str) and not word.strip() for word in words):
            name = (*action.option_strings, action.metavar)[0]
            said = f"{name} is empty, as an unset variable is: give it a value, or leave it out"
            raise Misuse(said, program=command.prog)


def _about_unknown(
    command: argparse.ArgumentParser, chosen: argparse.Namespace, unknown: Sequence[str]
) -> str:
    options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
    if options:
        option = options[0] if options[0].startswith("--") else options[0][:2]  # a value may be stuck to -x
        known = [name for action in actions_of(command) for name in action.option_strings]
        near = difflib.get_close_matches(option, known, n=1, cutoff=0.7)
        return f"there is no option {option}" + (f"; did you mean {near[0]}?" if near else "")
    said = f"{len(unknown)} word{'s' if len(unknown) > 1 else ''} too many"
    if any("=" not in text and not text.startswith("~") for text in getattr(chosen, "override", ())):
        return f"{said}: an override is one word, -o export.mlflow.KEY=VALUE"
    return f"{said}: what the command is about stands in one place, before all options"


def actions_of(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Give the options and words that a command takes."""
    yield from command._actions  # noqa: SLF001  # no other way
