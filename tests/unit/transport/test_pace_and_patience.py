"""How many requests go at once, how long is waited, and when it is given up: by clocks that stand still."""

from __future__ import annotations

import math
import threading

import pytest
from clocks import Clock, Waits, conduct_of
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.errors import Interrupted
from mlflow_rest_export.network.conduct import Conduct, Stop
from mlflow_rest_export.network.pace import Pace, Spacing
from mlflow_rest_export.network.retry import SHORTEST_TRY, Backoff, Patience

CHANCE = st.floats(0, 1, exclude_max=True)


@given(attempt=st.integers(0, 10_000), chance=CHANCE)
def test_an_own_wait_is_never_longer_than_the_longest_and_never_none(attempt: int, chance: float) -> None:
    backoff = Backoff()
    wait = backoff.wait(attempt, asked=None, chance=chance)

    assert backoff.first / 2 <= wait <= backoff.longest
    assert backoff.wait(attempt, asked=None, chance=0.0) <= backoff.wait(attempt + 1, asked=None, chance=0.0)


@given(asked=st.floats(0, 1e9), chance=CHANCE)
def test_a_wait_that_is_asked_for_is_obeyed_up_to_two_minutes(asked: float, chance: float) -> None:
    wait = Backoff().wait(0, asked=asked, chance=chance)

    assert min(asked, 120.0) <= wait < 120.25 + 1e-9


def test_workers_that_failed_together_do_not_come_back_together() -> None:
    waits = {Backoff().wait(3, asked=None, chance=chance / 8) for chance in range(8)}

    assert len(waits) == 8
    assert min(waits) == max(waits) / 2 * (1 / (1 - 1 / 16))


def test_the_budget_begins_with_the_first_call_and_stands_still_between_calls() -> None:
    clock = Clock()
    patience = Patience(clock=clock, first_contact=10, stall=100)
    clock.pass_by(50)
    assert patience.left() == 10

    with patience.running():
        clock.pass_by(4)
        assert patience.left() == 6
    clock.pass_by(1000)
    assert patience.left() == 6

    with patience.running():
        assert patience.left() == 6
        with patience.running():
            clock.pass_by(2)
        clock.pass_by(2)
        assert patience.left() == 2
        clock.pass_by(5)
        assert patience.left() == 0
    assert patience.spent == "no good answer within 10 s"


def test_progress_begins_the_budget_anew_and_it_is_that_of_a_stall_then() -> None:
    clock = Clock()
    patience = Patience(clock=clock, first_contact=10, stall=100)
    with patience.running():
        clock.pass_by(9)
        patience.progress()
        clock.pass_by(30)
        assert patience.left() == 70
    patience.progress()  # a stored file is progress, too, whoever is calling
    assert patience.left() == 100
    assert patience.spent == "no progress for 100 s"


def test_a_try_gets_what_is_left_but_some_seconds_at_least() -> None:
    clock = Clock()
    patience = Patience(clock=clock, first_contact=60, stall=600)
    with patience.running():
        assert patience.for_one_try() == 60
        clock.pass_by(58)
        assert patience.for_one_try() == SHORTEST_TRY
        clock.pass_by(58)
        assert patience.for_one_try() == SHORTEST_TRY

    hurried = Patience(clock=clock, first_contact=2, stall=2)
    assert hurried.for_one_try() == 2
    with hurried.running():
        clock.pass_by(9)
        assert hurried.for_one_try() == 2


def test_another_host_gets_less_patience_until_it_answers_and_shares_the_rest() -> None:
    clock = Clock()
    whole = Patience(clock=clock, first_contact=60, stall=600)
    part = whole.with_another_host(first_contact=30)
    with part.running():
        clock.pass_by(20)
        assert (part.left(), whole.left()) == (10, 40)
        part.progress()
        assert (part.left(), whole.left()) == (600, 600)
        clock.pass_by(100)
        assert part.left() == whole.left() == 500


def test_another_host_gets_no_more_patience_than_there_is() -> None:
    clock = Clock()
    whole = Patience(clock=clock, first_contact=5, stall=5)
    part = whole.with_another_host(first_contact=30)

    assert part.left() == 5
    assert whole.of_its_own(30).left() == 30


def test_last_words_have_little_time_a_free_way_and_no_wish_to_stop() -> None:
    clock = Clock()
    conduct = conduct_of(clock)
    conduct.stop.set()
    conduct.pace.slow_down(100)
    conduct.last_words(2.0)

    conduct.stop.check()
    with conduct.pace.turn():
        pass
    assert conduct.patience.left() == 2.0


def test_what_is_worth_its_time_even_after_a_signal_has_a_conduct_of_its_own() -> None:
    conduct = conduct_of()
    conduct.stop.set()
    aside = conduct.aside(seconds=7)

    aside.stop.check()
    assert aside.patience.left() == 7
    with pytest.raises(Interrupted):
        conduct.stop.check()


def test_the_ordinary_conduct_takes_the_budget_of_the_user_for_both() -> None:
    assert Conduct.ordinary().patience.left() == 60
    mine = Conduct.ordinary(timeout=7, workers=3)
    mine.patience.progress()

    assert mine.patience.left() == pytest.approx(7, abs=0.5)
    assert mine.pace.allowed == 3
    assert 0 <= mine.chance() < 1


