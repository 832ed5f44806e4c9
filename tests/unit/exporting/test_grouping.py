"""``group_by: invocation``: one parent run above the runs of each invocation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from folder_exports import START, a_record

from mlflow_rest_export.exporting import grouping
from mlflow_rest_export.records import Lookup, RunRecord, Unreadable


def grouped(records: Iterable[RunRecord | Unreadable]) -> Iterator[RunRecord | Unreadable]:
    return grouping.grouped(records, wanted=lambda _: True)


def a_job(invocation: str, number: int, **tags: str) -> RunRecord:
    own = {"invocation_id": invocation, "job_id": f"{invocation}.{number}", "task_name": f"task{number}"}
    return replace(
        a_record(f"{invocation}.{number}"),
        tags={**own, **tags},
        start_time=START + number,
        end_time=START + 100 * (number + 1),
    )


def test_a_parent_comes_before_the_jobs_of_each_invocation() -> None:
    found = list(grouped([a_job("a", 0), a_job("a", 1), a_job("b", 0)]))

    assert [record.label for record in found] == ["a", "a.0", "a.1", "b", "b.0"]
    keys = [record.key for record in found if isinstance(record, RunRecord)]
    parents = [record.parent_key for record in found if isinstance(record, RunRecord)]
    assert parents == [None, keys[0], keys[0], None, keys[3]]


def test_a_parent_holds_what_its_jobs_share_and_spans_their_times() -> None:
    jobs = [a_job("a", 0, model="m", cluster="x"), a_job("a", 1, model="m", cluster="y")]

    parent = next(grouped(jobs))

    assert isinstance(parent, RunRecord)
    assert parent.tags == {"invocation_id": "a", "model": "m"}
    assert parent.params == {"invocation_id": "a"}
    assert (parent.start_time, parent.end_time) == (START, START + 200)
    assert parent.lookup == Lookup("invocation_id", "a")
    assert (list(parent.metrics), parent.artifacts) == ([], ())


def test_a_parent_has_no_end_while_no_job_has() -> None:
    parent = next(grouped([replace(a_job("a", 0), end_time=None)]))

    assert isinstance(parent, RunRecord)
    assert parent.end_time is None


def test_the_parent_is_the_same_however_often_it_is_made() -> None:
    assert next(grouped([a_job("a", 0)])) == next(grouped([a_job("a", 0)]))


def test_what_belongs_to_no_invocation_passes_as_it_is() -> None:
    others: list[RunRecord | Unreadable] = [a_record("x"), Unreadable("y", "why"), a_record("z")]

    assert list(grouped(others)) == others


def test_a_job_that_cannot_be_read_parts_no_invocation() -> None:
    failed = Unreadable("a.1", "it failed")

    found = list(grouped([a_job("a", 0, model="x"), failed, a_job("a", 2, model="y"), Unreadable("z", "")]))

    assert [record.label for record in found] == ["a", "a.0", "a.1", "a.2", "z"]
    parent = found[0]
    assert isinstance(parent, RunRecord)
    assert parent.tags == {"invocation_id": "a"}
    assert (parent.start_time, parent.end_time) == (START, START + 300)


def test_an_invocation_that_comes_in_two_parts_has_one_parent() -> None:
    found = list(grouped([a_job("a", 0), a_job("b", 0), a_job("a", 1)]))

    assert [record.label for record in found] == ["a", "a.0", "b", "b.0", "a.1"]
    assert isinstance(found[-1], RunRecord)
    assert found[-1].parent_key == "nemo-launcher:a"


def test_only_what_asks_for_a_parent_gets_one() -> None:
    found = grouping.grouped([a_job("a", 0), a_job("b", 0)], wanted=lambda record: record.label == "b.0")

    assert [record.label for record in found] == ["a.0", "b", "b.0"]
