"""Credentials that are fetched over the network: prepared before each try, renewed once when refused."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
from clocks import Clock, Waits, conduct_of
from loopback import Reaction, say, serving
from requests import PreparedRequest

from mlflow_rest_export.errors import ApiError, NoAnswer
from mlflow_rest_export.network.auth import RenewableAuth
from mlflow_rest_export.network.call import Call, Repeat
from mlflow_rest_export.network.command_auth import CommandAuth
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.token_sources import CommandToken
from mlflow_rest_export.network.transport import Transport

GOOD = say(200, {"fine": True})
REFUSED = say(401, "no")


class Tokens(RenewableAuth):
    """Counts what is asked of it; each renewal gives the next token."""

    def __init__(self, *, renewals: int = 99) -> None:
        self.number = 1
        self.prepared = 0
        self.renewals = renewals

    def prepare(self, conduct: Conduct) -> None:
        assert conduct.pace.allowed
        self.prepared += 1

    def renew(self, conduct: Conduct) -> bool:
        assert conduct.pace.allowed
        if not self.renewals:
            return False
        self.renewals -= 1
        self.number += 1
        return True

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer token{self.number}"
        return request


def sent(auth: RenewableAuth, *script: Reaction) -> tuple[object, list[str]]:
    """Give what came of a call that may be sent only once, and the credentials of its attempts."""
    with serving(*script) as server:
        call = Call(method="POST", url=f"{server.url}/x", doing="trying it", repeat=Repeat.IF_NOT_SENT)
        try:
            result: object = Transport(conduct=conduct_of(), auth=auth).send_for_json(call)
        except (ApiError, NoAnswer) as error:
            result = error
        return result, [one.headers["authorization"] for one in server.received]


@pytest.mark.parametrize("refusal", [REFUSED, say(403, {"error_code": "403", "message": "Invalid token"})])
def test_refused_credentials_are_renewed_and_the_call_sent_again_even_if_it_may_go_only_once(
    refusal: Reaction,
) -> None:
    auth = Tokens()
    result, credentials = sent(auth, refusal, GOOD)

    assert result == {"fine": True}
    assert credentials == ["Bearer token1", "Bearer token2"]
    assert auth.prepared == 2


def test_credentials_are_renewed_once_a_call_and_no_more() -> None:
    result, credentials = sent(Tokens(), REFUSED)

    assert isinstance(result, ApiError)
    assert credentials == ["Bearer token1", "Bearer token2"]


def test_credentials_that_cannot_be_renewed_are_told_as_refused() -> None:
    result, credentials = sent(Tokens(renewals=0), REFUSED)

    assert isinstance(result, ApiError)
    assert credentials == ["Bearer token1"]


def test_who_is_known_but_not_allowed_gets_no_new_credentials() -> None:
    _, credentials = sent(Tokens(), say(403, {"error_code": "PERMISSION_DENIED", "message": "no"}))

    assert credentials == ["Bearer token1"]


@pytest.mark.parametrize(
    ("tokens", "credentials"),
    [
        (["old", "new", "x"], ["Bearer old", "Bearer new", "Bearer new"]),
        (["old", "old", "x"], ["Bearer old", "Bearer old"]),
    ],
)
def test_a_command_whose_token_is_refused_is_asked_once_for_another(
    tmp_path: Path, tokens: list[str], credentials: list[str]
) -> None:
    asked = tmp_path / "asked"
    asked.write_text("")
    lines = (
        f"from pathlib import Path; asked = Path({str(asked)!r}); number = len(asked.read_text())",
        f"asked.write_text('x' * (number + 1)); print({tokens!r}[number])",
    )
    auth = CommandAuth(CommandToken([sys.executable, "-c", "; ".join(lines)], clock=Clock()))
    good = credentials[-1] == "Bearer new"

    with serving(REFUSED, GOOD if good else REFUSED) as server:
        transport = Transport(conduct=conduct_of(), auth=auth)
        for _ in range(2):
            with contextlib.nullcontext() if good else pytest.raises(ApiError):
                transport.send(Call(method="GET", url=server.url, doing="trying it"))

        assert [one.headers["authorization"] for one in server.received] == credentials
    assert asked.read_text() == "xx"


def test_rated_calls_wait_for_their_place_and_others_do_not() -> None:
    clock = Clock()
    waits = Waits(clock)
    transport = Transport(conduct=conduct_of(clock, waits=waits), rates={"/create": 0.001})
    with serving(GOOD) as server:
        for path in ("create", "search", "create", "create", "create?x=1"):
            transport.send(Call(method="POST", url=f"{server.url}/{path}", doing="trying it"))

    assert len(waits.seconds) == 1
    assert 900 < waits.seconds[0] < 1000