def test_a_wish_to_stop_ends_any_waiting_at_once() -> None:
    stop = Stop()
    stop.wait(0)
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(Interrupted):
        stop.wait(60)
    with pytest.raises(Interrupted):
        stop.check()
    stop.lift()
    stop.check()
    stop.another().check()


def test_only_so_many_are_under_way() -> None:
    pace = Pace(3, clock=Clock())
    under_way, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal under_way, most
        for _ in range(50):
            with pace.turn():
                with lock:
                    under_way += 1
                    most = max(most, under_way)
                with lock:
                    under_way -= 1

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert 1 <= most <= 3


def test_too_much_halves_the_requests_and_closes_the_gate_for_a_while() -> None:
    clock = Clock()
    pace = Pace(8, clock=clock)
    pace.slow_down(5)
    assert pace.allowed == 4
    for _ in range(9):
        pace.slow_down(1)
    assert pace.allowed == 1

    began = []

    def work() -> None:
        with pace.turn():
            began.append(clock.now)

    worker = threading.Thread(target=work)
    worker.start()
    assert not began
    clock.pass_by(5)
    worker.join(timeout=5)
    assert began == [1005.0]


def test_good_answers_open_the_gate_again_one_by_one_and_never_beyond() -> None:
    pace = Pace(4, clock=Clock())
    for _ in range(3):
        pace.slow_down(0)
    allowed = []
    for _ in range(8):
        pace.went_well()
        allowed.append(pace.allowed)

    assert allowed == [2, 2, 3, 3, 3, 4, 4, 4]


def test_a_signal_is_met_even_by_who_waits_at_a_closed_gate() -> None:
    conduct = conduct_of()
    conduct.pace.slow_down(1000)
    conduct.stop.set()

    with pytest.raises(Interrupted), conduct.pace.turn(conduct.stop.check):
        raise AssertionError


def test_a_signal_is_met_even_by_who_waits_for_others() -> None:
    conduct = conduct_of(workers=1)
    conduct.stop.set()

    with conduct.pace.turn(), pytest.raises(Interrupted), conduct.pace.turn(conduct.stop.check):
        raise AssertionError


def test_a_failed_request_gives_its_place_back() -> None:
    pace = Pace(1, clock=Clock())
    with pytest.raises(ValueError, match="broken"), pace.turn():
        raise ValueError("broken")
    with pace.turn():
        pass


def test_rated_calls_are_kept_apart_and_others_are_not() -> None:
    clock = Clock()
    spacing = Spacing({"/runs/create": 4.0, "/log-batch": 0.5}, clock=clock, burst=1)

    assert [spacing.reserve("http://h/runs/create") for _ in range(3)] == [0, 0.25, 0.5]
    assert [spacing.reserve("http://h/log-batch") for _ in range(2)] == [0, 2]
    assert [spacing.reserve("http://h/runs/search") for _ in range(3)] == [0, 0, 0]
    clock.pass_by(60)
    assert spacing.reserve("http://h/runs/create") == 0


def test_after_a_pause_a_few_rated_calls_may_come_at_once() -> None:
    clock = Clock()
    spacing = Spacing({"/create": 2.0}, clock=clock)

    for _ in range(2):
        assert [spacing.reserve("/create") for _ in range(5)] == [0, 0, 0, 0.5, 1.0]
        clock.pass_by(60)


@given(begin=st.integers(-1_000_000, 1_000_000))
def test_the_first_rated_calls_need_no_waiting_wherever_the_clock_begins(begin: int) -> None:
    clock = Clock()
    clock.now = begin  # the clock of a machine that was started a minute ago is near 0
    spacing = Spacing({"/create": 0.001}, clock=clock)

    assert [spacing.reserve("/create") for _ in range(3)] == [0, 0, 0]
    with Pace(1, clock=clock).turn(_unexpected):
        assert spacing.reserve("/create") > 900


def _unexpected() -> None:
    pytest.fail("had to wait")


@given(pauses=st.lists(st.floats(0, 3), max_size=30), burst=st.integers(1, 4))
def test_over_any_time_rated_calls_are_no_more_than_the_rate_and_one_burst(
    pauses: list[float], burst: int
) -> None:
    clock = Clock()
    spacing = Spacing({"/create": 2.0}, clock=clock, burst=burst)
    places = []
    for pause in pauses:
        clock.pass_by(pause)
        places.append(clock.now + spacing.reserve("/create"))

    for first, one in enumerate(places):
        for last, other in enumerate(places[first:]):
            assert last + 1 <= burst + (other - one) * 2.0 + 1e-6


def test_waits_of_tests_are_stops_like_any_other() -> None:
    clock = Clock()
    waits = Waits(clock)
    waits.wait(5)
    waits.another().wait(1)

    assert (clock.now, waits.seconds) == (1006.0, [5])
    assert math.isfinite(clock())


def test_who_could_use_several_places_gets_those_that_are_free() -> None:
    pace = Pace(5, clock=Clock())

    with pace.turn(most=4) as first, pace.turn(most=4) as second:
        assert (first, second) == (4, 1)
    with pace.turn(most=4) as again:
        assert again == 4
