"""Finds the members of one large JSON object without reading their values into memory.

Follows brackets and strings only, so a log of many gigabytes costs as little memory as a small one. Values
are checked when they are read (``json_files``); those that nobody reads are only checked for brackets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

MAX_DEPTH = 100
"""Deepest nesting of lists and objects; genuine files stay below 20."""
MAX_KEY = 4096
"""Longest key of the outermost object, in bytes."""
MAX_MEMBERS = 10_000
"""Most members of the outermost object; genuine files have below 50."""
READ_SIZE = 1 << 20
"""Bytes read at once."""

_OUTER = re.compile(rb'["{}\[\],:]')
_NESTED = re.compile(rb'"[^"\\]*"|["{}\[\]]')
"""Deeper down most strings are walked over at once."""
_BACKSLASH = ord("\\")
_SPACE = b" \t\r\n"
_OPENS = {ord("}"): ord("{"), ord("]"): ord("[")}
_BOM = b"\xef\xbb\xbf"


class NotAnObject(ValueError):
    """The text is not one JSON object.

    Attributes:
        offset: where that was noticed, in bytes from the start of the file.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class MoreFollows(NotAnObject):
    """The object is complete, but more text stands behind it, as in a file of many rows."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the outermost object: its key, and where its value stands."""

    key: str
    start: int
    """First byte of the value."""
    end: int
    """First byte behind the value."""
    first: str
    """First character of the value: ``{``, ``[``, ``"``, a digit, ..."""


def scan(file: BinaryIO, *, limit: int | None = None) -> Iterator[Member]:
    """Give the members in their order.

    Args:
        file: at its beginning.
        limit: stop after so many bytes without complaint; a value that is open there is given as it is.

    Raises:
        NotAnObject: the text is not one JSON object, ends too early or is over a bound.
        OSError: the file cannot be read.
    """
    walk = _Walk()
    left = limit
    while left is None or left > 0:
        data = file.read(READ_SIZE if left is None else min(READ_SIZE, left))
        if not data:
            walk.finish()
            return
        if walk.offset == 0 and data.startswith(_BOM):
            walk.offset, data = len(_BOM), data[len(_BOM) :]
        yield from walk.take(data)
        left = None if left is None else left - len(data)
    if (cut := walk.cut()) is not None:
        yield cut


