"""What an export of ours had to change to fit a run into a folder, and the way back to what it was.

So a run that takes the way over a folder arrives under the names, and with the values, of one sent at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mlflow_rest_export import marks
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.mlruns_seal import seal_of
from mlflow_rest_export.planning.fitting import CUT
from mlflow_rest_export.records import Adjustment

_M = TypeVar("_M", bound=BaseModel)


class _Change(BaseModel):
    """An adjustment, as a receipt tells it."""

    model_config = ConfigDict(extra="ignore")
    field: str
    before: str
    after: str
    reason: str


class _Receipt(BaseModel):
    """What a receipt says of what was changed."""

    model_config = ConfigDict(extra="ignore")
    adjustments: tuple[_Change, ...] = ()
    names: Mapping[str, Mapping[str, str]] = {}


class _FullValues(BaseModel):
    """The values that were cut."""

    model_config = ConfigDict(extra="ignore")
    params: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What an export of ours left in one run; all empty for runs that are not ours.

    Args:
        is_ours: whether there was such an export.
        digest: of the data, while the run still is as that export left it.
        time: when the data was read, in ms; known as long.
        with_files: whether files were delivered, of which the receipt is the last.
        changes: all that the export changed.
        names: kind of name -> stored name -> the one it has where names are no paths.
        whole: kind of name -> stored name -> the value before it was cut.
    """

    is_ours: bool = False
    digest: str | None = None
    time: int | None = None
    with_files: bool = False
    changes: tuple[Adjustment, ...] = ()
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    whole: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _undone: dict[tuple[str, str], str] = field(default_factory=dict)
    """Kind of name, and what an adjustment calls ``after`` -> what it is after that was taken back."""
    _restored: int = 0
    """Values that are whole again."""

    @classmethod
    def of(cls, run: Path, meta: layout.RunMeta, tags: Mapping[str, str]) -> Delivery:
        """Read what a run's own files and tags say; a file that is damaged says nothing."""
        artifacts = run / layout.ARTIFACTS
        receipt = _read(_Receipt, artifacts / marks.RECEIPT)
        full = _read(_FullValues, artifacts / marks.FULL_VALUES)
        untouched = tags.get(marks.SEAL) == seal_of(run, name=meta.run_name, status=meta.status)
        return cls(
            is_ours=True,
            digest=tags.get(marks.DIGEST) if untouched else None,
            time=_time(tags) if untouched else None,
            with_files=(artifacts / marks.RECEIPT).is_file(),
            changes=tuple(Adjustment(**change.model_dump()) for change in receipt.adjustments),
            names=receipt.names,
            whole={"param": full.params, "tag": full.tags},
        )

    def renamed(self, what: str, stored: Iterable[str]) -> dict[str, str]:
        """Map stored names to those that they have where names are no paths."""
        stored = tuple(stored)
        names = {name: self.names.get(what, {}).get(name, name) for name in stored}
        if len({*names.values(), *stored}) < len(stored) + sum(free != name for name, free in names.items()):
            return {name: name for name in stored}  # a receipt that makes one of two was not written by us
        self._undone |= {(what, name): free for name, free in names.items() if name != free}
        return names

    def values(self, what: str, stored: Mapping[str, str]) -> dict[str, str]:
        """Give params or tags whole and under their own names."""
        names = self.renamed(what, stored)
        return {names[name]: self._whole(what, name, value) for name, value in stored.items()}

    def own_files(self) -> set[str]:
        """Give the artifacts that are no part of the data; values are taken back before."""
        told = sum(len(values) for values in self.whole.values())
        full = {marks.FULL_VALUES} if 0 < told == self._restored else set()
        return {marks.RECEIPT, *full} if self.is_ours else set()

    def left(self) -> tuple[Adjustment, ...]:
        """Give the changes that are still changes."""
        now = [
            replace(
                change, after=self._undone.get((change.field.partition(" ")[0], change.after), change.after)
            )
            for change in self.changes
        ]
        return tuple(change for change in now if change.before != change.after)

    def _whole(self, what: str, name: str, value: str) -> str:
        whole = self.whole.get(what, {}).get(name)
        if whole is None or not value.endswith(CUT) or not whole.startswith(value.removesuffix(CUT)):
            return value
        self._restored += 1
        self._undone[what, value[-80:]] = whole[:80]
        return whole


def _time(tags: Mapping[str, str]) -> int | None:
    text = tags.get(marks.TIME, "")
    return int(text) if text.isdecimal() and len(text) < 15 else None


def _read(kind: type[_M], path: Path) -> _M:
    try:
        return kind.model_validate_json(reading.read_value(path))
    except (SourceError, ValidationError):
        return kind()
