"""What AWS says when it refuses, in our words."""

from __future__ import annotations

import pytest

from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.network.answers import Answer, error_of

DENIED = (
    '{"message": "User: arn:aws:sts::123456789012:assumed-role/Demo/s is not authorized to perform: '
    "sagemaker-mlflow:LogBatch on resource: arn:aws:sagemaker:us-west-2:123456789012:mlflow-app/d "
    'because no identity-based policy allows the sagemaker-mlflow:LogBatch action"}'
)


def _error(status: int, body: str, kind: str = "") -> ApiError:
    headers = {"x-amzn-errortype": kind, "x-amzn-requestid": "r-1"}
    return error_of(Answer(status, headers, body.encode()), doing="doing it", host="h")


@pytest.mark.parametrize(
    ("status", "kind", "body", "advice"),
    [
        (
            403,
            "AccessDeniedException:http://x/",
            DENIED,
            "IAM action sagemaker-mlflow:LogBatch on arn:aws:sagemaker",
        ),
        (
            403,
            "AccessDeniedException",
            '{"Message": "not authorized to perform: s3:PutObject"}',
            "s3:PutObject",
        ),
        (403, "", '{"message": "Request is not authorized"}', "sagemaker:CallMlflowAppApi"),
        (403, "ExpiredTokenException", '{"message": "The security token is expired"}', "renew"),
        (403, "InvalidSignatureException", '{"message": "Signature expired: now earlier"}', "renew"),
        (403, "InvalidSignatureException", '{"message": "does not match"}', "AWS_SECRET_ACCESS_KEY"),
        (400, "UnrecognizedClientException", '{"message": "invalid"}', "check AWS_ACCESS_KEY_ID"),
        (400, "", '{"__type": "com.amazon.coral#InvalidSignatureException", "message": "x"}', "SECRET"),
    ],
)
def test_a_refusal_says_what_helps(status: int, kind: str, body: str, advice: str) -> None:
    error = _error(status, body, kind)

    assert advice in str(error)
    assert error.refused
    assert error.request_id == "r-1"


@pytest.mark.parametrize("kind", ["ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"])
def test_throttling_is_recognised_whatever_its_status(kind: str) -> None:
    assert _error(400, '{"message": "Rate exceeded"}', kind).throttled


def test_a_validation_error_is_left_in_its_own_words() -> None:
    error = _error(400, '{"message": "1 validation error detected"}', "ValidationException")

    assert str(error) == "doing it: h answered 400 ValidationException: 1 validation error detected"
    assert not error.refused


def test_an_empty_500_is_an_error_like_others() -> None:
    assert str(_error(500, "")) == "doing it: h answered 500"


def test_the_region_of_a_bucket_is_kept() -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    answers = [Answer(status, {"x-amz-bucket-region": "eu-west-1"}, body) for status in (301, 403)]

    assert {error_of(answer, doing="d", host="h").bucket_region for answer in answers} == {"eu-west-1"}
