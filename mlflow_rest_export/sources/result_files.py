"""What every format that keeps one result in one file needs: identity, uploads, errors as sentences."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from mlflow_rest_export.content import content_of, sha256
from mlflow_rest_export.errors import SourceError, why
from mlflow_rest_export.records import Adjustment, Artifact, RunRecord, Unreadable
from mlflow_rest_export.sources.masking import mask_document, mask_text
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

MAX_MASKED = 32 << 20
"""Largest file, in bytes, that is searched for secrets."""
_CONFIGS = frozenset({".json", ".yaml", ".yml"})

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
    settings: object = None,
) -> tuple[Artifact, ...]:
    """Give the files of a run: the result whole, and those that belong to it.

    Args:
        path: the result file.
        options: whether files are wanted, and which neighbours are not.
        notes: where to say that something was masked.
        neighbours: files that belong to the result; the settings may exclude them by name. Those in YAML are
            configs, and masked.
        settings: the part of the document that may hold secrets; where it does, they are masked in the copy
            that is uploaded, and all other bytes are as in the file.
    """
    if not options.copy_artifacts:
        return ()
    patterns = tuple(pattern.lower() for pattern in options.exclude_patterns)
    _, secrets = mask_document(settings)
    files = list(_artifact(path, notes, masked=bool(secrets)))
    for near in neighbours:
        if not any(fnmatch.fnmatchcase(near.name.lower(), pattern) for pattern in patterns):
            files += _artifact(near, notes, masked=near.suffix.lower() in {".yaml", ".yml"})
    return tuple(files)


def beside(path: Path, *patterns: str) -> list[Path]:
    """Give the files next to a file whose names fit a pattern, sorted; not hidden ones and links away."""
    folder = path.parent
    found = {match for pattern in patterns for match in folder.glob(pattern)}
    home = folder.resolve()
    shown = (match for match in found if not match.name.startswith("."))
    near = (match for match in shown if match.is_file() and match.resolve().parent == home)
    return sorted(match for match in near if match != path)


def _artifact(path: Path, notes: list[Adjustment], *, masked: bool) -> Iterator[Artifact]:
    """Give a file as it is or with its secrets masked; one that has some and cannot be masked is left out."""
    if not masked:
        yield Artifact(path.name, path)
        return
    about = f"artifact {path.name}"
    try:
        data = _masked(path)
    except SourceError as error:
        notes.append(Adjustment(about, path.name, "", f"it may hold secrets that cannot be masked: {error}"))
        return
    if isinstance(data, bytes):
        notes.append(Adjustment(about, path.name, path.name, "secrets are masked in the copy"))
    yield Artifact(path.name, data)


def _masked(path: Path) -> Path | bytes:
    """Give the bytes with every secret masked, or the path when there is none."""
    if path.stat().st_size > MAX_MASKED:
        raise SourceError(f"it is larger than {MAX_MASKED >> 20} MiB")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise SourceError("it is not UTF-8 text") from None
    shown = mask_text(text, name=str(path) if path.suffix.lower() in _CONFIGS else f"{path}.json")
    return shown.text.encode() if shown.count else path
