from __future__ import annotations

import re
from pathlib import Path

import pytest
from requests import PreparedRequest, Request

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.routes import Route
from mlflow_rest_export.targets import databricks
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.targets.target import Target

HOST = "https://x.cloud.databricks.com"
TOKEN = {"DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": "dapi1"}


def sent(target: Target) -> PreparedRequest:
    """A request as it would go out."""
    request = Request("GET", f"{target.base_url}/api", headers=dict(target.headers)).prepare()
    target.auth(request)
    return request


def test_databricks_alone_means_what_the_environment_says() -> None:
    target = choose("databricks", Connection(environment=TOKEN))

    assert (target.kind, target.base_url, target.page) == ("Databricks", HOST, f"{HOST}/ml")
    assert sent(target).headers["Authorization"] == "Bearer dapi1"
    assert Route.PROXIED not in target.routes
    assert target.limits == databricks.LIMITS


@pytest.mark.parametrize("uri", ["databricks://prod", "databricks://prod/", "DATABRICKS://prod"])
def test_a_profile_can_be_named(uri: str, tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text(f"[prod]\nhost={HOST}\ntoken=dapi2\n")

    assert sent(choose(uri, Connection(home=str(tmp_path)))).headers["Authorization"] == "Bearer dapi2"


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("databricks-uc", "the tracking URI is databricks or databricks://PROFILE"),
        ("databricks-uc://prod", "names the model registry"),
        ("databricks://scope:prefix", "names a secret scope, .* give databricks://PROFILE"),
        ("databricks://a/b", "names no profile"),
        ("databricks://a%20b", "names no profile"),
    ],
)
def test_what_cannot_work_is_refused_with_advice(uri: str, advice: str) -> None:
    with pytest.raises(SettingsError, match=advice):
        choose(uri, Connection(environment=TOKEN))


def test_no_host_is_an_error_with_advice() -> None:
    with pytest.raises(SettingsError, match=r"set DATABRICKS_HOST, or name a profile"):
        choose("databricks", Connection(environment={"DATABRICKS_TOKEN": "t"}))


def test_credentials_go_nowhere_in_the_clear() -> None:
    with pytest.raises(SettingsError, match=r"http://x.example would get credentials in the clear"):
        choose("databricks", Connection(environment={**TOKEN, "DATABRICKS_HOST": "http://x.example"}))


def test_no_credentials_are_an_error_with_advice() -> None:
    with pytest.raises(SettingsError, match=r"no credentials for .*x.cloud.databricks.com: set"):
        choose("databricks", Connection(environment={"DATABRICKS_HOST": HOST}))


@pytest.mark.parametrize(
    "host",
    [
        "x.cloud.databricks.com",
        "x.dev.databricks.com",
        "x.cloud.databricks.us",
        "x.gcp.databricks.com",
        "adb-1.2.azuredatabricks.net",
        "adb-1.2.staging.azuredatabricks.net",
        "adb-1.2.databricks.azure.us",
        "adb-1.2.databricks.azure.cn",
    ],
)
def test_an_address_in_a_zone_of_databricks_is_a_workspace(host: str) -> None:
    assert databricks.recognises(f"https://{host}/")


def test_other_addresses_are_plain_servers() -> None:
    assert not databricks.recognises("https://mlflow.example.com")
    assert not databricks.recognises("https://cloud.databricks.com.example.com")


def test_an_address_takes_the_tracking_token() -> None:
    target = choose(f"{HOST}/?o=77", Connection(token="dapi3", environment={"DATABRICKS_HOST": "other"}))

    assert target.base_url == HOST
    assert sent(target).headers["Authorization"] == "Bearer dapi3"
    assert sent(target).headers["x-databricks-org-id"] == "77"


def test_an_address_takes_user_and_password_out_of_itself() -> None:
    target = choose("https://token:dapi4@x.cloud.databricks.com", Connection())

    assert sent(target).headers["Authorization"] == "Basic dG9rZW46ZGFwaTQ="
    assert target.base_url == HOST


