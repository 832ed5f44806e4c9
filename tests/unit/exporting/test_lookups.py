"""Few searches for many runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export import marks
from mlflow_rest_export.exporting.lookups import FEW, merged
from mlflow_rest_export.records import Lookup
from mlflow_rest_export.tracking.search import matches

KEYS = st.text(alphabet="ab:/é'\"%_", max_size=6).map(lambda text: f"format:{text}")


def test_jobs_of_one_invocation_share_one_search() -> None:
    assert merged([Lookup("invocation_id", "abc")] * 5) == [Lookup("invocation_id", "abc")]


def test_a_few_keys_are_asked_for_one_by_one() -> None:
    lookups = [Lookup(marks.KEY, f"lm-eval:{number}") for number in range(FEW)]

    assert merged(lookups) == lookups


def test_many_keys_of_one_format_are_one_search_for_their_beginning() -> None:
    lookups = [Lookup(marks.KEY, f"lm-eval:run/{number:03}") for number in range(50)]

    assert merged([Lookup("invocation_id", "abc"), *lookups]) == [
        Lookup("invocation_id", "abc"),
        Lookup(marks.KEY, "lm-eval:run/0", prefix=True),
    ]


def test_each_format_has_its_own_search() -> None:
    lookups = [Lookup(marks.KEY, f"{kind}:{number}") for kind in ("a", "b") for number in range(3)]

    assert merged([*lookups, Lookup(marks.KEY, "alone:1")]) == [
        Lookup(marks.KEY, "a:", prefix=True),
        Lookup(marks.KEY, "b:", prefix=True),
        Lookup(marks.KEY, "alone:1"),
    ]


@given(st.lists(st.builds(Lookup, st.sampled_from([marks.KEY, "invocation_id"]), KEYS, st.booleans())))
def test_every_run_that_was_asked_for_is_still_asked_for(lookups: list[Lookup]) -> None:
    found = merged(lookups)

    assert len(found) <= len(set(lookups))
    for lookup in lookups:
        tags = {lookup.tag: lookup.value + ("more" if lookup.prefix else "")}
        assert any(matches(one, tags) for one in found)
