"""From the events of a YAML parser to plain Python values, within bounds.

Built from events rather than with ``yaml.load``, because a loader checks neither the depth nor the growth
through aliases, keeps the last of two equal keys without a word and turns text such as ``2026-11-22`` into
dates.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from mlflow_rest_export.errors import SourceError

MAX_DEPTH = 100
"""Deepest nesting of lists and mappings; genuine files stay below 20."""
TOO_DEEP = f"lists and mappings are nested deeper than {MAX_DEPTH}"
MAX_ALIASED = 1_000_000
"""Values that all aliases of one file together may stand for."""
MAX_NUMBER = 400
"""Longest number, in characters: reading a number takes time that grows with the square of its length."""

_TAG = "tag:yaml.org,2002:"
_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in pairs if tag != f"{_TAG}timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_CONSTRUCT = SafeConstructor()


class WrittenInt(int):
    """An integer that knows how it was written, such as ``0x1F`` or ``1_000``."""

    written: str


class WrittenFloat(float):
    """A number that knows how it was written: ``3.10`` is not the version ``3.1``."""

    written: str


def written(value: bool | float) -> str:
    """Give a number or a truth value as it was written, as far as it is known; ``true`` for True."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.written if isinstance(value, (WrittenInt, WrittenFloat)) else str(value)


def place_of(name: str, mark: Any) -> str:  # noqa: ANN401  # the C parser has a mark class of its own
    """Give the name of a text, with line and column of a mark in it where there is one."""
    return name if mark is None else f"{name}:{mark.line + 1}:{mark.column + 1}"


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen."""

    value: list[object] | dict[object, object]
    anchor: str | None
    size: int = 1
    """Values in it, itself included, with every alias written out."""
    key: object = None
    has_key: bool = False
    merging: bool = False
    merged: dict[object, object] = field(default_factory=dict)
    """What ``<<`` brought; the mapping's own keys are stronger wherever they stand."""


@dataclass(slots=True)
class Builder:
    """Turns events into values; holds a stack, so that depth costs no recursion."""

    name: str
    keep_written: bool
    document: object = None
    documents: int = 0
    aliased: int = 0
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[object, int]] = field(default_factory=dict)

    def take(self, event: Any) -> None:  # noqa: ANN401  # PyYAML's events are untyped
        """Take the next event in."""
        if isinstance(event, yaml.ScalarEvent):
            value, merging = self._scalar(event)
            self._anchor(event.anchor, value, 1)
            self._add(value, 1, event, merging=merging)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._error(event, "a second YAML document begins, only one is read")

    def _scalar(self, event: Any) -> tuple[object, bool]:  # noqa: ANN401  # untyped
        tag = event.tag
        if tag == "!" or (tag is None and not event.implicit[0]):
            return event.value, False
        if tag is None:
            tag = f"{_TAG}str"
            first = event.value[0] if event.value else ""
            for candidate, pattern in [*_RESOLVERS.get(first, ()), *_RESOLVERS.get(None, ())]:
                if pattern.match(event.value):
                    tag = candidate
                    break
        if tag == f"{_TAG}merge":
            return event.value, True
        return self._typed(event, tag.removeprefix(_TAG)), False

    def _typed(self, event: Any, kind: str) -> object:  # noqa: ANN401  # untyped
        text = event.value
        node = yaml.ScalarNode(_TAG + kind, text)
        if kind in {"str", "value"}:
            return text
        if kind == "null":
            return None
        try:
            if kind == "bool":
                return _CONSTRUCT.construct_yaml_bool(node)
            if kind not in {"int", "float"}:
                raise self._error(event, "a YAML tag that is not supported; plain YAML has none")
            if len(text) > MAX_NUMBER:
                raise self._error(event, f"a number of {len(text)} characters")
            if kind == "int":
                number: int | float = _CONSTRUCT.construct_yaml_int(node)
                return self._with_text(WrittenInt(number), text) if self.keep_written else number
            number = _CONSTRUCT.construct_yaml_float(node)
        except (ValueError, OverflowError, KeyError, IndexError):
            raise self._error(event, f"this is not a value of the kind {kind}") from None
        return self._with_text(WrittenFloat(number), text) if self.keep_written else number

    @staticmethod
    def _with_text(number: WrittenInt | WrittenFloat, text: str) -> object:
        number.written = text
        return number

    def _open(self, event: Any) -> None:  # noqa: ANN401  # untyped
        if len(self.stack) >= MAX_DEPTH:
            raise self._error(event, TOO_DEEP)
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in {None, "!", _TAG + ("map" if mapping else "seq")}:
            raise self._error(event, "a YAML tag that is not supported; plain YAML has none")
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)
        self.stack.append(_Open({} if mapping else [], event.anchor))

    def _close(self, event: Any) -> None:  # noqa: ANN401  # untyped
        done = self.stack.pop()
        if isinstance(done.value, dict):
            for key, value in done.merged.items():
                done.value.setdefault(key, value)
        self._anchor(done.anchor, done.value, done.size)
        self._add(done.value, done.size, event)

    def _alias(self, event: Any) -> None:  # noqa: ANN401  # untyped
        if event.anchor not in self.anchors:
            raise self._error(event, "an alias stands here whose anchor is missing or not finished")
        value, size = self.anchors[event.anchor]
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise self._error(event, f"aliases stand for more than {MAX_ALIASED:,} values")
        self._add(value, size, event)

    def _anchor(self, anchor: str | None, value: object, size: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, size)

    def _add(self, value: object, size: int, event: Any, *, merging: bool = False) -> None:  # noqa: ANN401  # untyped
        if not self.stack:
            self.document = value
            return
        into = self.stack[-1]
        into.size += size
        if isinstance(into.value, list):
            into.value.append(value)
        elif not into.has_key:
            self._begin_key(into, value, event, merging=merging)
        else:
            if into.merging:
                self._merge(into, value, event)
            else:
                into.value[into.key] = value
            into.has_key = False

    def _begin_key(self, into: _Open, key: object, event: Any, *, merging: bool) -> None:  # noqa: ANN401  # untyped
        if not isinstance(key, Hashable):
            raise self._error(event, "a list or mapping cannot be a key")
        if not merging and isinstance(into.value, dict) and key in into.value:
            raise self._error(event, "this key stands twice in one mapping")
        into.key, into.has_key, into.merging = key, True, merging

    def _merge(self, into: _Open, value: object, event: Any) -> None:  # noqa: ANN401  # untyped
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise self._error(event, "'<<' takes a mapping or a list of mappings")
            for key, inner in part.items():
                into.merged.setdefault(key, inner)

    def _error(self, event: Any, said: str) -> SourceError:  # noqa: ANN401  # untyped
        return SourceError(f"{place_of(self.name, event.start_mark)}: {said}")
