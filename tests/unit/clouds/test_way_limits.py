"""What closes a way for one file, and what for all."""

from __future__ import annotations

import json
import socket
import time

import pytest
import responses
from cloud_clients import RUN_ID, client, hurried, run

from mlflow_rest_export.artifacts.object_store import ObjectStoreRoute
from mlflow_rest_export.artifacts.presigned import LARGEST_PUT, PresignedRoute
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.artifacts.small_upload import LARGEST, SmallUploadRoute
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import NoAnswer, SettingsError
from mlflow_rest_export.extras import install_line, is_installed, require
from mlflow_rest_export.network.retry import Patience
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.transport import Transport

OSS = "http://mlflow.test"
RUN = run(f"s3://bkt/7/{RUN_ID}/artifacts")
ABC = BytesContent(b"abc")


class Huge:
    """A content of 6 GiB that nobody may read."""

    size = LARGEST_PUT + 1

    def chunks(self, start: int = 0, end: int | None = None) -> object:
        raise AssertionError(f"read from {start} to {end}")


def _presigned(seconds: float = 5.0) -> PresignedRoute:
    return PresignedRoute(client(OSS), Transport(conduct=hurried(seconds)))


def test_a_signed_url_takes_no_more_than_one_put() -> None:
    with pytest.raises(RouteUnavailable, match="5 GiB") as raised:
        _presigned().upload(RUN, "a", Huge())  # type: ignore[arg-type]

    assert not raised.value.for_all_files


@pytest.mark.parametrize(("content", "why"), [(b"", "empty"), (b"x" * (LARGEST + 1), "10 MiB")])
def test_small_uploads_take_neither_empty_nor_large_files(content: bytes, why: str) -> None:
    with pytest.raises(RouteUnavailable, match=why) as raised:
        SmallUploadRoute(client(OSS)).upload(RUN, "a", BytesContent(content))

    assert not raised.value.for_all_files


@pytest.mark.parametrize("uri", ["mlflow-artifacts:/7/r", "https://h/x"])
def test_small_uploads_are_for_stores_the_server_does_not_serve(uri: str) -> None:
    assert not SmallUploadRoute(client(OSS)).takes(uri)


@pytest.mark.parametrize("uri", ["mlflow-artifacts:/7/r", "/srv/x", "file:///x", "dbfs:/x", "azureml://x"])
def test_nobody_signs_urls_for_these(uri: str) -> None:
    assert not _presigned().takes(uri)


def _signs(store: str) -> None:
    url = f"{OSS}/api/2.0/mlflow/artifacts/presigned-upload-url"
    responses.post(url, body=json.dumps({"presigned_url": store}))


@responses.activate
def test_a_store_that_only_the_server_can_reach_closes_the_way_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    store = f"http://127.0.0.1:{port}/bkt/a?X-Amz-Signature=canary"
    responses.add_passthru(f"http://127.0.0.1:{port}/")
    _signs(store)
    begun = time.monotonic()

    with pytest.raises(RouteUnavailable, match="out of reach from here") as raised:
        _presigned(0.2).upload(RUN, "a", ABC)

    assert raised.value.for_all_files
    assert "canary" not in str(raised.value)
    assert time.monotonic() - begun < 20


@responses.activate
@pytest.mark.parametrize("status", [407, 503])
def test_a_store_that_a_forward_proxy_does_not_find_closes_the_way(status: int) -> None:
    responses.put("http://store.test/a", status=status, body="<html>ERR_DNS_FAIL</html>")
    _signs("http://store.test/a")

    with pytest.raises(RouteUnavailable, match="out of reach from here"):
        _presigned(0.2).upload(RUN, "a", ABC)


@responses.activate
def test_a_store_that_was_reached_before_is_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    responses.add_passthru(f"http://127.0.0.1:{port}/")
    responses.put("http://store.test/a")
    route = _presigned(0.2)
    _signs("http://store.test/a")
    route.upload(RUN, "a", ABC)
    responses.remove("POST", f"{OSS}/api/2.0/mlflow/artifacts/presigned-upload-url")
    _signs(f"http://127.0.0.1:{port}/a")

    with pytest.raises(NoAnswer):
        route.upload(RUN, "a", ABC)


@pytest.mark.skipif(is_installed("obstore"), reason="says what is missing")
def test_direct_access_says_what_it_needs() -> None:
    route = ObjectStoreRoute({}, tls=Tls(), anonymous=Transport(conduct=hurried()))

    with pytest.raises(RouteUnavailable, match=r"pip install 'mlflow-rest-export\[objectstore\]'"):
        route.upload(RUN, "a", ABC)
    assert route.takes("gs://b/x")
    assert not route.takes("hdfs://b/x")


@responses.activate
@pytest.mark.parametrize("status", [200, 301, 403])
def test_s3_tells_everybody_where_a_bucket_is(status: int) -> None:
    responses.get("https://s3.amazonaws.com/b", status=status, headers={"x-amz-bucket-region": "eu-west-3"})
    route = ObjectStoreRoute({}, tls=Tls(), anonymous=Transport(conduct=hurried()))

    assert route._region_of("b") == "eu-west-3"


def test_a_missing_extra_is_named_with_its_line() -> None:
    with pytest.raises(SettingsError, match=r"flying needs botocore: pip install") as raised:
        require("botocore.no_such_module", for_what="flying")

    assert str(raised.value).endswith(install_line("botocore"))


class Clock:
    """Seconds that only a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_another_host_has_less_time_to_appear_and_as_much_afterwards() -> None:
    clock = Clock()
    whole = Patience(clock=clock, first_contact=60, stall=600)
    part = whole.with_another_host(first_contact=30)

    with whole.running(), part.running():
        whole.progress()
        clock.now += 20
        before = part.left()
        part.progress()

    assert (before, part.left(), whole.left()) == (10, 600, 600)


def test_a_shorter_budget_of_the_whole_holds_for_its_part() -> None:
    clock = Clock()
    whole = Patience(clock=clock, first_contact=5, stall=600)
    part = whole.with_another_host(first_contact=30)

    with part.running():
        clock.now += 2

        assert (whole.left(), part.left()) == (3, 3)
