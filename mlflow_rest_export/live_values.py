"""What a script logs, in the form that the store takes; remembers names and params, so that none collide."""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, SupportsIndex

from mlflow_rest_export.errors import ParamConflict
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.planning.fitting import Fitting
from mlflow_rest_export.planning.names import marked_key
from mlflow_rest_export.planning.survey import OddValues
from mlflow_rest_export.records import Adjustment, Metric


@dataclass(slots=True)
class Collected:
    """Values on their way."""

    metrics: list[Metric] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the values."""
        return len(self.metrics) + len(self.params) + len(self.tags)

    def add(self, later: Collected) -> None:
        """Put later values behind these."""
        self.metrics += later.metrics
        self.params |= later.params
        self.tags |= later.tags

    def take(self, count: int) -> Collected:
        """Take params and tags out, and as many of the first metrics."""
        taken = Collected(self.metrics[:count], self.params, self.tags)
        self.metrics, self.params, self.tags = self.metrics[count:], {}, {}
        return taken


class LiveValues:
    """The names, params and odd values of one run so far; for one thread at a time.

    Args:
        run_id: for messages.
        limits: what the store accepts.
    """

    def __init__(self, run_id: str, limits: Limits) -> None:
        self.changes: list[Adjustment] = []
        """What was changed and not told yet."""
        self._run_id = run_id
        self._limits = limits
        self._fitting = Fitting(limits, verbatim=True, keeps_whole=False, changes=self.changes)
        self._names = {kind: _Names(kind, self._fitting) for kind in ("metric", "param", "tag")}
        self._params: dict[str, str] = {}
        self._odd: dict[str, OddValues] = {}

    def metrics(self, values: Mapping[str, float], *, step: SupportsIndex, now: int) -> Collected:
        """Give one point for each metric, and tags for what the store cannot keep.

        Raises:
            TypeError: a value is no number, or the step is no whole one.
        """
        step = operator.index(step)
        points = {raw: Metric(raw, _number(raw, value), now, step) for raw, value in values.items()}
        odd = {raw: point for raw, point in points.items() if not self._keeps(point.value)}
        for raw, point in odd.items():
            self._odd.setdefault(raw, OddValues()).add(point)
        collected = (
            self.tags({f"nonfinite.{raw}": self._odd[raw].told() for raw in odd}) if odd else Collected()
        )
        names = self._names["metric"].of([raw for raw in points if raw not in odd])
        collected.metrics = [Metric(name, points[raw].value, now, step) for raw, name in names.items()]
        return collected

    def params(self, values: Mapping[str, object]) -> Collected:
        """Give params.

        Raises:
            ParamConflict: one was set to another value before; then none of them counts.
        """
        fitted = self._fitted(values, "param")
        for key, text in fitted.items():
            if self._params.get(key, text) != text:
                raise ParamConflict(
                    f"run {self._run_id} already has the param {key} with another value: a param is set once",
                    status=400,
                    code="INVALID_PARAMETER_VALUE",
                )
        self._params |= fitted
        return Collected(params=fitted)

    def tags(self, values: Mapping[str, object]) -> Collected:
        """Give tags."""
        return Collected(tags=self._fitted(values, "tag"))

    def forget(self, refused: Collected) -> None:
        """Let params be set anew that the store has refused."""
        for key in refused.params:
            self._params.pop(key, None)

    def _fitted(self, values: Mapping[str, object], kind: Literal["param", "tag"]) -> dict[str, str]:
        names = self._names[kind].of(list(values))
        return self._fitting.values({name: str(values[raw]) for raw, name in names.items()}, what=kind)

    def _keeps(self, value: float) -> bool:
        if math.isnan(value):
            return self._limits.keeps_nan
        return math.isfinite(value) or self._limits.keeps_infinity


class _Names:
    """The names of one kind, each for good: what was sent under a name cannot be renamed."""

    def __init__(self, kind: str, fitting: Fitting) -> None:
        self._kind = kind
        self._fitting = fitting
        self._known: dict[str, str] = {}
        self._taken: set[str] = set()
        self._folders: set[str] = set()

    def of(self, raws: Sequence[str]) -> dict[str, str]:
        """Give each raw name its own."""
        # Who is called exactly so already keeps the name where several come together.
        new = (raw for raw in raws if raw not in self._known)
        for raw in sorted(new, key=lambda raw: self._fitting.key(raw) != raw):
            self._add(raw)
        return {raw: self._known[raw] for raw in raws}

    def _add(self, raw: str) -> None:
        name = self._known[raw] = self._free(raw)
        self._taken.add(name)
        self._folders |= _folders(name) if self._fitting.limits.keys_share_folders else set()
        if name != raw:
            reason = "the name is not one that every MLflow takes, or another one has it"
            self._fitting.changes.append(Adjustment(f"{self._kind} {raw}", raw, name, reason))

    def _free(self, raw: str) -> str:
        limits = self._fitting.limits
        form = self._fitting.key(raw)
        if limits.keys_share_folders and self._taken.intersection(_folders(form)):
            form = form.replace("/", "_")  # it would lie below the file of another
        digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
        name, digits = form, 6
        while name in self._taken or name in self._folders:
            name = marked_key(form, digest[:digits], limits)
            digits += 1
        return name


def _number(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # that is the question
    except (TypeError, ValueError):
        raise TypeError(f"the metric {name} must be a number, not {type(value).__name__}") from None


def _folders(key: str) -> set[str]:
    """Give the folders in which a key's file lies where a store keeps keys as paths."""
    parts = key.split("/")
    return {"/".join(parts[:end]) for end in range(1, len(parts))}
