"""Stored configs without their secrets: each replaced in place, every other character as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import yaml

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.sources.json_files import parse_json
from mlflow_rest_export.sources.scalar_places import Place, json_places, yaml_places
from mlflow_rest_export.sources.secret_fields import MASK, Names, concealed, concealed_comment, known_secrets
from mlflow_rest_export.yaml_files import parse_yaml

_BOM = "\ufeff"
_REMEMBERED = 1 << 16
"""Characters of a text that is remembered: the jobs of one invocation share most of their configs."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A text that may be shown, and how many secrets it held."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class _Config:
    """A text to mask; equal to any other with the same characters."""

    text: str
    is_json: bool
    name: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def mask_text(text: str, *, name: str) -> Masked:
    """Mask the secrets of a YAML text, or of a JSON text when the name ends with ``.json``.

    Raises:
        SourceError: the text cannot be read, so nobody knows what is secret in it.
    """
    if text.startswith(_BOM):
        inner = mask_text(text[1:], name=name)
        return Masked(_BOM + inner.text, inner.count)
    config = _Config(text, name.lower().endswith(".json"), name)
    return (_masked if len(text) <= _REMEMBERED else _masked.__wrapped__)(config)


@lru_cache(maxsize=32)
def _masked(config: _Config) -> Masked:
    text, name, is_json = config.text, config.name, config.is_json
    before = _parse(text, name, is_json=is_json)
    places = json_places(text) if is_json else yaml_places(text)
    edits = list(_value_edits(text, places, is_json=is_json))
    if not is_json:
        edits += _comment_edits(text, places)
    if not edits:
        return Masked(text, 0)
    masked = _applied(text, edits)
    if not _same_but_masked(before, _parse(masked, name, is_json=is_json)):
        raise SourceError(f"{name}: its secrets cannot be masked in place")
    return Masked(masked, len(edits))


def mask_document(document: object, *, below: Names = ()) -> tuple[object, tuple[str, ...]]:
    """Give a copy of a parsed config without its secrets, and the dotted names of the masked values.

    Args:
        document: objects, lists and what they hold.
        below: the names that lead to it, should it be a part of another one.
    """
    known = known_secrets(_leaves(document, below))
    masked: list[str] = []

    def copy(value: object, names: Names) -> object:
        if isinstance(value, dict):
            return {key: copy(inner, (*names, str(key))) for key, inner in value.items()}
        if isinstance(value, list):
            return [copy(inner, (*names, index)) for index, inner in enumerate(value)]
        shown = concealed(names, value, known=known)
        if shown is not value and shown != value:
            masked.append(".".join(map(str, names)))
        return shown

    return copy(document, below), tuple(masked)


def shown_value(value: object, names: Names) -> str:
    """Give a value of a config as a param may show it: texts as they are, all else as JSON, no secret in it.

    Args:
        value: what JSON can hold.
        names: the names that lead to it.
    """
    if isinstance(value, (dict, list)):
        value, _ = mask_document(value, below=names)
    return str(concealed(names, written(value)))


def written(value: object) -> str:
    """Give a value as JSON writes it; text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse(text: str, name: str, *, is_json: bool) -> object:
    return parse_json(text.encode("utf-8", "surrogatepass"), name) if is_json else parse_yaml(text, name)


def _leaves(value: object, names: Names) -> Iterator[tuple[Names, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*names, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*names, index))
    else:
        yield names, value


def _value_edits(text: str, places: list[Place], *, is_json: bool) -> Iterator[_Edit]:
    values = [place for place in places if not place.is_key]
    known = known_secrets((place.names, place.value) for place in values)
    shown: dict[int, tuple[Place, str]] = {}
    for place in values:
        value = concealed(place.names, place.value, known=known)
        if value is place.value or value == place.value:
            continue
        # A value with aliases has several names; the one that hides most of it wins.
        if place.start not in shown or len(str(value)) < len(shown[place.start][1]):
            shown[place.start] = (place, str(value))
    for place, value in shown.values():
        said = text[place.start : place.end]
        written = _in_json(said, value, known) if is_json else _in_yaml(said, place, value, known)
        yield _Edit(place.start, place.end, written)


def _in_json(said: str, value: str, known: tuple[str, ...]) -> str:
    little = str(concealed((), said, known=known))
    try:
        return little if json.loads(little) == value else json.dumps(value)
    except json.JSONDecodeError:
        return json.dumps(value)


def _in_yaml(said: str, place: Place, value: str, known: tuple[str, ...]) -> str:
    """Write the new value as little changed as can be, in double quotes where that would read otherwise."""
    end = "\n" if said.endswith("\n") else ""
    head, found, tail = said.rpartition(str(place.value))
    candidates = [str(concealed((), said, known=known)), head + value + tail if found else said]
    for candidate in candidates:
        if candidate.endswith("\n") == bool(end) and _reads_as(candidate, value):
            return candidate
    quoted = yaml.dump(value, default_style='"', width=float("inf"), allow_unicode=True).strip("\n")
    return (f"&{place.anchor} " if place.anchor else "") + quoted + end


def _reads_as(candidate: str, value: str) -> bool:
    try:
        return parse_yaml(f"key: {candidate}\n", "") == {"key": value}
    except SourceError:
        return False


def _comment_edits(text: str, places: list[Place]) -> Iterator[_Edit]:
    """Comments are what a ``#`` begins between two values."""
    at = 0
    spans = sorted({(place.start, place.end) for place in places})
    for start, end in [*spans, (len(text), len(text))]:
        for line in _lines(text, at, start):
            said = text[line[0] : line[1]]
            shown = concealed_comment(said)
            if shown != said:
                yield _Edit(line[0], line[1], shown)
        at = end


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while (hash_at := text.find("#", start, end)) >= 0:
        stop = text.find("\n", hash_at, end)
        start = end if stop < 0 else stop
        yield hash_at, start


def _applied(text: str, edits: list[_Edit]) -> str:
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def _same_but_masked(before: object, after: object) -> bool:
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _same_but_masked(before[key], after[key]) for key in before
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same_but_masked, before, after))
    return repr(before) == repr(after) or (isinstance(after, str) and MASK in after)
