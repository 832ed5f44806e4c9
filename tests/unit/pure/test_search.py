"""Filters, in a language that knows no escape."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.records import Lookup
from mlflow_rest_export.tracking.search import filter_of


def found(filter_string: str, value: str) -> bool:
    """What MLflow does with a filter on one tag: the outer quotes are taken off, nothing is undone."""
    parts = re.fullmatch(r"tags\.`[^`]+` (=|LIKE) (['\"])(.*)\2", filter_string, re.DOTALL)
    assert parts is not None
    operator, quote, text = parts.groups()
    assert quote not in text
    if operator == "=":
        return value == text
    pattern = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in text)
    return re.fullmatch(pattern, value, re.DOTALL | re.IGNORECASE) is not None


@pytest.mark.parametrize(
    ("lookup", "filter_string"),
    [
        (Lookup("invocation_id", "abc"), "tags.`invocation_id` = 'abc'"),
        (Lookup("k.e-y", "it's"), 'tags.`k.e-y` = "it\'s"'),
        (Lookup("k", 'a "b"'), "tags.`k` = 'a \"b\"'"),
        (Lookup("k", 'it\'s "b"'), "tags.`k` LIKE 'it_s _b_'"),
        (Lookup("k", "abc", prefix=True), "tags.`k` LIKE 'abc%'"),
        (Lookup("k", "it's", prefix=True), 'tags.`k` LIKE "it\'s%"'),
    ],
)
def test_the_value_takes_the_quote_it_lacks(lookup: Lookup, filter_string: str) -> None:
    assert filter_of(lookup) == filter_string


VALUES = st.text(max_size=12) | st.text("'\"%_a\n`\\;", max_size=8)


@given(value=VALUES, rest=VALUES, prefix=st.booleans())
def test_a_filter_finds_at_least_what_is_meant(value: str, rest: str, prefix: bool) -> None:
    lookup = Lookup("k", value, prefix=prefix)
    stored = value + rest if prefix else value

    assert found(filter_of(lookup), stored)
