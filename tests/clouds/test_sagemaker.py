"""Exports to SageMaker's stand-in: signatures are checked, files go to S3 by signed URLs or directly."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from attempts import Attempt, record
from cloud_standins import S3, SageMaker
from cloud_sweep import StoreRuns
from fault_proxy import FaultProxy
from faults import FAULTS

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import Artifact, RunRecord


def _attempt(sagemaker: SageMaker, experiment: str, **variables: str) -> Attempt:
    environment = {**sagemaker.variables(), **variables}
    return Attempt(
        uri=sagemaker.arn, experiment=experiment, patience=8.0, connection=Connection(environment=environment)
    )


def test_an_export_needs_nothing_but_keys_in_the_environment(
    sagemaker: SageMaker, s3: S3, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)
    before = len(s3.door.seen)

    (result,) = _attempt(sagemaker, experiment).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not StoreRuns(sagemaker.server, experiment).faults(wanted)
    assert not sagemaker.door.refused
    put = [asked for asked in s3.door.seen[before:] if asked.method == "PUT"]
    assert len(put) == 6
    assert all("X-Amz-Signature" in asked.query for asked in put)


def test_files_go_straight_to_s3_where_nobody_signs_urls(
    sagemaker: SageMaker, s3: S3, experiment: str, tmp_path: Path
) -> None:
    sagemaker.guard.denied.add("CreatePresignedUploadUrl")
    sagemaker.guard.hidden = ("/ajax-api/",)
    wanted = record(tmp_path)
    before = len(s3.door.seen)
    own_keys = s3.variables | sagemaker.variables()
    s3.guard.others = [sagemaker.guard.keys]

    (result,) = _attempt(sagemaker, experiment, **own_keys).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not StoreRuns(sagemaker.server, experiment).faults(wanted)
    assert not [asked for asked in s3.door.seen[before:] if "X-Amz-Signature" in asked.query]


def _refusal(attempt: Attempt, wanted: RunRecord) -> ApiError:
    """Give the refusal that an export ends in."""
    try:
        (result,) = attempt.export(wanted)
    except ApiError as error:
        return error
    assert isinstance(result.error, ApiError)
    return result.error


def test_a_missing_permission_is_named(sagemaker: SageMaker, experiment: str, tmp_path: Path) -> None:
    sagemaker.guard.denied.add("CallMlflowAppApi" if sagemaker.guard.is_app else "LogBatch")

    error = _refusal(_attempt(sagemaker, experiment), record(tmp_path))

    action = "sagemaker:CallMlflowAppApi" if sagemaker.guard.is_app else "sagemaker-mlflow:LogBatch"
    assert f"allow these credentials the IAM action {action} on" in str(error)
    assert error.refused


def test_throttling_that_aws_calls_400_is_waited_out(
    sagemaker: SageMaker, experiment: str, tmp_path: Path
) -> None:
    sagemaker.guard.throttled = 3

    (result,) = _attempt(sagemaker, experiment).export(record(tmp_path))

    assert result.outcome is Outcome.EXPORTED, result.error


def test_an_expired_session_is_told_as_one(sagemaker: SageMaker, experiment: str, tmp_path: Path) -> None:
    variables = sagemaker.variables() | {"AWS_SESSION_TOKEN": "canary-old-token"}

    error = _refusal(_attempt(sagemaker, experiment, **variables), record(tmp_path))

    assert "renew the AWS credentials" in str(error)
    assert "canary" not in str(error)
    assert error.refused


@pytest.mark.parametrize("wrong", [{"AWS_SECRET_ACCESS_KEY": "canary-wrong"}, {"AWS_ACCESS_KEY_ID": "AKIAX"}])
def test_wrong_keys_are_told_as_such(
    sagemaker: SageMaker, experiment: str, tmp_path: Path, wrong: dict[str, str]
) -> None:
    error = _refusal(_attempt(sagemaker, experiment, **wrong), record(tmp_path))

    assert re.search("check AWS_(SECRET_)?ACCESS_KEY", str(error))
    assert error.refused


def test_a_signed_url_that_expired_is_asked_for_again(
    sagemaker: SageMaker, s3: S3, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path, files=1)
    s3.guard.expired = 1

    (result,) = _attempt(sagemaker, experiment).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not s3.guard.expired


def test_each_attempt_is_signed_anew(sagemaker: SageMaker, experiment: str, tmp_path: Path) -> None:
    with FaultProxy(sagemaker.door.port, record=True) as proxy:
        proxy.inject(FAULTS["unavailable_503_before"], path="experiments/get-by-name", times=2)
        attempt = _attempt(sagemaker, experiment, **sagemaker.variables(proxy.url))
        (result,) = attempt.export(record(tmp_path, files=0))

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not sagemaker.door.refused


def test_files_with_difficult_names_arrive_and_are_read_back(
    sagemaker: SageMaker, experiment: str, tmp_path: Path
) -> None:
    names = ("a b+c.txt", "résumé 中文.json", "q?m&x=1.txt", "plus+%41.txt", "t/é/~x.txt")
    source = tmp_path / "f"
    source.write_bytes(b"content")
    wanted = replace(
        record(tmp_path, files=0), artifacts=tuple(Artifact(f"d/{name}", source) for name in names)
    )

    (result,) = _attempt(sagemaker, experiment).export(wanted)

    stored = StoreRuns(sagemaker.server, experiment)
    (run,) = stored.runs()
    found = {path for path in stored.files(run["info"]["run_id"]) if path.startswith("d/")}
    assert result.outcome is Outcome.EXPORTED, result.error
    assert len(found) == len(names)
    assert {stored.content(run, path) for path in found} == {b"content"}
