"""YAML in, plain Python out, within bounds and with the place of every mistake.

Built from the parser's events rather than with ``yaml.load``, because a loader checks neither the depth nor
the growth through aliases, keeps the last of two equal keys without a word and turns text such as
``2026-11-22`` into dates. Nothing here knows what a file is for.
"""

from __future__ import annotations

import stat
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from mlflow_rest_export.errors import SourceError

MAX_BYTES = 32 << 20
"""Largest file read, in bytes; the largest genuine one seen has less than 1 MB."""
MAX_DEPTH = 100
"""Deepest nesting of lists and mappings; genuine files stay below 20."""
TOO_DEEP = f"lists and mappings are nested deeper than {MAX_DEPTH}"
MAX_ALIASED = 1_000_000
"""Values that all aliases of one file together may stand for."""
MAX_NUMBER = 400
"""Longest number, in characters: reading a number takes time that grows with the square of its length."""

_TAG = "tag:yaml.org,2002:"
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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
    builder = _Builder(name=name, keep_written=keep_written)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.reader.ReaderError as error:
        place = _place(name, _odd_character(text))
        raise SourceError(f"{place}: a character that YAML does not allow, {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SourceError(f"{_place(name, mark)}: {_said(error)}") from None
    except UnicodeEncodeError:
        raise SourceError(f"{name}: the text is not valid Unicode") from None
    return builder.document


def written(value: bool | float) -> str:
    """Give a number or a truth value as it was written, as far as it is known; ``true`` for True."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.written if isinstance(value, (WrittenInt, WrittenFloat)) else str(value)


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


def _place(name: str, mark: Any) -> str:  # noqa: ANN401  # the C parser has a mark class of its own
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
class _Builder:
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
        return SourceError(f"{_place(self.name, event.start_mark)}: {said}")
