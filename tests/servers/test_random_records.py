"""Random records on running servers: what is read back is the record, up to the adjustments told."""

from __future__ import annotations

import pytest
from attempts import Attempt
from hypothesis import HealthCheck, Phase, given, settings
from mlflow_server import MlflowServer
from random_records import Found, records, violations
from server_pool import Tally
from stored_runs import StoredRuns

from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import RunRecord


def test_a_random_record_is_read_back_up_to_its_adjustments(
    server: MlflowServer, experiment: str, long_run: bool, tally: Tally
) -> None:
    if server.variant.files:
        pytest.skip("before 3.9 nothing tells that a server keeps keys as file names")
    cases = wrong = 0

    @settings(
        max_examples=300 if long_run else 30,
        deadline=None,
        derandomize=not long_run,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(record=records())
    def property_of(record: RunRecord) -> None:
        nonlocal cases
        cases += 1
        place = f"{experiment} {record.key}"
        attempt = Attempt(uri=server.url, experiment=place)
        (result,) = attempt.export(record)
        assert result.outcome is Outcome.EXPORTED, result.error
        assert violations(record, result.adjustments, found(StoredRuns(server, place))) == []
        (again,) = attempt.export(record)
        assert again.outcome is Outcome.UNCHANGED, again.error

    try:
        property_of()
    except BaseException:
        wrong = 1
        raise
    finally:
        tally.add(f"random records, MLflow {server.kind}", cases, wrong)


def found(store: StoredRuns) -> Found:
    """Read the only run of an experiment, past our client."""
    (run,) = store.runs()
    run_id = run["info"]["run_id"]
    data = run["data"]
    return Found(
        params={param["key"]: param.get("value", "") for param in data.get("params", [])},
        tags={tag["key"]: tag.get("value", "") for tag in data.get("tags", [])},
        points={one["key"]: store.history(run_id, one["key"]) for one in data.get("metrics", [])},
        files={path: store.on_disk(run, path) for path in store.files(run_id)},
    )
