"""The files of a job that are uploaded, laid out as nemo-evaluator-launcher 0.2.6 does, without secrets."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from mlflow_rest_export.errors import SourceError, why
from mlflow_rest_export.records import Adjustment, Artifact
from mlflow_rest_export.sources.masked_files import Mask, config_mask, data_mask_of, masked_file
from mlflow_rest_export.sources.masking import mask_document
from mlflow_rest_export.sources.nemo.folders import METADATA, RESULTS, RUN_CONFIG, JobFiles, is_folder
from mlflow_rest_export.sources.options import ReadOptions

REQUIRED = ("eval_factory_metrics.json", RUN_CONFIG, METADATA, "omni-info.json")
"""What is uploaded besides the results file when only what is required is wanted."""

EXCLUDED = (
    *("*cache*", "*.db", "*.lock", "synthetic", "debug.json", "preprocessed_datasets"),
    *("evaluator_rollouts.jsonl", "evaluator_rollouts_materialized_inputs.jsonl"),
)
"""Names that are never uploaded when everything is wanted, files and folders, in any case."""

_SECRET_FILES = (".env", "*.secrets.env")
_CONFIGS = ("*config*.yml", "*config*.yaml", "*config*.json", METADATA, RESULTS, "omni-info.json")
"""Files in which secrets are looked for."""


@dataclass(frozen=True, slots=True)
class _Config:
    """A config; equal to any other that has the same ``repr``."""

    text: str
    document: Mapping[str, Any] = field(compare=False)


@dataclass(slots=True)
class _Gathering:
    """What has been found so far."""

    files: JobFiles
    artifacts: list[Artifact] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)

    def add(self, source: Path, target: str, *, required: bool = False) -> None:
        """Take a file in, masked where it is a config.

        Raises:
            SourceError: the file is required and cannot be read.
        """
        if self.leads_away(source):
            self.left_out(target, source, f"it is a link that leaves {self.files.root}")
        elif reason := _why_unreadable(source):
            if required:
                raise SourceError(f"cannot read {source}: {reason}")
            self.left_out(target, source, reason)
        elif _matches(source.name, _CONFIGS):
            self._add_masked(source, target, config_mask(source))
        elif (mask := data_mask_of(source)) is not None:
            self._add_masked(source, target, mask)
        else:
            self.artifacts.append(Artifact(target, source))

    def leads_away(self, path: Path) -> bool:
        """Whether a path in a folder that is inside is a link to something outside."""
        return path.is_symlink() and not self.files.holds(path)

    def left_out(self, target: str, source: Path, reason: str) -> None:
        """Tell that a file is not uploaded."""
        self.adjustments.append(Adjustment(f"artifact {target}", str(source), "", reason))

    def masked(self, target: str, count: int) -> None:
        """Tell that secrets are masked in a file."""
        values = "1 value" if count == 1 else f"{count} values"
        self.adjustments.append(
            Adjustment(f"artifact {target}", values, "***", "secrets are masked in the copy")
        )

    def _add_masked(self, source: Path, target: str, mask: Mask) -> None:
        try:
            content, count = masked_file(source, mask)
        except SourceError as error:
            self.left_out(target, source, f"its secrets cannot be masked: {error}")
            return
        except OSError as error:
            raise SourceError(f"cannot read {source}: {why(error)}") from None
        if count:
            self.masked(target, count)
        self.artifacts.append(Artifact(target, content))


def _why_unreadable(source: Path) -> str:
    try:
        regular = stat.S_ISREG(source.stat().st_mode)
    except OSError as error:
        return why(error)
    if not regular:
        return "it is not a file"
    return "" if os.access(source, os.R_OK) else "permission denied"


def gather(
    files: JobFiles, options: ReadOptions, *, folder: str, config: Mapping[str, Any] | None
) -> tuple[tuple[Artifact, ...], tuple[Adjustment, ...]]:
    """Collect the files of a job, in an order that is always the same.

    Args:
        files: where they are.
        options: which are wanted.
        folder: the folder of the run that receives them, ``<harness>.<task>``.
        config: the run config, for ``config.yaml`` at the root of the run.

    Raises:
        SourceError: a required file cannot be read.
    """
    found = _Gathering(files)
    if options.copy_artifacts:
        _add_config(found, config)
        _add_artifacts(found, options, f"{folder}/artifacts")
    if options.copy_logs and files.logs is not None:
        for path in _folder(found, files.logs, f"{folder}/logs"):
            if not is_folder(path) and not _matches(path.name, _SECRET_FILES):
                found.add(path, f"{folder}/logs/{path.name}")
    return tuple(found.artifacts), tuple(found.adjustments)


def _add_config(found: _Gathering, config: Mapping[str, Any] | None) -> None:
    written = found.files.artifacts / "config.yml"
    if os.path.lexists(written):
        found.add(written, "config.yml", required=True)
    elif config:
        text, count = _written(_Config(repr(config), config))
        found.artifacts.append(Artifact("config.yaml", text))
        if count:
            found.masked("config.yaml", count)


@lru_cache(maxsize=8)
def _written(config: _Config) -> tuple[bytes, int]:
    """Write a config without its secrets, and count them; the jobs of an invocation share one."""
    shown, masked = mask_document(config.document)
    return yaml.safe_dump(shown, default_flow_style=False, sort_keys=True).encode(), len(masked)


def _add_artifacts(found: _Gathering, options: ReadOptions, folder: str) -> None:
    top, results = found.files.artifacts, found.files.results
    required = [results] if found.files.single else [results, *(top / name for name in REQUIRED)]
    if options.only_required or found.files.single:
        files = [(path, folder) for path in required if os.path.lexists(path)]
    else:
        files = list(_tree(found, top, folder, (*EXCLUDED, *options.exclude_patterns)))
    for path, place in files:
        found.add(path, f"{place}/{path.name}", required=path in required)


def _tree(found: _Gathering, top: Path, target: str, patterns: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Give every wanted file below a folder, with the folder of the run that receives it.

    Holds a stack, for trees may be deeper than recursion goes.
    """
    unwanted = (*patterns, *_SECRET_FILES)
    waiting = [(top, target)]
    while waiting:
        current, place = waiting.pop()
        folders = []
        for path in _folder(found, current, place):
            if _matches(path.name, unwanted):
                continue
            if not is_folder(path):
                yield path, place
            elif path.is_symlink():
                found.left_out(f"{place}/{path.name}", path, "it is a link to a folder")
            else:
                folders.append((path, f"{place}/{path.name}"))
        waiting += reversed(folders)


def _folder(found: _Gathering, folder: Path, target: str) -> list[Path]:
    if found.leads_away(folder):
        found.left_out(target, folder, f"it is a link that leaves {found.files.root}")
        return []
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        found.left_out(target, folder, why(error))
        return []


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return _any_of(patterns).match(name.lower()) is not None


@lru_cache(maxsize=8)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern.lower()) for pattern in patterns))
