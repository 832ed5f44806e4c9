"""Credentials that change: files that somebody renews, commands that print a token."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from clocks import Clock, conduct_of
from requests import PreparedRequest, Request

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.network.auth import BasicAuth, BearerAuth, NoAuth, RenewableAuth
from mlflow_rest_export.network.token_sources import PAUSE, CommandToken, FileToken


def request() -> PreparedRequest:
    return Request("GET", "http://h/").prepare()


def printing(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_nobody_sends_nothing() -> None:
    assert NoAuth()(request()).headers == request().headers


def test_a_bearer_may_stand_in_another_header_where_a_gateway_has_the_first() -> None:
    sent = BearerAuth(lambda: "t", header="Proxy-Authorization")(request())

    assert sent.headers["Proxy-Authorization"] == "Bearer t"
    assert "Authorization" not in sent.headers


@pytest.mark.parametrize("token", ["two\nlines", "tökén", "a\0b"])
def test_a_token_that_no_header_carries_is_told_without_the_token(token: str) -> None:
    with pytest.raises(SettingsError, match="characters that no HTTP header may carry") as told:
        BearerAuth(lambda: token)(request())
    assert token not in str(told.value)


def test_no_repr_holds_a_password() -> None:
    assert "canary" not in repr(BasicAuth("me", "canary"))


def test_credentials_over_the_network_say_themselves_how_they_are_renewed() -> None:
    for action in (RenewableAuth().prepare, RenewableAuth().renew):
        with pytest.raises(NotImplementedError):
            action(conduct_of())


def test_a_token_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(" first\n")
    token = FileToken(file)
    assert [token(), token()] == ["first", "first"]

    file.write_text("second, longer\n")
    assert token() == "second, longer"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file"), (b"", "is empty"), (b"\xff", "it is not text")],
)
def test_a_token_file_that_holds_none_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=reason) as told:
        FileToken(file)()
    assert str(file) in str(told.value)


def test_a_token_file_that_vanished_for_a_moment_is_read_when_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("")
    token = FileToken(file)
    with pytest.raises(SettingsError):
        token()
    file.write_text("now")

    assert token() == "now"


def test_a_command_is_asked_once_and_again_when_its_token_is_old(tmp_path: Path) -> None:
    clock = Clock()
    asked = tmp_path / "asked"
    code = f"open({str(asked)!r}, 'a').write('x'); print(' t' + str(len(open({str(asked)!r}).read())))"
    token = CommandToken(printing(code), clock=clock, lifetime=10)

    assert [token(), token()] == ["t1", "t1"]
    clock.pass_by(9.9)
    assert token() == "t1"
    clock.pass_by(0.1)
    assert token() == "t2"


def test_a_command_that_fails_for_once_costs_nothing_while_its_last_token_is_good(tmp_path: Path) -> None:
    clock = Clock()
    works = tmp_path / "works"
    works.write_text("t1")
    code = f"print(open({str(works)!r}).read())"
    token = CommandToken(printing(code), clock=clock, lifetime=10)
    assert token() == "t1"

    works.unlink()
    clock.pass_by(10)
    assert [token(), token()] == ["t1", "t1"]
    with pytest.raises(SettingsError, match="failed with exit code 1"):
        token.replace("t1")  # it was refused
    works.write_text("t2")
    clock.pass_by(PAUSE)

    assert token() == "t2"


def test_no_shell_runs() -> None:
    command = [*printing("import sys; print(sys.argv[1:])"), "$HOME; rm -rf /", "|", "cat"]

    assert CommandToken(command, clock=Clock())() == "['$HOME; rm -rf /', '|', 'cat']"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/nowhere/token"], "/nowhere/token cannot be run: "),
        (printing("raise SystemExit('no such profile')"), "failed with exit code 1: no such profile"),
        (printing("raise SystemExit(3)"), "failed with exit code 3: it said nothing"),
        (printing("print(' ')"), "printed no token"),
    ],
)
def test_a_command_that_gives_no_token_is_told_with_its_last_word(command: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        CommandToken(command, clock=Clock())()


def test_a_command_that_takes_too_long_is_told() -> None:
    slow = CommandToken(printing("import time; time.sleep(60)"), clock=Clock(), patience=0.2)
    with pytest.raises(SettingsError, match=r"took over 0\.2 s"):
        slow()


def test_what_a_command_says_of_its_failure_holds_no_secret() -> None:
    code = "raise SystemExit('refused: Bearer canary-token-of-mine at https://me:canary@h/?sig=canary')"
    with pytest.raises(SettingsError) as told:
        CommandToken(printing(code), clock=Clock())()

    assert "refused" in str(told.value)
    assert "canary" not in str(told.value)


def test_a_command_that_prints_no_text_is_told() -> None:
    code = "import sys; sys.stdout.buffer.write(bytes([255, 254]))"
    with pytest.raises(SettingsError, match="no HTTP header"):
        BearerAuth(CommandToken(printing(code), clock=Clock()))(request())
