"""What is asked again, how often, after which waits, and what is not."""

from __future__ import annotations

import contextlib
import email.utils
import threading
import time

import pytest
from clocks import Clock, Waits, conduct_of
from loopback import Reaction, close, reset_after, reset_before, say, say_raw, serving, stall, unused_port

from mlflow_rest_export.errors import ApiError, NoAnswer, NotMlflow
from mlflow_rest_export.network.call import Call, Repeat
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.transport import Transport

BUSY = say(503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "busy"})
GOOD = say(200, {"fine": True})


def call(url: str, repeat: Repeat = Repeat.SAFELY) -> Call:
    return Call(method="POST", url=f"{url}/api", doing="trying it", body=b"{}", repeat=repeat)


def asked(conduct: Conduct, *script: Reaction, repeat: Repeat = Repeat.SAFELY) -> tuple[object, int]:
    """Give the answer, or the error, and how many requests were made."""
    with serving(*script) as server:
        try:
            return Transport(conduct=conduct).send_for_json(call(server.url, repeat)), len(server.received)
        except (ApiError, NoAnswer) as error:
            return error, len(server.received)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_status_is_asked_again(status: int) -> None:
    answer, requests = asked(conduct_of(), say(status, "<html>no</html>"), GOOD)

    assert answer == {"fine": True}
    assert requests == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422, 501])
def test_a_clear_refusal_is_told_at_once(status: int) -> None:
    clock = Clock()
    waits = Waits(clock)
    error, requests = asked(
        conduct_of(clock, waits=waits), say(status, {"error_code": "NO", "message": "no"})
    )

    assert isinstance(error, ApiError)
    assert (error.status, error.code, requests, waits.seconds) == (status, "NO", 1, [])


def test_a_500_that_stays_is_asked_four_times() -> None:
    error, requests = asked(conduct_of(), say(500, "Internal Server Error"))

    assert isinstance(error, ApiError)
    assert (error.status, requests) == (500, 4)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"detail": "Artifact serving is disabled. Start with --serve-artifacts"}),
        (503, "Endpoint disabled due to the mlflow server running without `--serve-artifacts`"),
        (500, {"error_code": "FEATURE_DISABLED", "message": "workspaces are not enabled"}),
        (500, {"error_code": "INTERNAL_ERROR", "message": "a string literal cannot contain NUL (0x00)"}),
        (429, {"error_code": "QUOTA_EXCEEDED", "message": "too many runs"}),
    ],
)
def test_what_only_looks_like_a_passing_fault_is_told_at_once(
    status: int, body: str | dict[str, object]
) -> None:
    error, requests = asked(conduct_of(), say(status, body))

    assert isinstance(error, ApiError)
    assert (error.status, requests) == (status, 1)


def test_waits_grow_and_are_capped_and_the_last_try_comes_when_the_time_is_up() -> None:
    clock = Clock()
    waits = Waits(clock)
    error, _ = asked(conduct_of(clock, waits=waits, first_contact=60), BUSY)

    assert waits.seconds == [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0, 4.125]
    assert clock.now == 1060.0
    assert "no good answer within 60 s" in str(error)


def test_after_contact_the_budget_is_that_of_a_stall() -> None:
    clock = Clock()
    conduct = conduct_of(clock, first_contact=5, stall=50)
    with serving(GOOD, BUSY) as server:
        transport = Transport(conduct=conduct)
        transport.send_for_json(call(server.url))
        clock.pass_by(10_000)  # between calls nothing is spent
        began = clock.now
        with pytest.raises(ApiError, match="no progress for 50 s"):
            transport.send_for_json(call(server.url))

    assert clock.now - began == pytest.approx(50)


def test_once_patience_is_spent_the_next_call_is_tried_once_and_waits_no_more() -> None:
    clock = Clock()
    waits = Waits(clock)
    with serving(BUSY) as server:
        transport = Transport(conduct=conduct_of(clock, waits=waits))
        with pytest.raises(ApiError):
            transport.send(call(server.url))
        asked_before, waits.seconds = len(server.received), []
        with pytest.raises(ApiError):
            transport.send(call(server.url))

        assert (len(server.received) - asked_before, waits.seconds) == (1, [])


