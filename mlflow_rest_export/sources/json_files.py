"""JSON in, plain Python out, within bounds and with the place of every mistake.

``NaN`` and the infinities are let in: Python's evaluators write them. Nothing here knows what a file is for.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from mlflow_rest_export.errors import SourceError, why
from mlflow_rest_export.sources.json_scan import MAX_DEPTH, Member, MoreFollows, NotAnObject, scan

MAX_BYTES = 32 << 20
"""Most bytes of JSON taken into memory at once; the largest genuine result file seen has less than 1 MB."""
_REMEMBERED_FROM = 1 << 20
"""Bytes of a file whose outline is remembered: every format asks for it, and the walk takes seconds."""
MAX_NUMBER = 400
"""Longest integer, in characters: reading one takes time that grows with the square of its length."""


class _Refused(ValueError):
    """JSON that is well formed, but not for us; the message says why."""


def outline(path: Path) -> Mapping[str, str]:
    """Give the keys of the outermost object with the first character of their values.

    As far as a file may be read whole: behind that only what nobody reads can stand. Empty when the file is
    not one JSON object or cannot be read: who asks only wants to know the format.
    """
    try:
        about = path.stat()
    except OSError:
        return {}
    if about.st_size < _REMEMBERED_FROM:
        return _outline(path)
    return _remembered(path, about.st_ino, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=8)
def _remembered(path: Path, *_: int) -> Mapping[str, str]:
    return _outline(path)


def _outline(path: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    try:
        with _open(path) as file:
            for member in scan(file, limit=MAX_BYTES):
                found[member.key] = member.first
    except (SourceError, OSError, MoreFollows):
        return {}
    except NotAnObject:
        # What is broken further down is told when it is read; what never began as an object is no object.
        return found
    return found


def read_json(path: Path, *, max_bytes: int = MAX_BYTES) -> object:
    """Read a whole file.

    Raises:
        SourceError: the file cannot be read, is not UTF-8, is not JSON or is over a bound.
    """
    try:
        with _open(path) as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {why(error)}") from error
    if len(data) > max_bytes:
        raise SourceError(f"cannot read {path}: it is larger than {max_bytes >> 20} MiB")
    return parse_json(data, str(path))


def read_members(path: Path, *, leave: Iterable[str] = (), max_bytes: int = MAX_BYTES) -> dict[str, object]:
    """Read a file that is one object, except the members named in ``leave``, however large those are.

    Raises:
        SourceError: as for ``read_json``; only what is taken counts for the bound on the size.
    """
    taken: dict[str, object] = {}
    left = frozenset(leave)
    size = 0
    try:
        with _open(path) as file:
            for member in _members(file, path):
                if member.key in taken:
                    raise SourceError(f"{path}: the key {_quoted(member.key)} stands twice")
                if member.key in left:
                    continue
                size += member.end - member.start
                if size > max_bytes:
                    raise SourceError(f"cannot read {path}: it holds over {max_bytes >> 20} MiB of results")
                file.seek(member.start)
                data = file.read(member.end - member.start)
                taken[member.key] = parse_json(data, str(path), file=path, offset=member.start)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {why(error)}") from error
    return taken


def parse_json(data: bytes, name: str, *, file: Path | None = None, offset: int = 0) -> object:
    """Read one JSON text.

    Args:
        data: UTF-8, with or without a byte order mark.
        name: what messages call the text.
        file: where ``data`` was cut from, to tell the place of a mistake in the whole.
        offset: where in ``file`` it stands, in bytes.

    Raises:
        SourceError: with ``name:line:column`` and what is wrong there; never with the text itself.
    """
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object, parse_int=_integer)
    except UnicodeDecodeError as error:
        place = _place(data, error.start, file, offset)
        raise SourceError(f"{name}:{place}: the file is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        at = len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        place = _place(data, at, file, offset)
        cut = error.pos >= len(error.doc) or error.msg.startswith("Unterminated string")
        said = "the file ends in the middle" if cut else f"not JSON, {_lower(error.msg)}"
        raise SourceError(f"{name}:{place}: {said}") from None
    except _Refused as error:
        raise SourceError(f"{name}: {error}") from None
    except RecursionError:
        raise SourceError(f"{name}: lists and objects are nested deeper than {MAX_DEPTH}") from None
    if _too_deep(value):
        raise SourceError(f"{name}: lists and objects are nested deeper than {MAX_DEPTH}")
    return value


def _open(path: Path) -> BinaryIO:
    # Opening a pipe that nobody writes to would wait for ever.
    if not stat.S_ISREG(path.stat().st_mode):
        raise SourceError(f"cannot read {path}: it is not a file")
    return path.open("rb")


def _members(file: BinaryIO, path: Path) -> list[Member]:
    try:
        return list(scan(file))
    except NotAnObject as error:
        place = _place(b"", 0, path, error.offset)
        raise SourceError(f"{path}:{place}: {error}") from None


def _place(data: bytes, at: int, file: Path | None, offset: int) -> str:
    """Give ``line:column`` of a byte, both from 1, of the file when there is one, else of the data."""
    if file is None:
        return f"{data.count(bytes([10]), 0, at) + 1}:{at - data.rfind(bytes([10]), 0, at)}"
    lines, column, left = 1, 1, offset + at
    with file.open("rb") as before:
        while left > 0 and (piece := before.read(min(left, 1 << 20))):
            left -= len(piece)
            lines += piece.count(b"\n")
            last = piece.rfind(b"\n")
            column = len(piece) - last if last >= 0 else column + len(piece)
    return f"{lines}:{column}"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(f"the key {_quoted(twice)} stands twice in one object")
    return made


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER:
        raise _Refused(f"a number of {len(text)} characters")
    return int(text)


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _quoted(key: str) -> str:
    return json.dumps(key if len(key) <= 80 else f"{key[:80]}...")


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
