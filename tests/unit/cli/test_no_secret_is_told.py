"""Canaries in every place where a secret may stand, and in no place that anybody reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import Reaction, close, reset_after, say, serving, stall, unused_port

import mlflow_rest_export
from mlflow_rest_export.cli import main

FIXTURES = Path(mlflow_rest_export.__file__).parents[1] / "fixtures"
RESULT = FIXTURES / "formats" / "table" / "flat.json"
SECRETS = {
    "MLFLOW_TRACKING_TOKEN": "canary-token",
    "MLFLOW_TRACKING_PASSWORD": "canary-password",
    "GATEWAY_KEY": "canary-header",
}
QUOTED = "Bearer canary-token-of-mine, https://me:canary-user@h/?sig=canary-sig&token=canary-query"
TOLD: list[Reaction] = [
    say(401, QUOTED, WWW_Authenticate="Basic"),
    say(403, {"error_code": "PERMISSION_DENIED", "message": QUOTED}),
    say(400, {"error_code": "BAD_REQUEST", "message": QUOTED}),
    say(500, QUOTED),
    say(503, f"<html><title>{QUOTED}</title></html>"),
    say(302, "", Location="https://me:canary-user@login/?state=canary-state"),
    say(200, f"<html>{QUOTED}</html>"),
    say(200, f'{{"experiment": "{QUOTED}"'),
    close,
    reset_after,
    stall,
]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DATABRICKS_", "HTTP", "ALL_PROXY", "http")):
            monkeypatch.delenv(name)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("default login me password canary-netrc\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def heard(place: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Export loudly, and give everything that was said or written."""
    log = place / "log.txt"
    log.unlink(missing_ok=True)
    main(
        [
            *("export", str(RESULT), "-vv", "--log-file", str(log), "--timeout", "0.3"),
            *("-o", "export.mlflow.headers.X-Gateway-Key=$GATEWAY_KEY"),
            *words,
        ]
    )
    captured = capsys.readouterr()
    return "\n".join([captured.out, captured.err, log.read_text() if log.exists() else ""])


def reactions() -> Iterator[object]:
    yield from (pytest.param(reaction, id=str(number)) for number, reaction in enumerate(TOLD))


@pytest.mark.parametrize("json_wanted", [True, False])
@pytest.mark.parametrize("reaction", list(reactions()))
def test_nothing_that_is_said_or_written_holds_a_secret(
    place: Path, capsys: pytest.CaptureFixture[str], reaction: Reaction, json_wanted: bool
) -> None:
    with serving(reaction) as server:
        uri = server.url.replace("//", "//me:canary-userinfo@")
        told = heard(place, capsys, "--tracking-uri", uri, *(["--json"] if json_wanted else []))
        sent = " ".join(str(one.headers) for one in server.received)

    assert "canary" not in told
    assert "flat.json" in told
    assert server.received
    assert "canary-header" in sent
    assert "canary-netrc" not in sent


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:canary-userinfo@127.0.0.1:PORT",
        "http://me:canary-userinfo@[::1",
        "http://me:canary-userinfo@h/?canary=canary",
        "https://me:canary-userinfo@",
        "ftp://me:canary-userinfo@h/",
        "postgresql://me:canary-userinfo@h/db",
        "databricks://me:canary-userinfo@profile",
    ],
)
def test_no_address_is_repeated_with_its_secrets(
    place: Path, capsys: pytest.CaptureFixture[str], uri: str
) -> None:
    told = heard(place, capsys, "--json", "--tracking-uri", uri.replace("PORT", str(unused_port())))

    assert "canary" not in told
    assert json.loads(told.splitlines()[0])["success"] is False


def test_what_was_exported_holds_no_secret_either(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = heard(place, capsys, "--json", "--tracking-uri", "./mlruns")
    written = b"".join(path.read_bytes() for path in (place / "mlruns").rglob("*") if path.is_file())

    assert "canary" not in told
    assert b"canary" not in written
    assert json.loads(told.splitlines()[0])["success"] is True


def test_a_token_command_that_fails_is_told_without_what_it_said_of_secrets(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "sh -c 'echo Bearer canary-token-of-mine is refused >&2; exit 3'"
    with serving(say(200, "")) as server:
        told = heard(
            place, capsys, "--tracking-uri", server.url, "-o", f"export.mlflow.token_command={command}"
        )

    assert "failed with exit code 3" in told
    assert "canary" not in told
