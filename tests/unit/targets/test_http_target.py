"""From a tracking URI and the user's settings to how a plain server is reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests import Request

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.targets import choice, http
from mlflow_rest_export.targets.target import AnyName


def authorization(uri: str, **said: object) -> str:
    target = http.target(uri, Connection(**said))  # type: ignore[arg-type]  # by name
    prepared = target.auth(Request("GET", "http://h/").prepare())
    return str(prepared.headers.get("Authorization", ""))


@pytest.mark.parametrize(
    ("uri", "base"),
    [
        ("http://mlflow.example.com:5000", "http://mlflow.example.com:5000"),
        ("HTTPS://MLflow.Example.com/", "https://mlflow.example.com"),
        ("https://h/team//mlflow/", "https://h/team/mlflow"),
        ("http://[::1]:5000/x", "http://[::1]:5000/x"),
        ("https://me:secret@h:8443/p", "https://h:8443/p"),
    ],
)
def test_the_address_loses_what_does_not_belong_to_it(uri: str, base: str) -> None:
    target = http.target(uri, Connection())

    assert (target.base_url, target.page) == (base, f"{base}/#")
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    "uri",
    [
        "http://",
        "https:///path",
        "http://[::1",
        "http://h:port",
        "http://h:99999",
        "http://h/?a=b",
        "http://h/#/x",
    ],
)
def test_an_address_that_makes_no_sense_is_refused_without_repeating_secrets(uri: str) -> None:
    for secretly in (uri, uri.replace("//", "//me:canary@", 1)):
        with pytest.raises(SettingsError, match="the tracking URI") as told:
            http.target(secretly, Connection())
        assert "canary" not in str(told.value)


@given(st.text(max_size=30))
def test_any_address_is_understood_or_refused_in_one_way(rest: str) -> None:
    uri = f"http://{rest}"
    try:
        made = http.target(uri, Connection())
    except SettingsError:
        return
    finally:
        http.warnings(uri, Connection(token="t"))
    assert made.base_url.startswith("http://")
    assert "@" not in made.base_url.partition("//")[2].partition("/")[0]


@pytest.mark.parametrize(
    ("uri", "said", "sent"),
    [
        ("http://h", {}, ""),
        ("http://me:p%40ss@h", {}, "Basic bWU6cEBzcw=="),
        ("http://me@h", {}, "Basic bWU6"),
        ("http://me:p@h", {"token": "t"}, "Bearer t"),
        ("http://h", {"username": "u", "password": "p", "token": "t"}, "Basic dTpw"),
        ("http://h", {"username": "u", "token": "t"}, "Bearer t"),
        ("http://h", {"token_command": ("echo", "printed")}, "Bearer printed"),
    ],
)
def test_credentials_are_chosen_as_in_the_sdk(uri: str, said: dict[str, object], sent: str) -> None:
    assert authorization(uri, **said) == sent


def test_a_token_file_is_asked_at_each_request(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from file")

    assert authorization("http://h", token_file=str(tmp_path / "token")) == "Bearer from file"


def test_in_a_pod_the_clusters_token_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="the token file /var/run/secrets/kubernetes"):
        authorization("http://h", auth="kubernetes")
    with pytest.raises(SettingsError, match="this is no pod with a service account; set MLFLOW_WORKSPACE"):
        http.target("http://h", Connection(auth="kubernetes-namespaced"))


def test_headers_name_us_the_workspace_and_what_the_user_wants() -> None:
    plain = http.target("http://h", Connection()).headers
    full = http.target("http://h", Connection(workspace="team", headers={"X-Key": "k"})).headers

    assert list(plain) == ["User-Agent"]
    assert plain["User-Agent"].startswith("mlflow-rest-export/")
    assert (full["X-MLFLOW-WORKSPACE"], full["X-Key"]) == ("team", "k")


def test_certificates_are_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    ca = str(tmp_path / "ca.pem")

    assert http.tls(Connection()).verify is True
    assert http.tls(Connection(insecure_tls=True)).verify is False
    assert http.tls(Connection(server_cert_path=ca, client_cert_path=ca)).verify == ca
    assert http.tls(Connection(client_cert_path=ca)).client_cert == ca


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"insecure_tls": True, "server_cert_path": "/x"}, "exclude each other"),
        ({"server_cert_path": "/nowhere"}, "MLFLOW_TRACKING_SERVER_CERT_PATH: there is no file /nowhere"),
        ({"client_cert_path": "/nowhere"}, "MLFLOW_TRACKING_CLIENT_CERT_PATH: there is no file /nowhere"),
    ],
)
def test_certificates_that_contradict_each_other_or_are_missing_are_told(
    said: dict[str, object], reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        http.target("https://h", Connection(**said))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("uri", "said", "count"),
    [
        ("http://mlflow.example", {}, 0),
        ("http://mlflow.example", {"token": "t"}, 1),
        ("http://mlflow.example", {"token_file": "f"}, 1),
        ("http://mlflow.example", {"token_command": ("c",)}, 1),
        ("http://mlflow.example", {"password": "p"}, 1),
        ("http://me:p@mlflow.example", {}, 1),
        ("http://10.0.0.7", {"token": "t"}, 1),
        ("https://mlflow.example", {"token": "t"}, 0),
        ("http://localhost:5000", {"token": "t"}, 0),
        ("http://127.0.0.1:5000", {"token": "t"}, 0),
        ("http://[::1]:5000", {"token": "t"}, 0),
        ("https://mlflow.example", {"insecure_tls": True}, 1),
        ("http://mlflow.example", {"insecure_tls": True, "token": "t"}, 2),
        ("http://[::1", {"token": "t"}, 0),
    ],
)
def test_who_sends_secrets_in_the_clear_or_trusts_anybody_is_warned(
    uri: str, said: dict[str, object], count: int
) -> None:
    assert len(http.warnings(uri, Connection(**said))) == count  # type: ignore[arg-type]  # by name


def test_names_of_experiments_are_taken_as_they_are() -> None:
    transport = http.target("http://h", Connection()).names

    assert isinstance(transport, AnyName)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:///mlflow.db", "sqlite: names the database behind an MLflow server"),
        ("postgresql+psycopg2://me:canary@h/db", r"postgresql\+psycopg2: names the database"),
        ("ftp://h", "no MLflow host is known for tracking URIs that begin with ftp:"),
        ("mlflow://h", "no MLflow host is known"),
        ("xhttp://databricks", "no MLflow host is known"),
    ],
)
def test_an_address_of_no_known_host_is_told_with_what_would_be_one(uri: str, said: str) -> None:
    assert not choice.recognises(uri)
    with pytest.raises(SettingsError, match=said) as told:
        choice.choose(uri, Connection())
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    ("uri", "known"),
    [("http://h", True), ("HTTPS://h", True), ("./mlruns", False), ("file:///x", False), ("", False)],
)
def test_hosts_are_known_by_their_address(uri: str, known: bool) -> None:
    assert choice.recognises(uri) is known


@pytest.mark.parametrize("name", ["canary 中", "canary\nname"])
def test_a_workspace_that_no_header_can_carry_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="MLFLOW_WORKSPACE holds characters"):
        http.target("http://h", Connection(workspace=name))


def test_the_line_break_at_the_end_of_a_workspace_is_no_part_of_it() -> None:
    assert http.target("http://h", Connection(workspace="team-a\n")).headers["X-MLFLOW-WORKSPACE"] == "team-a"
