from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_rest_export.sources import times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T19:23:20.156354+00:00", 1795375400156),
        ("2026-11-22T19:23:20Z", 1795375400000),
        ("2026-11-22 19:23:20", 1795375400000),
        ("2026-11-22T14:23:20-05:00", 1795375400000),
        ("2026-11-22T20:53:20+0130", 1795375400000),
        ("2026-11-22T19:23", 1795375380000),
        ("2026-11-22T19-23-20,5", 1795375400500),
        ("20261122T192320Z", 1795375400000),
        (" 1970-01-01T00:00:00 ", 0),
        ("1960-01-01T00:00:00", None),
        ("2026-13-22T19:23:20", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("2026-11-22", None),
        ("", None),
        (None, None),
        (3, None),
    ],
)
def test_iso_times_are_read(text: object, expected: int | None) -> None:
    assert times.from_iso(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("results_2026-01-21T03-44-18.458309.json", 1768967058458),
        ("eval-20261122T192320Z-gsm8k.json", 1795375400000),
        ("results.json", None),
    ],
)
def test_times_are_found_in_names(name: str, expected: int | None) -> None:
    assert times.in_name(name) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1768964383.8593218, 1768964383859),
        ("1768964383.8593218", 1768964383859),
        (1768964383859, 1768964383859),
        ("2026-01-21T03:44:18Z", 1768967058000),
        (True, None),
        (0, None),
        (-5, None),
        (1e300, None),
        (float("nan"), None),
        (10**400, None),
        ("soon", None),
        ([], None),
    ],
)
def test_times_of_any_form_are_read(value: object, expected: int | None) -> None:
    assert times.from_any(value) == expected


def test_seconds_may_be_added_and_taken_away() -> None:
    assert times.after(1000, 1.5) == 2500
    assert times.after(1000, -0.5) == 500
    assert times.after(1000, -2) is None
    assert times.after(1000, "x") is None
    assert times.after(1000, 1e300) is None


@settings(deadline=None)
@given(text=st.text(), number=st.floats() | st.integers())
def test_nothing_makes_it_fail(text: str, number: float) -> None:
    for value in (text, number):
        for read in (times.from_iso, times.from_any, times.from_seconds):
            found = read(value)
            assert found is None or 0 <= found <= 253_402_300_799_999
    assert times.in_name(text) is None or times.in_name(text) is not None
