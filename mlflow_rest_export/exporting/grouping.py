"""``group_by: invocation``: one parent run above the runs of each invocation. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mlflow_rest_export.records import Lookup, RunRecord, Unreadable

INVOCATION = "invocation_id"


def grouped(records: Iterable[RunRecord | Unreadable]) -> Iterator[RunRecord | Unreadable]:
    """Put a parent before the records of each invocation that follow one another; others pass as they are."""
    for invocation, members in itertools.groupby(records, key=_invocation):
        if not invocation:
            yield from members
            continue
        children = [member for member in members if isinstance(member, RunRecord)]
        parent = _parent(invocation, children)
        yield parent
        yield from (replace(child, parent_key=parent.key) for child in children)


def _invocation(record: RunRecord | Unreadable) -> str:
    return record.tags.get(INVOCATION, "") if isinstance(record, RunRecord) else ""


def _parent(invocation: str, children: list[RunRecord]) -> RunRecord:
    """Make the parent: it holds what its children have in common, and no results of its own."""
    first = children[0]
    shared = {
        key: value
        for key, value in first.tags.items()
        if key not in {"job_id", "task_name", "benchmark", "harness"}
        and all(child.tags.get(key) == value for child in children)
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
    )
