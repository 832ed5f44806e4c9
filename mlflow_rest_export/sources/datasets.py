"""Dataset inputs in the form MLflow's own SDK gives them, so that its pages show and link them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mlflow_rest_export.records import Dataset
from mlflow_rest_export.sources.secret_fields import concealed

_NAME = 500
"""Longest name, in characters (mlflow/utils/validation.py, MAX_DATASET_NAME_SIZE)."""
_DIGEST = 36
"""Longest digest, in characters (the same file, MAX_DATASET_DIGEST_SIZE)."""
_CONTEXT = "eval"


def hugging_face(
    path: str, *, config: str | None = None, split: str | None = None, digest: str | None = None
) -> Dataset:
    """Describe a dataset of the Hugging Face hub.

    Args:
        path: its repository.
        config: which of its configurations.
        split: which part.
        digest: the evaluator's own hash of the data, when it tells one.
    """
    source = {
        "path": path,
        "config_name": config,
        "data_dir": None,
        "data_files": None,
        "split": split,
        "revision": None,
    }
    return _dataset(f"{path}/{config}" if config else path, "hugging_face", source, digest)


def at_location(name: str, location: str, *, facts: Any = None) -> Dataset:  # noqa: ANN401  # any JSON
    """Describe a dataset by where the evaluator found it.

    Args:
        name: what the evaluator calls it.
        location: a path or an address; "" when it tells none.
        facts: what else identifies the data; goes into the digest only.
    """
    web = location.startswith(("http://", "https://"))
    source = {"url": location} if web else {"uri": location}
    digest = _hash([name, location, facts])
    return _dataset(name, "http" if web else "local", source, digest)


def _dataset(name: str, kind: str, source: Mapping[str, str | None], digest: str | None) -> Dataset:
    shown = {key: concealed((key,), value) for key, value in source.items()}
    return Dataset(
        name=str(concealed((), name))[:_NAME],
        digest=(digest or _hash([name, source]))[:_DIGEST],
        source_type=kind,
        source=json.dumps(shown),
        context=_CONTEXT,
    )


def _hash(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
