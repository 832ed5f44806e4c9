"""Bodies that are streamed from disk: their length, sending them again, and files that change meanwhile."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path

import pytest
from clocks import Clock, Waits, conduct_of
from loopback import Talk, bodies, reset_after, reset_before, say, serving

from mlflow_rest_export.content import READ_SIZE, BytesContent, Content, FileContent, content_of, sha256
from mlflow_rest_export.errors import Interrupted, NoAnswer, SourceError
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.pace import Pace
from mlflow_rest_export.network.retry import Patience
from mlflow_rest_export.network.streamed import Streamed
from mlflow_rest_export.network.transport import Transport

GOOD = say(200, "{}")


def upload(url: str, content: Content, start: int = 0, end: int | None = None) -> Call:
    return Call(method="PUT", url=f"{url}/f", doing="uploading f", content=content, start=start, end=end)


@pytest.mark.parametrize("size", [0, 1, READ_SIZE - 1, READ_SIZE, READ_SIZE + 1, 3 * READ_SIZE + 7])
def test_a_file_arrives_whole_with_its_length_told(tmp_path: Path, size: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(hashlib.shake_128(b"seed").digest(size))
    with serving(GOOD) as server:
        Transport(conduct=conduct_of()).send(upload(server.url, content_of(path)))
        (request,) = server.received

    assert request.body == path.read_bytes()
    assert request.headers["content-length"] == str(size)
    assert "transfer-encoding" not in request.headers


@pytest.mark.parametrize("source", ["file", "memory"])
def test_a_part_of_the_content_is_sent_where_only_that_is_wanted(tmp_path: Path, source: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    content = content_of(path if source == "file" else b"0123456789")
    with serving(GOOD) as server:
        for start, end in ((0, 4), (4, 8), (8, None), (8, 100), (10, None), (10, 12)):
            Transport(conduct=conduct_of()).send(upload(server.url, content, start, end))

        assert bodies(server.received) == [b"0123", b"4567", b"89", b"89", b"", b""]
        assert [one.headers["content-length"] for one in server.received] == ["4", "4", "2", "2", "0", "0"]


@pytest.mark.parametrize("fault", [say(503, ""), reset_after, reset_before])
def test_a_body_is_sent_again_from_its_first_byte(tmp_path: Path, fault: object) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * (2 * READ_SIZE) + b"end")
    with serving(fault, GOOD) as server:  # type: ignore[arg-type]  # all are reactions
        Transport(conduct=conduct_of()).send(upload(server.url, content_of(path)))

    assert bodies(server.received)[1] == path.read_bytes()


@pytest.mark.parametrize("is_new", [True, False])
def test_a_server_that_is_busy_for_longer_than_connecting_may_take_gets_the_body_in_one_go(
    *, is_new: bool
) -> None:
    """As a worker of gunicorn does that serves another client; a slow line looks the same."""
    conduct = replace(conduct_of(timeout=30), connect_timeout=0.1)
    large = content_of(bytes(30 << 20))

    def busy(talk: Talk) -> bool:
        talk.let_go.wait(0.5)
        return GOOD(talk)

    with serving(*([] if is_new else [GOOD]), busy) as server:
        transport = Transport(conduct=conduct)
        if not is_new:
            transport.send(upload(server.url, content_of(b"opens the connection")))
        transport.send(upload(server.url, large))

        assert len(server.received[-1].body) == large.size
        assert len(server.received) == 1 + (not is_new)
        assert server.connections == 1


def test_a_file_that_grows_is_sent_as_it_was_when_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first")
    content = content_of(path)
    path.write_bytes(b"first and more")
    with serving(GOOD) as server:
        Transport(conduct=conduct_of()).send(upload(server.url, content))

        assert bodies(server.received) == [b"first"]


def test_a_file_that_shrinks_is_told_at_once_and_is_no_matter_of_the_network(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100)
    content = content_of(path)
    path.write_bytes(b"x" * 40)
    clock = Clock()
    waits = Waits(clock)
    with serving(GOOD) as server, pytest.raises(SourceError, match="became shorter"):
        Transport(conduct=conduct_of(clock, waits=waits)).send(upload(server.url, content))

    assert waits.seconds == []


def test_a_file_that_vanished_is_told_at_once(tmp_path: Path) -> None:
    clock = Clock()
    waits = Waits(clock)
    with serving(GOOD) as server, pytest.raises(SourceError, match="cannot be read while it is sent"):
        Transport(conduct=conduct_of(clock, waits=waits)).send(
            upload(server.url, FileContent(tmp_path / "gone", 5))
        )

    assert waits.seconds == []


def test_every_piece_that_was_taken_is_progress(tmp_path: Path) -> None:
    clock = Clock()
    patience = Patience(clock=clock, first_contact=5, stall=5)
    conduct = Conduct(patience=patience, pace=Pace(1, clock=clock), stop=Waits(clock))
    path = tmp_path / "f"
    path.write_bytes(b"x" * (3 * READ_SIZE))
    with patience.running():
        for _ in Streamed(content_of(path), 0, 3 * READ_SIZE, conduct):
            assert patience.left() == 5
            clock.pass_by(4)


def test_what_an_earlier_attempt_had_sent_already_is_no_progress(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * (2 * READ_SIZE))
    clock = Clock()
    conduct = conduct_of(clock, first_contact=30, stall=30)
    with serving(reset_after) as server, pytest.raises(NoAnswer, match="no progress for 30 s"):
        Transport(conduct=conduct).send(upload(server.url, content_of(path)))

    assert clock.now < 1000 + 60


def test_a_signal_ends_an_upload_between_two_pieces(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * (4 * READ_SIZE))
    clock = Clock()
    waits = Waits(clock)
    conduct = conduct_of(clock, waits=waits)
    pieces = iter(Streamed(content_of(path), 0, 4 * READ_SIZE, conduct))
    next(pieces)
    waits.set()

    with pytest.raises(Interrupted):
        next(pieces)


def test_the_hash_of_a_stream_is_that_of_its_part() -> None:
    stream = Streamed(BytesContent(b"0123456789"), 2, 5, conduct_of())

    assert len(stream) == 3
    assert stream.sha256() == sha256(BytesContent(b"234"))


def test_time_to_answer_grows_with_the_size_of_what_is_sent() -> None:
    """Some servers read a body of 100 MB for ten seconds before they answer."""

    def slow(talk: Talk) -> bool:
        talk.let_go.wait(0.5)
        return GOOD(talk)

    conduct = conduct_of(timeout=0.1)
    with serving(slow) as server:
        began = time.monotonic()
        Transport(conduct=conduct).send(upload(server.url, BytesContent(b"x" * 1_000_000)))

        assert time.monotonic() - began >= 0.5
        assert len(server.received) == 1
