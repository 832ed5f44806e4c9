"""``group_by: invocation``: one parent run above the runs of each invocation. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from mlflow_rest_export.records import Lookup, RunRecord, Unreadable

INVOCATION = "invocation_id"
OF_ONE_JOB = frozenset({"job_id", "task_name", "benchmark", "harness"})

Found = RunRecord | Unreadable


def grouped(records: Iterable[Found], *, wanted: Callable[[RunRecord], bool]) -> Iterator[Found]:
    """Put one parent before the records of each invocation; the others pass as they are, all in their order.

    What cannot be read parts no invocation. One invocation at a time is held in memory.

    Args:
        records: those of an invocation follow one another.
        wanted: whether the settings ask for a parent of this record.
    """
    family: list[Found] = []
    invocation, done = "", set[str]()
    for record in records:
        if isinstance(record, RunRecord):
            its_own = record.tags.get(INVOCATION, "") if wanted(record) else ""
            if its_own != invocation:
                yield from _family(invocation, family, has_parent=invocation in done)
                done.add(invocation)
                family, invocation = [], its_own
        if invocation:
            family.append(record)
        else:
            yield record
    yield from _family(invocation, family, has_parent=invocation in done)


def _family(invocation: str, members: list[Found], *, has_parent: bool) -> Iterator[Found]:
    children = [member for member in members if isinstance(member, RunRecord)]
    if not children:
        return
    parent = _parent(invocation, children)
    if not has_parent:
        yield parent
    for member in members:
        yield replace(member, parent_key=parent.key) if isinstance(member, RunRecord) else member


def _parent(invocation: str, children: list[RunRecord]) -> RunRecord:
    """Make the parent: it holds what its children have in common, and no results of its own."""
    first = children[0]
    shared = {
        key: value
        for key, value in first.tags.items()
        if key not in OF_ONE_JOB and all(child.tags.get(key) == value for child in children)
    }
    ends = [child.end_time for child in children if child.end_time is not None]
    return RunRecord(
        key=f"nemo-launcher:{invocation}",
        label=invocation,
        lookup=Lookup(INVOCATION, invocation),
        run_name=f"eval-{invocation}",
        start_time=min(child.start_time for child in children),
        end_time=max(ends, default=None),
        params={INVOCATION: invocation},
        tags=shared,
        stored=first.stored,
        stored_by_user=first.stored_by_user,
    )
