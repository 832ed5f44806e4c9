"""What the files of a NeMo Evaluator job say, apart from the scores.

Only ``results.yml`` is needed. The others fill in what they can, and one that is broken is told and left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.sources.json_files import read_json
from mlflow_rest_export.sources.nemo.folders import METADATA, RUN_CONFIG, JobFiles
from mlflow_rest_export.yaml_files import load_yaml


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, protected_namespaces=())


class _Evaluation(_Document):
    type: str | None = None
    params: dict[str, Any] | None = None


class _Endpoint(_Document):
    model_id: str | None = None


class _Target(_Document):
    api_endpoint: _Endpoint | None = None


class _Recorded(_Document):
    """``metadata`` in a results file."""

    versioning: dict[str, Any] | None = None


class _RunConfig(_Document):
    """``run_config.yml``, and the head of ``results.yml``, which repeats most of it."""

    framework_name: str | None = None
    config: _Evaluation | None = None
    target: _Target | None = None
    metadata: _Recorded | None = None


class _Metadata(_Document):
    """``metadata.yaml``."""

    launcher_command: str | None = None
    launcher_resolved_config: dict[str, Any] | None = None
    versioning: dict[str, Any] | None = None


_Model = TypeVar("_Model", bound=_Document)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDocuments:
    """The facts of one job."""

    results: object
    """The section ``results``, whatever it is."""
    harness: str = ""
    task: str = ""
    model_id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    """The settings of the evaluation."""
    launcher_command: str = ""
    launcher_config: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    adjustments: tuple[Adjustment, ...] = ()


def is_results(document: object) -> bool:
    """Whether a parsed document has the shape of ``results.yml``."""
    results = document.get("results") if isinstance(document, dict) else None
    return isinstance(results, dict) and any(
        isinstance(results.get(name), dict) for name in ("tasks", "groups")
    )


def read_results(path: Path) -> object:
    """Read a results file, YAML or JSON.

    Raises:
        SourceError: see ``yaml_files.load_yaml``.
    """
    return read_json(path) if path.suffix.lower() == ".json" else load_yaml(path)


def read_documents(files: JobFiles, *, folder_name: str = "") -> JobDocuments:
    """Read everything but the scores.

    Args:
        files: where they are.
        folder_name: name of the job's folder, ``<harness>.<task>.<number>``, the last source of a harness.

    Raises:
        SourceError: the results file cannot be read, or is none.
    """
    document = read_results(files.results)
    if not isinstance(document, dict) or "results" not in document:
        raise SourceError(f"{files.results}: it has no section 'results'")
    notes: list[Adjustment] = []
    head = _understood(_RunConfig, document, files.results, notes)
    run = _optional(_RunConfig, files, RUN_CONFIG, notes)
    metadata = _optional(_Metadata, files, METADATA, notes)
    evaluation = run.config or head.config or _Evaluation()
    guessed, dot, _ = re.sub(r"\.\d{1,6}$", "", folder_name).partition(".")
    versions = metadata.versioning or (head.metadata.versioning if head.metadata else None) or {}
    return JobDocuments(
        results=document["results"],
        harness=run.framework_name or head.framework_name or (guessed if dot else ""),
        task=evaluation.type or "",
        model_id=_model_id(run) or _model_id(head),
        params=evaluation.params or {},
        launcher_command=metadata.launcher_command or "",
        launcher_config=metadata.launcher_resolved_config,
        versions={
            name: str(version) for name, version in versions.items() if isinstance(version, (str, float, int))
        },
        adjustments=tuple(notes),
    )


def _optional(model: type[_Model], files: JobFiles, name: str, notes: list[Adjustment]) -> _Model:
    path = files.artifacts / name
    if files.single or not os.path.lexists(path):
        return model()
    if not files.holds(path):
        notes.append(
            Adjustment(name, name, "", f"{path}: it is a link that leaves {files.root}, not followed")
        )
        return model()
    try:
        document = load_yaml(path)
    except SourceError as error:
        notes.append(Adjustment(name, name, "", f"{error}; what it says is left out"))
        return model()
    return _understood(model, document, path, notes)


def _understood(model: type[_Model], document: object, path: Path, notes: list[Adjustment]) -> _Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        reason = f"{path}: {where}: {first['msg'].lower()}; what it says is left out"
        notes.append(Adjustment(path.name, path.name, "", reason))
        return model()


def _model_id(config: _RunConfig) -> str:
    endpoint = config.target.api_endpoint if config.target else None
    return (endpoint.model_id if endpoint else None) or ""
