"""Random records in a folder of runs: what is read back is the record, up to the adjustments told."""

from __future__ import annotations

import itertools
from pathlib import Path

from attempts import Attempt
from hypothesis import HealthCheck, given, settings
from random_records import Found, records, violations

from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import RunRecord
from mlflow_rest_export.tracking.files import FileTracking

NUMBERS = itertools.count()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(record=records())
def test_a_random_record_in_a_folder_is_read_back_up_to_its_adjustments(
    tmp_path: Path, record: RunRecord
) -> None:
    root = tmp_path / str(next(NUMBERS)) / "mlruns"
    attempt = Attempt(uri=str(root), experiment="e")

    (result,) = attempt.export(record)
    (again,) = attempt.export(record)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert again.outcome is Outcome.UNCHANGED, again.error
    tracking, artifacts = FileTracking(root), FileArtifacts()
    run = tracking.get_run(result.run_id)
    found = Found(
        params=run.params,
        tags=run.tags,
        points={key: list(tracking.metric_history(run.run_id, key)) for key in run.metrics},
        files={path: b"".join(artifacts.read(run, path)) for path in artifacts.listing(run)},
    )
    assert violations(record, result.adjustments, found) == []
