"""The write-once params that say who may write to a run. Pure.

``claim`` is ``superseded`` on a run that is out of the race, and names whoever won it otherwise;
``takeover.N`` names who completes what the one before left. Each also names the data, so that it can be told
later whether everything in a run comes from the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlflow_rest_export import marks
from mlflow_rest_export.tracking.protocol import StoredRun

_FOREIGN = "foreign"
"""In the place of the data: somebody else filled the run before."""


def kept(digest: str, mark: str) -> dict[str, str]:
    """Give the param by which ``mark`` wins a new run for data with this digest."""
    return {marks.CLAIM: f"{marks.KEPT}:{digest[:12]}:{mark}"}


def superseded() -> dict[str, str]:
    """Give the param that takes a run out of the race."""
    return {marks.CLAIM: marks.SUPERSEDED}


def takeover(run: StoredRun, digest: str, mark: str) -> dict[str, str]:
    """Give the param by which ``mark`` takes over a run; of several who write it at once, one succeeds."""
    if marks.CLAIM not in run.params:
        return kept(digest if marks.KEY in run.tags else _FOREIGN, mark)
    return {f"{marks.TAKEOVER}{len(_takeovers(run)) + 1}": f"{digest[:12]}:{mark}"}


def is_superseded(run: StoredRun) -> bool:
    """Say whether a run is out of the race."""
    return run.params.get(marks.CLAIM) == marks.SUPERSEDED


def is_claimed(run: StoredRun) -> bool:
    """Say whether a run has won the race."""
    return marks.CLAIM in run.params and not is_superseded(run)


def owner_of(run: StoredRun) -> str:
    """Give the mark of whoever may write to a run, "" for a run that is not ours."""
    claims = list(_claims(run))
    return claims[-1].partition(":")[2] if claims else run.tags.get(marks.OWNER, "")


def last_data(run: StoredRun) -> str:
    """Give the beginning of the digest of what the last owner brought, "" where there is no owner."""
    claims = list(_claims(run))
    return claims[-1].partition(":")[0] if claims else ""


def is_of(run: StoredRun, digest: str) -> bool:
    """Say whether everything in a run was written by exports of data with this digest."""
    data = {claim.partition(":")[0] for claim in _claims(run)}
    return run.tags.get(marks.DIGEST) == digest and data <= {digest[:12]}


def _claims(run: StoredRun) -> Iterator[str]:
    """Give ``data:mark`` of all who ever wrote to a run, in their order."""
    if is_claimed(run):
        yield run.params[marks.CLAIM].partition(":")[2]
    yield from _takeovers(run)


def _takeovers(run: StoredRun) -> list[str]:
    numbers = range(1, len(run.params) + 1)
    names = (f"{marks.TAKEOVER}{number}" for number in numbers)
    return [run.params[name] for name in names if name in run.params]
