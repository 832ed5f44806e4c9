"""Params and tags as a store takes them: names, lengths, characters. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.planning.names import (
    apart,
    clean_key,
    clean_path,
    clean_text,
    marked_key,
    marked_path,
)
from mlflow_rest_export.records import Adjustment

CUT = " ...[cut]"
"""How a value ends that was cut."""
_SET_BY_STORES = (mlflow_tags.RUN_NAME, mlflow_tags.PARENT, mlflow_tags.NOTE)
"""Tags that come to a run beside those of the source."""
ILLEGAL = "the name is not one that every MLflow takes"
_IN_THE_WAY = "this store keeps names as paths, and another name of the run is in the way"


@dataclass(slots=True)
class Fitting:
    """Fits what one run holds, and notes what it changes.

    Args:
        limits: what the store accepts.
        verbatim: names were accepted by an MLflow before.
        keeps_whole: whether ``whole`` will be stored beside the run.
        changes: what was changed so far.
        beside: kind of name -> names that the run has already.
    """

    limits: Limits
    verbatim: bool
    keeps_whole: bool
    changes: list[Adjustment]
    beside: Mapping[str, Collection[str]] = field(default_factory=dict)
    whole: dict[str, dict[str, str]] = field(default_factory=dict)
    """Kind -> name -> value, of values that had to be cut."""
    freed: dict[str, dict[str, str]] = field(default_factory=dict)
    """Kind -> name -> the one it has in stores whose names are no paths, where the two differ."""

    def key(self, raw: str) -> str:
        """Give the name that ``raw`` would have if it were alone."""
        return clean_key(raw, self.limits, verbatim=self.verbatim)

    def names(self, raws: Iterable[str], *, what: str) -> dict[str, str]:
        """Map raw names to legal ones that differ from each other."""
        raws = tuple(raws)
        fixed = {*self.beside.get(what, ()), *(_SET_BY_STORES if what == "tag" else ())}
        names = _keys_apart(raws, self.limits, verbatim=self.verbatim, beside=fixed)
        if self.limits.keys_share_folders:
            free = replace(self.limits, keys_share_folders=False, colon_in_keys=True)
            self._note_freed(what, names, _keys_apart(raws, free, verbatim=self.verbatim))
        self.changes += [
            Adjustment(f"{what} {raw}", raw, name, ILLEGAL if self.key(raw) != raw else _IN_THE_WAY)
            for raw, name in names.items()
            if raw != name
        ]
        return names

    def paths(self, raws: Iterable[str]) -> dict[str, str]:
        """Map raw paths of artifacts to those under which they are stored."""
        raws = tuple(raws)
        ours, theirs = (marks.RECEIPT, marks.FULL_VALUES), self.beside.get("artifact", ())
        names = _paths_apart(raws, self.limits, beside={*ours, *theirs})
        if theirs:
            self._note_freed("artifact", names, _paths_apart(raws, self.limits, beside=ours))
        self.changes += [
            Adjustment(f"artifact {raw}", raw, path, "the path is not one that every server keeps")
            for raw, path in names.items()
            if raw != path
        ]
        return names

    def _note_freed(self, what: str, names: Mapping[str, str], free: Mapping[str, str]) -> None:
        freed = {name: free[raw] for raw, name in names.items() if name != free[raw]}
        if freed:
            self.freed[what] = freed

    def experiment_name(self, wanted: str) -> str:
        """Give the name of an experiment as stores keep it."""
        name, longest = clean_text(wanted), self.limits.experiment_name
        if len(name) > longest:  # cut as a run's name is, two experiments could become one
            name = f"{name[: longest - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        if name != wanted:
            reason = f"stores keep {longest} characters of it"
            self.changes.append(Adjustment("experiment name", wanted, name, reason))
        return name

    def run_name(self, wanted: str, *, otherwise: str) -> str:
        """Give the name of a run as stores keep it, ``otherwise`` where nothing is left of it."""
        name, longest = " ".join(clean_text(wanted).split()) or otherwise, self.limits.run_name
        if len(name) > longest:
            name = name[: longest - len(CUT)] + CUT
        if name != wanted:
            reason = f"a name of one line, {longest} characters"
            self.changes.append(Adjustment("run name", wanted, name, reason))
        return name

    def values(self, wanted: Mapping[str, str], *, what: Literal["param", "tag"]) -> dict[str, str]:
        """Give params or tags under legal names with values that fit."""
        longest = self.limits.param_value if what == "param" else self.limits.tag_value
        fitted: dict[str, str] = {}
        for raw, name in self.names(wanted, what=what).items():
            text = self.text(wanted[raw], of=f"{what} {raw}")
            length = self.limits.length_of(text)
            if length > longest:
                self.whole.setdefault(f"{what}s", {})[name] = text
                unit = "bytes" if self.limits.lengths_in_bytes else "characters"
                reason = f"{length} {unit}, the store keeps {longest}"
                reason += f"; whole in {marks.FULL_VALUES}" if self.keeps_whole else ""
                text = self.limits.cut(text, longest - len(CUT)) + CUT
                self.changes.append(Adjustment(f"{what} {raw}", wanted[raw][:80], text[-80:], reason))
            fitted[name] = text
        return fitted

    def text(self, value: str, *, of: str) -> str:
        """Give a text without what no store can keep."""
        text = clean_text(value)
        if text != value:
            self.changes.append(Adjustment(of, value[:80], text[:80], "characters no store can keep"))
        return text

    def with_users(self, values: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
        """Put what the user adds over what a source gives; what comes from an MLflow has its last names."""
        replaced = {self.key(raw) for raw in more} if self.verbatim else set()
        return {**{name: value for name, value in values.items() if name not in replaced}, **more}

    def without_ours(self, wanted: Mapping[str, str], *, what: str) -> dict[str, str]:
        """Leave out what would pass for a mark of this tool."""
        kept = {raw: value for raw, value in wanted.items() if not self.is_ours(raw)}
        self.changes += [
            Adjustment(f"{what} {raw}", value, "", "names that begin so are kept for this tool")
            for raw, value in wanted.items()
            if raw not in kept
        ]
        return kept

    def is_ours(self, raw: str) -> bool:
        """Say whether a name would pass for a mark of this tool."""
        return self.key(raw).startswith(marks.PREFIX)


def _keys_apart(
    raws: Iterable[str], limits: Limits, *, verbatim: bool, beside: Collection[str] = ()
) -> dict[str, str]:
    return apart(
        raws,
        partial(clean_key, limits=limits, verbatim=verbatim),
        share_folders=limits.keys_share_folders,
        mark=partial(marked_key, limits=limits),
        beside=beside,
    )


def _paths_apart(raws: Iterable[str], limits: Limits, *, beside: Collection[str]) -> dict[str, str]:
    return apart(
        raws,
        partial(clean_path, limits=limits),
        share_folders=True,
        mark=partial(marked_path, limits=limits),
        beside=beside,
    )
