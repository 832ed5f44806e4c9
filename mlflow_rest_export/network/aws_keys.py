"""Where AWS credentials come from: the environment by ourselves, everything else by ``botocore``.

``botocore`` (extra ``aws``) knows profiles, SSO, web identity, processes, container and instance metadata,
and renews what expires.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.extras import install_line, is_installed, require
from mlflow_rest_export.network.header_values import fit_for_header
from mlflow_rest_export.network.sigv4 import AwsKeys
from mlflow_rest_export.redaction import without_secrets

KeySource = Callable[[], AwsKeys]

_ID, _SECRET, _SESSION = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """What decides whose keys are used.

    Args:
        variables: the environment when the settings were read.
        live: the environment of the process, in which a wrapper may renew the keys later.
        region: where roles are assumed.
        role: ARN of a role to assume, "" for none.
    """

    variables: Mapping[str, str] = field(repr=False)
    live: Mapping[str, str] = field(default_factory=dict, repr=False)
    region: str = ""
    role: str = ""


def key_source(settings: AwsSettings) -> KeySource:
    """Choose where the keys come from; nothing is asked before the first request.

    Raises:
        SettingsError: only half of a pair of keys is set, or ``botocore`` is needed and not there.
    """
    from_environment = environment_keys(settings)
    if from_environment is not None and not settings.role:
        return from_environment
    if not is_installed("botocore"):
        raise SettingsError(f"{_why_botocore(settings)}: {install_line('botocore')}")
    return BotocoreKeys(settings, from_environment)


def environment_keys(settings: AwsSettings) -> KeySource | None:
    """Give the keys of ``AWS_ACCESS_KEY_ID`` and its companions, None when there are none.

    Raises:
        SettingsError: one of the two keys is set and the other is not, or no request can carry them.
    """
    given = {name: settings.variables.get(name, "").strip() for name in (_ID, _SECRET)}
    missing = [name for name, value in given.items() if not value]
    if len(missing) == len(given):
        return None
    if missing:
        raise SettingsError(f"{missing[0]} is not set, although the other half of the pair is")
    return EnvironmentKeys(settings)


class EnvironmentKeys:
    """Keys from environment variables; when the process's own variables change, the new ones are used.

    Raises:
        SettingsError: the keys hold characters that no request can carry.
    """

    def __init__(self, settings: AwsSettings) -> None:
        self._first = _fit(_three(settings.variables))
        self._live = settings.live
        self._seen = _three(self._live)

    def __call__(self) -> AwsKeys:
        """Give the keys of now; errors as at first."""
        now = _three(self._live)
        whole = now.access_key_id and now.secret_access_key
        return _fit(now) if whole and now != self._seen else self._first


class BotocoreKeys:
    """Keys from the chain of ``botocore``, renewed by it before they expire.

    Args:
        settings: the profile, the region and the role, if one is to be assumed.
        source: keys that assume the role; None: those that the chain finds.
    """

    def __init__(self, settings: AwsSettings, source: KeySource | None = None) -> None:
        self._settings = settings
        self._source = source
        self._credentials: Any = None
        self._lock = threading.Lock()

    def __call__(self) -> AwsKeys:
        """Give the keys of now.

        Raises:
            SettingsError: the chain finds none, or they cannot be renewed.
        """
        exceptions = require("botocore.exceptions", for_what="finding AWS credentials")
        try:
            with self._lock:
                if self._credentials is None:
                    self._credentials = self._find()
            frozen = self._credentials.get_frozen_credentials()
        except SettingsError:
            raise
        except (exceptions.BotoCoreError, exceptions.ClientError, OSError, ValueError, RuntimeError) as error:
            # The last three: of a credential_process that is not there, prints what is no JSON, or serves old
            # keys (botocore 1.44).
            said = without_secrets(" ".join(str(error).split()))[:400]
            raise SettingsError(f"AWS credentials could not be had: {said}") from None
        return _fit(AwsKeys(frozen.access_key, frozen.secret_key, frozen.token or ""))

    def _find(self) -> Any:  # noqa: ANN401  # botocore is not typed
        session_module = require("botocore.session", for_what="finding AWS credentials")
        session = session_module.Session(profile=self._settings.variables.get("AWS_PROFILE") or None)
        found = session.get_credentials() if self._source is None else self._as_botocore(self._source())
        if found is None:
            raise SettingsError(
                f"no AWS credentials were found: set {_ID} and {_SECRET}, or AWS_PROFILE, or log in"
            )
        return self._assumed(session, found) if self._settings.role else found

    def _as_botocore(self, keys: AwsKeys) -> Any:  # noqa: ANN401  # botocore is not typed
        credentials = require("botocore.credentials", for_what="assuming a role")
        return credentials.Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token or None)

    def _assumed(self, session: Any, source: Any) -> Any:  # noqa: ANN401  # botocore is not typed
        credentials = require("botocore.credentials", for_what="assuming a role")
        fetcher = credentials.AssumeRoleCredentialFetcher(
            client_creator=functools.partial(session.create_client, region_name=self._settings.region),
            source_credentials=source,
            role_arn=self._settings.role,
            extra_args={"RoleSessionName": "mlflow-rest-export"},
        )
        return credentials.DeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method="assume-role"
        )


def _three(variables: Mapping[str, str]) -> AwsKeys:
    """Read the variables; mounted secrets often end with a line break, which belongs to no key."""
    return AwsKeys(*(variables.get(name, "").strip() for name in (_ID, _SECRET, _SESSION)))


def _fit(keys: AwsKeys) -> AwsKeys:
    fit_for_header(keys.access_key_id, what="the AWS access key id")
    fit_for_header(keys.secret_access_key, what="the AWS secret access key")
    fit_for_header(keys.session_token, what="the AWS session token")
    return keys


def _why_botocore(settings: AwsSettings) -> str:
    if settings.role:
        return f"assuming the role {settings.role} needs botocore"
    return f"{_ID} is not set, and all other AWS credentials (profile, SSO, role, instance) need botocore"
