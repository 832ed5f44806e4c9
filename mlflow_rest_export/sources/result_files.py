"""What every format that keeps one result in one file needs: identity, uploads, errors as sentences."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from mlflow_rest_export.content import content_of, sha256
from mlflow_rest_export.errors import SourceError, why
from mlflow_rest_export.records import Adjustment, Artifact, RunRecord, Unreadable
from mlflow_rest_export.sources.masked_files import (
    Mask,
    config_mask,
    data_mask_of,
    masked_file,
    members_mask,
    shows_secret,
)
from mlflow_rest_export.sources.masking import mask_document
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import Result, one_line, runs

MAX_ENTRIES = 20_000
"""Most tasks or scores of one result: a list of a million mistakes costs more memory than the file."""


def _few(value: object) -> object:
    if isinstance(value, (dict, list)) and len(value) > MAX_ENTRIES:
        raise ValueError(f"it has more than {MAX_ENTRIES} entries")
    return value


Few = BeforeValidator(_few)
"""Bounds a list or an object before each of its entries is looked at."""
Objects = Annotated[dict[str, dict[str, Any]], Few]
"""The objects of a result by name, such as the scores of each task."""

Border = TypeVar("Border", bound=BaseModel)


_MISTAKES = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "it should be an object"),
    **dict.fromkeys(("list_type", "tuple_type"), "it should be a list"),
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode"), "it should be a text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "it should be true or false"),
    "missing": "it is missing",
}
"""pydantic's kinds of mistakes, in words for people who know the file and not our models."""


def records(
    path: Path, options: ReadOptions, build: Callable[[Path, ReadOptions], Result]
) -> Iterator[RunRecord | Unreadable]:
    """Give the runs of one result, or the sentence that says why it has none."""
    try:
        result = build(path, options)
    except SourceError as error:
        yield Unreadable(str(path), str(error))
    except OSError as error:
        yield Unreadable(str(path), f"cannot read {path}: {why(error)}")
    else:
        yield from runs(result, per_task=options.per_task)


def checked(model: type[Border], document: object, path: Path) -> Border:
    """Give the document as the model wants it.

    Raises:
        SourceError: it differs; names the first place and how many more there are.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)
    place = one_line(".".join(str(part) for part in mistakes[0]["loc"]))
    where = f" {place}:" if place else ""
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    raise SourceError(f"{path}:{where} {_said(mistakes[0])}{more}")


def _said(mistake: Mapping[str, Any]) -> str:
    """Say a mistake without pydantic's own terms."""
    said = _MISTAKES.get(mistake["type"]) or mistake["msg"].removeprefix("Value error, ")
    return f"{said[:1].lower()}{said[1:]}"


def identity(*paths: Path) -> str:
    """Give the hex digits that stand for the bytes of the files, in this order."""
    hashes = [sha256(content_of(path)) for path in paths]
    return hashes[0] if len(hashes) == 1 else sha256(content_of("\n".join(hashes).encode()))


def changed(path: Path) -> int:
    """Give when a file was last written, in milliseconds since 1970: the time of results that name none."""
    return max(0, path.stat().st_mtime_ns // 1_000_000)


def uploads(
    path: Path,
    options: ReadOptions,
    notes: list[Adjustment],
    *,
    neighbours: Iterable[Path] = (),
    configs: Collection[str] = (),
    mask: Mask | None = None,
) -> tuple[Artifact, ...]:
    """Give the files of a run: the result whole, and those that belong to it.

    A file that holds secrets is uploaded with them masked and all other bytes as they are; one in which they
    cannot be masked stays where it is, and a note says so.

    Args:
        path: the result file.
        options: whether files are wanted, and which neighbours are not.
        notes: where to say that something was masked.
        neighbours: files that belong to the result; the settings may exclude them by name, and links that
            lead elsewhere are not followed.
        configs: names of neighbours that are configs, beside all in YAML; the others are data.
        mask: masks the secrets that were seen in the result; see ``json_mask``.
    """
    if not options.copy_artifacts:
        return ()
    files = list(_artifact(path, notes, mask))
    patterns = tuple(pattern.lower() for pattern in options.exclude_patterns)
    for near in neighbours:
        if any(fnmatch.fnmatchcase(near.name.lower(), pattern) for pattern in patterns):
            continue
        if near.resolve().parent != near.parent.resolve():
            reason = f"it is a link that leaves {near.parent}"
            notes.append(Adjustment(f"artifact {near.name}", str(near), "", reason))
        else:
            files += _artifact(near, notes, _mask_of(near, configs))
    return tuple(files)


def beside(path: Path, *patterns: str) -> list[Path]:
    """Give the files next to a file whose names fit a pattern, sorted; not hidden ones."""
    found = {match for pattern in patterns for match in path.parent.glob(pattern)}
    shown = (match for match in found if not match.name.startswith("."))
    return sorted(match for match in shown if match.is_file() and match != path)


def json_mask(path: Path, document: object, *, leave: Collection[str] = ()) -> Mask | None:
    """Give how the secrets of a result that is one JSON object are masked; None when it has none.

    Args:
        path: the result file.
        document: what was read of it, a config in the eyes of the rules for secrets.
        leave: its members that were not read, which are data.
    """
    found = bool(mask_document(document)[1]) or (bool(leave) and shows_secret(path))
    return members_mask(leave) if found else None


def _mask_of(path: Path, configs: Collection[str]) -> Mask | None:
    """Give how a file beside a result is masked; None when it holds nothing that could be secret."""
    if path.suffix.lower() in {".yaml", ".yml"} or path.name in configs:
        return config_mask(path)
    return data_mask_of(path)


def _artifact(path: Path, notes: list[Adjustment], mask: Mask | None) -> Iterator[Artifact]:
    """Give a file as it is or with its secrets masked; one that has some and cannot be masked is left out."""
    content: Path | bytes = path
    about = f"artifact {path.name}"
    try:
        if mask is not None:
            content, _ = masked_file(path, mask)
    except SourceError as error:
        reason = f"it may hold secrets that cannot be masked: {error}; take them out to have it uploaded"
        notes.append(Adjustment(about, path.name, "", reason))
        return
    if isinstance(content, bytes):
        notes.append(Adjustment(about, path.name, path.name, "secrets are masked in the copy"))
    yield Artifact(path.name, content)
