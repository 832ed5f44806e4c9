"""What earlier exports left in a run and the data does not hold any more. Pure.

MLflow removes no metric, no param and few files, so what is left is told: in the output and in the receipt.
Left is only what the run's receipt vouches for, which names everything that was ever delivered: values that
the launcher or a person added are theirs, and so are those of a run that has no receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlflow_rest_export import marks
from mlflow_rest_export.exporting.receipt import Delivered
from mlflow_rest_export.planning.export_plan import ExportPlan
from mlflow_rest_export.planning.survey import NONFINITE
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.tracking.protocol import StoredRun

LEFT = "an earlier export left it, and nothing is removed from a run"


def left_values(plan: ExportPlan, run: StoredRun, delivered: Delivered) -> list[Adjustment]:
    """Give what is left of metrics, params and tags; a tag without text is as good as none."""
    metrics = {key: repr(last.value) for key, last in run.metrics.items() if key not in plan.metric_names}
    params = {key: value for key, value in run.params.items() if key not in plan.params}
    tags = {key: value for key, value in run.tags.items() if key not in plan.tags and value}
    return [
        *_left("metric", metrics, delivered.metrics),
        *_left("param", params, delivered.params),
        *_left("tag", {key: tags[key] for key in tags if not key.startswith(NONFINITE)}, delivered.tags),
    ]


def left_files(plan: ExportPlan, stored: Mapping[str, int | None], delivered: Delivered) -> list[Adjustment]:
    """Give the files that are left of those in ``stored``."""
    planned = {file.path for file in plan.files}
    return _left("artifact", {path: path for path in stored if path not in planned}, delivered.files)


def stale_tags(plan: ExportPlan, run: StoredRun) -> dict[str, str]:
    """Give the tags, made empty, that name a value as odd which is so no more; only our runs have such."""
    if marks.KEY not in run.tags:
        return {}
    odd = {key for key, value in run.tags.items() if value and key.startswith(NONFINITE)}
    return dict.fromkeys(sorted(odd - plan.tags.keys()), "")


def _left(what: str, there: Mapping[str, str], vouched: Iterable[str]) -> list[Adjustment]:
    return [Adjustment(f"{what} {key}", "", there[key], LEFT) for key in sorted({*vouched} & there.keys())]
