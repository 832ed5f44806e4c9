"""Filters for ``runs/search``. Pure. The grammar knows AND only, and no escape at all."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_rest_export.records import Lookup

PAGE = 500
"""Runs in one page: each brings all its values, so a page may weigh several MB."""


def body_of(experiment_ids: Sequence[str], filter_string: str, *, view: str, token: str) -> dict[str, object]:
    """Give the body that asks for one page, the first one when ``token`` is ""."""
    return {
        "experiment_ids": list(experiment_ids),
        "filter": filter_string,
        "run_view_type": view,
        "max_results": PAGE,
        **({"page_token": token} if token else {}),
    }


def filter_of(lookup: Lookup) -> str:
    """Write the filter that finds at least what ``lookup`` describes.

    The value takes the quote it lacks; one with both kinds is asked for with ``_`` (any character) in their
    place, and one that is only a beginning with ``%``. Verified on 1.30, 2.9, 2.22 and 3.17.
    """
    value, wild = lookup.value, lookup.prefix
    quote = "'" if "'" not in value else '"'
    if quote in value:
        value, quote, wild = value.replace("'", "_").replace('"', "_"), "'", True
    operator = "LIKE" if wild else "="
    end = "%" if lookup.prefix else ""
    return f"tags.`{lookup.tag}` {operator} {quote}{value}{end}{quote}"
