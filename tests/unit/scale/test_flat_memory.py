"""Memory does not grow with what is exported: peaks of processes of their own. ``--long`` for full size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import http_wire
import pytest
from loopback import Talk, say_raw, serving

SCENES = Path(__file__).with_name("memory_scenes.py")
TESTS = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are those of Linux")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


def growth(folder: Path, scene: str, *arguments: str | int) -> float:
    """Give how many MiB the large task needed beyond the small one."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS / "servers")))}
    command = [sys.executable, str(SCENES), scene, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    small, large = map(int, done.stdout.split())
    return (large - small) / 1024


def swallow(talk: Talk) -> bool:
    """Read a body without keeping it."""
    for _ in http_wire.body(talk.stream, talk.request.head, until_closed=False):
        pass
    return say_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", lives=True)(empty(talk))


def empty(talk: Talk) -> Talk:
    """Say that the body has been read."""
    talk.request.head.headers["content-length"] = "0"
    return talk


def test_of_a_large_file(tmp_path: Path, long: bool) -> None:
    size = 10_000_000_000 if long else 300_000_000
    with serving(swallow) as server:
        assert growth(tmp_path, "put", server.url, size) < 8


def test_of_many_files(tmp_path: Path, long: bool) -> None:
    """Waves of 1,000 files: all 15,000 at once would need 10 MiB more."""
    runs, each = (100, 2000) if long else (75, 200)
    assert growth(tmp_path, "files", runs, each) < 4


@pytest.mark.parametrize(("how", "bytes_each"), [("growing", 40), ("mixed", 40)])
def test_of_many_points_that_are_resumed(tmp_path: Path, long: bool, how: str, bytes_each: int) -> None:
    """A dict and a set of Python's need 300 bytes for each point of a metric."""
    count = 1_000_000 if long else 200_000
    assert growth(tmp_path, "resume", count, how) < bytes_each * count / (1 << 20) + 4
