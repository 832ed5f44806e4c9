"""Whose credentials go where, and that no log or error repeats them."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from clocks import conduct_of
from loopback import Loopback, Reaction, close, reset_after, say, serving, stall, unused_port
from requests import PreparedRequest
from requests.auth import AuthBase

from mlflow_rest_export.errors import ApiError, ExportError, NoAnswer, NotMlflow, SettingsError
from mlflow_rest_export.network.auth import BasicAuth, BearerAuth, NoAuth
from mlflow_rest_export.network.call import Call, Repeat
from mlflow_rest_export.network.transport import Transport

GOOD = say(200, {"fine": True})
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(params=["HOME", "NETRC"])
def netrc(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password for this machine that somebody keeps for quite another purpose."""
    file = tmp_path / ".netrc"
    file.write_text(
        "machine 127.0.0.1 login me password canary-netrc\ndefault login me password canary-netrc\n"
    )
    file.chmod(0o600)
    monkeypatch.setenv(request.param, str(tmp_path if request.param == "HOME" else file))


@pytest.fixture
def elsewhere() -> Iterator[Loopback]:
    """Another server, which must hear nothing."""
    with serving(GOOD) as server:
        yield server


def call(url: str, **query: str) -> Call:
    return Call(method="GET", url=url, doing="trying it", query=tuple(query.items()))


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("status", [200, 401, 302])
def test_nobody_stays_nobody_whatever_netrc_says(status: int, elsewhere: Loopback) -> None:
    with serving(say(status, "{}", Location=elsewhere.url), GOOD) as server:
        transport = Transport(conduct=conduct_of(), auth=NoAuth())
        with contextlib.suppress(ApiError):
            transport.send(call(server.url))

        assert [request.headers.get("authorization") for request in server.received] == [None]
    assert elsewhere.received == []


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize(
    ("auth", "header"),
    [(BearerAuth(lambda: "t0ken"), "Bearer t0ken"), (BasicAuth("ü", "p:w"), "Basic w7w6cDp3")],
)
def test_our_credentials_are_sent_and_not_those_of_netrc(auth: AuthBase, header: str) -> None:
    with serving(say(503, ""), say(200, "{}")) as server:
        Transport(conduct=conduct_of(), auth=auth).send(call(server.url))

        assert [request.headers["authorization"] for request in server.received] == [header, header]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_advice_hides_its_query(status: int, elsewhere: Loopback) -> None:
    place = f"{elsewhere.url}/login?token=canary"
    with serving(say(status, "", Location=place)) as server, pytest.raises(NotMlflow) as told:
        Transport(conduct=conduct_of(), auth=BearerAuth(lambda: "t")).send(call(server.url))

    assert f"redirects to {elsewhere.url}/login;" in str(told.value)
    assert "canary" not in str(told.value)
    assert told.value.location == f"{elsewhere.url}/login"
    assert elsewhere.received == []


def test_cookies_are_not_kept() -> None:
    with serving(say(200, "{}", Set_Cookie="session=1")) as server:
        transport = Transport(conduct=conduct_of())
        transport.send(call(server.url))
        transport.send(call(server.url))

        assert [request.headers.get("cookie") for request in server.received] == [None, None]


def test_the_token_is_asked_for_anew_at_every_attempt() -> None:
    tokens = iter(("first", "second", "third"))
    with serving(say(503, ""), say(503, ""), GOOD) as server:
        Transport(conduct=conduct_of(), auth=BearerAuth(lambda: next(tokens))).send(call(server.url))

        assert [request.headers["authorization"] for request in server.received] == [
            "Bearer first",
            "Bearer second",
            "Bearer third",
        ]


def test_calls_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(GOOD) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:canary@"))
        Transport(conduct=conduct_of()).send(call("http://mlflow.example/version"))

        assert proxy.received[0].target == "http://mlflow.example/version"
        assert "authorization" not in proxy.received[0].headers


