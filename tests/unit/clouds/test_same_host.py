"""Artifact URIs that are addresses of the tracking server's host, as GitLab gives them."""

from __future__ import annotations

import pytest
import responses
from cloud_clients import artifacts, run

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import TrackingError

GITLAB = "https://gitlab.test/api/v4/projects/20/ml/mlflow"
FILES = "https://gitlab.test/api/v4/projects/20/packages/ml_models/7/files/"
TOKEN = Connection(token="canary-token")


@responses.activate
def test_a_file_goes_below_the_address_with_the_servers_credentials() -> None:
    bearer = responses.matchers.header_matcher({"Authorization": "Bearer canary-token"})
    responses.put(f"{FILES}d/a%20b.json", match=[bearer])
    responses.get(f"{FILES}d/a%20b.json", body=b"abc", match=[bearer])
    store = artifacts(GITLAB, TOKEN)

    store.upload(run(FILES), "d/a b.json", BytesContent(b"abc"))

    assert b"".join(store.read(run(FILES), "d/a b.json")) == b"abc"


@responses.activate
@pytest.mark.parametrize(
    "elsewhere", ["https://evil.test/files/", "http://gitlab.test/files/", "https://gitlab.test:8443/files/"]
)
def test_credentials_go_to_no_other_host(elsewhere: str) -> None:
    with pytest.raises(TrackingError, match="no way leads to this kind of store"):
        artifacts(GITLAB, TOKEN).upload(run(elsewhere), "a.json", BytesContent(b"abc"))

    assert len(responses.calls) == 0
