"""Where each value of a YAML or JSON text stands, to the character, so that it can be replaced in place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from mlflow_rest_export.sources.secret_fields import Names

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()
_TAG = "tag:yaml.org,2002:"
_CONSTRUCT = SafeConstructor()
_TYPED = {
    f"{_TAG}null": _CONSTRUCT.construct_yaml_null,
    f"{_TAG}bool": _CONSTRUCT.construct_yaml_bool,
    f"{_TAG}int": _CONSTRUCT.construct_yaml_int,
    f"{_TAG}float": _CONSTRUCT.construct_yaml_float,
}
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^\s\[\]{},:"]+')


@dataclass(frozen=True, slots=True)
class Place:
    """One value: the names that lead to it, what it says, and the part of the text that says it."""

    names: Names
    value: object
    start: int
    end: int
    is_key: bool = False
    anchor: str | None = None
    """The YAML anchor within the part; aliases need it."""


def yaml_places(text: str) -> list[Place]:
    """List the values and keys of a YAML text that ``parse_yaml`` accepts.

    A value that aliases repeat is listed once for each of its names, always with the place of its anchor.

    Args:
        text: without a byte order mark, which libyaml does not count.
    """
    walk = _Walk()
    for event in _events(text):
        if isinstance(event, yaml.ScalarEvent):
            walk.scalar(_value(event), *_span(event), event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            walk.open(mapping=isinstance(event, yaml.MappingStartEvent), anchor=event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            walk.close()
        elif isinstance(event, yaml.AliasEvent):
            walk.alias(str(event.anchor))
    return walk.places


def json_places(text: str) -> list[Place]:
    """List the values and keys of a text that is valid JSON."""
    walk = _Walk()
    for token in _JSON_TOKEN.finditer(text):
        said = token[0]
        if said in "[{":
            walk.open(mapping=said == "{")
        elif said in "]}":
            walk.close()
        else:
            value = json.loads(said, parse_int=float)
            walk.scalar(value, token.start(), token.end())
    return walk.places


def _events(text: str) -> Iterator[Any]:
    return yaml.parse(text, Loader=_PARSER)


def _span(event: Any) -> tuple[int, int]:  # noqa: ANN401  # PyYAML's events are half typed
    return event.start_mark.index, event.end_mark.index


def _value(event: Any) -> object:  # noqa: ANN401  # PyYAML's events are half typed
    tag = event.tag
    if tag is None:
        tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)
    typed = _TYPED.get(tag)
    return event.value if typed is None else typed(yaml.ScalarNode(tag, event.value))


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come; ``name`` is that of the value to come."""

    mapping: bool
    first: int
    """How many places were known when it began."""
    anchor: str | None
    name: str | int = 0
    wants_key: bool = False


class _Walk:
    """Follows a text from value to value; holds a stack, so that depth costs no recursion."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._stack: list[_Open] = []
        self._anchored: dict[str, tuple[int, int, int]] = {}

    def open(self, *, mapping: bool, anchor: str | None = None) -> None:
        self._stack.append(_Open(mapping, len(self.places), anchor, wants_key=mapping))

    def close(self) -> None:
        done = self._stack.pop()
        self._remember(done.anchor, done.first)
        self._next()

    def scalar(self, value: object, start: int, end: int, anchor: str | None = None) -> None:
        is_key = bool(self._stack) and self._stack[-1].wants_key
        if is_key:
            self._stack[-1].name = str(value)
        self.places.append(Place(self._names(), value, start, end, is_key, anchor))
        self._remember(anchor, len(self.places) - 1)
        self._next()

    def alias(self, anchor: str) -> None:
        first, last, depth = self._anchored[anchor]
        if self._stack[-1].wants_key:
            self._stack[-1].name = str(self.places[first].value)
        else:
            names = self._names()
            self.places += [
                Place(names + place.names[depth:], place.value, place.start, place.end, anchor=place.anchor)
                for place in self.places[first:last]
                if not place.is_key or place.anchor == anchor
            ]
        self._next()

    def _names(self) -> Names:
        return tuple(level.name for level in self._stack)

    def _remember(self, anchor: str | None, first: int) -> None:
        if anchor is not None:
            self._anchored[anchor] = (first, len(self.places), len(self._stack))

    def _next(self) -> None:
        """A key or a value is complete."""
        if self._stack and self._stack[-1].mapping:
            self._stack[-1].wants_key = not self._stack[-1].wants_key
        elif self._stack:
            self._stack[-1].name = int(self._stack[-1].name) + 1
