"""Artifacts straight into the object store, by ``obstore`` (extra ``objectstore``): S3, GCS, Azure.

Large files go in parts, several at once where workers are free for them; memory holds a few parts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, urlsplit

from mlflow_rest_export.artifacts.obstore_calls import Attempt, StoreCalls
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.artifacts.store_settings import SCHEMES, StorePlace, place_of
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError, NoAnswer, SettingsError
from mlflow_rest_export.extras import install_line, is_installed, require
from mlflow_rest_export.network.aws_keys import AwsSettings, KeySource, environment_keys, key_source
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.tracking.protocol import StoredRun

S3 = "https://s3.amazonaws.com"
WHOLE = 8 * 1024 * 1024
"""Bytes up to which a file is sent in one request."""
PARTS = 9_000
"""Parts of a file at the most; S3 takes 10 000."""
AT_ONCE = 4
"""Parts of one file that may be under way together, and in memory; each takes a worker's place."""
KEYS_LAST = timedelta(minutes=10)
"""Time after which the keys are asked for again: those of ``botocore`` are good for longer, always."""
SLOWEST = 1e5
"""Bytes a second that a link must carry: the parts under way are given this much time more."""


class ObjectStoreRoute:
    """Writes into the bucket that an artifact URI names, with the credentials of this machine.

    Args:
        variables: the environment.
        tls: certificates.
        anonymous: asks S3 for a bucket's region; its conduct knows the wish to stop, and who wants to know of
            progress.
    """

    def __init__(self, variables: Mapping[str, str], *, tls: Tls, anonymous: Transport) -> None:
        self._variables = variables
        self._tls = tls
        self._conduct = anonymous.conduct
        self._calls = StoreCalls(anonymous.conduct)
        self._stores: dict[tuple[str, ...], Any] = {}
        self._lock = threading.Lock()

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are kept in a store that ``obstore`` knows."""
        return urlsplit(artifact_uri).scheme in SCHEMES

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """PUT one file, in parts when it is large; nobody sees it before it is whole."""
        store, key = self._open(run, path)
        whole = content.size <= WHOLE
        size = max(WHOLE, -(-content.size // PARTS))
        obstore = require("obstore", for_what="uploading to the object store")
        at_once = b"".join(content.chunks()) if whole else b""

        def put(attempt: Attempt) -> None:
            body = at_once if whole else self._pieces(content, attempt)
            obstore.put(
                store, key, body, use_multipart=not whole, chunk_size=size, max_concurrency=attempt.places
            )

        limit = self._conduct.timeout + min(content.size, AT_ONCE * size) / SLOWEST
        doing = f"uploading {path} to run {run.run_id}"
        self._calls.insist(put, limit=limit, doing=doing, places=1 if whole else AT_ONCE)

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """GET one file."""
        store, key = self._open(run, path)
        doing = f"reading {path} of run {run.run_id}"
        obstore = require("obstore", for_what="reading from the object store")
        found = self._calls.insist(
            lambda _: obstore.get(store, key), limit=self._conduct.timeout, doing=doing
        )
        yield from self._calls.pieces(found.stream(), doing=doing)

    def _pieces(self, content: Content, attempt: Attempt) -> Iterator[bytes]:
        try:
            for piece in content.chunks():
                self._conduct.stop.check()
                attempt.check()
                yield piece
                attempt.moved = time.monotonic()
                self._conduct.patience.progress()
        except Exception as error:
            attempt.failed = error  # the library would tell it in words of its own
            raise

    def _open(self, run: StoredRun, path: str) -> tuple[Any, str]:
        """Give the store of a run's artifacts and the key of a file in it."""
        if not is_installed("obstore"):
            raise RouteUnavailable(f"it needs obstore: {install_line('obstore')}")
        try:
            place = place_of(run.artifact_uri, self._variables, tls=self._tls)
            whose = urlsplit(run.artifact_uri)[:2]
            with self._lock:
                if whose not in self._stores:
                    self._stores[whose] = self._store(place)
                store = self._stores[whose]
        except SettingsError as error:
            raise RouteUnavailable(str(error)) from None
        except (require("obstore.exceptions", for_what="the object store").BaseError, ValueError) as error:
            said = str(error).split("\n\nDebug source")[0]
            raise RouteUnavailable(f"its settings make no sense: {said[:300]}") from None
        if not path.isprintable():
            raise RouteUnavailable("no name there may hold control characters", for_all_files=False)
        return store, "/".join(part for part in (place.prefix, path) if part)

    def _store(self, place: StorePlace) -> Any:  # noqa: ANN401  # obstore's stores share no public type
        stores = require("obstore.store", for_what="the object store")
        options = {
            "client_options": dict(place.client),
            "retry_config": {"max_retries": 2},  # patience is ours
        }
        if place.family == "s3":
            options |= self._s3_credentials()
            config = dict(place.config)
            if "endpoint" not in config:
                config["region"] = self._region_of(place.bucket) or config.get("region", "us-east-1")
            return stores.S3Store(place.bucket, config=config, **options)
        if place.family == "gs":
            if "base_url" in place.config:  # an emulator takes anybody, but the library sends nobody
                options["credential_provider"] = lambda: {"token": "emulator", "expires_at": None}
            return stores.GCSStore(place.bucket, config=dict(place.config), **options)
        if "sas_key" in place.config and "account_key" not in place.config:
            # The library would rather be a service principal, of which the environment often has one.
            sas = str(place.config["sas_key"]).removeprefix("?")
            options["credential_provider"] = lambda: {"sas_token": sas, "expires_at": None}
        return stores.AzureStore(config=dict(place.config), **options)

    def _region_of(self, bucket: str) -> str:
        """Ask S3 where a bucket is, which it tells everybody; "" when it could not be asked."""
        patience = self._conduct.patience.with_another_host(first_contact=5.0)
        url = f"{S3}/{quote(bucket)}"
        call = Call(method="GET", url=url, query=(("max-keys", "0"),), doing=f"finding the bucket {bucket}")
        hurried = Transport(conduct=replace(self._conduct, patience=patience), tls=self._tls)
        try:
            return hurried.send(call).headers.get("x-amz-bucket-region", "")
        except ApiError as error:
            return error.bucket_region
        except NoAnswer:
            return ""

    def _s3_credentials(self) -> dict[str, Any]:
        """Give our keys if we have any; ``obstore`` itself knows web identity, containers and instances."""
        settings = AwsSettings(variables=self._variables)
        keys = key_source(settings) if is_installed("botocore") else environment_keys(settings)
        if keys is None and _needs_botocore(self._variables):
            raise SettingsError(f"AWS profiles need botocore: {install_line('botocore')}")
        return {} if keys is None else {"credential_provider": _provider(keys)}


def _provider(keys: KeySource) -> Callable[[], dict[str, object]]:
    def provide() -> dict[str, object]:
        now = keys()
        return {
            "access_key_id": now.access_key_id,
            "secret_access_key": now.secret_access_key,
            "token": now.session_token or None,
            "expires_at": datetime.now(timezone.utc) + KEYS_LAST,
        }

    return provide


def _needs_botocore(variables: Mapping[str, str]) -> bool:
    """Say whether the environment names a profile, which ``obstore`` would pass over in silence."""
    return any(
        variables.get(name) for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    )
