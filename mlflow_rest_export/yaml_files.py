"""YAML in, plain Python out, within bounds and with the place of every mistake.

Nothing here knows what a file is for.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.yaml_values import TOO_DEEP, Builder, place_of

MAX_BYTES = 32 << 20
"""Largest file read, in bytes; the largest genuine one seen has less than 1 MB."""
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(path: Path, *, keep_written: bool = False) -> object:
    """Read the one document of a file; None when the file is empty.

    Args:
        path: a regular file, or one below ``/dev`` such as ``/dev/stdin``.
        keep_written: give numbers as ``WrittenInt`` and ``WrittenFloat``.

    Raises:
        SourceError: the file cannot be read, is not UTF-8, is not YAML or is over a bound.
    """
    try:
        # Opening a pipe that nobody writes to would wait for ever, so only those a user named are opened.
        if not stat.S_ISREG(path.stat().st_mode) and path.parts[:2] != ("/", "dev"):
            raise SourceError(f"cannot read {path}: it is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceError(f"cannot read {path}: {(reason or 'unknown error').lower()}") from error
    if len(data) > MAX_BYTES:
        raise SourceError(f"cannot read {path}: it is larger than {MAX_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise SourceError(f"{path}:{line}:{column}: the file is not UTF-8 text") from None
    return parse_yaml(text, str(path), keep_written=keep_written)


def parse_yaml(text: str, name: str, *, keep_written: bool = False) -> object:
    """Read the one YAML document of a text; None when there is none.

    Args:
        text: YAML; at most ``MAX_BYTES`` characters.
        name: what messages call the text: a file, an option.
        keep_written: give numbers as ``WrittenInt`` and ``WrittenFloat``.

    Raises:
        SourceError: with ``name:line:column`` and what is wrong there; never with the text itself.
    """
    if len(text) > MAX_BYTES:
        raise SourceError(f"cannot read {name}: it is larger than {MAX_BYTES >> 20} MiB")
    builder = Builder(name=name, keep_written=keep_written)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.reader.ReaderError as error:
        place = place_of(name, _odd_character(text))
        raise SourceError(f"{place}: a character that YAML does not allow, {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SourceError(f"{place_of(name, mark)}: {_said(error)}") from None
    except UnicodeEncodeError:
        raise SourceError(f"{name}: the text is not valid Unicode") from None
    return builder.document


def _events(text: str) -> Iterator[Any]:
    loader = _PARSER(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _said(error: yaml.MarkedYAMLError) -> str:
    if "nesting depth" in (error.problem or ""):  # libyaml has a bound of its own and reads ahead of us
        return TOO_DEEP
    return ", ".join(part for part in (error.context, error.problem) if part)


def _odd_character(text: str) -> yaml.Mark | None:
    """Find the character that stops the parsers; they count in bytes or in characters."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is None:
        return None
    at = found.start()
    return yaml.Mark("", at, text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1, None, 0)
