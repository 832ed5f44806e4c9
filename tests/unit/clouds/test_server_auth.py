"""Whose credentials go to a plain server, and in which header."""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path

import pytest
import requests
import responses
from cloud_clients import client, hurried

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import NotMlflow, SettingsError
from mlflow_rest_export.network.auth import RenewableAuth
from mlflow_rest_export.network.command_auth import headers_in
from mlflow_rest_export.targets.choice import choose

OSS = "https://mlflow.test"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "canary-secret"}
METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity"


def _sent(connection: Connection, uri: str = OSS) -> requests.structures.CaseInsensitiveDict[str]:
    auth = choose(uri, connection).auth
    if isinstance(auth, RenewableAuth):
        auth.prepare(hurried(0.2))
    return auth(requests.Request("GET", f"{OSS}/x").prepare()).headers


def _jwt(name: str, *, lasts: float = 3600) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"n": name, "exp": time.time() + lasts}).encode())
    return f"eyJhbGciOiJub25lIn0.{claims.decode().rstrip('=')}.sig"


def _program(folder: Path, name: str, code: str) -> None:
    file = folder / name
    file.write_text(f"#!{sys.executable}\nimport sys\n{code}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("uri", "variables", "scope"),
    [
        ("https://abc.execute-api.eu-west-1.amazonaws.com/prod", {}, "/eu-west-1/execute-api/aws4_request"),
        (
            "https://abc.execute-api.eu-west-1.amazonaws.com",
            {"AWS_REGION": "us-east-2"},
            "/eu-west-1/execute-api/",
        ),
        (
            "https://vpce-1.execute-api.eu-west-1.vpce.amazonaws.com",
            {"AWS_REGION": "us-east-2"},
            "/eu-west-1/execute-api/",
        ),
        ("https://mlflow.eu-west-1.example.com", {"AWS_REGION": "us-east-2"}, "/us-east-2/execute-api/"),
        ("https://mlflow.eu-west-1.example.com", {}, "/eu-west-1/execute-api/"),
        (OSS, {"AWS_REGION": "us-east-2"}, "/us-east-2/execute-api/"),
        (OSS, {"AWS_DEFAULT_REGION": "us-east-2"}, "/us-east-2/execute-api/"),
    ],
)
def test_a_server_behind_an_api_gateway_gets_signatures(
    uri: str, variables: dict[str, str], scope: str
) -> None:
    connection = Connection(environment=KEYS | variables, aws_sigv4=True, token="canary-unused")

    assert scope in _sent(connection, uri)["Authorization"]


def test_signing_without_any_region_is_told() -> None:
    with pytest.raises(SettingsError, match="set AWS_REGION"):
        choose(OSS, Connection(environment=KEYS, aws_sigv4=True))


def test_an_unknown_plugin_of_the_sdk_is_told_with_what_is_known() -> None:
    with pytest.raises(SettingsError, match="known are kubernetes, kubernetes-namespaced, google-id-token"):
        choose(OSS, Connection(auth="corporate-sso"))


def test_a_command_may_print_headers(tmp_path: Path) -> None:
    _program(tmp_path, "sso", "print('X-Gateway-Key: canary-1\\nAuthorization: Custom canary-2')")

    sent = _sent(Connection(token_command=(str(tmp_path / "sso"),)))

    assert (sent["X-Gateway-Key"], sent["Authorization"]) == ("canary-1", "Custom canary-2")


def test_a_command_may_print_a_token(tmp_path: Path) -> None:
    _program(tmp_path, "sso", "print('canary-token')")

    assert _sent(Connection(token_command=(str(tmp_path / "sso"),)))["Authorization"] == "Bearer canary-token"


@pytest.mark.parametrize("text", ["", "token", "a:b", "X: 1\ntoken", "X:1"])
def test_only_a_text_whose_every_line_is_a_header_is_headers(text: str) -> None:
    assert headers_in(text) == {}


def test_a_header_that_none_may_carry_is_refused() -> None:
    with pytest.raises(SettingsError, match="the header X-A that the token command printed holds characters"):
        headers_in("X-A: é")


def _google(path: Path, **more: str) -> Connection:
    return Connection(auth="google-id-token", environment={"PATH": str(path), **more})


@responses.activate
def test_googles_metadata_server_gives_the_token_for_the_servers_address(tmp_path: Path) -> None:
    token = _jwt("a")
    wanted = [
        responses.matchers.query_param_matcher({"audience": OSS, "format": "full"}),
        responses.matchers.header_matcher({"Metadata-Flavor": "Google"}),
    ]
    responses.get(METADATA, body=token, match=wanted)

    assert _sent(_google(tmp_path), f"{OSS}/base")["Authorization"] == f"Bearer {token}"


