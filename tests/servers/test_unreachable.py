"""Servers that are not there, or never answer: the export ends in time and says why."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import run
from launcher_folders import FOLDER, LCR, genuine
from mlflow_server import free_port

QUICK = 3.0
"""Seconds of patience in the ordinary run; the default of 60 is waited for by a test of its own."""


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing, ever."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", ["refused", "silent", "unknown name"])
def test_an_unreachable_server_fails_in_time_with_host_and_cause(
    tmp_path: Path, silent_port: int, kind: str
) -> None:
    output, _ = genuine(tmp_path)
    host = {
        "refused": f"127.0.0.1:{free_port()}",
        "silent": f"127.0.0.1:{silent_port}",
        "unknown name": "no-such-host.invalid:5000",
    }[kind]
    words = ["--tracking-uri", f"http://{host}", "--timeout", str(QUICK)]
    begin = time.monotonic()

    said = run("export", output / FOLDER / LCR, *words, home=tmp_path)

    took = time.monotonic() - begin
    assert said.code == 1, said.err
    assert took < QUICK + 5
    assert host.rpartition(":")[0] in said.err
    cause = {"refused": "refused", "silent": "answer", "unknown name": "resolve"}[kind]
    assert cause in said.err.lower()
    assert "Traceback" not in said.err


@pytest.mark.minutes
def test_by_default_the_first_contact_may_take_a_minute_and_no_more(tmp_path: Path, silent_port: int) -> None:
    output, _ = genuine(tmp_path)
    host = f"127.0.0.1:{silent_port}"
    begin = time.monotonic()

    said = run("export", output / FOLDER / LCR, "--tracking-uri", f"http://{host}", home=tmp_path)

    took = time.monotonic() - begin
    assert said.code == 1, said.err
    assert took < 60 + 5
    assert host in said.err
    assert "did not answer" in said.err
