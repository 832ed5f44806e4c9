"""What a lookup means, in the plainest words."""

from __future__ import annotations

from mlflow_rest_export.records import Lookup


def matches(lookup: Lookup, tags: dict[str, str]) -> bool:
    """Say whether a run with these tags is really meant."""
    value = tags.get(lookup.tag)
    if value is None:
        return False
    return value.startswith(lookup.value) if lookup.prefix else value == lookup.value
