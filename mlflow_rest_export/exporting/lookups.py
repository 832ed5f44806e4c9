"""Few searches for many runs. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from mlflow_rest_export import marks
from mlflow_rest_export.records import Lookup

FEW = 3
"""Keys up to this number are asked for one by one."""


class Sought(Protocol):
    """What is looked for; a record is, and so is its plan."""

    @property
    def key(self) -> str:
        """Identity of the data."""
        ...

    @property
    def lookup(self) -> Lookup:
        """The search that finds it together with its siblings."""
        ...

    @property
    def twin(self) -> Mapping[str, str]:
        """Tags of the same result when another tool exported it."""
        ...


def merged(sought: Iterable[Sought]) -> list[Lookup]:
    """Merge the lookups of a wave: equal ones to one, many keys to the beginning that they share.

    Each that finds more than one key says what else finds just the wanted ones: a beginning may be that of
    every run there is, as it is where keys are hashes.
    """
    searches: dict[Lookup, list[Lookup]] = {}
    for one in sought:
        searches.setdefault(one.lookup, []).extend(_exact(one))
    single = [lookup for lookup in searches if lookup.tag == marks.KEY and not lookup.prefix]
    families = [_with(lookup, exact) for lookup, exact in searches.items() if lookup not in set(single)]
    if len(single) <= FEW:
        return [*families, *single]
    formats: dict[str, list[Lookup]] = {}
    for lookup in single:
        formats.setdefault(lookup.value.partition(":")[0], []).append(lookup)
    return [*families, *(_shared(group) for group in formats.values())]


def _exact(one: Sought) -> list[Lookup]:
    """Give the lookups that find the run of one key, and its twin where the wide lookup would find it."""
    foreign = () if one.lookup.tag == marks.KEY else one.twin.items()
    return [Lookup(marks.KEY, one.key), *(Lookup(tag, value) for tag, value in foreign)]


def _shared(group: list[Lookup]) -> Lookup:
    if len(group) == 1:
        return group[0]
    return _with(Lookup(marks.KEY, _beginning([lookup.value for lookup in group]), prefix=True), group)


def _with(lookup: Lookup, exact: Iterable[Lookup]) -> Lookup:
    return replace(lookup, exact=tuple(dict.fromkeys(exact)))


def _beginning(texts: list[str]) -> str:
    """Give the characters with which all texts begin: those that the first and the last in order share."""
    first, last = min(texts), max(texts)
    shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(char for char, _ in shared)
