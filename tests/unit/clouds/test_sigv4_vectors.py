"""The signer against requests that the official SageMaker plugin signed (fixtures/sagemaker)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from mlflow_rest_export.network import sigv4

VECTORS = json.loads(
    (Path(__file__).parents[3] / "fixtures/sagemaker/sigv4-vectors.json").read_text(encoding="utf-8")
)["vectors"]
ADDED = {"X-Amz-Content-SHA256", "X-Amz-Date", "X-Amz-Security-Token", "Authorization"}
KEYS = sigv4.AwsKeys("AKIAFAKE", "canary-secret-key", "canary-session-token")
SCOPE = sigv4.Scope("us-west-2", "sagemaker-mlflow")
MOMENT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=timezone.utc)


def _signed(vector: dict[str, Any]) -> dict[str, str]:
    result, given = vector["result"], vector["credentials"]
    request = sigv4.Unsigned(
        method=result["method"],
        url=result["url"],
        headers={name: value for name, value in result["headers"].items() if name not in ADDED},
        payload_sha256=hashlib.sha256((result.get("body") or "").encode()).hexdigest(),
    )
    keys = sigv4.AwsKeys(
        given["aws_access_key_id"], given["aws_secret_access_key"], given["aws_session_token"] or ""
    )
    return sigv4.signed_headers(
        request,
        keys=keys,
        scope=sigv4.Scope(vector["region"], vector["service"]),
        moment=datetime.fromisoformat(vector["frozen_time"].replace("Z", "+00:00")),
    )


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_the_signature_is_the_official_plugins_byte_for_byte(vector: dict[str, Any]) -> None:
    expected = {name: value for name, value in vector["result"]["headers"].items() if name in ADDED}

    assert _signed(vector) == expected


def _authorization(url: str, **headers: str) -> str:
    request = sigv4.Unsigned(method="GET", url=url, headers=headers)
    return sigv4.signed_headers(request, keys=KEYS, scope=SCOPE, moment=MOMENT)["Authorization"]


def test_a_usual_port_is_no_part_of_the_signed_host() -> None:
    assert _authorization("https://host.example:443/a") == _authorization("https://HOST.example/a")
    assert _authorization("https://host.example:444/a") != _authorization("https://host.example/a")


def test_the_hosts_of_ipv6_addresses_keep_their_brackets() -> None:
    request = sigv4.Unsigned(method="GET", url="http://[::1]:5000/a", headers={})
    canonical = sigv4.canonical_request(request, {"host": "[::1]:5000"})

    assert canonical == f"GET\n/a\n\nhost:[::1]:5000\n\nhost\n{sigv4.EMPTY_SHA256}"


def test_dots_and_empty_segments_of_a_path_do_not_change_the_signature() -> None:
    assert _authorization("https://h/a/./b//../c/") == _authorization("https://h/a/c/")
    assert _authorization("https://h") == _authorization("https://h/")


def test_the_order_of_parameters_does_not_change_the_signature() -> None:
    assert _authorization("https://h/?b=2&a=1&a=0&c") == _authorization("https://h/?a=0&a=1&b=2&c=")


def test_headers_that_proxies_change_are_not_signed() -> None:
    signed = _authorization("https://h/", Accept="*/*", Connection="close", **{"User-Agent": "x"})

    assert "SignedHeaders=accept;host;x-amz-content-sha256;x-amz-date;x-amz-security-token," in signed


def test_the_time_is_written_in_utc_whatever_zone_it_came_in() -> None:
    moment = datetime.fromisoformat("2026-03-15T00:09:26+09:00")

    assert sigv4.string_to_sign("x", scope=SCOPE, moment=moment).splitlines()[1:3] == [
        "20260314T150926Z",
        "20260314/us-west-2/sagemaker-mlflow/aws4_request",
    ]


def test_keys_do_not_show_their_secrets() -> None:
    assert "canary" not in repr(KEYS)
