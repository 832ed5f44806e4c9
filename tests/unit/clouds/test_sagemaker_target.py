"""Tracking servers and apps of SageMaker, by their ARN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.targets import choice

VECTORS = json.loads(
    (Path(__file__).parents[3] / "fixtures/sagemaker/sigv4-vectors.json").read_text(encoding="utf-8")
)["vectors"]
SERVER = "arn:aws:sagemaker:us-west-2:123456789012:mlflow-tracking-server/demo"
PAIR = {"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "canary-secret"}


def _connection(**variables: str) -> Connection:
    return Connection(environment=PAIR | variables)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_an_arn_leads_where_the_official_plugin_goes(vector: dict[str, Any]) -> None:
    target = choice.choose(vector["arn"], _connection())
    prepared = target.auth(requests.Request("GET", f"{target.base_url}/x").prepare())

    arn_header = next(name for name, value in vector["result"]["headers"].items() if value == vector["arn"])
    assert vector["result"]["url"].startswith(f"{target.base_url}/api/")
    assert target.headers[arn_header] == vector["arn"]
    assert f"/{vector['region']}/{vector['service']}/aws4_request" in prepared.headers["Authorization"]


def test_a_custom_endpoint_replaces_the_host() -> None:
    target = choice.choose(SERVER, _connection(SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT="http://127.0.0.1:5620/"))

    assert target.base_url == "http://127.0.0.1:5620"


def test_a_partition_whose_hosts_nobody_knows_needs_an_endpoint() -> None:
    arn = SERVER.replace("arn:aws:", "arn:aws-cn:").replace("us-west-2", "cn-north-1")

    with pytest.raises(
        SettingsError, match=r"partition aws-cn is not known: set SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT"
    ):
        choice.choose(arn, _connection())
    assert (
        choice.choose(arn, _connection(SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT="https://x")).base_url == "https://x"
    )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:::bucket",
        "arn:aws:sagemaker:us-west-2:123456789012:endpoint/demo",
        "arn:aws:sagemaker:us-west-2:1234:mlflow-tracking-server/demo",
        "arn:aws:sagemaker:us-west-2:123456789012:mlflow-tracking-server/",
        "arn:aws:sagemaker:us-west-2:123456789012:mlflow-app/app x",
    ],
)
def test_other_arns_are_refused_with_an_example(arn: str) -> None:
    with pytest.raises(SettingsError, match="expected is arn:aws:sagemaker:REGION:ACCOUNT"):
        choice.choose(arn, _connection())


def test_the_region_comes_from_the_arn_never_from_the_environment() -> None:
    target = choice.choose(SERVER, _connection(AWS_REGION="eu-west-1"))

    assert "us-west-2" in target.base_url


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:5620", "ftp://host", "https://", "https://h:x", "https://h/?a=b"]
)
def test_an_endpoint_that_is_no_address_is_told_with_its_variable(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT must be an address"):
        choice.choose(SERVER, _connection(SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT=endpoint))
