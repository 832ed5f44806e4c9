"""How an object store is reached: from an artifact URI and MLflow's variables to the settings of ``obstore``.

Pure. What MLflow's own variables ask for and ``obstore`` cannot do is refused, not ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.transport import Tls

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
    "AZURE_STORAGE_ENDPOINT": "endpoint",
}


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
    prefix = artifact_uri.split("://", 1)[1].partition("/")[2].strip("/")
    if parts.scheme in S3_SCHEMES:
        return _s3(parts.netloc, prefix, variables, _client(tls))
    if parts.scheme == "gs":
        return StorePlace(
            family="gs", bucket=parts.netloc, prefix=prefix, config=_gs(variables), client=_client(tls)
        )
    return _azure(parts.netloc, prefix, variables, _client(tls))


def _client(tls: Tls) -> dict[str, object]:
    """Give the settings of the HTTP client; proxies it finds in the environment as everybody does."""
    client: dict[str, object] = {"connect_timeout": "10s", "timeout": "1h"}
    if tls.verify is False:
        client["allow_invalid_certificates"] = True
    elif isinstance(tls.verify, str):
        client["root_certificate"] = Path(tls.verify).read_bytes()
    return client


def _s3(bucket: str, prefix: str, variables: Mapping[str, str], client: dict[str, object]) -> StorePlace:
    if variables.get("MLFLOW_S3_EXPECTED_BUCKET_OWNER"):
        raise SettingsError("MLFLOW_S3_EXPECTED_BUCKET_OWNER cannot be honoured by a direct upload")
    names = ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    endpoint = next((variables[name] for name in names if variables.get(name)), "").rstrip("/")
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


def _gs(variables: Mapping[str, str]) -> dict[str, object]:
    file = variables.get("GOOGLE_APPLICATION_CREDENTIALS")
    return {"application_credentials": file} if file else {}


def _azure(netloc: str, prefix: str, variables: Mapping[str, str], client: dict[str, object]) -> StorePlace:
    """Read ``CONTAINER@ACCOUNT.blob.core.windows.net``, and whichever credentials there are."""
    container, _, host = netloc.rpartition("@")
    if not container or not host:
        raise SettingsError(
            f"{netloc} is no container of an Azure account: wasbs://CONTAINER@ACCOUNT.blob..."
        )
    config: dict[str, object] = {
        setting: variables[name] for name, setting in _AZURE_VARIABLES.items() if variables.get(name)
    }
    config |= _connection_string(variables.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    config["account_name"] = host.partition(".")[0]
    config["container_name"] = unquote(container)
    client["allow_http"] = str(config.get("endpoint", "")).startswith("http://")
    return StorePlace(family="azure", bucket=unquote(container), prefix=prefix, config=config, client=client)


def _connection_string(text: str) -> dict[str, object]:
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    return {_CONNECTION_STRING[name]: value for name, _, value in pairs if name in _CONNECTION_STRING}
