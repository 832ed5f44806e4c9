"""Breaks results as programs, disks and hostile people break them; for property tests and for fuzzing."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

Place = tuple[Any, ...]
"""The keys and indexes that lead to a value."""

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, 10**30, 10**400, 2**53 + 1, float("nan"), float("inf")),
    *(
        "",
        "N/A",
        "x" * 5000,
        "\ud800",
        "\0",
        "\x1b[31m",
        "../../etc",
        "a/b",
        "a,b",
        "a|1",
        "1e5",
        "2026-01-01T00:00:00Z",
        "two\nlines\r",
    ),
    *([], {}, [[]], {"": {}}, [None], {"value": {}}, {"a": {"b": {"c": [1]}}}, [{"name": 3}], {"metrics": 1}),
)
"""What stands in the place of a value; ``\\ud800`` is half a character."""


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Give the place of every value in a document, its own first."""
    yield above
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, deeper in inner:
        yield from places(deeper, (*above, key))


def mutated(document: Any, chance: random.Random, count: int) -> Any:
    """Give a copy of a document with some values deleted, replaced, renamed, doubled or nested."""
    root = [copy.deepcopy(document)]
    for _ in range(count):
        place = chance.choice([place for place in places(root) if place])
        holder: Any = root
        for key in place[:-1]:
            holder = holder[key]
        _change(holder, place[-1], chance)
        if not root:
            root = [None]
    return root[0]


def _change(holder: Any, key: Any, chance: random.Random) -> None:
    how = chance.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[str(chance.choice(ODD_VALUES))[:300]] = holder.pop(key)
    elif how == 2 and isinstance(holder[key], (dict, list)):
        holder[key] = (
            list(holder[key].values()) if isinstance(holder[key], dict) else dict(enumerate(holder[key]))
        )
    elif how == 3:
        for _ in range(chance.choice([1, 5, 120])):
            holder[key] = [holder[key]]
    elif how == 4 and isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[key]) for _ in range(50))
    else:
        holder[key] = copy.deepcopy(chance.choice(ODD_VALUES))


def broken(data: bytes, chance: random.Random) -> bytes:
    """Give bytes with some cut off, changed, doubled or put in."""
    kept = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(kept) + 1)
        how = chance.randrange(4)
        if how == 0:
            del kept[at:]
        elif how == 1 and at < len(kept):
            kept[at] = chance.randrange(256)
        elif how == 2:
            kept[at:at] = chance.choice(
                [b'"', b"{", b"[", b"}", b"\xff", b"\\", b"9" * 500, b"\n", b"<", b","]
            )
        else:
            kept[at:at] = kept[at : at + chance.randrange(200)]
    return bytes(kept)


def as_text(document: Any) -> bytes:
    """Write a document as JSON; half characters stay as escapes."""
    return json.dumps(document).encode()
