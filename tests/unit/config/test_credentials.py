"""The way to a server: settings, the SDK's variables, the SDK's credentials file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mlflow_rest_export.config import Environment, read_environment, resolve
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError


def connection(
    variables: dict[str, str] | None = None, home: Path | None = None, config: dict[str, Any] | None = None
) -> Connection:
    return resolve(environment=Environment(variables or {}, home), config=config or {}).connection()


def write_credentials(home: Path, text: str | bytes) -> None:
    (home / ".mlflow").mkdir()
    (home / ".mlflow" / "credentials").write_bytes(text if isinstance(text, bytes) else text.encode())


def test_nothing_given_is_an_empty_connection() -> None:
    assert connection() == Connection()


def test_the_variables_of_the_sdk_are_understood() -> None:
    variables = {
        "MLFLOW_TRACKING_USERNAME": "me",
        "MLFLOW_TRACKING_PASSWORD": " p$w ",
        "MLFLOW_TRACKING_TOKEN": "token\n",
        "MLFLOW_TRACKING_AUTH": "kubernetes",
        "MLFLOW_TRACKING_AWS_SIGV4": "True",
        "MLFLOW_TRACKING_INSECURE_TLS": "1",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
        "MLFLOW_TRACKING_CLIENT_CERT_PATH": "/me.pem",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
        "MLFLOW_WORKSPACE": "team",
    }

    assert connection(variables, Path("/home/me")) == Connection(
        username="me",
        password=" p$w ",
        token="token",
        auth="kubernetes",
        aws_sigv4=True,
        insecure_tls=True,
        server_cert_path="/ca.pem",
        client_cert_path="/me.pem",
        request_timeout=30.0,
        workspace="team",
        environment=variables,
        home="/home/me",
    )


def test_settings_reach_the_connection() -> None:
    given = connection(
        config={"headers": {"X-A": "b"}, "token_command": "get a", "workspace": "team"},
    )

    assert given == Connection(headers={"X-A": "b"}, token_command=("get", "a"), workspace="team")
    assert connection(config={"token_file": "/run/token"}).token_file == "/run/token"


@pytest.mark.parametrize("config", [{"token_file": "/t"}, {"token_command": "get"}])
def test_a_token_of_the_settings_is_stronger_than_credentials_of_the_environment(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    write_credentials(tmp_path, "[mlflow]\nmlflow_tracking_username = file\n")
    variables = {
        "MLFLOW_TRACKING_USERNAME": "u",
        "MLFLOW_TRACKING_PASSWORD": "p",
        "MLFLOW_TRACKING_TOKEN": "t",
    }
    given = connection(variables, tmp_path, config)

    assert (given.username, given.password, given.token) == ("", "", "")


def test_the_credentials_file_fills_what_the_environment_lacks(tmp_path: Path) -> None:
    write_credentials(
        tmp_path, "[mlflow]\nmlflow_tracking_username = file\nMLFLOW_TRACKING_PASSWORD = 100%(x)s\n"
    )

    assert (connection({}, tmp_path).username, connection({}, tmp_path).password) == ("file", "100%(x)s")
    assert connection({"MLFLOW_TRACKING_USERNAME": "env"}, tmp_path).username == "env"
    assert connection({"MLFLOW_TRACKING_USERNAME": ""}, tmp_path).username == "file"


@pytest.mark.parametrize("text", ["", "[other]\na = b\n", "[mlflow]\n"])
def test_a_credentials_file_may_say_nothing(tmp_path: Path, text: str) -> None:
    write_credentials(tmp_path, text)

    assert connection({}, tmp_path).username == ""


@pytest.mark.parametrize(
    "text", ["mlflow_tracking_password = s3cret", "[mlflow]\ns3cret\n", b"[mlflow]\na = s3cret\xff"]
)
def test_a_broken_credentials_file_is_named_but_not_quoted(tmp_path: Path, text: str | bytes) -> None:
    write_credentials(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        connection({}, tmp_path)

    assert str(refused.value) == f"{tmp_path}/.mlflow/credentials: is no INI file with a section [mlflow]"


def test_a_credentials_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".mlflow" / "credentials").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"credentials: cannot be read: is a directory$"):
        connection({}, tmp_path)


def test_every_variable_that_makes_no_sense_is_told() -> None:
    variables = {
        "MLFLOW_TRACKING_INSECURE_TLS": "s3cret",
        "MLFLOW_TRACKING_AWS_SIGV4": "maybe",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "soon",
    }
    with pytest.raises(SettingsError) as refused:
        connection(variables)

    assert str(refused.value) == (
        "3 problems with the settings: environment variable MLFLOW_TRACKING_AWS_SIGV4: must be true or "
        "false; environment variable MLFLOW_TRACKING_INSECURE_TLS: must be true or false; environment "
        "variable MLFLOW_HTTP_REQUEST_TIMEOUT: must be a number of seconds above 0"
    )


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf"])
def test_a_timeout_is_above_zero(text: str) -> None:
    with pytest.raises(SettingsError, match="must be a number of seconds above 0"):
        connection({"MLFLOW_HTTP_REQUEST_TIMEOUT": text})


def test_the_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://h")
    environment = read_environment()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://later")

    assert environment.get("MLFLOW_TRACKING_URI") == "http://h"
    assert environment.home == tmp_path
    assert environment.variables == {**os.environ, "MLFLOW_TRACKING_URI": "http://h"}


def test_a_user_without_a_home_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654_321)
    environment = read_environment()

    assert environment.home is None
    assert environment.with_home("~/x") == "~/x"
    assert resolve(environment=environment).connection().home == ""
