from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.targets.databricks_settings import (
    WorkspaceSettings,
    normal_host,
    profile_of_host,
    resolve,
)

FILE = """\
[DEFAULT]
host = https://default.cloud.databricks.com/
token = dapidefault

[dev]
host = dev.cloud.databricks.com
client_id = id
client_secret = secret

[bare]
host = https://bare.cloud.databricks.com:443/path
"""

Resolve = Callable[..., WorkspaceSettings]


@pytest.fixture
def resolved(tmp_path: Path) -> Resolve:
    (tmp_path / ".databrickscfg").write_text(FILE)

    def of(profile: str = "", **environment: str) -> WorkspaceSettings:
        return resolve(environment, str(tmp_path), profile=profile)

    return of


def test_the_default_profile_speaks_when_nothing_else_does(resolved: Resolve) -> None:
    settings = resolved()

    assert (settings.host, settings.token) == ("https://default.cloud.databricks.com", "dapidefault")
    assert settings.profile == ""


def test_a_named_profile_inherits_nothing_from_the_default_one(resolved: Resolve) -> None:
    settings = resolved("dev")

    assert settings.host == "https://dev.cloud.databricks.com"
    assert (settings.token, settings.client_id, settings.client_secret) == ("", "id", "secret")


def test_a_profile_may_be_named_by_the_environment_and_the_uri_wins(resolved: Resolve) -> None:
    assert resolved(DATABRICKS_CONFIG_PROFILE="dev").client_id == "id"
    assert resolved("bare", DATABRICKS_CONFIG_PROFILE="dev").host == "https://bare.cloud.databricks.com"


def test_the_environment_wins_over_a_named_profile_field_by_field(resolved: Resolve) -> None:
    settings = resolved("dev", DATABRICKS_HOST="other.cloud.databricks.com")

    assert (settings.host, settings.client_id) == ("https://other.cloud.databricks.com", "id")


def test_the_file_is_not_asked_when_the_environment_speaks_for_itself(resolved: Resolve) -> None:
    assert resolved(DATABRICKS_HOST="h.example").token == ""
    assert resolved(DATABRICKS_TOKEN="t").host == ""


def test_empty_variables_count_as_unset(resolved: Resolve) -> None:
    assert resolved(DATABRICKS_HOST="", DATABRICKS_TOKEN=" ").token == "dapidefault"


def test_an_alias_of_a_variable_counts(resolved: Resolve) -> None:
    assert resolved(DATABRICKS_OIDC_TOKEN_FILE="/token").oidc_token_filepath == "/token"


def test_two_kinds_of_credentials_are_an_error_that_names_both(resolved: Resolve) -> None:
    with pytest.raises(SettingsError, match=r"at once: pat and oauth; .*DATABRICKS_AUTH_TYPE"):
        resolved("dev", DATABRICKS_TOKEN="t")


def test_auth_type_settles_two_kinds_of_credentials(resolved: Resolve) -> None:
    settings = resolved("dev", DATABRICKS_TOKEN="t", DATABRICKS_AUTH_TYPE="pat")

    assert (settings.auth_type, settings.groups) == ("pat", ["pat", "oauth"])


def test_a_profile_that_is_not_there_is_an_error_that_names_the_others(resolved: Resolve) -> None:
    with pytest.raises(SettingsError, match=r"no Databricks profile prod in .*: DEFAULT, bare, dev"):
        resolved("prod")


def test_without_a_file_a_named_profile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no Databricks profile prod in .*; profiles there: none"):
        resolve({}, str(tmp_path), profile="prod")
    with pytest.raises(SettingsError, match=r"which is not there"):
        resolve({}, "", profile="prod")


def test_without_a_file_and_a_profile_nothing_is_known(tmp_path: Path) -> None:
    assert resolve({}, str(tmp_path)) == WorkspaceSettings()


def test_the_file_may_name_its_default_profile(tmp_path: Path) -> None:
    (tmp_path / "cfg").write_text(FILE + "[__settings__]\ndefault_profile = dev\n")

    settings = resolve({"DATABRICKS_CONFIG_FILE": str(tmp_path / "cfg")}, "")

    assert (settings.profile, settings.client_id) == ("dev", "id")


def test_the_settings_section_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text("[__settings__]\ndefault_profile = __settings__\n")

    with pytest.raises(SettingsError, match=r"__settings__ is no Databricks profile"):
        resolve({}, str(tmp_path))


@pytest.mark.parametrize("text", ["[dev]\nhost\n  = x\nnonsense\n", "token = canary-secret\n"])
def test_a_broken_file_is_told_by_its_line_and_without_its_text(tmp_path: Path, text: str) -> None:
    (tmp_path / ".databrickscfg").write_text(text)

    with pytest.raises(SettingsError, match=r"is no INI file: see line \d") as caught:
        resolve({}, str(tmp_path))

    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_no_text_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SettingsError, match=r"cannot be read"):
        resolve({}, str(tmp_path))


def test_percent_signs_and_unknown_keys_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text("[DEFAULT]\ntoken = a%b%(c)s\ncluster_id = 1\nempty =\n")

    assert resolve({}, str(tmp_path)).token == "a%b%(c)s"


def test_secrets_are_not_in_the_repr() -> None:
    secrets = WorkspaceSettings(
        token="canary1",
        password="canary2",
        client_secret="canary3",
        azure_client_secret="canary4",
        google_credentials="canary5",
    )

    assert "canary" not in repr(secrets)


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("", ""),
        ("x.cloud.databricks.com", "https://x.cloud.databricks.com"),
        ("HTTPS://X.Cloud.Databricks.com:443/?o=1", "https://x.cloud.databricks.com"),
        ("http://127.0.0.1:5611", "http://127.0.0.1:5611"),
        ("https://h:8443/a/b/", "https://h:8443"),
        ("https://me:canary@h", "https://h"),
        ("me:c@n@ry@h:8443", "https://h:8443"),
        ("http://[::1]:5611/", "http://[::1]:5611"),
    ],
)
def test_hosts_are_written_one_way(given: str, host: str) -> None:
    assert normal_host(given, "it") == host


NO_HOSTS = [
    "http://[::1",
    "ftp://x",
    "https://x:abc",
    "https://x:99999",
    "https://",
    "//",
    "me:canary@",
    "a][",
]


@pytest.mark.parametrize("wrong", NO_HOSTS)
def test_a_host_that_is_none_is_an_error_that_says_whose_and_quotes_nothing(
    wrong: str, resolved: Resolve, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"^DATABRICKS_HOST is no address such as") as caught:
        resolved(DATABRICKS_HOST=wrong, DATABRICKS_TOKEN="t")
    assert "canary" not in str(caught.value)

    (tmp_path / ".databrickscfg").write_text(f"[DEFAULT]\nhost={wrong}\n[prod]\nhost={wrong}\n")
    with pytest.raises(SettingsError, match=r"^host of the Databricks profile prod is no address") as caught:
        resolved("prod", DATABRICKS_TOKEN="t")
    assert "canary" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"^host of the Databricks profile DEFAULT is no address"):
        resolved()
    assert profile_of_host({}, str(tmp_path), "https://x") == ""


@given(st.text(alphabet="aB./?-@:[]5", max_size=40) | st.text())
@example("[@]")
def test_whatever_is_given_as_a_host_is_an_address_without_a_user_or_a_settings_error(text: str) -> None:
    try:
        host = normal_host(text, "it")
    except SettingsError:
        return

    assert "@" not in host
    assert normal_host(host, "it") == host
