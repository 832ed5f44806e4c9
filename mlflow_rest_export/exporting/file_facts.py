"""Looks at the files of a record, so that the plan need not touch the disk."""

from __future__ import annotations

from mlflow_rest_export.content import content_of, sha256
from mlflow_rest_export.errors import SourceError, why
from mlflow_rest_export.planning.export_plan import FileFacts
from mlflow_rest_export.records import RunRecord

HASHED_UP_TO = 8 << 20
"""Bytes; larger files enter the digest by their size and are hashed while they are sent."""


def facts_of(record: RunRecord) -> tuple[FileFacts, ...]:
    """Look at every artifact of a record.

    Raises:
        SourceError: a file cannot be read.
    """
    facts = []
    for artifact in record.artifacts:
        try:
            content = content_of(artifact.content)
            digest = sha256(content) if content.size <= HASHED_UP_TO else None
        except OSError as error:
            raise SourceError(
                f"{record.label}: {error.filename or artifact.path} cannot be read: {why(error)}"
            ) from None
        facts.append(FileFacts(artifact.path, content, digest))
    return tuple(facts)