@dataclass(slots=True)
class _Walk:
    """Where the walk through the text stands between two pieces of it."""

    offset: int = 0
    """Bytes before the current piece."""
    stack: bytearray = field(default_factory=bytearray)
    expects: str = "start"
    """In the outermost object: start, key, colon, value, after (a value has begun), end."""
    in_string: bool = False
    escaped: bool = False
    key: bytearray = field(default_factory=bytearray)
    names: int = 0
    value_start: int = 0
    first: str = ""

    def take(self, data: bytes) -> Iterator[Member]:
        """Walk through the next piece and give the members that end in it."""
        at = 0
        while at < len(data):
            if self.in_string:
                at = self._string(data, at)
                continue
            match = (_NESTED if len(self.stack) > 1 else _OUTER).search(data, at)
            end = match.start() if match else len(data)
            if len(self.stack) <= 1:
                self._between(data, at, end)
            if match is None:
                break
            at = match.end()
            if at - end > 1:
                continue
            member = self._structure(data[end], self.offset + end)
            if member is not None:
                yield member
        self.offset += len(data)

    def finish(self) -> None:
        """Say that no more bytes follow."""
        if self.expects != "end":
            raise NotAnObject("the file ends in the middle" if self.offset else "it is empty", self.offset)

    def cut(self) -> Member | None:
        """Give the member whose value had begun where reading stopped."""
        if self.expects != "after":
            return None
        return Member(self._name(self.offset), self.value_start, self.offset, self.first)

    def _between(self, data: bytes, at: int, end: int) -> None:
        """Look at what stands between two marks, at most one bracket deep."""
        rest = data[at:end].lstrip(_SPACE)
        if not rest or self.expects == "after":
            return
        where = self.offset + end - len(rest)
        if self.expects != "value":
            raise self._unexpected(where)
        self._begin(where, chr(rest[0]))

    def _begin(self, where: int, first: str) -> None:
        self.expects, self.value_start, self.first = "after", where, first

    def _string(self, data: bytes, at: int) -> int:
        """Walk on inside a string; give the place behind what was walked."""
        start = at + self.escaped
        end = data.find(b'"', start)
        while end >= 0 and _is_escaped(data, start, end):
            end = data.find(b'"', end + 1)
        self.escaped = end < 0 and _is_escaped(data, start, len(data))
        self.in_string = end < 0
        after = len(data) if end < 0 else end + 1
        if self.expects == "key":
            self.key += data[at : len(data) if end < 0 else end]
            if len(self.key) > MAX_KEY:
                raise NotAnObject(f"a key is longer than {MAX_KEY} bytes", self.offset + at)
            if not self.in_string:
                self.expects = "colon"
        return after

    def _structure(self, mark: int, where: int) -> Member | None:
        """Take one of ``" { } [ ] , :`` in; a comma or the last bracket ends a member."""
        outermost = len(self.stack) <= 1
        if mark == ord('"'):
            self._quote(where, outermost=outermost)
        elif mark in b"{[":
            self._open(mark, where, outermost=outermost)
        elif mark in b"}]":
            return self._close(mark, where)
        elif mark == ord(":") and self.expects == "colon":
            self.expects = "value"
        elif mark == ord(",") and self.expects == "after":
            self.expects = "key"
            return self._member(where)
        else:
            raise self._unexpected(where)
        return None

    def _quote(self, where: int, *, outermost: bool) -> None:
        if outermost:
            if self.expects in {"key", "first key"}:
                self.expects = "key"
                self.key.clear()
            elif self.expects == "value":
                self._begin(where, '"')
            else:
                raise self._unexpected(where)
        self.in_string = True

    def _open(self, mark: int, where: int, *, outermost: bool) -> None:
        if outermost:
            if self.expects == "start" and mark == ord("{"):
                self.expects = "first key"
            elif self.expects == "value":
                self._begin(where, chr(mark))
            else:
                raise self._unexpected(where)
        self.stack.append(mark)
        if len(self.stack) > MAX_DEPTH:
            raise NotAnObject(f"lists and objects are nested deeper than {MAX_DEPTH}", where)

    def _close(self, mark: int, where: int) -> Member | None:
        if not self.stack or self.stack[-1] != _OPENS[mark]:
            raise NotAnObject("a bracket is closed that is not open", where)
        self.stack.pop()
        if self.stack:
            return None
        member = None
        if self.expects == "after":
            member = self._member(where)
        elif self.expects != "first key":
            raise self._unexpected(where)
        self.expects = "end"
        return member

    def _unexpected(self, where: int) -> NotAnObject:
        if self.expects == "start":
            return NotAnObject("it is not a JSON object", where)
        if self.expects == "end":
            return MoreFollows("more text follows behind the JSON object", where)
        return NotAnObject("not JSON", where)

    def _member(self, where: int) -> Member:
        self.names += 1
        if self.names > MAX_MEMBERS:
            raise NotAnObject(f"it has more than {MAX_MEMBERS} members", where)
        return Member(self._name(where), self.value_start, where, self.first)

    def _name(self, where: int) -> str:
        try:
            return str(json.loads(b'"%b"' % bytes(self.key)))
        except ValueError:
            raise NotAnObject("a key is not JSON text", where) from None


def _is_escaped(data: bytes, start: int, at: int) -> bool:
    """Say whether an odd number of backslashes stands before a place, none of them before ``start``."""
    before = at
    while before > start and data[before - 1] == _BACKSLASH:
        before -= 1
    return (at - before) % 2 == 1
