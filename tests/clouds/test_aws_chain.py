"""Keys that botocore finds: profiles, processes, roles; renewed before they expire."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cloud_standins import given
from store_servers import moto

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.aws_keys import AwsSettings, key_source


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No credentials but those of the test; gives the file for profiles."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return config


def test_a_profile_is_found(bare: Path) -> None:
    bare.write_text("[profile eval]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = canary\n")

    keys = key_source(AwsSettings(variables={"AWS_PROFILE": "eval"}))

    assert keys().access_key_id == "AKIAPROFILE"


@pytest.mark.parametrize("program", ["/nowhere/vend", "echo Welcome!"])
def test_a_process_that_gives_no_keys_is_told_in_a_sentence(bare: Path, program: str) -> None:
    bare.write_text(f"[default]\ncredential_process = {program}\n")

    with pytest.raises(SettingsError, match="AWS credentials could not be had: "):
        key_source(AwsSettings(variables={}))()


def test_keys_that_expire_soon_are_renewed_by_the_next_request(bare: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    program = tmp_path / "vend"
    soon = (datetime.now(timezone.utc) + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    code = f"""#!{sys.executable}
import json, pathlib
p = pathlib.Path({str(counter)!r})
p.write_text((p.read_text() if p.exists() else '') + '.')
keys = {{"Version": 1, "AccessKeyId": f"AKIA{{len(p.read_text())}}", "SecretAccessKey": "canary",
         "SessionToken": "t", "Expiration": {soon!r}}}
print(json.dumps(keys))
"""
    program.write_text(code)
    program.chmod(0o755)
    bare.write_text(f"[default]\ncredential_process = {program}\n")
    keys = key_source(AwsSettings(variables={}))

    first, second = keys(), keys()

    assert first.session_token == "t"
    assert second.access_key_id != first.access_key_id


def test_no_credentials_anywhere_are_told_with_advice() -> None:
    with pytest.raises(SettingsError, match="no AWS credentials were found: set AWS_ACCESS_KEY_ID"):
        key_source(AwsSettings(variables={}))()


def test_a_profile_that_is_not_there_is_told() -> None:
    with pytest.raises(SettingsError, match=r"could not be had: .*\(nobody\)"):
        key_source(AwsSettings(variables={"AWS_PROFILE": "nobody"}))()


@pytest.fixture
def sts(pytestconfig: pytest.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with moto(given(pytestconfig, "--cloud-env"), tmp_path / "moto") as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{port}")
        yield


@pytest.mark.usefixtures("sts")
def test_a_role_is_assumed_with_the_keys_of_the_environment() -> None:
    settings = AwsSettings(
        variables={"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "canary"},
        region="us-west-2",
        role="arn:aws:iam::123456789012:role/evals",
    )

    keys = key_source(settings)()

    assert keys.access_key_id not in {"", "AKIAOWN"}
    assert keys.session_token


def test_a_role_that_cannot_be_assumed_is_told_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    settings = AwsSettings(
        variables={"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "canary"},
        region="us-west-2",
        role="arn:aws:iam::123456789012:role/evals",
    )

    with pytest.raises(SettingsError, match="AWS credentials could not be had") as raised:
        key_source(settings)()
    assert "canary" not in str(raised.value)
