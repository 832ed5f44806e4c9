"""Keys from the environment, and what is said when botocore would be needed."""

from __future__ import annotations

import pytest

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.extras import is_installed
from mlflow_rest_export.network.aws_keys import AwsSettings, environment_keys, key_source
from mlflow_rest_export.network.sigv4 import AwsKeys

PAIR = {"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "canary-secret"}
without_botocore = pytest.mark.skipif(is_installed("botocore"), reason="says what is missing")


def test_the_environment_needs_nobody_else() -> None:
    keys = key_source(AwsSettings(variables=PAIR | {"AWS_SESSION_TOKEN": "canary-token"}))

    assert keys() == AwsKeys("AKIAFAKE", "canary-secret", "canary-token")


def test_keys_that_the_process_renewed_are_used_from_then_on() -> None:
    live = dict(PAIR)
    keys = key_source(AwsSettings(variables=PAIR, live=live))
    first = keys()

    live |= {"AWS_ACCESS_KEY_ID": "AKIANEW", "AWS_SECRET_ACCESS_KEY": "new", "AWS_SESSION_TOKEN": "t"}

    assert (first.access_key_id, keys()) == ("AKIAFAKE", AwsKeys("AKIANEW", "new", "t"))


def test_keys_of_a_config_stand_although_the_process_has_others() -> None:
    keys = key_source(AwsSettings(variables=PAIR, live={"AWS_ACCESS_KEY_ID": "AKIAOTHER"}))

    assert keys().access_key_id == "AKIAFAKE"


def test_half_renewed_keys_are_not_used() -> None:
    live = dict(PAIR)
    keys = key_source(AwsSettings(variables=PAIR, live=live))

    del live["AWS_SECRET_ACCESS_KEY"]

    assert keys() == AwsKeys("AKIAFAKE", "canary-secret")


@pytest.mark.parametrize("missing", sorted(PAIR))
def test_half_a_pair_is_told(missing: str) -> None:
    half = {name: value for name, value in PAIR.items() if name != missing}

    with pytest.raises(SettingsError, match=f"{missing} is not set"):
        key_source(AwsSettings(variables=half))


def test_no_keys_are_no_environment_keys() -> None:
    assert environment_keys(AwsSettings(variables={})) is None


@without_botocore
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (AwsSettings(variables={"AWS_PROFILE": "p"}), "AWS_ACCESS_KEY_ID is not set"),
        (
            AwsSettings(variables=PAIR, role="arn:aws:iam::1:role/r"),
            "assuming the role arn:aws:iam::1:role/r",
        ),
    ],
)
def test_what_needs_botocore_gives_the_line_that_installs_it(settings: AwsSettings, why: str) -> None:
    with pytest.raises(SettingsError) as raised:
        key_source(settings)

    assert why in str(raised.value)
    assert str(raised.value).endswith("pip install 'mlflow-rest-export[aws]'")


def test_settings_do_not_show_their_secrets() -> None:
    assert "canary" not in repr(AwsSettings(variables=PAIR, live=PAIR))


def test_the_line_break_of_a_mounted_secret_is_no_part_of_a_key() -> None:
    mounted = {name: f"{value}\n" for name, value in PAIR.items()} | {"AWS_SESSION_TOKEN": " canary-token\n"}

    assert key_source(AwsSettings(variables=mounted))() == AwsKeys(
        "AKIAFAKE", "canary-secret", "canary-token"
    )
    assert environment_keys(AwsSettings(variables=dict.fromkeys(PAIR, "\n"))) is None


@pytest.mark.parametrize("name", [*PAIR, "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("value", ["canary\nkey", "canary-中"])
def test_a_key_that_no_request_can_carry_is_refused_without_the_key(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=r"the AWS .* holds characters") as raised:
        key_source(AwsSettings(variables=PAIR | {name: value}))

    assert "canary" not in str(raised.value)


def test_renewed_keys_are_looked_at_too() -> None:
    live = dict(PAIR)
    keys = key_source(AwsSettings(variables=PAIR, live=live))

    live["AWS_SESSION_TOKEN"] = "canary\0"

    with pytest.raises(SettingsError, match="the AWS session token holds characters"):
        keys()
