"""Large files in parts that go to the store itself, and what happens when they cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from clocks import conduct_of
from loopback import Loopback, Reaction, Talk, reset_after, say, serving, unused_port

from mlflow_rest_export.artifacts.multipart import PART, WORTH_IT_FROM
from mlflow_rest_export.artifacts.proxied import ProxiedRoute
from mlflow_rest_export.errors import ApiError, Interrupted
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun

RUN = StoredRun(
    run_id="r1",
    experiment_id="7",
    status=RunStatus.RUNNING,
    artifact_uri="mlflow-artifacts:/7/r1/artifacts",
)
API = "/api/2.0/mlflow-artifacts"
FOLDER = "7/r1/artifacts/a%20b"
NAME = "large ü.bin"
PUT = f"{API}/artifacts/{FOLDER}/large%20%C3%BC.bin"


@dataclass(frozen=True, slots=True)
class Zeros:
    """A large file that takes no disk."""

    size: int = WORTH_IT_FROM + 1

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        left = (self.size if end is None else end) - start
        piece = bytes(1 << 20)
        while left > 0:
            yield piece[:left]
            left -= len(piece)


def taken(talk: Talk) -> bool:
    """Take a body without keeping it, note its length in its place, and give an ETag."""
    length = left = int(talk.request.headers["content-length"])
    while left:
        left -= len(talk.stream.read(min(left, 1 << 20)))
    talk.request.body = b"%d" % length
    etag = f'"etag of {talk.request.target}"'
    talk.connection.sendall(f"HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: 0\r\n\r\n".encode())
    return True


@dataclass(slots=True)
class Server:
    """Answers each call of the API as told, else well; ``asked`` has the bodies of the calls."""

    store: str
    said: dict[str, Reaction] = field(default_factory=dict)
    signed: int = 3
    asked: dict[str, list[object]] = field(default_factory=dict)

    def __call__(self, talk: Talk) -> bool:
        path = talk.request.target
        if path == PUT:
            return taken(talk)
        verb = path.removeprefix(f"{API}/mpu/").removesuffix(f"/{FOLDER}")
        parts = [
            {"url": f"{self.store}/part{number}?sig=1", "part_number": number, "headers": {"X-Part": "1"}}
            for number in range(1, self.signed + 1)
        ]
        good = say(200, {"upload_id": "u1", "credentials": parts} if verb == "create" else {})
        lives = self.said.get(verb, good)(talk)
        self.asked.setdefault(verb, []).append(json.loads(talk.request.body))
        return lives


def route(server: Loopback, conduct: Conduct | None = None) -> ProxiedRoute:
    conduct = conduct or conduct_of(first_contact=1)
    return ProxiedRoute(
        server.url,
        Transport(conduct=conduct, headers={"X-Key": "of the tracking server"}),
        Transport(conduct=conduct),
    )


def puts(server: Loopback) -> list[bytes]:
    return [one.body for one in server.received if one.target == PUT]


def test_a_large_file_goes_in_parts_to_the_addresses_that_the_server_signs() -> None:
    with serving(taken) as store:
        answers = Server(store.url)
        with serving(answers) as server:
            route(server).upload(RUN, f"a b/{NAME}", Zeros())

            assert puts(server) == []
        parts = sorted(store.received, key=lambda one: one.target)

    assert answers.asked["create"] == [{"path": NAME, "num_parts": 3}]
    assert [one.body for one in parts] == [b"%d" % PART, b"%d" % PART, b"1"]
    assert all("x-key" not in one.headers and one.headers["x-part"] == "1" for one in parts)
    assert answers.asked["complete"] == [
        {
            "path": NAME,
            "upload_id": "u1",
            "parts": [
                {
                    "part_number": number,
                    "etag": f'"etag of /part{number}?sig=1"',
                    "url": f"{store.url}/part{number}?sig=1",
                }
                for number in (1, 2, 3)
            ],
        }
    ]
    assert "abort" not in answers.asked


def test_a_small_file_goes_in_one_piece() -> None:
    answers = Server("http://127.0.0.1:1")
    with serving(answers) as server:
        route(server).upload(RUN, f"a b/{NAME}", Zeros(1000))

        assert (puts(server), answers.asked) == ([b"1000"], {})


@pytest.mark.parametrize(
    "answer",
    [
        say(501, {"error_code": "NOT_IMPLEMENTED", "message": "Multipart upload is not supported"}),
        say(404, "<html>no such page</html>"),
        say(405, "<html>not so</html>"),
    ],
)
def test_a_server_that_takes_no_parts_gets_all_large_files_whole_and_is_not_asked_again(
    answer: Reaction,
) -> None:
    answers = Server("http://127.0.0.1:1", {"create": answer})
    with serving(answers) as server:
        way = route(server)
        way.upload(RUN, f"a b/{NAME}", Zeros())
        way.upload(RUN, f"a b/{NAME}", Zeros())

        assert puts(server) == [b"%d" % (WORTH_IT_FROM + 1)] * 2
    assert len(answers.asked["create"]) == 1


def test_a_server_that_refuses_to_begin_is_an_error() -> None:
    answers = Server("http://127.0.0.1:1", {"create": say(403, "no")})
    with serving(answers) as server, pytest.raises(ApiError, match=r"in parts: .* answered 403"):
        route(server).upload(RUN, f"a b/{NAME}", Zeros())


def test_without_a_way_to_the_store_large_files_go_whole() -> None:
    answers = Server("http://127.0.0.1:1")
    with serving(answers) as server:
        way = ProxiedRoute(server.url, Transport(conduct=conduct_of()))
        way.upload(RUN, f"a b/{NAME}", Zeros())

        assert (len(puts(server)), answers.asked) == (1, {})


def test_too_few_signed_parts_are_none() -> None:
    answers = Server("http://127.0.0.1:1", signed=2)
    with serving(answers) as server:
        route(server).upload(RUN, f"a b/{NAME}", Zeros())

        assert len(puts(server)) == 1


def test_a_store_that_is_out_of_reach_gets_nothing_and_the_parts_are_given_up() -> None:
    answers = Server(f"http://127.0.0.1:{unused_port()}")
    with serving(answers) as server:
        conduct = conduct_of(first_contact=1)
        way = ProxiedRoute(server.url, Transport(conduct=conduct), Transport(conduct=conduct))
        way.upload(RUN, f"a b/{NAME}", Zeros())

        assert len(puts(server)) == 1
    assert answers.asked["abort"] == [{"path": NAME, "upload_id": "u1"}]


def test_parts_that_cannot_be_joined_are_thrown_away_and_the_file_goes_whole() -> None:
    refused = say(500, {"error_code": "INTERNAL_ERROR", "message": "no"})
    with serving(taken) as store:
        answers = Server(store.url, {"complete": refused})
        with serving(answers) as server:
            way = route(server)
            way.upload(RUN, f"a b/{NAME}", Zeros())

            assert len(puts(server)) == 1
    assert len(answers.asked["abort"]) == 1


EXPIRED = say(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
NOT_FOUND_BY_PROXY = say(
    503, "<html><head><title>ERROR: The requested URL could not be retrieved</title></head></html>"
)
ODD = say(400, "<Error><Code>EntityTooSmall</Code><Message>no</Message></Error>")


@pytest.mark.parametrize("refused", [1, 2])
def test_where_a_store_refuses_a_part_the_server_gets_the_file_whole(refused: int) -> None:
    """An address that expired before its part's turn came; a proxy that lets nobody to the store."""

    def answer(talk: Talk) -> bool:
        return (EXPIRED if talk.request.target == f"/part{refused}?sig=1" else taken)(talk)

    with serving(answer) as store:
        answers = Server(store.url)
        with serving(answers) as server:
            way = route(server)
            for _ in range(2):
                way.upload(RUN, f"a b/{NAME}", Zeros())

            assert len(puts(server)) == 2
    tried_again = 2 if refused > 1 else 1  # the first part's refusal counts for every file
    assert len(answers.asked["abort"]) == tried_again


