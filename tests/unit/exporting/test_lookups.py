"""Few searches for many runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from lookup_meaning import matches

from mlflow_rest_export import marks
from mlflow_rest_export.exporting.lookups import FEW, merged
from mlflow_rest_export.records import Lookup

KEYS = st.text(alphabet="ab:/é'\"%_", max_size=6).map(lambda text: f"format:{text}")


@dataclass(frozen=True)
class Wanted:
    """What is looked for."""

    key: str
    lookup: Lookup
    twin: Mapping[str, str] = field(default_factory=dict)


def by_key(key: str) -> Wanted:
    return Wanted(key, Lookup(marks.KEY, key))


def by_invocation(invocation: str, number: int) -> Wanted:
    job = f"{invocation}.{number}"
    return Wanted(f"nemo-launcher:{job}", Lookup("invocation_id", invocation), {"job_id": job})


WANTED = st.one_of(
    KEYS.map(by_key),
    st.builds(Wanted, KEYS, st.builds(Lookup, st.just(marks.KEY), st.just("format:"), st.just(value=True))),
    st.builds(by_invocation, st.sampled_from(["abc", "def"]), st.integers(0, 9)),
)


def wide(found: Sequence[Lookup]) -> list[tuple[str, str, bool]]:
    return [(lookup.tag, lookup.value, lookup.prefix) for lookup in found]


def test_jobs_of_one_invocation_share_one_search() -> None:
    assert wide(merged(by_invocation("abc", number) for number in range(5))) == [
        ("invocation_id", "abc", False)
    ]


def test_an_invocation_says_how_else_each_of_its_jobs_is_found() -> None:
    (found,) = merged(by_invocation("abc", number) for number in range(2))

    assert found.exact == (
        Lookup(marks.KEY, "nemo-launcher:abc.0"),
        Lookup("job_id", "abc.0"),
        Lookup(marks.KEY, "nemo-launcher:abc.1"),
        Lookup("job_id", "abc.1"),
    )


def test_a_few_keys_are_asked_for_one_by_one() -> None:
    keys = [f"lm-eval:{number}" for number in range(FEW)]

    assert merged(map(by_key, keys)) == [Lookup(marks.KEY, key) for key in keys]


def test_many_keys_of_one_format_are_one_search_for_their_beginning() -> None:
    keys = [f"lm-eval:run/{number:03}" for number in range(50)]

    found = merged([by_invocation("abc", 0), *map(by_key, keys)])

    assert wide(found) == [("invocation_id", "abc", False), (marks.KEY, "lm-eval:run/0", True)]
    assert found[1].exact == tuple(Lookup(marks.KEY, key) for key in keys)


def test_each_format_has_its_own_search() -> None:
    keys = [f"{kind}:{number}" for kind in ("a", "b") for number in range(3)]

    found = merged(map(by_key, [*keys, "alone:1"]))

    assert wide(found) == [(marks.KEY, "a:", True), (marks.KEY, "b:", True), (marks.KEY, "alone:1", False)]
    assert found[2].exact == ()


@given(st.lists(WANTED))
def test_every_run_that_was_asked_for_is_still_asked_for_in_both_ways(sought: list[Wanted]) -> None:
    found = merged(sought)

    assert len(found) <= len({one.lookup for one in sought})
    for one in sought:
        tags = {one.lookup.tag: one.lookup.value, marks.KEY: one.key}
        assert any(matches(lookup, tags) for lookup in found)
        exact = [narrow for lookup in found for narrow in lookup.exact or (lookup,)]
        assert any(matches(lookup, {marks.KEY: one.key}) for lookup in exact)
        assert all(any(matches(lookup, {tag: value}) for lookup in exact) for tag, value in one.twin.items())
