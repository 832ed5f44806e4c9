"""Files through the tracking server: where they go, whatever they are called, and when this way is closed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote_to_bytes

import pytest
from clocks import Clock, Waits, conduct_of
from hypothesis import given
from hypothesis import strategies as st
from loopback import Loopback, Reaction, bodies, say, serving

from mlflow_rest_export.artifacts.proxied import ProxiedRoute
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.limits import STRICTEST
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.planning.names import clean_path
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun

RUN = StoredRun(
    run_id="r1",
    experiment_id="7",
    status=RunStatus.RUNNING,
    artifact_uri="mlflow-artifacts:/7/r1/artifacts",
)
API = "/api/2.0/mlflow-artifacts/artifacts"
PATH_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})*")
"""``pchar`` and ``/`` of RFC 3986."""


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with serving(say(200, "")) as running:
        yield running


def route(server: Loopback, prefix: str = "") -> ProxiedRoute:
    return ProxiedRoute(f"{server.url}{prefix}", Transport(conduct=conduct_of()))


def stored_at(server: Loopback, uri: str, path: str, prefix: str = "") -> str:
    """Upload, and give the place as a server understands it by RFC 3986."""
    route(server, prefix).upload(replace(RUN, artifact_uri=uri), path, BytesContent(b"data"))
    target = server.received[-1].target
    assert PATH_CHARACTERS.fullmatch(target), target
    return unquote_to_bytes(target).decode()


NAMES = st.text(max_size=20) | st.text("/.:;?#%@[]_- \\~+&=é日🙂'\"", max_size=12)


@given(name=NAMES)
def test_a_file_goes_to_the_place_that_its_name_says_whatever_it_is(server: Loopback, name: str) -> None:
    path = clean_path(name, STRICTEST)

    assert stored_at(server, RUN.artifact_uri, path) == f"{API}/7/r1/artifacts/{path}"


@given(name=NAMES)
def test_names_are_sent_whole_even_where_the_server_keeps_every_character(
    server: Loopback, name: str
) -> None:
    path = clean_path(name, replace(STRICTEST, hash_in_paths=True, paths_decoded_twice=False))

    assert stored_at(server, RUN.artifact_uri, path) == f"{API}/7/r1/artifacts/{path}"


@pytest.mark.parametrize(
    ("uri", "prefix", "place"),
    [
        ("mlflow-artifacts:/7/r1/artifacts", "", "7/r1/artifacts"),
        ("mlflow-artifacts:/7/r1/artifacts", "/team/mlflow", "7/r1/artifacts"),
        ("mlflow-artifacts:7/r1/artifacts", "", "7/r1/artifacts"),
        ("mlflow-artifacts:/workspaces/w/7/r1/artifacts", "", "workspaces/w/7/r1/artifacts"),
        ("mlflow-artifacts:///7//r1/artifacts/", "", "7/r1/artifacts"),
        ("mlflow-artifacts:/an é %41 root/r1/artifacts", "", "an é %41 root/r1/artifacts"),
        ("mlflow-artifacts:/7/r1/artifacts?x=y", "", "7/r1/artifacts"),
        ("mlflow-artifacts:/7/r1/artifacts#part", "", "7/r1/artifacts"),
        ("mlflow-artifacts://HOST/7/r1/artifacts", "", "7/r1/artifacts"),
        ("http://HOST/api/2.0/mlflow-artifacts/artifacts/7/r1/artifacts", "", "7/r1/artifacts"),
        ("http://HOST/p/api/2.0/mlflow-artifacts/artifacts/7/r1/artifacts", "/p", "7/r1/artifacts"),
    ],
)
def test_the_place_of_a_run_is_found_in_every_form_of_its_uri(
    server: Loopback, uri: str, prefix: str, place: str
) -> None:
    uri = uri.replace("HOST", f"127.0.0.1:{server.port}")

    assert route(server, prefix).takes(uri)
    assert stored_at(server, uri, "f", prefix) == f"{prefix}{API}/{place}/f"


@pytest.mark.parametrize(
    "uri",
    [
        "mlflow-artifacts://other.example/7/r1/artifacts",
        "mlflow-artifacts://127.0.0.1:1/7/r1/artifacts",
        "http://other.example/api/2.0/mlflow-artifacts/artifacts/7",
        "s3://bucket/7",
        "file:///srv/7",
        "/srv/7",
        "",
    ],
)
def test_credentials_go_to_no_other_host_than_the_tracking_server(server: Loopback, uri: str) -> None:
    assert not route(server).takes(uri)


CLOSED = [
    (503, {"detail": "Artifact serving is disabled. Start the server with --serve-artifacts"}),
    (503, "<html>Endpoint disabled due to the mlflow server running without `--serve-artifacts`</html>"),
    (501, {"error_code": "NOT_IMPLEMENTED", "message": "this server does not serve artifacts"}),
]


@pytest.mark.parametrize(("status", "body"), CLOSED)
def test_a_server_that_serves_no_artifacts_closes_the_way_at_once(
    status: int, body: str | dict[str, object]
) -> None:
    clock = Clock()
    waits = Waits(clock)
    with serving(say(status, body)) as closed:
        way = ProxiedRoute(closed.url, Transport(conduct=conduct_of(clock, waits=waits)))
        with pytest.raises(RouteUnavailable, match="without --serve-artifacts"):
            way.upload(RUN, "f", BytesContent(b"data"))
        with pytest.raises(RouteUnavailable):
            list(way.read(RUN, "f"))

        assert (len(closed.received), waits.seconds) == (2, [])


@pytest.mark.parametrize(
    "answer", [say(500, "no space left on device"), say(403, "no"), say(413, "too much")]
)
def test_other_refusals_are_errors_and_close_nothing(answer: Reaction) -> None:
    with serving(answer) as server, pytest.raises(ApiError, match="uploading f to run r1"):
        route(server).upload(RUN, "f", BytesContent(b"data"))


def test_a_busy_server_is_asked_again_and_gets_the_whole_file() -> None:
    with serving(say(503, "busy"), say(200, "")) as server:
        route(server).upload(RUN, "f", BytesContent(b"data"))

        assert bodies(server.received) == [b"data", b"data"]
        assert server.received[1].headers["content-type"] == "application/octet-stream"


def test_a_file_is_read_in_pieces() -> None:
    data = b"x" * 2_500_000
    with serving(say(200, data)) as server:
        pieces = list(route(server).read(RUN, "a b/f"))

    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 1 << 20
    assert server.received[0].target == f"{API}/7/r1/artifacts/a%20b/f"


def test_an_answer_that_ends_too_soon_is_no_file() -> None:
    with serving(say(200, b"x" * 10, length=100)) as server:
        pieces = route(server).read(RUN, "f")
        with pytest.raises(Exception, match=r"was cut short|broke"):
            list(pieces)
