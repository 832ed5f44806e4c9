"""Every setting with its default: the keys of ``export.mlflow``, the launcher's and ours.

The descriptions are what ``docs/configuration.md`` is made of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mlflow_rest_export.config.values import (
    ColumnKind,
    Command,
    Folders,
    HeaderName,
    HeaderValue,
    Metadata,
    Name,
    Text,
    Texts,
)
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.sources.options import ReadOptions

SPELLINGS = {"log_artifacts": "copy_artifacts", "log_logs": "copy_logs"}
"""Equal names: the documented page's -> the launcher's own since 0.2."""
MAPPINGS = frozenset({"tags", "extra_metadata", "headers", "map"})
"""Settings whose entries are set, merged and deleted one by one."""
LISTS = frozenset({"log_metrics", "exclude_patterns", "job_dirs", "token_command"})
PATHS = frozenset({"job_dirs", "spool", "token_file"})
"""Settings in which ``~`` stands for the home folder."""
STORED = frozenset(
    {
        "tracking_uri",
        "experiment_name",
        "run_name",
        "description",
        "tags",
        "extra_metadata",
        "skip_existing",
        "log_metrics",
        "copy_artifacts",
        "copy_logs",
        "only_required",
        "exclude_patterns",
        "log_config_params",
        "log_config_params_max_depth",
        "group_by",
        "nan",
    }
)
"""What a job's own stored config may decide. A results folder may come from anybody, so nothing that runs a
command, reads a file, adds a header, or chooses where this machine writes."""


class Settings(BaseModel):
    """What was asked for, complete and checked; ``repr`` leaves out what may hold a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tracking_uri: str | None = Field(
        default=None,
        repr=False,
        description="Where the runs go: `http(s)://...`, `databricks`, `databricks://PROFILE`, "
        "`arn:aws:sagemaker:...`, `azureml://...`, a folder (`./mlruns`), or the name of an environment "
        "variable that says so. "
        "Required, here or as `MLFLOW_TRACKING_URI`: there is no default.",
    )
    experiment_name: Name = Field(
        default="nemo-evaluator-launcher",
        description="MLflow experiment; created when it is not there. Runs of `mlruns` folders keep theirs "
        "unless this is set.",
    )
    run_name: Name | None = Field(default=None, description="Name of the run. Default: made from the result.")
    description: Text | None = Field(default=None, description="Description of the run (Markdown).")
    tags: dict[str, Text] = Field(
        default_factory=dict, description="Tags for the run. Numbers and truth values count as written."
    )
    extra_metadata: dict[str, Metadata] = Field(
        default_factory=dict, description="Additional params. Nested values become JSON text."
    )
    skip_existing: bool = Field(
        default=False,
        description="Leave a complete run of the same result alone, even when the result changed.",
    )
    log_metrics: Texts = Field(
        default=(), description="Keep metrics whose name contains one of these, in any case. Default: all."
    )
    copy_artifacts: bool = Field(default=True, description="Upload evaluation artifacts.")
    copy_logs: bool = Field(default=False, description="Upload execution logs.")
    only_required: bool = Field(
        default=True, description="Of launcher jobs, upload only the required artifacts."
    )
    exclude_patterns: Texts = Field(
        default=(),
        description="Names of files and folders to leave out (`*` and `?`, any case); of launcher jobs only "
        "when `only_required` is false.",
    )
    log_config_params: bool = Field(
        default=False, description="Log the stored run config as `config.*` params."
    )
    log_config_params_max_depth: int = Field(
        default=10, ge=1, description="Deeper parts of the run config become one param each."
    )
    job_dirs: Folders = Field(
        default=(),
        description="Folders in which jobs are looked for that the execution database does not know.",
    )
    group_by: Literal["invocation"] | None = Field(
        default=None, description="`invocation` puts the runs of one invocation under a parent run."
    )
    nan: Literal["skip", "tag", "fail"] = Field(
        default="tag",
        description="Metrics that are NaN or infinite: left out, left out and noted in a tag, or an error.",
    )
    spool: Path | None = Field(
        default=None,
        description="Folder (`mlruns` layout) for runs that cannot be sent now; exporting that folder later "
        "delivers them.",
    )
    workers: int = Field(default=8, ge=1, le=64, description="Requests in flight at once.")
    timeout: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Seconds without any progress after which to give up. Default: 60 for the first "
        "contact (`watch`: 15), 600 later.",
    )
    verify: bool = Field(default=False, description="Read everything back and compare.")
    create_parents: bool = Field(
        default=False, description="Databricks: create the experiment's folder when it is missing."
    )
    restore_experiment: bool = Field(
        default=False, description="Restore the experiment when it is deleted, instead of an error."
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, repr=False, description="Further HTTP headers for the tracking server."
    )
    token_file: Path | None = Field(
        default=None, description="File with a bearer token; read again whenever it changes."
    )
    token_command: Command | None = Field(
        default=None,
        repr=False,
        description="Command that prints a bearer token, as one line or a list; no shell runs.",
    )
    workspace: Name | None = Field(
        default=None, description="MLflow workspace. Default: `MLFLOW_WORKSPACE`, else none."
    )
    format: Name = Field(default="auto", description="Format of the results; `auto` looks at the content.")
    map: dict[str, ColumnKind] = Field(
        default_factory=dict,
        description="Tables: column -> `metric`, `param`, `tag`, `step`, `timestamp` or `skip`.",
    )
    per_task: bool = Field(default=False, description="One child run a task below one parent run a file.")
    include_deleted: bool = Field(
        default=False, description="`mlruns` folders: deleted runs and experiments too."
    )

    @field_validator("tags", mode="after")
    @classmethod
    def _drop_blank(cls, tags: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in tags.items() if value.strip()}

    @model_validator(mode="after")
    def _one_token(self) -> Settings:
        if self.token_file is not None and self.token_command is not None:
            raise PydanticCustomError("setting", "token_file and token_command are both given; keep one")
        return self

    @field_validator("map", mode="after")
    @classmethod
    def _one_axis(cls, kinds: dict[str, ColumnKind]) -> dict[str, ColumnKind]:
        for kind in ("step", "timestamp"):
            columns = [name for name, made in kinds.items() if made == kind]
            if len(columns) > 1:
                said = f"map makes {' and '.join(columns)} a {kind}; a table has one"
                raise PydanticCustomError("setting", "{said}", {"said": said})
        return kinds

    def read_options(self) -> ReadOptions:
        """Give the part that shapes what a source reads."""
        return ReadOptions(
            job_dirs=self.job_dirs,
            copy_artifacts=self.copy_artifacts,
            copy_logs=self.copy_logs,
            only_required=self.only_required,
            exclude_patterns=self.exclude_patterns,
            log_config_params=self.log_config_params,
            log_config_params_max_depth=self.log_config_params_max_depth,
            per_task=self.per_task,
            columns=self.map,
            include_deleted=self.include_deleted,
        )

    def required_tracking_uri(self) -> str:
        """Give the tracking URI.

        Raises:
            SettingsError: there is none. A default would write into a container that vanishes.
        """
        if self.tracking_uri is None:
            raise SettingsError(
                "no tracking URI is given: pass --tracking-uri, put tracking_uri under export.mlflow or set "
                "MLFLOW_TRACKING_URI (http://HOST:PORT, databricks, or ./mlruns for a local folder)"
            )
        return self.tracking_uri


KEYS = (*Settings.model_fields, *SPELLINGS)
"""Every name that may stand under ``export.mlflow``."""
