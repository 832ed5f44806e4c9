"""What MLflow answers, as strictly as we need it and as tolerantly as hosts differ.

64-bit integers come as numbers from open-source servers and may come as text from others; absent lists and
objects are empty ones, and so is ``null``; unknown fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mlflow_rest_export import mlflow_tags
from mlflow_rest_export.errors import NotMlflow
from mlflow_rest_export.records import Metric, RunStatus
from mlflow_rest_export.tracking.protocol import Experiment, StoredRun


def _status(value: object) -> object:
    """Statuses come as names; Azure ML and old file stores may send the number."""
    return RunStatus[value].value if isinstance(value, str) and value in RunStatus.__members__ else value


Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
Status = Annotated[RunStatus, BeforeValidator(_status)]


class Reply(BaseModel):
    """Base of all replies."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: object) -> object:
        if isinstance(fields, dict) and None in fields.values():
            return {name: value for name, value in fields.items() if value is not None}
        return fields


class KeyValue(Reply):
    """A param or a tag; an empty value may be left out."""

    key: str
    value: Text = ""


class MetricReply(Reply):
    """One point. Non-finite values come as the texts ``NaN``, ``Infinity`` and ``-Infinity``."""

    key: str
    value: float = 0.0
    timestamp: int = 0
    step: int = 0

    def as_metric(self) -> Metric:
        """Give the plain point."""
        return Metric(self.key, self.value, self.timestamp, self.step)


class ExperimentFields(Reply):
    """An experiment."""

    experiment_id: Text
    name: str = ""
    lifecycle_stage: str = "active"

    def as_experiment(self) -> Experiment:
        """Give the plain experiment."""
        return Experiment(self.experiment_id, self.name, deleted=self.lifecycle_stage == "deleted")


class ExperimentReply(Reply):
    """Answer of ``experiments/get`` and ``get-by-name``."""

    experiment: ExperimentFields


class ExperimentsPage(Reply):
    """Answer of ``experiments/search``."""

    experiments: list[ExperimentFields] = []
    next_page_token: str = ""


class CreatedExperiment(Reply):
    """Answer of ``experiments/create``."""

    experiment_id: Text


class RunInfo(Reply):
    """The head of a run."""

    run_id: str = ""
    run_uuid: str = ""
    experiment_id: Text = ""
    run_name: str = ""
    status: Status = RunStatus.RUNNING
    start_time: int = 0
    end_time: int | None = None
    artifact_uri: str = ""
    lifecycle_stage: str = "active"

    @model_validator(mode="after")
    def _named(self) -> RunInfo:
        if not (self.run_id or self.run_uuid):
            raise ValueError("a run without an id")
        return self


class RunData(Reply):
    """The values of a run: the latest point of each metric, params, tags."""

    metrics: list[MetricReply] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class RunFields(Reply):
    """A run."""

    info: RunInfo
    data: RunData = Field(default_factory=RunData)

    def as_run(self) -> StoredRun:
        """Give the plain run."""
        tags = {tag.key: tag.value for tag in self.data.tags}
        return StoredRun(
            run_id=self.info.run_id or self.info.run_uuid,
            experiment_id=self.info.experiment_id,
            status=self.info.status,
            artifact_uri=self.info.artifact_uri,
            run_name=self.info.run_name or tags.get(mlflow_tags.RUN_NAME, ""),
            start_time=self.info.start_time,
            end_time=self.info.end_time,
            deleted=self.info.lifecycle_stage == "deleted",
            metrics={metric.key: metric.as_metric() for metric in self.data.metrics},
            params={param.key: param.value for param in self.data.params},
            tags=tags,
        )


class RunReply(Reply):
    """Answer of ``runs/create`` and ``runs/get``."""

    run: RunFields


class RunsPage(Reply):
    """Answer of ``runs/search``."""

    runs: list[RunFields] = []
    next_page_token: str = ""


class MetricsPage(Reply):
    """Answer of ``metrics/get-history``."""

    metrics: list[MetricReply] = []
    next_page_token: str = ""


class FileReply(Reply):
    """A file or folder; the size is left out for empty files."""

    path: str
    is_dir: bool = False
    file_size: int = 0


class FilesPage(Reply):
    """Answer of ``artifacts/list``."""

    files: list[FileReply] = []
    next_page_token: str = ""


_R = TypeVar("_R", bound=Reply)


def parse(kind: type[_R], value: object, *, doing: str) -> _R:
    """Check an answer against its model.

    Raises:
        NotMlflow: it is JSON, but not what MLflow answers here.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NotMlflow(
            f"{doing}: the answer is not what MLflow answers here ({place}: {first['msg']})", status=200
        ) from None
