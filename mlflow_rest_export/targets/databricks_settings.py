"""What the environment and ``.databrickscfg`` say about a Databricks workspace, resolved as its own SDK does.

Facts: databricks-sdk 0.156 (``config.py``). Reads one file; asks nobody.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from mlflow_rest_export.errors import SettingsError

_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "host": ("DATABRICKS_HOST",),
    "token": ("DATABRICKS_TOKEN",),
    "username": ("DATABRICKS_USERNAME",),
    "password": ("DATABRICKS_PASSWORD",),
    "client_id": ("DATABRICKS_CLIENT_ID",),
    "client_secret": ("DATABRICKS_CLIENT_SECRET",),
    "account_id": ("DATABRICKS_ACCOUNT_ID",),
    "workspace_id": ("DATABRICKS_WORKSPACE_ID",),
    "group_id": ("DATABRICKS_GROUP_ID",),
    "auth_type": ("DATABRICKS_AUTH_TYPE",),
    "discovery_url": ("DATABRICKS_DISCOVERY_URL",),
    "token_audience": ("DATABRICKS_TOKEN_AUDIENCE",),
    "oidc_token_env": ("DATABRICKS_OIDC_TOKEN_ENV",),
    "oidc_token_filepath": ("DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"),
    "google_service_account": ("DATABRICKS_GOOGLE_SERVICE_ACCOUNT",),
    "google_credentials": ("GOOGLE_CREDENTIALS",),
    "azure_workspace_resource_id": ("DATABRICKS_AZURE_RESOURCE_ID",),
    "azure_use_msi": ("ARM_USE_MSI",),
    "azure_client_id": ("ARM_CLIENT_ID",),
    "azure_client_secret": ("ARM_CLIENT_SECRET",),
    "azure_tenant_id": ("ARM_TENANT_ID",),
    "azure_environment": ("ARM_ENVIRONMENT",),
    "azure_authority": ("AZURE_AUTHORITY_HOST",),
    "databricks_cli_path": ("DATABRICKS_CLI_PATH",),
    "metadata_service_url": ("DATABRICKS_METADATA_SERVICE_URL",),
}

_GROUPS = {
    "pat": ("token",),
    "basic": ("username", "password"),
    "oauth": ("client_id", "client_secret"),
    "env-oidc": ("oidc_token_env",),
    "file-oidc": ("oidc_token_filepath",),
    "azure": (
        "azure_workspace_resource_id",
        "azure_use_msi",
        "azure_client_id",
        "azure_client_secret",
        "azure_tenant_id",
    ),
    "google": ("google_service_account", "google_credentials"),
    "metadata-service": ("metadata_service_url",),
}
"""Which settings belong to one kind of credential."""

_SETTINGS = "__settings__"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """One workspace and who we are there; "" for what nobody gave."""

    host: str = ""
    """Address without a path, with its scheme."""
    profile: str = ""
    """The profile that was asked for or that the file names as its default."""
    account_id: str = ""
    workspace_id: str = ""
    group_id: str = ""
    auth_type: str = ""
    discovery_url: str = ""
    token_audience: str = ""
    username: str = ""
    client_id: str = ""
    oidc_token_env: str = ""
    oidc_token_filepath: str = ""
    google_service_account: str = ""
    azure_workspace_resource_id: str = ""
    azure_use_msi: str = ""
    azure_client_id: str = ""
    azure_tenant_id: str = ""
    azure_environment: str = ""
    azure_authority: str = ""
    """The login service in the place of that of Azure's cloud."""
    databricks_cli_path: str = ""
    metadata_service_url: str = ""
    scopes: str = ""
    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    google_credentials: str = field(default="", repr=False)
    azure_client_secret: str = field(default="", repr=False)

    @property
    def groups(self) -> list[str]:
        """The kinds of credential of which anything is given."""
        return [name for name, names in _GROUPS.items() if any(getattr(self, each) for each in names)]


_FIELDS = frozenset(each.name for each in fields(WorkspaceSettings)) - {"profile", "azure_authority"}


