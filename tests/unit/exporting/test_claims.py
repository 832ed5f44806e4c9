"""The write-once params that say who may write to a run."""

from __future__ import annotations

from dataclasses import replace

from mlflow_rest_export import marks
from mlflow_rest_export.exporting import claims
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun

NEW, OLD = "d" * 64, "e" * 64


def run(digest: str = NEW, **params: str) -> StoredRun:
    tags = {marks.KEY: "key", marks.DIGEST: digest, marks.OWNER: "m:1:2:creator:x"}
    return StoredRun(
        run_id="r", experiment_id="1", status=RunStatus.RUNNING, artifact_uri="", tags=tags, params=params
    )


def claimed(stored: StoredRun, digest: str, mark: str) -> StoredRun:
    return replace(stored, params={**stored.params, **claims.takeover(stored, digest, mark)})


def test_the_creator_owns_a_run_until_somebody_claims_it() -> None:
    created = run()
    kept = replace(created, params=claims.kept(NEW, "m:1:2:creator:x"))
    taken = claimed(created, NEW, "m:9:9:somebody:y")

    assert [claims.owner_of(one) for one in (created, kept, taken)] == [
        "m:1:2:creator:x",
        "m:1:2:creator:x",
        "m:9:9:somebody:y",
    ]


def test_whoever_took_over_last_owns_a_run() -> None:
    stored = run()
    for number in range(12):
        stored = claimed(stored, NEW, f"m:{number}:0:t:z")
        assert claims.owner_of(stored) == f"m:{number}:0:t:z"

    assert len(stored.params) == 12


def test_two_who_take_over_at_once_write_the_same_param() -> None:
    stored = claimed(run(), NEW, "first")

    assert claims.takeover(stored, NEW, "a").keys() == claims.takeover(stored, NEW, "b").keys()
    assert (
        claims.takeover(run(), NEW, "a").keys() == claims.kept(NEW, "b").keys() == claims.superseded().keys()
    )


def test_a_run_is_claimed_or_superseded_or_neither() -> None:
    out = replace(run(), params=claims.superseded())
    kept = replace(run(), params=claims.kept(NEW, "m"))

    assert [claims.is_superseded(one) for one in (run(), out, kept)] == [False, True, False]
    assert [claims.is_claimed(one) for one in (run(), out, kept)] == [False, False, True]


def test_a_run_is_of_one_data_while_all_who_wrote_to_it_had_the_same() -> None:
    stored = claimed(claimed(run(), NEW, "first"), NEW, "second")

    assert claims.is_of(stored, NEW)
    assert not claims.is_of(stored, OLD)
    assert not claims.is_of(replace(stored, tags={}), NEW)


def test_a_run_is_of_no_data_once_exports_of_different_data_wrote_to_it() -> None:
    stored = claimed(run(OLD), OLD, "first")
    updated = claimed(replace(stored, tags={**stored.tags, marks.DIGEST: NEW}), NEW, "second")

    assert not claims.is_of(updated, NEW)
    assert not claims.is_of(claimed(updated, NEW, "third"), NEW)


def test_a_run_of_another_tool_is_never_all_ours() -> None:
    foreign = replace(run(), tags={"job_id": "1"})
    taken = claimed(foreign, NEW, "first")

    assert claims.owner_of(foreign) == ""
    assert claims.owner_of(taken) == "first"
    assert not claims.is_of(replace(taken, tags=run().tags), NEW)
