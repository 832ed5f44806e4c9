"""Params and tags as a store takes them: names, lengths, characters. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from mlflow_rest_export import marks
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.planning.names import apart, clean_key, clean_text, marked_key
from mlflow_rest_export.records import Adjustment

CUT = " ...[cut]"
"""How a value ends that was cut."""


@dataclass(slots=True)
class Fitting:
    """Fits what one run holds, and notes what it changes.

    Args:
        limits: what the store accepts.
        verbatim: names were accepted by an MLflow before.
        keeps_whole: whether ``whole`` will be stored beside the run.
        changes: what was changed so far.
    """

    limits: Limits
    verbatim: bool
    keeps_whole: bool
    changes: list[Adjustment]
    whole: dict[str, dict[str, str]] = field(default_factory=dict)
    """Kind -> name -> value, of values that had to be cut."""

    def key(self, raw: str) -> str:
        """Give the name that ``raw`` would have if it were alone."""
        return clean_key(raw, self.limits, verbatim=self.verbatim)

    def names(self, raws: Iterable[str], *, what: str) -> dict[str, str]:
        """Map raw names to legal ones that differ from each other."""
        names = apart(
            raws,
            self.key,
            share_folders=self.limits.keys_share_folders,
            mark=partial(marked_key, limits=self.limits),
        )
        self.changes += [
            Adjustment(f"{what} {raw}", raw, name, "the name is not one that MLflow takes")
            for raw, name in names.items()
            if raw != name
        ]
        return names

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
