"""Requests signed for AWS, each attempt anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from mlflow_rest_export.content import content_of
from mlflow_rest_export.network.aws_auth import SigV4Auth
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.sigv4 import EMPTY_SHA256, AwsKeys, Scope
from mlflow_rest_export.network.streamed import Streamed

SCOPE = Scope("us-west-2", "sagemaker-mlflow")
KEYS = AwsKeys("AKIAFAKE", "canary-secret")
MOMENT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=timezone.utc)


def _prepared(auth: SigV4Auth, method: str = "GET", **arguments: object) -> requests.PreparedRequest:
    session = requests.Session()
    request = requests.Request(method, "https://h.example/api", auth=auth, **arguments)
    return session.prepare_request(request)


def _auth() -> SigV4Auth:
    return SigV4Auth(lambda: KEYS, SCOPE, clock=lambda: MOMENT)


def test_spaces_of_a_query_are_sent_as_they_are_signed() -> None:
    prepared = _prepared(_auth(), params={"name": "a b+c"})

    assert prepared.url == "https://h.example/api?name=a%20b%2Bc"


def test_only_what_proxies_leave_alone_is_signed() -> None:
    headers = {"X-MLFLOW-WORKSPACE": "w", "Accept-Encoding": "identity", "Content-Type": "application/json"}
    prepared = _prepared(_auth(), "POST", headers=headers, data=b"{}")

    signed = "content-type;host;x-amz-content-sha256;x-amz-date;x-mlflow-workspace"
    assert f"SignedHeaders={signed}," in prepared.headers["Authorization"]


@pytest.mark.parametrize("body", [b"bytes", "text"])
def test_the_hash_is_that_of_the_body(body: bytes | str) -> None:
    prepared = _prepared(_auth(), "POST", data=body)

    data = body.encode() if isinstance(body, str) else body
    assert prepared.headers["X-Amz-Content-SHA256"] == hashlib.sha256(data).hexdigest()


def test_no_body_has_the_hash_of_nothing() -> None:
    assert _prepared(_auth()).headers["X-Amz-Content-SHA256"] == EMPTY_SHA256


def test_a_part_of_a_file_is_hashed_piece_by_piece(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"0123456789" * 300_000)
    body = Streamed(content_of(file), 5, 2_500_000, Conduct.ordinary())

    prepared = _prepared(_auth(), "PUT", data=body)

    assert (
        prepared.headers["X-Amz-Content-SHA256"] == hashlib.sha256(file.read_bytes()[5:2_500_000]).hexdigest()
    )
    assert prepared.headers["Content-Length"] == "2499995"


def test_a_body_without_a_hash_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be signed"):
        _auth()(requests.Request("PUT", "https://h/", data=iter([b"x"])).prepare())


def test_each_attempt_has_the_keys_and_the_time_of_its_moment() -> None:
    def moments() -> Iterator[datetime]:
        yield MOMENT
        yield MOMENT + timedelta(minutes=10)

    times = moments()
    keys = iter([AwsKeys("AKIAFIRST", "s"), AwsKeys("AKIASECOND", "s", "token")])
    auth = SigV4Auth(lambda: next(keys), SCOPE, clock=lambda: next(times))

    first, second = _prepared(auth), _prepared(auth)

    assert "AKIAFIRST/20260314" in first.headers["Authorization"]
    assert second.headers["X-Amz-Date"] == "20260314T151926Z"
    assert second.headers["X-Amz-Security-Token"] == "token"


def test_keys_are_found_before_a_request_takes_its_place() -> None:
    asked: list[None] = []

    def keys() -> AwsKeys:
        asked.append(None)
        return KEYS

    auth = SigV4Auth(keys, SCOPE)
    auth.prepare(Conduct.ordinary())

    assert len(asked) == 1
    assert not auth.renew(Conduct.ordinary())
