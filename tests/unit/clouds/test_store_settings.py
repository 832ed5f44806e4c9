"""How an object store is reached, by MLflow's own variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlflow_rest_export.artifacts.store_settings import place_of
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.tls import Tls

S3 = "s3://bkt/a prefix/7/r/artifacts"
BLOB = "wasbs://ctr@acct.blob.core.windows.net/mlflow/7/r/artifacts"


PEM = b"-----BEGIN CERTIFICATE-----\n"


def _config(uri: str, **variables: str) -> dict[str, object]:
    return dict(place_of(uri, variables, tls=Tls()).config)


def _client(uri: str, tls: Tls | None = None, /, **variables: str) -> dict[str, object]:
    return dict(place_of(uri, variables, tls=tls or Tls()).client)


def test_bucket_and_prefix_come_from_the_uri_as_they_stand() -> None:
    place = place_of(f"{S3}/a%20b#c?d", {}, tls=Tls())

    assert (place.family, place.bucket, place.prefix) == ("s3", "bkt", "a prefix/7/r/artifacts/a%20b#c?d")


@pytest.mark.parametrize("name", ["MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
def test_an_endpoint_of_ones_own_needs_no_region(name: str) -> None:
    config = _config(S3, **{name: "http://minio:9000/"})

    assert (config["endpoint"], config["region"]) == ("http://minio:9000", "us-east-1")
    assert _client(S3, **{name: "http://minio:9000"})["allow_http"] is True
    assert _client(S3, **{name: "https://minio:9000"})["allow_http"] is False


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_is_taken_from_the_environment(name: str) -> None:
    assert _config(S3, **{name: "eu-west-1"}) == {"region": "eu-west-1"}


def test_virtual_addressing_puts_the_bucket_into_the_host() -> None:
    style = {"MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE": "virtual"}

    config = _config(S3, MLFLOW_S3_ENDPOINT_URL="https://s3.example", **style)
    assert config["endpoint"] == "https://bkt.s3.example"
    assert config["virtual_hosted_style_request"] is True
    assert "endpoint" not in _config(S3, **style)


def test_extra_arguments_are_translated() -> None:
    given = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k", "BucketKeyEnabled": True}

    assert _config(S3, MLFLOW_S3_UPLOAD_EXTRA_ARGS=json.dumps(given)) == {
        "server_side_encryption": "aws:kms",
        "sse_kms_key_id": "k",
        "sse_bucket_key_enabled": True,
    }


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"MLFLOW_S3_UPLOAD_EXTRA_ARGS": "{"}, "is no JSON object"),
        ({"MLFLOW_S3_UPLOAD_EXTRA_ARGS": "[]"}, "is no JSON object"),
        (
            {"MLFLOW_S3_UPLOAD_EXTRA_ARGS": '{"ACL": "private"}'},
            "asks for ACL, which a direct",
        ),
        ({"MLFLOW_S3_EXPECTED_BUCKET_OWNER": "123456789012"}, "cannot be honoured"),
    ],
)
def test_what_cannot_be_done_is_refused_not_ignored(variables: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        place_of(S3, variables, tls=Tls())


def test_certificates_are_those_of_the_tracking_server(tmp_path: Path) -> None:
    bundle, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    bundle.write_bytes(PEM)
    other.write_bytes(b"other\n" + PEM)

    assert _client(S3, Tls(verify=str(bundle)))["root_certificate"] == PEM
    assert _client(S3, REQUESTS_CA_BUNDLE=str(bundle))["root_certificate"] == PEM
    assert _client(S3, CURL_CA_BUNDLE=str(bundle))["root_certificate"] == PEM
    assert _client(S3, Tls(verify=str(bundle)), REQUESTS_CA_BUNDLE=str(other))["root_certificate"] == PEM
    assert "root_certificate" not in _client(S3, Tls(verify=False), REQUESTS_CA_BUNDLE=str(bundle))
    assert _client(S3, Tls(verify=False))["allow_invalid_certificates"] is True
    assert _client(S3, MLFLOW_S3_IGNORE_TLS="true")["allow_invalid_certificates"] is True
    assert "allow_invalid_certificates" not in _client(S3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "names a folder; for the object store it must be one file"),
        (b"no PEM", "holds no certificate"),
    ],
)
@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE"])
def test_a_bundle_that_a_store_cannot_use_is_told(
    tmp_path: Path, content: bytes | None, words: str, name: str
) -> None:
    path = tmp_path / "ca"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    tls = Tls(verify=str(path)) if name.startswith("MLFLOW") else Tls()

    with pytest.raises(SettingsError, match=rf"^{name}.* {words}"):
        place_of(S3, {name: str(path)}, tls=tls)


@pytest.mark.parametrize(
    "address", ["minio:9000", "http://", "ftp://minio", "http://a b", "http://h:x", "https://h/?a"]
)
@pytest.mark.parametrize(
    ("uri", "name"),
    [(S3, "MLFLOW_S3_ENDPOINT_URL"), (S3, "AWS_ENDPOINT_URL"), (BLOB, "AZURE_STORAGE_ENDPOINT")],
)
def test_an_endpoint_that_is_no_address_is_told_with_its_variable(uri: str, name: str, address: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be an address such as"):
        place_of(uri, {name: address}, tls=Tls())


@pytest.mark.parametrize("end", ["/a", "a//b", "a/./b", "a/../b", "a//", "a\nb"])
def test_a_root_that_the_library_would_spell_otherwise_is_refused(end: str) -> None:
    with pytest.raises(SettingsError, match="no key there may"):
        place_of(f"s3://bkt/{end}", {}, tls=Tls())


@pytest.mark.parametrize(("uri", "prefix"), [("s3://bkt", ""), ("s3://bkt/", ""), ("s3://bkt/a/", "a")])
def test_a_slash_at_the_end_of_a_root_says_nothing(uri: str, prefix: str) -> None:
    assert place_of(uri, {}, tls=Tls()).prefix == prefix


def test_google_credentials_may_be_named() -> None:
    place = place_of("gs://bkt/p", {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json"}, tls=Tls())

    assert (place.family, place.bucket, dict(place.config)) == (
        "gs",
        "bkt",
        {"application_credentials": "/key.json"},
    )
    assert _config("gs://bkt/p") == {}


def test_googles_emulator_may_be_named_and_needs_no_login() -> None:
    emulator = {"STORAGE_EMULATOR_HOST": "http://gcs:4443", "GOOGLE_APPLICATION_CREDENTIALS": "/key.json"}

    assert _config("gs://bkt/p", **emulator) == {"base_url": "http://gcs:4443"}
    assert _client("gs://bkt/p", **emulator)["allow_http"] is True


@pytest.mark.parametrize("uri", [BLOB, BLOB.replace("wasbs", "abfss").replace("blob", "dfs")])
def test_azure_containers_are_read_from_the_uri(uri: str) -> None:
    place = place_of(uri, {"AZURE_STORAGE_ACCESS_KEY": "canary"}, tls=Tls())

    assert (place.family, place.bucket, place.prefix) == ("azure", "ctr", "mlflow/7/r/artifacts")
    assert dict(place.config) == {"account_key": "canary", "account_name": "acct", "container_name": "ctr"}
    assert "canary" not in repr(place)


def test_a_connection_string_says_everything_about_azure() -> None:
    text = "DefaultEndpointsProtocol=http;AccountName=x;AccountKey=ca/na+ry==;BlobEndpoint=http://h:1/acct;"
    config = _config(BLOB, AZURE_STORAGE_CONNECTION_STRING=text)

    assert (config["account_key"], config["endpoint"]) == ("ca/na+ry==", "http://h:1/acct")
    assert _client(BLOB, AZURE_STORAGE_CONNECTION_STRING=text)["allow_http"] is True


@pytest.mark.parametrize(
    ("host", "endpoint", "login"),
    [
        ("acct.blob.core.usgovcloudapi.net", "acct.blob.core.usgovcloudapi.net", "microsoftonline.us"),
        ("acct.dfs.core.chinacloudapi.cn", "acct.blob.core.chinacloudapi.cn", "chinacloudapi.cn"),
        ("acct.z1.blob.storage.azure.net", "acct.z1.blob.storage.azure.net", ""),
    ],
)
def test_stores_of_azures_other_clouds_are_reached_there(host: str, endpoint: str, login: str) -> None:
    config = _config(f"wasbs://ctr@{host}/root")

    assert config["endpoint"] == f"https://{endpoint}"
    assert config.get("authority_host") == (f"https://login.{login}" if login else None)


def test_a_connection_string_may_name_another_cloud() -> None:
    text = "AccountName=acct;AccountKey=canary=="
    elsewhere = f"{text};EndpointSuffix=core.usgovcloudapi.net"

    config = _config(BLOB, AZURE_STORAGE_CONNECTION_STRING=elsewhere)

    assert config["endpoint"] == "https://acct.blob.core.usgovcloudapi.net"
    assert "endpoint" not in _config(BLOB, AZURE_STORAGE_CONNECTION_STRING=text)


def test_a_key_that_no_request_can_carry_is_refused_without_the_key() -> None:
    with pytest.raises(SettingsError, match="AZURE_STORAGE_ACCESS_KEY holds characters") as raised:
        place_of(BLOB, {"AZURE_STORAGE_ACCESS_KEY": "canary\nkey"}, tls=Tls())
    assert "canary" not in str(raised.value)


def test_no_container_is_told() -> None:
    with pytest.raises(SettingsError, match="is no container"):
        place_of("wasbs://acct.blob.core.windows.net/x", {}, tls=Tls())
