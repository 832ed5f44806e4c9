"""The kinds of values that settings have, and what each accepts beside its plain form."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

from mlflow_rest_export.yaml_values import written

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _mistake(said: str) -> PydanticCustomError:
    # The message is a template: a brace in it would be taken for a place to fill in.
    return PydanticCustomError("setting", "{said}", {"said": said})


def _text(value: object) -> object:
    """Take numbers and truth values as they were written."""
    if isinstance(value, (bool, int, float)):
        return written(value)
    if not isinstance(value, str):
        raise _mistake("must be text, a number or true or false")
    return value


def _metadata(value: object) -> object:
    """Take anything; what is nested becomes JSON text."""
    if isinstance(value, (Mapping, list, tuple)):
        try:
            return json.dumps(value, ensure_ascii=False, default=str)
        except (ValueError, TypeError, RecursionError):
            raise _mistake("cannot be written as JSON") from None
    return _text(value) if isinstance(value, (str, bool, int, float)) else str(value)


def _one_or_many(value: object) -> object:
    """Take a single entry as a list of one."""
    return value if isinstance(value, (list, tuple)) else [value]


def _command(value: object) -> object:
    """Take one line, split as a shell would, or a list."""
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:
            raise _mistake("a quote in this command is never closed") from None
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(part, str) for part in value):
        raise _mistake("must be a command: one line, or a list of texts")
    return tuple(value)


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise _mistake("is no name that an HTTP header can have")
    return value


def _header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isprintable() or not text.isascii():
        raise _mistake("must be printable ASCII text on one line, as HTTP headers are")
    return value


def _folder(value: Path) -> Path:
    if not value.is_dir():
        raise _mistake(f"there is no folder {value}")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise _mistake("must not be blank")
    return value


Text = Annotated[str, BeforeValidator(_text)]
"""Text; a number or truth value counts as it was written."""
Name = Annotated[Text, AfterValidator(_not_blank)]
"""Text that says something."""
Metadata = Annotated[str, BeforeValidator(_metadata)]
"""The text of anything: scalars as written, lists and mappings as JSON."""
Texts = Annotated[tuple[Text, ...], BeforeValidator(_one_or_many)]
"""Any number of texts; one alone needs no list."""
Command = Annotated[tuple[str, ...], BeforeValidator(_command)]
"""A program with its arguments."""
Folders = Annotated[tuple[Annotated[Path, AfterValidator(_folder)], ...], BeforeValidator(_one_or_many)]
"""Folders that are there."""
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, BeforeValidator(_text), AfterValidator(_header_value)]
ColumnKind = Literal["metric", "param", "tag", "step", "timestamp", "skip"]