def test_no_proxy_is_respected(monkeypatch: pytest.MonkeyPatch, elsewhere: Loopback) -> None:
    monkeypatch.setenv("HTTP_PROXY", elsewhere.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(GOOD) as server:
        Transport(conduct=conduct_of()).send(call(server.url))

        assert len(server.received) == 1
    assert elsewhere.received == []


def test_a_proxy_that_is_not_there_is_named_as_the_culprit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:canary@127.0.0.1:{unused_port()}")
    with pytest.raises(NoAnswer, match=r"through the proxy to mlflow\.example") as told:
        Transport(conduct=conduct_of(first_contact=1)).send(call("http://mlflow.example/version"))

    assert "NO_PROXY" in str(told.value)
    assert "canary" not in "".join(traceback.format_exception(told.value))
    assert not told.value.may_have_arrived


@pytest.mark.parametrize("reaction", [None, stall, close])
def test_no_traceback_shows_a_signed_address(reaction: Reaction | None) -> None:
    with serving(*([reaction] if reaction else [])) as server:
        port = server.port if reaction else unused_port()
        address = f"http://127.0.0.1:{port}/f?X-Amz-Signature=canary"
        with pytest.raises(NoAnswer) as told:
            Transport(conduct=conduct_of(first_contact=1, timeout=0.2)).send(call(address))

    assert "canary" not in "".join(traceback.format_exception(told.value))


def test_a_proxy_that_opens_no_tunnel_is_named_as_the_culprit(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(say(407, "", Proxy_Authenticate="Basic")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(NoAnswer, match=r"through the proxy to mlflow\.example .*407"):
            Transport(conduct=conduct_of(first_contact=1)).send(call("https://mlflow.example/version"))


def test_a_connection_that_breaks_behind_a_proxy_may_have_carried_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(reset_after) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        once = Call(
            method="POST", url="http://mlflow.example/x", doing="trying it", repeat=Repeat.IF_NOT_SENT
        )
        with pytest.raises(NoAnswer) as told:
            Transport(conduct=conduct_of()).send(once)

    assert told.value.may_have_arrived


def test_a_kind_of_proxy_that_is_not_installed_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(NoAnswer, match="SOCKS"):
        Transport(conduct=conduct_of()).send(call("http://mlflow.example/version"))


SIGNED = "X-Amz-Signature=canary-amz&X-Amz-Credential=canary-cred&sig=canary-sas&se=canary-se"
UNKNOWN = "key-of-a-store-nobody-knows=canary-odd"


@pytest.mark.parametrize(
    "reaction",
    [
        GOOD,
        say(401, {"error_code": "UNAUTHENTICATED", "message": "Bearer canary-token-of-mine is no good"}),
        say(403, f"<Error><Code>AccessDenied</Code><Message>https://me:canary@h/?{SIGNED}</Message></Error>"),
        say(503, f"try https://store.example/x?{SIGNED}"),
        say(302, "", Location=f"https://me:canary@h/?{SIGNED}"),
        say(200, "<title>https://me:canary@h/</title>"),
        say(200, '{"token": "canary'),
        close,
        stall,
    ],
)
@pytest.mark.parametrize("repeat", Repeat)
def test_no_secret_is_heard_in_logs_or_errors(
    reaction: Reaction, repeat: Repeat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mlflow_rest_export")
    heard = []
    with serving(reaction) as server:
        url = server.url.replace("//", "//me:canary-userinfo@")
        transport = Transport(
            conduct=conduct_of(first_contact=1, timeout=0.2),
            auth=BearerAuth(lambda: "canary-token"),
            headers={"X-Key": "canary-header"},
        )
        put = Call(
            method="PUT",
            url=f"{url}/x?{SIGNED}&{UNKNOWN}",
            query=(("run_id", "abc"), ("token", "canary-query")),
            doing="trying it",
            body=b"canary-body",
            repeat=repeat,
        )
        try:
            transport.send_for_json(put)
        except ExportError as error:
            heard = [str(error), repr(error), repr(error.__dict__)]

    assert "canary" not in "\n".join([*heard, caplog.text])
    assert "PUT http://127.0.0.1" in caplog.text
    assert "run_id=abc" in caplog.text


def test_the_log_tells_of_each_request_its_status_and_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mlflow_rest_export")
    with serving(say(503, "busy"), GOOD) as server:
        Transport(conduct=conduct_of()).send(call(f"{server.url}/version", run_id="abc"))
        told = [(record.levelname, record.getMessage()) for record in caplog.records]

    assert [level for level, _ in told] == ["DEBUG", "INFO", "DEBUG"]
    assert told[0][1].startswith(f"GET {server.url}/version?run_id=abc: 503 in ")
    assert told[0][1].endswith(" ms")
    assert told[1][1].startswith(f"trying it: 127.0.0.1:{server.port} answered 503: busy")
    assert told[1][1].endswith("; trying again in 0.1 s")
    assert told[2][1].startswith(f"GET {server.url}/version?run_id=abc: 200 in ")


class Unfit(AuthBase):
    """Credentials that nobody looked at."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Secret"] = self._value
        return request


@pytest.mark.parametrize("value", ["canary\n", "canary 中"])
def test_what_no_header_can_carry_is_told_without_it(value: str) -> None:
    with serving(GOOD) as server:
        for transport, sent in (
            (Transport(conduct=conduct_of(), auth=Unfit(value)), {}),
            (Transport(conduct=conduct_of()), {"X-Secret": value}),
        ):
            asked = Call(method="GET", url=server.url, doing="trying it", headers=sent)
            with pytest.raises((SettingsError, NoAnswer), match="characters that no HTTP header") as raised:
                transport.send(asked)
            assert "canary" not in str(raised.value)
    assert not server.received
