from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mlflow_rest_export.errors import NoAnswer
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.oauth import EARLY, EXPIRED, PAUSE, OAuthToken, Token
from mlflow_rest_export.network.transport import Transport


class Giver:
    """Gives numbered tokens and moves its own clock."""

    def __init__(self, lifetime: float = 3600.0) -> None:
        self.now = 1000.0
        self.lifetime = lifetime
        self.given = 0
        self.fails = False
        self.meanwhile: Callable[[], None] = lambda: None

    def clock(self) -> float:
        return self.now

    def __call__(self, transport: Transport) -> Token:
        del transport
        self.meanwhile()
        if self.fails:
            raise NoAnswer("nobody there", may_have_arrived=False)
        self.given += 1
        return Token(f"token {self.given}", self.lifetime)


@pytest.fixture
def giver() -> Giver:
    return Giver()


@pytest.fixture
def token(giver: Giver) -> OAuthToken:
    return OAuthToken(giver, clock=giver.clock)


CONDUCT = Conduct.ordinary(timeout=5)


def test_a_token_is_asked_for_when_first_wanted_and_kept(token: OAuthToken, giver: Giver) -> None:
    token.prepare(CONDUCT)
    token.prepare(CONDUCT)

    assert (token.value, giver.given) == ("token 1", 1)


def test_a_token_is_renewed_while_it_still_works(token: OAuthToken, giver: Giver) -> None:
    token.prepare(CONDUCT)
    giver.now += giver.lifetime - EARLY + 1

    token.prepare(CONDUCT)

    assert token.value == "token 2"


def test_a_short_lived_token_is_renewed_at_half_its_life(giver: Giver) -> None:
    giver.lifetime = 600.0
    token = OAuthToken(giver, clock=giver.clock)
    token.prepare(CONDUCT)
    giver.now += 299
    token.prepare(CONDUCT)
    assert giver.given == 1

    giver.now += 2
    token.prepare(CONDUCT)

    assert giver.given == 2


def test_a_renewal_that_fails_is_no_matter_while_the_token_works(token: OAuthToken, giver: Giver) -> None:
    token.prepare(CONDUCT)
    giver.now += giver.lifetime - EARLY + 1
    giver.fails = True
    token.prepare(CONDUCT)
    assert token.value == "token 1"
    giver.fails = False

    token.prepare(CONDUCT)
    assert token.value == "token 1"
    giver.now += PAUSE
    token.prepare(CONDUCT)

    assert token.value == "token 2"


def test_a_renewal_that_fails_is_told_once_the_token_is_old(token: OAuthToken, giver: Giver) -> None:
    token.prepare(CONDUCT)
    giver.now += giver.lifetime - EXPIRED
    giver.fails = True

    with pytest.raises(NoAnswer):
        token.prepare(CONDUCT)


def test_while_one_thread_renews_early_the_others_go_on(token: OAuthToken, giver: Giver) -> None:
    token.prepare(CONDUCT)
    giver.now += giver.lifetime - EARLY + 1
    seen: list[str] = []

    def prepare() -> None:
        token.prepare(CONDUCT)
        seen.append(token.value)

    def other() -> None:
        thread = threading.Thread(target=prepare)
        thread.start()
        thread.join(5)

    giver.meanwhile = other
    token.prepare(CONDUCT)

    assert seen == ["token 1"]
    assert token.value == "token 2"


def test_threads_that_come_together_ask_once(token: OAuthToken, giver: Giver) -> None:
    together = threading.Barrier(6)

    def come() -> None:
        together.wait(5)
        token.prepare(CONDUCT)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert giver.given == 1


def test_a_refused_token_is_replaced_unless_somebody_did_so(token: OAuthToken, giver: Giver) -> None:
    token.prepare(CONDUCT)

    token.replace("token 1", CONDUCT)
    token.replace("token 1", CONDUCT)

    assert (token.value, giver.given) == ("token 2", 2)


def test_a_token_is_not_in_its_repr() -> None:
    assert "canary" not in repr(Token("canary", 1.0))