def test_an_address_takes_the_user_and_the_password_of_mlflow() -> None:
    connection = Connection(username="token", password="dapi4", token="unused")

    assert sent(choose(HOST, connection)).headers["Authorization"] == "Basic dG9rZW46ZGFwaTQ="


@pytest.mark.parametrize("uri", ["https://[x.cloud.databricks.com", f"{HOST}:abc", "databricks://[::1"])
def test_an_address_that_is_none_is_an_error_of_the_settings(uri: str) -> None:
    with pytest.raises(SettingsError):
        choose(uri, Connection(environment={"DATABRICKS_TOKEN": "t"}))


def test_a_password_in_the_host_is_in_no_address_for_people() -> None:
    target = choose(
        "databricks", Connection(environment={**TOKEN, "DATABRICKS_HOST": "http://me:canary@127.0.0.1:1"})
    )

    assert (target.base_url, target.page) == ("http://127.0.0.1:1", "http://127.0.0.1:1/ml")
    assert sent(target).headers["Authorization"] == "Bearer dapi1"


def test_the_host_of_the_environment_wins_over_that_of_a_named_profile_as_in_the_sdk(tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text(f"[dev]\nhost={HOST}\ntoken=dapi8\n")
    variables = {"DATABRICKS_HOST": "y.cloud.databricks.com"}
    target = choose("databricks://dev", Connection(environment=variables, home=str(tmp_path)))

    assert target.base_url == "https://y.cloud.databricks.com"
    assert sent(target).headers["Authorization"] == "Bearer dapi8"


def test_an_address_finds_its_profile(tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text(
        f"[DEFAULT]\nhost=y.cloud.databricks.com\ntoken=a\n[x]\nhost={HOST}/\ntoken=dapi5\n"
    )

    assert sent(choose(HOST, Connection(home=str(tmp_path)))).headers["Authorization"] == "Bearer dapi5"


def test_credentials_of_one_workspace_never_go_to_another() -> None:
    with pytest.raises(SettingsError, match=r"names https://y.cloud.databricks.com, but .* is for https://x"):
        choose("https://y.cloud.databricks.com", Connection(environment=TOKEN))


def test_an_address_with_a_token_of_the_environment_needs_no_second_host() -> None:
    assert choose(HOST, Connection(environment={"DATABRICKS_TOKEN": "t"})).base_url == HOST


def test_a_token_command_wins_over_all_other_credentials() -> None:
    connection = Connection(environment=TOKEN, token_command=("echo", "dapi6"))

    assert sent(choose("databricks", connection)).headers["Authorization"] == "Bearer dapi6"
    at_once = Connection(token_command=("echo", "dapi6"))
    assert sent(choose(HOST, at_once)).headers["Authorization"] == "Bearer dapi6"


def test_a_token_file_wins_over_databricks_own_settings(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("dapi7\n")
    connection = Connection(environment=TOKEN, token_file=str(tmp_path / "token"))

    assert sent(choose("databricks", connection)).headers["Authorization"] == "Bearer dapi7"


def test_the_user_agent_follows_the_grammar_of_databricks() -> None:
    agent = choose("databricks", Connection(environment=TOKEN)).headers["User-Agent"]

    assert re.fullmatch(r"mlflow-rest-export/\S+ python/[\d.]+\S* os/\w+ auth/pat", agent)


def test_the_workspace_id_is_sent_where_it_is_known() -> None:
    target = choose("databricks", Connection(environment={**TOKEN, "DATABRICKS_WORKSPACE_ID": "12"}))

    assert sent(target).headers["x-databricks-org-id"] == "12"
    assert "x-databricks-org-id" not in sent(choose("databricks", Connection(environment=TOKEN))).headers


def test_no_secret_is_in_the_repr_of_a_target() -> None:
    connection = Connection(environment={"DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": "canary"})

    assert "canary" not in repr(choose("databricks", connection))
    assert "canary" not in repr(choose(HOST, Connection(token="canary")))
