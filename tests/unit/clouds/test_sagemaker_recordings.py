"""What SageMaker answers, as its documentation and its plugin tell, and what becomes of it."""

from __future__ import annotations

import pytest
from cloud_clients import FIXTURES, client
from replay import replay

from mlflow_rest_export import limits
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.tracking.rest import RestTracking

SERVER = "arn:aws:sagemaker:us-west-2:123456789012:mlflow-tracking-server/demo"
APP = "arn:aws:sagemaker:eu-central-1:123456789012:mlflow-app/app-0A1B2C3D4E5F"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIACANARY",
    "AWS_SECRET_ACCESS_KEY": "canary-secret",
    "AWS_SESSION_TOKEN": "canary-session",
}


def _sagemaker(arn: str = SERVER) -> RestTracking:
    return client(arn, Connection(environment=KEYS))


@pytest.mark.parametrize(("case", "arn"), [("found", SERVER), ("found_in_app", APP)])
def test_an_experiment_is_found(case: str, arn: str) -> None:
    with replay(FIXTURES / f"sagemaker/{case}.yaml"):
        found = _sagemaker(arn).find_experiment("my evals/é a+b")

    assert found is not None
    assert found.experiment_id == "7"


def test_limits_are_those_of_the_oldest_version_without_asking() -> None:
    assert _sagemaker().limits() == limits.for_server((2, 13, 0))


def test_an_error_behind_the_door_is_mlflows_own() -> None:
    with replay(FIXTURES / "sagemaker/behind_the_door.yaml"):
        assert _sagemaker().find_experiment("evals") is None


@pytest.mark.parametrize("case", ["throttled", "throttled_400"])
def test_throttling_passes(case: str) -> None:
    with replay(FIXTURES / f"sagemaker/{case}.yaml"):
        assert _sagemaker().find_experiment("evals") is not None


@pytest.mark.parametrize(
    ("case", "arn", "words", "refused"),
    [
        (
            "denied",
            SERVER,
            "allow these credentials the IAM action sagemaker-mlflow:GetExp",
            True,
        ),
        ("app_denied", APP, "the IAM action sagemaker:CallMlflowAppApi", True),
        ("expired", SERVER, "renew the AWS credentials", True),
        ("signature", SERVER, "check AWS_SECRET_ACCESS_KEY", True),
        ("unknown_key", SERVER, "check AWS_ACCESS_KEY_ID", True),
        ("validation", SERVER, "ValidationException: 1 validation error detected", False),
        ("empty_500", SERVER, "answered 500", False),
    ],
)
def test_a_refusal_says_what_helps(case: str, arn: str, words: str, *, refused: bool) -> None:
    with replay(FIXTURES / f"sagemaker/{case}.yaml"), pytest.raises(ApiError) as raised:
        _sagemaker(arn).find_experiment("evals")

    assert words in str(raised.value)
    assert raised.value.refused is refused
    assert raised.value.request_id == "r-1"
    assert "canary" not in str(raised.value)