def resolve(environment: Mapping[str, str], home: str, *, profile: str = "") -> WorkspaceSettings:
    """Put together what the environment and the profile file say; the environment wins field by field.

    Args:
        environment: variables.
        home: folder of ``.databrickscfg``; "" for none.
        profile: the profile that the tracking URI names; "" for the default one.

    Raises:
        SettingsError: the profile is not there, the file cannot be read, the host is none, or credentials
            contradict.
    """
    given = _given(environment)
    whose = "DATABRICKS_HOST"
    profile = profile or environment.get("DATABRICKS_CONFIG_PROFILE", "").strip()
    if profile or not speaks_for_itself(environment):
        path = _file(environment, home)
        found, profile = _profile(path, profile)
        whose = whose if "host" in given else f"host of the Databricks profile {profile or 'DEFAULT'}"
        given = {**found, **given}
    host = normal_host(given.get("host", ""), whose)
    settings = WorkspaceSettings(profile=profile, **{**given, "host": host})
    groups = settings.groups
    if len(groups) > 1 and not settings.auth_type:
        raise SettingsError(
            f"several kinds of Databricks credentials are given at once: {' and '.join(groups)}; environment "
            "and profile count together: remove one kind, or choose with DATABRICKS_AUTH_TYPE"
        )
    return settings


def speaks_for_itself(environment: Mapping[str, str]) -> bool:
    """Say whether the environment names a workspace, a profile or a credential."""
    names = {"host", *(each for names in _GROUPS.values() for each in names)}
    named = environment.get("DATABRICKS_CONFIG_PROFILE", "").strip()
    return bool(named) or not names.isdisjoint(_given(environment))


def profile_of_host(environment: Mapping[str, str], home: str, host: str) -> str:
    """Find the one profile for a workspace; "" when none or several lead there."""
    sections = _sections(_file(environment, home))
    names = [name for name, values in sections.items() if _leads_to(values.get("host", ""), host)]
    return names[0] if len(names) == 1 else ""


def _leads_to(named: str, host: str) -> bool:
    try:
        return normal_host(named, "") == host
    except SettingsError:
        return False  # the address of a profile that nobody asked for


def normal_host(host: str, whose: str) -> str:
    """Write a host as an address: a scheme, a name and a port that is not the standard one, nothing else.

    Args:
        host: as somebody wrote it; user and password in it count for nothing, as in the SDK.
        whose: where it stands, the beginning of an error's sentence.

    Raises:
        SettingsError: it is no address; the sentence does not quote it, for there may be a password in it.
    """
    host = host.strip()
    if not host:
        return ""
    try:
        parts = urlsplit(host if "://" in host else f"https://{host}")
        name, port = parts.hostname, parts.port
    except ValueError:
        name = port = None
    if not name or parts.scheme not in {"http", "https"} or re.search(r"[\[\]\s]", name):
        raise SettingsError(
            f"{whose} is no address such as https://adb-1234567890123456.7.azuredatabricks.net"
        )
    name = f"[{name}]" if ":" in name else name
    standard = port is None or (parts.scheme, port) == ("https", 443)
    return f"{parts.scheme}://{name}" if standard else f"{parts.scheme}://{name}:{port}"


def _variable(environment: Mapping[str, str], name: str) -> str:
    return next((value for each in _ENVIRONMENT[name] if (value := environment.get(each, "").strip())), "")


def _given(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name in _ENVIRONMENT if (value := _variable(environment, name))}


def _file(environment: Mapping[str, str], home: str) -> Path | None:
    named = environment.get("DATABRICKS_CONFIG_FILE", "").strip() or "~/.databrickscfg"
    if named.startswith("~/"):
        return Path(home, named[2:]) if home else None
    return Path(named)


def _sections(path: Path | None) -> dict[str, dict[str, str]]:
    """Read the file; named sections do not inherit from ``[DEFAULT]``."""
    if path is None or not path.is_file():
        return {}
    parser = configparser.ConfigParser(
        interpolation=None, strict=False, default_section="no section is called so"
    )
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"the Databricks profile file {path} cannot be read") from None
    except configparser.Error as error:  # its text would quote the line, which may be a secret
        line = getattr(error, "lineno", None) or next(iter(getattr(error, "errors", ())), ("?",))[0]
        raise SettingsError(f"the Databricks profile file {path} is no INI file: see line {line}") from None
    return {
        name: {key: value.strip() for key, value in parser[name].items() if value and value.strip()}
        for name in parser.sections()
    }


def _profile(path: Path | None, asked: str) -> tuple[dict[str, str], str]:
    """Give the settings of the profile asked for, or of the default one, and its name."""
    sections = _sections(path)
    name = asked or sections.get(_SETTINGS, {}).get("default_profile", "")
    if name == _SETTINGS:
        raise SettingsError(f"{_SETTINGS} is no Databricks profile but a section of the file's own settings")
    if not name:
        return _known(sections.get("DEFAULT", {})), ""
    if name not in sections:
        known = ", ".join(sorted(set(sections) - {_SETTINGS})) or "none"
        where = path or "~/.databrickscfg, which is not there"
        raise SettingsError(f"there is no Databricks profile {name} in {where}; profiles there: {known}")
    return _known(sections[name]), name


def _known(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name in _FIELDS}
