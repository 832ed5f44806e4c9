"""What is wrong with the settings: gathered, so that one look shows everything that has to be mended.

No sentence here ever holds a value: it may be a password that stands in the wrong place.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic_core import ErrorDetails

from mlflow_rest_export.errors import SettingsError

_LONGEST_NAME = 80
_REWORDED = (
    ("Input should be a valid boolean, unable to interpret input", "must be true or false"),
    ("Input should be a valid boolean", "must be true or false"),
    ("Input should be a valid dictionary", "must be a mapping of names to values"),
    ("Input should be a valid integer", "must be a whole number"),
    ("Input should be a valid number", "must be a number"),
    ("Input should be", "must be"),
    (", unable to parse string as an integer", ""),
    (", unable to parse string as a number", ""),
)


class Problems:
    """A list of problems that becomes one error."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, place: str, said: str) -> None:
        """Note a problem.

        Args:
            place: the file, flag, option or variable that it came from.
            said: what is wrong there, without the value.
        """
        sentence = f"{place}: {said}"
        if sentence not in self._found:
            self._found.append(sentence)

    def check(self) -> None:
        """Go on only when there is no problem.

        Raises:
            SettingsError: with every problem noted so far.
        """
        if len(self._found) == 1:
            raise SettingsError(self._found[0])
        if self._found:
            raise SettingsError(f"{len(self._found)} problems with the settings: " + "; ".join(self._found))


def shown(name: object) -> str:
    """Give a name as it may stand in a message: printable, on one line, not too long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(name))
    return text if len(text) <= _LONGEST_NAME else text[:_LONGEST_NAME] + "..."


def unknown(name: str, known: Iterable[str]) -> str:
    """Say that a name is none of ours, with the nearest that is."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    advice = f"did you mean {near[0]}?" if near else "docs/configuration.md lists every setting"
    return f"there is no such setting; {advice}"


def reworded(error: ErrorDetails) -> str:
    """Turn one finding of pydantic into words for people, from its message alone."""
    text = error["msg"]
    for theirs, ours in _REWORDED:
        text = text.replace(theirs, ours)
    return text
