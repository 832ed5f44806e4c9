"""What is seen of an export under way, on a terminal and in a log, and the table at its end."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlflow_rest_export.cli import main
from mlflow_rest_export.cli.closing_table import size, table
from mlflow_rest_export.cli.progress_bar import Heartbeat, Tally, beat, duration
from mlflow_rest_export.errors import NoAnswer
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.records import Adjustment

RESULTS = Path(__file__).parents[3] / "fixtures" / "results"
BAR = "import sys; from mlflow_rest_export.cli.progress_bar import *; b = progress_on(sys.stderr, say=0);"


def seen_on_a_terminal(*command: str, **variables: str) -> str:
    """Run a command on a terminal of its own and give everything that it wrote there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "LINES": "30", **variables}
    process = subprocess.Popen([*command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    pieces = []
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how Linux says that nobody writes any more
            break
        pieces.append(piece)
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return b"".join(pieces).decode()


def test_a_terminal_shows_one_line_with_runs_files_bytes_and_time_left() -> None:
    script = (
        BAR + "b.runs_found(3); b.files_found(10, 5_000_000); b.file_sent(2_500_000); b.run_done('a', 'b')"
    )

    states = seen_on_a_terminal(sys.executable, "-c", script + "; b.close()").split("\r")

    last = [state for state in states if "runs" in state][-1]
    assert last.startswith("1/3 runs, 1/10 files:  50%|")
    assert "2.50M/5.00M [" in last
    assert last.rstrip().endswith("left]")
    assert "\n" not in "".join(states)


def test_a_line_of_text_takes_the_place_of_the_bar() -> None:
    script = BAR + "b.runs_found(1); b.hide(); print('text', file=sys.stderr, flush=True); b.close()"

    assert "\rtext" in seen_on_a_terminal(sys.executable, "-c", script)


@pytest.mark.parametrize("words", [(), ("-q",), ("--no-progress",)])
def test_an_export_shows_a_bar_without_colours_unless_it_is_not_wanted(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    command = (sys.executable, "-m", "mlflow_rest_export", "export", str(RESULTS), *words)

    seen = seen_on_a_terminal(*command, "--tracking-uri", str(tmp_path / "mlruns"), NO_COLOR="1")

    assert ("%|" in seen) == (not words)
    assert "\x1b[3" not in seen


def test_a_log_gets_a_line_now_and_then_and_none_when_all_is_done() -> None:
    said: list[str] = []
    first = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        first.set()

    heartbeat = Heartbeat(say, interval=0.01, clock=iter(range(1000)).__next__)
    heartbeat.runs_found(2)
    heartbeat.files_found(4, 4_000_000)
    heartbeat.file_sent(1_000_000)
    heartbeat.hide()
    assert first.wait(10)
    heartbeat.run_done("a", "exported")
    heartbeat.run_done("b", "exported")
    heartbeat.close()
    count = len(said)
    heartbeat.runs_found(1)  # a new account, of which nobody is told any more

    assert said[0].startswith("under way for ")
    assert len(said) == count


def test_nothing_is_said_when_nothing_is_under_way() -> None:
    said: list[str] = []
    heartbeat = Heartbeat(said.append, interval=0.001)
    waiting = threading.Event()
    waiting.wait(0.05)
    heartbeat.close()

    assert said == []


@pytest.mark.parametrize(
    ("tally", "seconds", "line"),
    [
        (Tally(runs=3, runs_done=1), 42.0, "under way for 42 s: 1/3 runs"),
        (
            Tally(3, 1, 10, 0, 5_000_000, 0),
            120.0,
            "under way for 2 min: 1/3 runs, 0/10 files, 0 B of 5.0 MB",
        ),
        (
            Tally(3, 1, 10, 4, 5_000_000, 2_000_000),
            10.0,
            "under way for 10 s: 1/3 runs, 4/10 files, 2.0 MB of 5.0 MB, 200.0 kB/s, about 15 s left",
        ),
    ],
)
def test_the_line_of_a_log(tally: Tally, seconds: float, line: str) -> None:
    assert beat(tally, seconds) == line


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (99.4, "99 s"), (100, "2 min"), (7200, "2.0 h")])
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2.5e6, "2.5 MB"), (7e12, "7000.0 GB")]
)
def test_sizes_are_written_for_people(count: float, text: str) -> None:
    assert size(count) == text


def test_the_closing_table_has_a_row_for_each_run() -> None:
    change = Adjustment("metric a", "a", "b", "why")
    good = RunResult(
        label="8abcd123.0",
        outcome=Outcome.EXPORTED,
        run_url="http://m/#/1",
        metrics=12,
        artifacts=5,
        bytes=14_600,
        adjustments=(change,),
    )
    bad = RunResult(label="8abcd123.10", outcome=Outcome.FAILED, error=NoAnswer("x", may_have_arrived=False))

    assert list(table([good, bad])) == [
        "run          outcome   metrics  files     size  changed  url",
        "8abcd123.0   exported       12      5  14.6 kB        1  http://m/#/1",
        "8abcd123.10  failed",
    ]
    assert list(table([])) == []


def test_the_last_line_stays_the_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(RESULTS), "--tracking-uri", str(tmp_path / "mlruns")]
    main(words)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "outcome", "metrics", "files", "size", "changed", "url"]
    assert [line.split()[1] for line in lines[1:-1]] == ["exported", "exported"]
    assert lines[-1].startswith(f"file://{tmp_path}/mlruns/")