@responses.activate
def test_the_audience_may_be_given(tmp_path: Path) -> None:
    wanted = responses.matchers.query_param_matcher({"audience": "client-1", "format": "full"})
    responses.get(METADATA, body=_jwt("a"), match=[wanted])

    assert "Authorization" in _sent(_google(tmp_path, MLFLOW_TRACKING_GOOGLE_AUDIENCE="client-1"))


@responses.activate
@pytest.mark.parametrize(
    ("uri", "header"),
    [(OSS, "Proxy-Authorization"), ("https://m-abc.a.run.app", "X-Serverless-Authorization")],
)
def test_mlflows_own_credentials_keep_their_header(tmp_path: Path, uri: str, header: str) -> None:
    token = _jwt("a")
    responses.get(METADATA, body=token)
    connection = Connection(
        auth="google-id-token", environment={"PATH": str(tmp_path)}, username="u", password="canary"
    )

    sent = _sent(connection, uri)

    assert sent[header] == f"Bearer {token}"
    assert sent["Authorization"].startswith("Basic ")


@responses.activate
def test_outside_of_googles_cloud_gcloud_is_asked(tmp_path: Path) -> None:
    token = _jwt("gcloud")
    _program(tmp_path, "gcloud", f"print({token!r} if '--audiences={OSS}' in sys.argv else 'other')")

    assert _sent(_google(tmp_path))["Authorization"] == f"Bearer {token}"


@responses.activate
def test_a_page_in_the_place_of_a_token_is_none(tmp_path: Path) -> None:
    responses.get(METADATA, body="<html>\n<title>canary proxy</title>\n</html>")

    with pytest.raises(SettingsError, match="no Google identity token could be had") as raised:
        _sent(_google(tmp_path))
    assert "canary" not in str(raised.value)


@responses.activate
def test_a_token_of_several_lines_is_refused_without_it(tmp_path: Path) -> None:
    _program(tmp_path, "gcloud", "print('canary-1\\ncanary-2')")

    with pytest.raises(SettingsError, match="the token holds characters") as raised:
        _sent(_google(tmp_path))
    assert "canary" not in str(raised.value)


@responses.activate
def test_people_have_tokens_without_an_audience(tmp_path: Path) -> None:
    _program(tmp_path, "gcloud", "sys.exit(1) if len(sys.argv) > 3 else print('opaque')")

    assert _sent(_google(tmp_path))["Authorization"] == "Bearer opaque"


@responses.activate
@pytest.mark.parametrize("code", [None, "sys.exit(1)"])
def test_where_no_token_is_to_be_had_advice_is_given(tmp_path: Path, code: str | None) -> None:
    if code:
        _program(tmp_path, "gcloud", code)

    with pytest.raises(SettingsError, match=r"token_command, or a key file and pip install .*\[gcp\]"):
        _sent(_google(tmp_path))


def test_a_key_file_needs_the_library(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"needs google: pip install 'mlflow-rest-export\[gcp\]'"):
        _sent(_google(tmp_path, GOOGLE_APPLICATION_CREDENTIALS="/key.json"))


@responses.activate
def test_a_token_that_was_refused_is_replaced_once(tmp_path: Path) -> None:
    first, second = _jwt("1"), _jwt("2")
    responses.get(METADATA, body=first)
    responses.get(METADATA, body=second)
    url = f"{OSS}/api/2.0/mlflow/experiments/get-by-name"
    for token, status in ((first, 401), (second, 200)):
        bearer = responses.matchers.header_matcher({"Authorization": f"Bearer {token}"})
        responses.get(url, json={"experiment": {"experiment_id": "1"}}, status=status, match=[bearer])

    assert client(OSS, _google(tmp_path)).find_experiment("e") is not None


@responses.activate
def test_googles_login_page_is_recognised() -> None:
    responses.get(
        f"{OSS}/api/2.0/mlflow/experiments/get-by-name",
        status=302,
        headers={"Location": "https://accounts.google.com/o/oauth2/v2/auth?client_id=x&secret=canary"},
    )

    with pytest.raises(NotMlflow, match="MLFLOW_TRACKING_AUTH=google-id-token") as raised:
        client(OSS).find_experiment("e")
    assert "canary" not in str(raised.value)
