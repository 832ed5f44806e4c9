"""Which way a file takes, what is remembered of closed ways, and how a run's files are listed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from clocks import conduct_of
from loopback import Loopback, Talk, say, serving

from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import BytesContent, Content
from mlflow_rest_export.errors import ApiError, TrackingError
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.routes import Route
from mlflow_rest_export.targets.http import target
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

RUN = StoredRun(run_id="r1", experiment_id="7", status=RunStatus.RUNNING, artifact_uri="s3://bucket/7/r1")
DATA = BytesContent(b"data")


class Way:
    """A way that does what it is told, for one kind of store."""

    def __init__(self, *closed: RouteUnavailable | ApiError | None, scheme: str = "s3") -> None:
        self.closed = list(closed)
        self.scheme = scheme
        self.asked: list[str] = []
        self.expected: list[str] = []

    def takes(self, artifact_uri: str) -> bool:
        return artifact_uri.startswith(f"{self.scheme}:")

    def expect(self, run: StoredRun, paths: Sequence[str]) -> None:
        self.expected += [f"{run.run_id}/{path}" for path in paths]

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        self.asked.append(f"{run.run_id}/{path}:{content.size}")
        failure = self.closed.pop(0) if self.closed else None
        if failure is not None:
            raise failure

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        self.upload(run, path, DATA)
        yield from (b"first", b"second")


class ListingWay(Way):
    def listing(self, run: StoredRun) -> dict[str, int | None]:
        return {f"{run.run_id}/f": 3}


def tracking_of(server: Loopback) -> RestTracking:
    place = target(server.url, Connection())
    return RestTracking(place, place.transport(conduct_of()))


@pytest.fixture
def nobody() -> Iterator[RestTracking]:
    with serving(say(500, "")) as server:
        yield tracking_of(server)
        assert server.received == []


def chosen(tracking: RestTracking, *ways: Way) -> ChosenRoutes:
    return ChosenRoutes(dict(zip(Route, ways, strict=False)), tracking)


def test_the_first_way_that_takes_the_store_is_gone(nobody: RestTracking) -> None:
    wrong, first, second = Way(scheme="gs"), Way(), Way()
    chosen(nobody, wrong, first, second).upload(RUN, "f", DATA)

    assert (wrong.asked, first.asked, second.asked) == ([], ["r1/f:4"], [])


def test_a_way_that_is_closed_for_all_is_not_tried_again_for_the_neighbours(nobody: RestTracking) -> None:
    closed, second = Way(RouteUnavailable("not offered")), Way()
    artifacts = chosen(nobody, closed, second)
    for run in (RUN, RUN, replace(RUN, run_id="r2")):
        artifacts.upload(run, "f", DATA)
    artifacts.upload(replace(RUN, artifact_uri="s3://other/7/r1"), "f", DATA)

    assert closed.asked == ["r1/f:4", "r1/f:4"]  # the second is for another bucket
    assert second.asked == ["r1/f:4", "r1/f:4", "r2/f:4"]


def test_a_way_that_is_closed_for_one_file_is_tried_for_the_next(nobody: RestTracking) -> None:
    first, second = Way(RouteUnavailable("too large", for_all_files=False)), Way()
    artifacts = chosen(nobody, first, second)
    artifacts.upload(RUN, "large", DATA)
    artifacts.upload(RUN, "small", DATA)

    assert (first.asked, second.asked) == (["r1/large:4", "r1/small:4"], ["r1/large:4"])


def test_an_error_closes_no_way_and_is_told(nobody: RestTracking) -> None:
    first, second = Way(ApiError("no space left", status=500)), Way()
    artifacts = chosen(nobody, first, second)
    with pytest.raises(ApiError, match="no space left"):
        artifacts.upload(RUN, "f", DATA)
    artifacts.upload(RUN, "f", DATA)

    assert (len(first.asked), second.asked) == (2, [])


def test_where_no_way_is_open_the_error_says_why_each_is_closed_and_what_to_do(nobody: RestTracking) -> None:
    artifacts = chosen(nobody, Way(RouteUnavailable("not offered")), Way(RouteUnavailable("no key")))
    first, second = list(Route)[:2]
    signed = replace(RUN, artifact_uri="s3://me:canary@bucket/7/r1?sig=canary")
    for _ in range(2):
        with pytest.raises(TrackingError) as told:
            artifacts.upload(signed, "a/f", DATA)

        assert str(told.value) == (
            "no way to store a/f of run r1, whose artifacts are kept at s3://bucket/7/r1?sig=*** "
            f"({first.value}: not offered; {second.value}: no key); start the server with "
            "--serve-artifacts, or export with log_artifacts: false"
        )


@pytest.mark.parametrize(("uri", "where"), [("hdfs://h/7", "hdfs://h/7"), ("", "nowhere")])
def test_a_store_that_no_way_leads_to_is_named(nobody: RestTracking, uri: str, where: str) -> None:
    with pytest.raises(TrackingError, match=rf"kept at {where} \(no way leads to this kind of store\)"):
        chosen(nobody, Way()).upload(replace(RUN, artifact_uri=uri), "f", DATA)


def test_a_closed_way_shows_before_the_first_piece_is_read(nobody: RestTracking) -> None:
    closed, second = Way(RouteUnavailable("not offered")), Way()
    pieces = chosen(nobody, closed, second).read(RUN, "f")

    assert list(pieces) == [b"first", b"second"]
    assert second.asked == ["r1/f:4"]


def test_what_comes_next_is_told_to_the_ways_that_take_the_store(nobody: RestTracking) -> None:
    wrong, right = Way(scheme="gs"), Way()
    chosen(nobody, wrong, right).expect(RUN, ["a", "b"])

    assert (wrong.expected, right.expected) == ([], ["r1/a", "r1/b"])


def test_the_log_says_once_which_way_files_go_and_which_is_closed(
    nobody: RestTracking, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mlflow_rest_export")
    artifacts = chosen(nobody, Way(RouteUnavailable("not offered")), Way())
    for path in ("a", "b", "c"):
        artifacts.upload(RUN, path, DATA)

    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert "closed for s3://bucket" in caplog.messages[0]
    assert "go this way" in caplog.messages[1]


def test_a_store_that_lists_for_itself_is_asked_itself(nobody: RestTracking) -> None:
    assert chosen(nobody, ListingWay()).listing(RUN) == {"r1/f": 3}


def test_folders_are_listed_one_by_one_through_the_server() -> None:
    folders = {
        "": [{"path": "a", "is_dir": True}, {"path": "top.txt", "file_size": 5}],
        "path=a": [{"path": "a/b", "is_dir": True}, {"path": "a/empty"}],
        "path=a%2Fb": [{"path": "a/b/f", "file_size": "7"}, {"path": "a/b/odd", "file_size": -1}],
    }

    def answer(talk: Talk) -> bool:
        path = next((part for part in talk.request.target.split("&") if part.startswith("path=")), "")
        return say(200, {"files": folders[path]})(talk)

    with serving(answer) as server:
        listing = chosen(tracking_of(server)).listing(RUN)

    assert listing == {"top.txt": 5, "a/empty": 0, "a/b/f": 7, "a/b/odd": None}


def test_the_ways_of_a_target_are_those_it_names_in_its_order() -> None:
    with serving(say(200, "")) as server:
        place = replace(target(server.url, Connection()), routes=(Route.SMALL_UPLOAD, Route.PROXIED))
        artifacts = artifacts_of(RestTracking(place, place.transport(conduct_of())))
        artifacts.upload(RUN, "f", DATA)
        artifacts.upload(replace(RUN, artifact_uri="mlflow-artifacts:/7/r1"), "f", DATA)

        assert [one.target for one in server.received] == [
            "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=r1&path=f",
            "/api/2.0/mlflow-artifacts/artifacts/7/r1/f",
        ]


def test_signed_addresses_get_no_credentials_of_the_tracking_server() -> None:
    with (
        serving(say(200, "")) as store,
        serving(say(200, {"presigned_url": f"{store.url}/b?sig=1"})) as server,
    ):
        place = target(server.url, Connection(token="t0ken", headers={"X-Key": "mine"}))
        place = replace(place, routes=(Route.PRESIGNED,))
        artifacts_of(RestTracking(place, place.transport(conduct_of()))).upload(RUN, "f", DATA)

        assert server.received[0].headers["authorization"] == "Bearer t0ken"
        assert not {"authorization", "x-key"} & set(store.received[0].headers)
