"""Tells whether a run of a file store still holds what an export of ours has put there.

The writer seals a run when he finishes it; the reader compares. Whatever a person or MLflow itself changes
later breaks the seal, and the digest of the run no longer tells what is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from mlflow_rest_export import marks, mlflow_tags
from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export import mlruns_reading as reading
from mlflow_rest_export.content import content_of, sha256
from mlflow_rest_export.records import RunStatus

REWRITTEN = frozenset(
    {
        marks.KEY,
        marks.DIGEST,
        marks.OWNER,
        marks.ALIVE,
        marks.PARENT,
        marks.COMPLETE,
        marks.ERROR,
        marks.TIME,
        marks.SEAL,
        mlflow_tags.RUN_NAME,
        mlflow_tags.PARENT,
    }
)
"""Tags that whoever writes a run sets himself."""
_HASHED_UP_TO = 8 << 20
"""Bytes; larger artifacts are known by their size, as in the digest of a run."""


def is_claim(param: str) -> bool:
    """Say whether a param tells who writes the run, and not what is in it."""
    return param == marks.CLAIM or param.startswith(marks.TAKEOVER)


def seal_of(run: Path, *, name: str, status: RunStatus) -> str:
    """Hash what a run holds.

    Args:
        run: its folder.
        name: the name in its meta.yaml.
        status: the status there.

    Raises:
        SourceError: a folder cannot be listed.
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256(f"{name}\0{status.name}".encode("utf-8", "surrogatepass"))
    for part, key, path in _parts(run):
        content = content_of(path)
        told = sha256(content) if part != layout.ARTIFACTS or content.size <= _HASHED_UP_TO else ""
        digest.update(f"\0{part}\0{key}\0{content.size}\0{told}".encode("utf-8", "surrogatepass"))
    for tie in reading.subfolders(run / layout.INPUTS):
        digest.update(f"\0{layout.INPUTS}\0{tie}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _parts(run: Path) -> Iterator[tuple[str, str, Path]]:
    for part in layout.RUN_FOLDERS:
        for key, path in reading.key_files(run / part):
            if not ((part == layout.TAGS and key in REWRITTEN) or (part == layout.PARAMS and is_claim(key))):
                yield part, key, path