def test_retry_after_in_seconds_is_obeyed() -> None:
    clock = Clock()
    waits = Waits(clock)
    asked(conduct_of(clock, waits=waits), say(429, "", Retry_After="7"), GOOD)

    assert waits.seconds == [7.0]


def test_retry_after_as_a_date_is_obeyed() -> None:
    clock = Clock()
    waits = Waits(clock)
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    asked(conduct_of(clock, waits=waits), say(503, "", Retry_After=date), GOOD)

    assert 25 < waits.seconds[0] <= 30


@pytest.mark.parametrize("text", ["soon", "-5", "\xb2", "1e3", "99999999999999999999999999 GMT", "."])
def test_a_retry_after_that_makes_no_sense_is_not_there(text: str) -> None:
    clock = Clock()
    waits = Waits(clock)
    answer, _ = asked(conduct_of(clock, waits=waits), say(503, "", Retry_After=text), GOOD)

    assert answer == {"fine": True}
    assert waits.seconds == [0.125]


def test_retry_after_is_cut_to_two_minutes() -> None:
    clock = Clock()
    waits = Waits(clock)
    asked(conduct_of(clock, waits=waits, first_contact=600), say(503, "", Retry_After="86400"), GOOD)

    assert waits.seconds == [120.0]


def test_a_wait_that_is_asked_for_but_exceeds_patience_is_not_begun() -> None:
    clock = Clock()
    waits = Waits(clock)
    conduct = conduct_of(clock, waits=waits, first_contact=60, stall=60)
    error, requests = asked(conduct, say(503, "", Retry_After="100"), GOOD)

    assert isinstance(error, ApiError)
    assert (requests, waits.seconds) == (1, [])
    assert str(error).endswith("(it asks us to wait 100 s, and 60 s are all that is left)")


def test_who_asks_us_to_wait_is_there_so_the_patience_of_a_first_contact_is_not_the_measure() -> None:
    clock = Clock()
    waits = Waits(clock)
    answer, _ = asked(conduct_of(clock, waits=waits, first_contact=60), say(503, "", Retry_After="100"), GOOD)

    assert (answer, waits.seconds) == ({"fine": True}, [100.0])


def test_a_server_that_asks_us_to_wait_for_ever_is_given_up() -> None:
    clock = Clock()
    error, requests = asked(conduct_of(clock, first_contact=60), say(503, "", Retry_After="100"))

    assert isinstance(error, ApiError)
    assert requests == 7  # within 600 s
    assert "no progress for 600 s" in str(error)


def test_a_503_that_asks_us_to_wait_slows_everybody_down() -> None:
    conduct = conduct_of(workers=8)
    asked(conduct, say(503, "", Retry_After="7"), GOOD)

    assert conduct.pace.allowed == 4


def test_429_slows_everybody_down_and_good_answers_speed_up_again() -> None:
    conduct = conduct_of(workers=8)
    with serving(say(429, ""), GOOD) as server:
        transport = Transport(conduct=conduct)
        transport.send(call(server.url))
        assert conduct.pace.allowed == 4

        for _ in range(4 + 5 + 6 + 7):
            transport.send(call(server.url))
    assert conduct.pace.allowed == 8


