"""How an object store is reached: from an artifact URI and MLflow's variables to the settings of ``obstore``.

Pure. What MLflow's own variables ask for and ``obstore`` cannot do is refused, not ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.header_values import fit_for_header
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.targets.azureml_auth import CLOUDS, login_of

S3_SCHEMES = ("s3", "s3a")
AZURE_SCHEMES = ("wasbs", "wasb", "abfss", "abfs")
SCHEMES = (*S3_SCHEMES, "gs", *AZURE_SCHEMES)
_S3_EXTRA = {
    "ServerSideEncryption": "server_side_encryption",
    "SSEKMSKeyId": "sse_kms_key_id",
    "BucketKeyEnabled": "sse_bucket_key_enabled",
    "RequestPayer": "request_payer",
}
_CONNECTION_STRING = {
    "AccountName": "account_name",
    "AccountKey": "account_key",
    "SharedAccessSignature": "sas_key",
    "BlobEndpoint": "endpoint",
}
_AZURE_VARIABLES = {
    "AZURE_STORAGE_ACCESS_KEY": "account_key",
    "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
    "AZURE_STORAGE_SAS_TOKEN": "sas_key",
    "AZURE_CLIENT_ID": "client_id",
    "AZURE_CLIENT_SECRET": "client_secret",
    "AZURE_TENANT_ID": "tenant_id",
    "AZURE_FEDERATED_TOKEN_FILE": "federated_token_file",
}
_PUBLIC = CLOUDS["AzureCloud"]
_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that ``requests`` reads for every other call, in its order."""
_ADDRESS = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?(/[\w./~%-]*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlace:
    """One bucket or container, and where a run's artifacts begin in it.

    Args:
        family: ``s3``, ``gs`` or ``azure``.
        bucket: its name.
        prefix: of every key of the run, without slashes at its ends.
        config: settings of ``obstore`` for it; they hold secrets.
        client: settings of its HTTP client.
    """

    family: str
    bucket: str
    prefix: str
    config: Mapping[str, object] = field(repr=False)
    client: Mapping[str, object] = field(repr=False)


def place_of(artifact_uri: str, variables: Mapping[str, str], *, tls: Tls) -> StorePlace:
    """Find out which store an artifact URI names and how it is reached.

    Args:
        artifact_uri: ``s3://``, ``gs://``, ``wasbs://`` or ``abfss://``.
        variables: the environment.
        tls: certificates, the same as for the tracking server.

    Raises:
        SettingsError: a variable cannot be read, or asks for something that is not possible on this way.
    """
    parts = urlsplit(artifact_uri)
    prefix = _prefix(artifact_uri)
    client = _client(tls, variables)
    if parts.scheme in S3_SCHEMES:
        return _s3(parts.netloc, prefix, variables, client)
    if parts.scheme == "gs":
        return _gs(parts.netloc, prefix, variables, client)
    return _azure(parts.netloc, prefix, variables, client)


def _prefix(artifact_uri: str) -> str:
    """Give what stands before every key; the library would leave out some of it where MLflow keeps it."""
    prefix = artifact_uri.split("://", 1)[1].partition("/")[2].removesuffix("/")
    if prefix and {"", ".", ".."} & set(prefix.split("/")):
        raise SettingsError(f"no key there may begin with {prefix[:100]}: it has an empty part, . or ..")
    if not prefix.isprintable():
        raise SettingsError("no key there may hold control characters")
    return prefix


def _client(tls: Tls, variables: Mapping[str, str]) -> dict[str, object]:
    """Give the settings of the HTTP client; proxies it finds in the environment as everybody does."""
    client: dict[str, object] = {"connect_timeout": "10s", "timeout": "1h"}
    if tls.verify is False:
        client["allow_invalid_certificates"] = True
        return client
    usual = next((name for name in _CA_BUNDLES if variables.get(name)), "")
    if isinstance(tls.verify, str):
        client["root_certificate"] = _certificates(tls.verify, "MLFLOW_TRACKING_SERVER_CERT_PATH")
    elif usual:
        client["root_certificate"] = _certificates(variables[usual], usual)
    return client


def _certificates(path: str, name: str) -> bytes:
    """Read a CA bundle.

    Args:
        path: the file.
        name: of the variable that gives it.
    """
    try:
        found = Path(path).read_bytes()
    except IsADirectoryError:
        raise SettingsError(f"{name} names a folder; for the object store it must be one file") from None
    except OSError as error:
        raise SettingsError(f"{name}: {path} cannot be read: {error.strerror}") from None
    if b"-----BEGIN CERTIFICATE-----" not in found:
        raise SettingsError(f"{name}: {path} holds no certificate in PEM format")
    return found


def _endpoint(variables: Mapping[str, str], *names: str) -> str:
    """Give the address in the first of these variables that is set, "" when none is."""
    name = next((name for name in names if variables.get(name)), "")
    address = variables.get(name, "").strip().rstrip("/")
    if name and not _ADDRESS.fullmatch(address):
        raise SettingsError(f"{name} must be an address such as https://minio.example.com:9000")
    return address


def _s3(bucket: str, prefix: str, variables: Mapping[str, str], client: dict[str, object]) -> StorePlace:
    if variables.get("MLFLOW_S3_EXPECTED_BUCKET_OWNER"):
        raise SettingsError("MLFLOW_S3_EXPECTED_BUCKET_OWNER cannot be honoured by a direct upload")
    endpoint = _endpoint(variables, "MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
    config: dict[str, object] = {**({"region": region} if region else {}), **_s3_extra(variables)}
    if endpoint:
        config["endpoint"] = endpoint
        config.setdefault("region", "us-east-1")
        client["allow_http"] = endpoint.startswith("http://")
    if variables.get("MLFLOW_S3_IGNORE_TLS", "").lower() in {"true", "1"}:
        client["allow_invalid_certificates"] = True
    style = variables.get("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "auto")
    if style == "virtual":
        config["virtual_hosted_style_request"] = True
        if endpoint:
            config["endpoint"] = endpoint.replace("://", f"://{bucket}.", 1)
    return StorePlace(family="s3", bucket=bucket, prefix=prefix, config=config, client=client)


def _s3_extra(variables: Mapping[str, str]) -> dict[str, object]:
    """Read ``MLFLOW_S3_UPLOAD_EXTRA_ARGS``, a JSON object in the words of boto3."""
    text = variables.get("MLFLOW_S3_UPLOAD_EXTRA_ARGS", "")
    try:
        given = json.loads(text) if text else {}
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise SettingsError("MLFLOW_S3_UPLOAD_EXTRA_ARGS is no JSON object")
    unknown = sorted(given.keys() - _S3_EXTRA.keys())
    if unknown:
        raise SettingsError(
            f"MLFLOW_S3_UPLOAD_EXTRA_ARGS asks for {', '.join(unknown)}, which a direct upload cannot do; "
            f"it can do {', '.join(_S3_EXTRA)}"
        )
    return {_S3_EXTRA[name]: value for name, value in given.items()}


def _gs(bucket: str, prefix: str, variables: Mapping[str, str], client: dict[str, object]) -> StorePlace:
    file = variables.get("GOOGLE_APPLICATION_CREDENTIALS")
    config: dict[str, object] = {"application_credentials": file} if file else {}
    emulator = _endpoint(variables, "STORAGE_EMULATOR_HOST")
    if emulator:
        config = {"base_url": emulator}
        client["allow_http"] = emulator.startswith("http://")
    return StorePlace(family="gs", bucket=bucket, prefix=prefix, config=config, client=client)


def _azure(netloc: str, prefix: str, variables: Mapping[str, str], client: dict[str, object]) -> StorePlace:
    """Read ``CONTAINER@ACCOUNT.blob.core.windows.net``, and whichever credentials there are."""
    container, _, host = netloc.rpartition("@")
    if not container or not host:
        raise SettingsError(
            f"{netloc} is no container of an Azure account: wasbs://CONTAINER@ACCOUNT.blob..."
        )
    config: dict[str, object] = {
        setting: fit_for_header(variables[name].strip(), what=name)
        for name, setting in _AZURE_VARIABLES.items()
        if variables.get(name)
    }
    config |= _azure_addresses(host, variables)
    config |= _connection_string(variables.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    config["account_name"] = host.partition(".")[0]
    config["container_name"] = unquote(container)
    client["allow_http"] = str(config.get("endpoint", "")).startswith("http://")
    return StorePlace(family="azure", bucket=unquote(container), prefix=prefix, config=config, client=client)


def _azure_addresses(host: str, variables: Mapping[str, str]) -> dict[str, object]:
    """Give the addresses that the library would not find by itself, outside of Azure's public cloud."""
    cloud = next((one for one in CLOUDS.values() if host.endswith(f".{one.storage}")), None)
    endpoint = _endpoint(variables, "AZURE_STORAGE_ENDPOINT")
    if not endpoint and cloud is not _PUBLIC:
        endpoint = f"https://{host.replace('.dfs.', '.blob.', 1)}"
    login = login_of(variables, (cloud or _PUBLIC).login)
    return {
        **({"endpoint": endpoint} if endpoint else {}),
        **({"authority_host": login} if login != _PUBLIC.login else {}),
    }


def _connection_string(text: str) -> dict[str, object]:
    pairs = {
        name: value.strip() for name, _, value in (part.strip().partition("=") for part in text.split(";"))
    }
    domain = pairs.get("EndpointSuffix") or _PUBLIC.storage
    if domain != _PUBLIC.storage and pairs.get("AccountName") and not pairs.get("BlobEndpoint"):
        scheme = pairs.get("DefaultEndpointsProtocol", "https")
        pairs["BlobEndpoint"] = f"{scheme}://{pairs['AccountName']}.blob.{domain}"
    if pairs.get("BlobEndpoint"):
        pairs["BlobEndpoint"] = _endpoint(pairs, "BlobEndpoint")
    return {setting: pairs[name] for name, setting in _CONNECTION_STRING.items() if pairs.get(name)}
