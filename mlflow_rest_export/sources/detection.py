"""Chooses the format of what a user names, by content."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from mlflow_rest_export.errors import SettingsError, SourceError, why
from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources import (
    every_eval_ever,
    folders,
    helm,
    inspect_ai,
    junit,
    lighteval,
    lm_eval,
    mlruns,
    nemo_bundle,
    table,
    table_rows,
)
from mlflow_rest_export.sources.nemo import folders as nemo_folders
from mlflow_rest_export.sources.nemo import launcher
from mlflow_rest_export.sources.options import ReadOptions

Found = RunRecord | Unreadable

AUTO = "auto"

_RESULT_NAMES = ("results_[0-9]*.json", "eval-[0-9]*.json", "*.eval", "run_spec.json")
"""What evaluators call their results: what is called so and is none is told, not passed over."""
_MAY_BE_RESULTS = ("results_*.json", "eval-*.json")
"""The same, but only when it is broken: people use such names for other things, too."""


class Format(Protocol):
    """What a module of this package offers; see the package's own page."""

    NAME: str

    def recognises(self, path: Path, /) -> bool:
        """Say whether the file or folder is one result, or one whole, of this format."""
        ...

    def read(self, path: Path, options: ReadOptions, /) -> Iterator[Found]:
        """Give its runs, or why there are none; never raises for bad input."""
        ...


formats: tuple[Format, ...] = (
    launcher,
    mlruns,
    nemo_bundle,
    lm_eval,
    inspect_ai,
    lighteval,
    helm,
    every_eval_ever,
    junit,
    table,
)
"""All formats. A table is only what a user names and nothing else fits: any row of numbers could be one."""


def names() -> tuple[str, ...]:
    """Give what ``--format`` accepts."""
    return (AUTO, *(module.NAME for module in formats))


def read(
    paths: Iterable[Path],
    options: ReadOptions,
    *,
    format: str = AUTO,  # noqa: A002  # the name of the setting
) -> Iterator[Found]:
    """Give the results at some paths, each as often as it lies there.

    Args:
        paths: result files, or folders that hold some, at any depth.
        options: the settings of the reading.
        format: one of ``names()``.

    Raises:
        SettingsError: there is no such format.
    """
    if format not in names():
        raise SettingsError(f"there is no format {format}; there are {', '.join(names())}")
    chosen = tuple(module for module in formats if format in {AUTO, module.NAME})
    for path in paths:
        yield from _at(path, options, chosen)


def _at(path: Path, options: ReadOptions, chosen: tuple[Format, ...]) -> Iterator[Found]:
    try:
        if path.is_dir():
            yield from _folder(path, options, chosen)
        elif path.is_file():
            yield from _file(path, options, chosen)
        elif path.exists():
            yield Unreadable(str(path), f"cannot read {path}: it is neither a file nor a folder")
        else:
            yield Unreadable(str(path), f"cannot read {path}: there is no such file or folder")
    except SourceError as error:
        yield Unreadable(str(path), str(error))
    except (OSError, ValueError) as error:  # a path may hold what no path can
        said = why(error) if isinstance(error, OSError) else str(error).lower()
        yield Unreadable(str(path), f"cannot read {path}: {said}")


def _folder(folder: Path, options: ReadOptions, chosen: tuple[Format, ...]) -> Iterator[Found]:
    specific = chosen if len(chosen) == 1 else tuple(module for module in chosen if module is not table)
    any_found = False
    closed: list[Found] = []

    def unreadable(place: Path, error: OSError) -> None:
        closed.append(Unreadable(str(place), f"cannot read {place}: {why(error)}"))

    def whole(place: Path) -> bool:
        return _is_whole(place, specific)

    for path in folders.walk(folder, whole, unreadable=unreadable, leave=options.leave):
        fitting = [module for module in specific if module.recognises(path)]
        if fitting:
            any_found = True
            yield from _one(path, options, fitting)
        elif path.is_file() and (reason := _broken(path)):
            any_found = True
            yield Unreadable(str(path), reason)
    yield from closed
    if not any_found and not closed:
        known = ", ".join(module.NAME for module in specific)
        said = f"{folder}: no result of a known format in it (looked for {known}"
        yield Unreadable(
            str(folder), said + ("; for tables say --format table)" if len(specific) > 1 else ")")
        )


def _is_whole(folder: Path, chosen: tuple[Format, ...]) -> bool:
    """Say whether a folder belongs to one result or format with all that is in it."""
    if not any(module.recognises(folder) for module in chosen):
        return False
    # Beside the invocations in an output folder of the launcher other results may lie.
    jobs = nemo_folders.jobs_below(folder.absolute()) if len(chosen) > 1 else []
    return not jobs or jobs[0].parent == folder.absolute()


def _file(path: Path, options: ReadOptions, chosen: tuple[Format, ...]) -> Iterator[Found]:
    if len(chosen) == 1:
        yield from chosen[0].read(path, options)
        return
    fitting = [module for module in chosen if module is not table and module.recognises(path)]
    if not fitting and table.recognises(path):
        fitting = [table]
    if fitting:
        yield from _one(path, options, fitting)
    else:
        yield Unreadable(str(path), _why(path))


def _one(path: Path, options: ReadOptions, fitting: list[Format]) -> Iterator[Found]:
    if len(fitting) == 1:
        yield from fitting[0].read(path, options)
        return
    could_be = " or ".join(module.NAME for module in fitting)
    yield Unreadable(str(path), f"{path} could be {could_be}; say which with --format")


def _broken(path: Path) -> str:
    """Say what is wrong with a file that is called like a result and is none; "" when nothing is."""
    if any(fnmatch.fnmatchcase(path.name, pattern) for pattern in _RESULT_NAMES):
        of_others = any(module is not table and module.recognises(path) for module in formats)
        return "" if of_others else _why(path)
    may_be = any(fnmatch.fnmatchcase(path.name, pattern) for pattern in _MAY_BE_RESULTS)
    return _mistake(path) if may_be else ""


def _why(path: Path) -> str:
    """Say why a file is no result: because it is broken, or because nobody knows its form."""
    unknown = f"{path}: its format is not known; say with --format which of {', '.join(names()[1:])} it is"
    return _mistake(path) or unknown


def _mistake(path: Path) -> str:
    """Say what is wrong with a file, as the reader of what it is called like says it; "" when nothing is."""
    suffix = path.suffix.lower()
    if suffix == ".xml" or suffix in table_rows.BY_LINE:
        module = junit if suffix == ".xml" else table
        found = next(module.read(path, ReadOptions()))
        return found.reason if isinstance(found, Unreadable) else ""
    if suffix == ".eval":
        return f"{path}: it is no Inspect log, or a damaged one"
    try:
        if suffix in table_rows.SUFFIXES:
            said = table_rows.document(path)
            if said is None:
                return f"{path}: the file is empty"
            if isinstance(said, dict):
                next(table_rows.rows(path), None)
    except SourceError as error:
        return str(error)
    return ""