def test_a_store_that_only_the_server_reaches_is_passed_by_though_a_forward_proxy_answers_for_it() -> None:
    with serving(NOT_FOUND_BY_PROXY) as store:
        answers = Server(store.url)
        with serving(answers) as server:
            route(server).upload(RUN, f"a b/{NAME}", Zeros())

            assert len(puts(server)) == 1


def test_a_store_to_which_a_part_is_wrong_is_an_error_and_what_arrived_is_thrown_away() -> None:
    with serving(ODD) as store:
        answers = Server(store.url, {"abort": reset_after})
        with (
            serving(answers) as server,
            pytest.raises(ApiError, match=r"part 1: .* answered 400 EntityTooSmall"),
        ):
            route(server).upload(RUN, f"a b/{NAME}", Zeros())

        assert len(answers.asked["abort"]) >= 1


def test_what_arrived_is_thrown_away_even_after_a_signal() -> None:
    conduct = conduct_of()

    def stopped(talk: Talk) -> bool:
        conduct.stop.set()
        return taken(talk)

    with serving(stopped) as store:
        answers = Server(store.url)
        with serving(answers) as server, pytest.raises(Interrupted):
            route(server, conduct).upload(RUN, f"a b/{NAME}", Zeros())

        assert len(answers.asked["abort"]) == 1