def test_aws_says_too_much_with_400_and_a_code() -> None:
    throttled = say(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
    answer, requests = asked(conduct_of(), throttled, GOOD)

    assert (answer, requests) == ({"fine": True}, 2)


@pytest.mark.parametrize("fault", [close, reset_after, reset_before, say(200, '{"half', length=400)])
def test_a_broken_connection_is_tried_again_where_that_is_safe(fault: Reaction) -> None:
    answer, requests = asked(conduct_of(), fault, GOOD)

    assert (answer, requests) == ({"fine": True}, 2)


@pytest.mark.parametrize("fault", [close, reset_after, stall, say(502, "bad gateway"), say(200, '{"half')])
def test_what_may_have_arrived_is_not_sent_again_unless_that_is_safe(fault: Reaction) -> None:
    error, requests = asked(conduct_of(timeout=0.2), fault, GOOD, repeat=Repeat.IF_NOT_SENT)

    assert isinstance(error, (ApiError, NoAnswer))
    assert (error.may_have_arrived, requests) == (True, 1)


def test_429_is_sent_again_even_where_nothing_may_be_sent_twice() -> None:
    answer, requests = asked(conduct_of(), say(429, ""), GOOD, repeat=Repeat.IF_NOT_SENT)

    assert (answer, requests) == ({"fine": True}, 2)


def test_a_refused_connection_is_tried_again_until_the_server_is_up() -> None:
    port = unused_port()
    with contextlib.ExitStack() as stack:

        def start() -> None:
            if len(waits.seconds) == 3:
                stack.enter_context(serving(GOOD, port=port))

        clock = Clock()
        waits = Waits(clock, meanwhile=start)
        transport = Transport(conduct=conduct_of(clock, waits=waits))
        answer = transport.send_for_json(call(f"http://127.0.0.1:{port}", Repeat.IF_NOT_SENT))

    assert answer == {"fine": True}
    assert len(waits.seconds) == 3


def test_where_nothing_listens_the_error_says_so_after_the_whole_budget() -> None:
    clock = Clock()
    with pytest.raises(NoAnswer, match=r"nothing listens at 127\.0\.0\.1") as refused:
        Transport(conduct=conduct_of(clock, first_contact=5)).send(call(f"http://127.0.0.1:{unused_port()}"))

    assert not refused.value.may_have_arrived
    assert clock.now == 1005.0


def test_a_web_page_with_a_good_status_is_given_up_after_three_times() -> None:
    error, requests = asked(conduct_of(), say(200, "<html><title>Sign in</title></html>"))

    assert isinstance(error, NotMlflow)
    assert 'a web page ("Sign in")' in str(error)
    assert requests == 3


def test_half_a_json_text_is_asked_for_again() -> None:
    answer, requests = asked(conduct_of(), say(200, '{"runs": [{"in'), GOOD)

    assert (answer, requests) == ({"fine": True}, 2)


@pytest.mark.parametrize("body", ["", "200 OK", "  \n", "{}"])
def test_a_good_answer_may_be_empty(body: str) -> None:
    answer, _ = asked(conduct_of(), say(200, body))

    assert answer == {}


@pytest.mark.parametrize("body", ["[1]", "3", '"text"', "null", "not json"])
def test_json_that_is_no_object_is_no_answer_of_mlflow(body: str) -> None:
    error, _ = asked(conduct_of(), say(200, body))

    assert isinstance(error, NotMlflow)


def test_a_server_that_takes_requests_and_says_nothing_costs_the_budget_and_no_more() -> None:
    began = time.monotonic()
    conduct = Conduct.ordinary(timeout=0.6)
    with (
        serving(stall) as server,
        pytest.raises(NoAnswer, match="took the request but did not answer") as end,
    ):
        Transport(conduct=conduct).send(call(server.url))

    assert end.value.may_have_arrived
    assert time.monotonic() - began < 30  # and not the 120 s that one answer may take otherwise


def test_garbage_in_place_of_http_is_a_broken_connection() -> None:
    error, _ = asked(conduct_of(first_contact=1), say_raw(b"\x00\x01 SSH-2.0-OpenSSH\r\n\r\n"))

    assert isinstance(error, NoAnswer)
    assert "the connection to 127.0.0.1" in str(error)


@pytest.mark.parametrize("url", ["http://[::1", "ftp://host/x", "nohost", "http://host:99999"])
def test_an_address_that_makes_no_sense_is_not_tried_for_a_minute(url: str) -> None:
    clock = Clock()
    waits = Waits(clock)
    with pytest.raises(NoAnswer) as error:
        Transport(conduct=conduct_of(clock, waits=waits)).send(call(url))

    assert waits.seconds == []
    assert not error.value.may_have_arrived


def test_a_header_that_cannot_be_sent_is_told_at_once() -> None:
    clock = Clock()
    waits = Waits(clock)
    transport = Transport(conduct=conduct_of(clock, waits=waits), headers={"X-A": "two\nlines"})
    with pytest.raises(NoAnswer, match="no request can be made"):
        transport.send(call("http://127.0.0.1:1"))

    assert waits.seconds == []


def test_a_connection_that_is_free_serves_another_thread() -> None:
    with serving(GOOD) as server:
        transport = Transport(conduct=conduct_of())
        for _ in range(3):
            thread = threading.Thread(target=lambda: transport.send_for_json(call(server.url)))
            thread.start()
            thread.join()

        assert (len(server.received), server.connections) == (3, 1)
