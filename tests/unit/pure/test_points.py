"""Which points are the same, by the ways in which stores keep numbers."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.points import (
    SQL_INFINITY,
    PointBag,
    fingerprint,
    same_point,
    same_value,
    without,
)

ODD = [math.nan, math.inf, -math.inf, SQL_INFINITY, -SQL_INFINITY, -0.0, 0.0, -1.0, -2.0, 1.0, 2.0**61]
NUMBERS = st.sampled_from(ODD) | st.floats()
INTS = st.sampled_from([-2, -1, 0, 1, 2**61 - 1, 2**61]) | st.integers(-(2**63), 2**63 - 1)
POINTS = st.builds(Metric, st.just("m"), NUMBERS, INTS, INTS)


@pytest.mark.parametrize(
    ("sent", "stored", "same"),
    [
        (0.1, 0.1, True),
        (0.1, 0.10000000000000002, False),
        (math.nan, math.nan, True),
        (math.nan, 0.0, False),
        (0.0, math.nan, False),
        (math.inf, math.inf, True),
        (math.inf, SQL_INFINITY, True),
        (-math.inf, -SQL_INFINITY, True),
        (math.inf, -SQL_INFINITY, False),
        (math.inf, 1e308, False),
        (-0.0, 0.0, True),
    ],
)
def test_a_value_is_known_again_as_stores_give_it_back(sent: float, stored: float, same: bool) -> None:
    assert same_value(sent, stored) is same


@given(sent=POINTS, stored=POINTS)
@example(Metric("m", 1.0, 5, -1), Metric("m", 1.0, 5, -2))
@example(Metric("m", -1.0, 5, 0), Metric("m", -2.0, 5, 0))
@example(Metric("m", 1.0, 5, 0), Metric("m", 2.0**61, 5, 0))
def test_fingerprints_are_equal_for_the_same_points_and_for_no_others(sent: Metric, stored: Metric) -> None:
    same = same_point(sent, stored) or same_point(stored, sent)

    assert (fingerprint(sent) == fingerprint(stored)) == same


def test_points_that_differ_in_anything_are_told_apart() -> None:
    points = [Metric("m", value, time, step) for value in (1.0, 2.0) for time in (1, 2) for step in (1, 2)]

    assert not any(same_point(one, other) for one, other in combinations(points, 2))
    assert len({fingerprint(point) for point in points}) == 8


@given(points=st.lists(POINTS, max_size=12), stored=st.lists(POINTS, max_size=12))
def test_what_is_stored_is_left_out_and_the_rest_keeps_its_order(
    points: list[Metric], stored: list[Metric]
) -> None:
    rest = list(without(points, stored))
    expected = [
        point
        for point in points
        if not any(same_point(point, one) or same_point(one, point) for one in stored)
    ]

    assert [repr(point) for point in rest] == [repr(point) for point in expected]


def test_a_bag_gives_each_fingerprint_as_often_as_it_was_put_in_however_many_there_are() -> None:
    bag = PointBag()
    for value in range(2, 3000):
        for _ in range(value % 3 + 1):
            bag.add(value)

    taken = [sum(bag.take(value) for _ in range(5)) for value in range(2, 3000)]

    assert taken == [value % 3 + 1 for value in range(2, 3000)]
    assert (bag.total, bag.take(5000)) == (0, False)
