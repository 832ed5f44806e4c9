"""Artifacts straight into the object store, by ``obstore`` (extra ``objectstore``): S3, GCS, Azure.

Large files go in parts, several at once; memory holds a few parts. ``obstore`` has an HTTP client and retries
of its own; what it gives up is tried again here, with the patience that all calls share.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.artifacts.store_settings import SCHEMES, StorePlace, place_of
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError, Interrupted, NoAnswer, SettingsError
from mlflow_rest_export.extras import install_line, is_installed, require
from mlflow_rest_export.network.answers import without_secrets
from mlflow_rest_export.network.aws_keys import AwsSettings, KeySource, environment_keys, key_source
from mlflow_rest_export.network.transport import Call, Tls, Transport
from mlflow_rest_export.tracking.protocol import StoredRun

_Said = TypeVar("_Said")
S3 = "https://s3.amazonaws.com"
WHOLE = 8 * 1024 * 1024
"""Bytes up to which a file is sent in one request."""
PARTS = 9_000
"""Parts of a file at the most; S3 takes 10 000."""
AT_ONCE = 4
"""Parts of one file under way together, and in memory."""
KEYS_LAST = timedelta(minutes=10)
"""Time after which the keys are asked for again: those of ``botocore`` are good for longer, always."""
SLOWEST = 1e5
"""Bytes a second that a link must carry: the parts under way are given this much time more."""
LOOK = 0.2
"""Seconds between two looks at the wish to stop."""
METADATA = "169.254.169.254"
"""Where the last link of every chain of credentials asks; mentioned only when nothing else was found."""
_ADVICE = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS or "
    f"AZURE_STORAGE_ACCESS_KEY; for AWS profiles: {install_line('botocore')}"
)
_HOW = re.compile(r"Error performing \w+ \S+ in .*? - ")
"""What ``obstore`` tells of its own attempts."""
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_CAUSE = re.compile(r"message: \"([^\"]+)\"|(InvalidMessage)\(|(TimedOut)")
"""What the library tells of a broken connection to those alone who debug it."""
_CA_ADVICE = "give the CA bundle in MLFLOW_TRACKING_SERVER_CERT_PATH or REQUESTS_CA_BUNDLE"
_PASSING = re.compile(r"HTTP error|timed? ?out|status code: (408|429|5\d\d)|SlowDown", re.IGNORECASE)


@dataclass(slots=True)
class _Attempt:
    """What the one who waits for an attempt and the thread that makes it tell each other."""

    moved: float
    """When something last went forward."""
    given_up: bool = False
    failed: Exception | None = None
    """Why our own side, the file, gave no more."""

    def check(self) -> None:
        """Stop whoever goes on for nobody: an end without an error would pass for the end of the file."""
        if self.given_up:
            raise Interrupted("nobody waits for this any more")


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

        def put(attempt: _Attempt) -> None:
            body = at_once if whole else self._pieces(content, attempt)
            obstore.put(store, key, body, use_multipart=not whole, chunk_size=size, max_concurrency=AT_ONCE)

        limit = self._conduct.timeout + min(content.size, AT_ONCE * size) / SLOWEST
        self._insist(put, limit, doing=f"uploading {path} to run {run.run_id}")

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """GET one file."""
        store, key = self._open(run, path)
        doing = f"reading {path} of run {run.run_id}"
        obstore = require("obstore", for_what="reading from the object store")
        found = self._insist(lambda _: obstore.get(store, key), self._conduct.timeout, doing=doing)
        for piece in found.stream():
            yield bytes(piece)

    def _pieces(self, content: Content, attempt: _Attempt) -> Iterator[bytes]:
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
            return stores.GCSStore(place.bucket, config=dict(place.config), **options)
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

    def _insist(self, begin: Callable[[_Attempt], _Said], limit: float, *, doing: str) -> _Said:
        """Do it, again and again while what goes wrong may pass and there is patience."""
        conduct = self._conduct
        with conduct.patience.running():
            for number in itertools.count():
                conduct.stop.check()
                try:
                    result = self._once(begin, limit, doing=doing)
                except (ApiError, NoAnswer) as error:
                    wait = conduct.backoff.wait(number, asked=None, chance=conduct.chance())
                    if isinstance(error, ApiError) or wait > conduct.patience.left():
                        raise
                    conduct.stop.wait(wait)
                else:
                    conduct.patience.progress()
                    return result
        raise AssertionError  # pragma: no cover - the loop has no end

    def _once(self, begin: Callable[[_Attempt], _Said], limit: float, *, doing: str) -> _Said:
        failures = require("obstore.exceptions", for_what="the object store")
        attempt = _Attempt(time.monotonic())
        try:
            with self._conduct.pace.turn(self._conduct.stop.check):
                return self._watched(lambda: begin(attempt), attempt, limit, doing=doing)
        except BaseException as error:
            if attempt.failed is not None:
                raise attempt.failed from None
            theirs = isinstance(error, (failures.BaseError, FileNotFoundError, ValueError)) or _panic(error)
            if not theirs:
                raise
            raise _as_ours(error, failures, doing=doing) from None
        finally:
            attempt.given_up = True

    def _watched(self, begin: Callable[[], _Said], attempt: _Attempt, limit: float, *, doing: str) -> _Said:
        """Wait for the library, but not through a wish to stop, nor through a silence.

        In a thread, not in an event loop: the caller may be in one, and what the library begins in a loop may
        outlive the interpreter, which kills the process.
        """
        done: concurrent.futures.Future[_Said] = concurrent.futures.Future()
        threading.Thread(target=_settle, args=(done, begin), daemon=True).start()
        while not concurrent.futures.wait([done], timeout=LOOK).done:
            self._conduct.stop.check()
            if time.monotonic() - attempt.moved > limit:
                raise NoAnswer(f"{doing}: the object store did not answer in time", may_have_arrived=True)
        return done.result()


def _settle(done: concurrent.futures.Future[_Said], begin: Callable[[], _Said]) -> None:
    try:
        done.set_result(begin())
    except BaseException as error:  # noqa: BLE001  # for whoever waits
        done.set_exception(error)


def _panic(error: BaseException) -> bool:
    """Say whether the library met what its authors held to be impossible; the type has no public name."""
    return type(error).__module__ == "pyo3_runtime"


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


def _as_ours(error: BaseException, failures: Any, *, doing: str) -> Exception:  # noqa: ANN401  # a module
    """Name an error of ``obstore``, which has a class for some and a text for the others."""
    words, _, debug = str(error).partition("\n\nDebug source")
    told = " ".join(words.split())
    said = without_secrets(_HOW.sub("", told))[:400]
    if isinstance(error, ValueError) or _panic(error):
        return RouteUnavailable(f"the library for it cannot do this: {said}", for_all_files=False)
    if METADATA in told or "SettingsError" in told:
        why = said.partition("SettingsError: ")[2] or said
        return RouteUnavailable(f"there are no credentials for the store ({why}); {_ADVICE}")
    untrusted = _CERTIFICATE.search(debug)
    if untrusted is not None:
        return RouteUnavailable(f"the store's certificate is not trusted ({untrusted[1]}); {_CA_ADVICE}")
    for kind, status, code in (
        ((failures.NotFoundError, FileNotFoundError), 404, "RESOURCE_DOES_NOT_EXIST"),
        (failures.PermissionDeniedError, 403, "PERMISSION_DENIED"),
        (failures.UnauthenticatedError, 401, "UNAUTHENTICATED"),
    ):
        if isinstance(error, kind):
            return ApiError(f"{doing}: the object store said: {said}", status=status, code=code, reason=said)
    if _PASSING.search(said):
        cause = _CAUSE.search(debug)
        why = f"{said} ({cause[cause.lastindex or 0]})" if cause and "HTTP error" in said else said
        return NoAnswer(f"{doing}: the object store cannot be reached: {why}", may_have_arrived=True)
    return ApiError(f"{doing}: the object store said: {said}", status=400, reason=said)
