"""Few searches for many runs. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from mlflow_rest_export import marks
from mlflow_rest_export.records import Lookup

FEW = 3
"""Keys up to this number are asked for one by one."""


def merged(lookups: Iterable[Lookup]) -> list[Lookup]:
    """Merge the lookups of a wave: equal ones to one, many keys to the beginning that they share."""
    distinct = list(dict.fromkeys(lookups))
    keys = [lookup.value for lookup in distinct if lookup.tag == marks.KEY and not lookup.prefix]
    if len(keys) <= FEW:
        return distinct
    others = [lookup for lookup in distinct if lookup.tag != marks.KEY or lookup.prefix]
    formats: dict[str, list[str]] = {}
    for key in keys:
        formats.setdefault(key.partition(":")[0], []).append(key)
    shared = [Lookup(marks.KEY, _beginning(group), prefix=len(group) > 1) for group in formats.values()]
    return others + shared


def _beginning(texts: list[str]) -> str:
    """Give the characters with which all texts begin: those that the first and the last in order share."""
    first, last = min(texts), max(texts)
    shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(char for char, _ in shared)
