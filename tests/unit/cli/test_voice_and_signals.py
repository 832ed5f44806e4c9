"""The parts of the command line that other tests see only in processes of their own."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from loopback import Talk, say, serving

from mlflow_rest_export.cli import main
from mlflow_rest_export.cli.console import Voice
from mlflow_rest_export.cli.progress_bar import Bar, progress_on
from mlflow_rest_export.cli.signals import listening
from mlflow_rest_export.errors import Interrupted
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.limits import STRICTEST
from mlflow_rest_export.network.conduct import Stop
from mlflow_rest_export.planning.export_plan import Wishes
from mlflow_rest_export.planning.plan import build
from mlflow_rest_export.records import Lookup, Metric, RunRecord

INVOCATION = Path(__file__).parents[3] / "fixtures" / "results" / "20261122_190618-4d4685867b13b968"
Captured = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    """Somebody looks."""

    def isatty(self) -> bool:
        return True


def test_a_bar_counts_runs_files_and_bytes_and_makes_room_for_text() -> None:
    terminal = Terminal()
    bar = progress_on(terminal, say=lambda _: None)
    assert isinstance(bar, Bar)
    bar.runs_found(2)
    bar.files_found(4, 2_000_000)
    bar.file_sent(1_000_000)
    bar.run_done("job", "exported")
    bar.hide()
    bar.close()

    assert "1/2 runs, 1/4 files" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")


def test_a_bar_is_shown_while_an_export_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    code = main(["export", str(INVOCATION), "--tracking-uri", str(tmp_path / "mlruns")])

    assert code == 0
    assert "2/2 runs" in terminal.getvalue()


def test_a_signal_sets_the_wish_to_stop_and_gives_its_code() -> None:
    stop = Stop()
    with listening(stop, Voice(quiet=True)) as signals:
        assert signals.exit_code() == 130
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted):
            stop.wait(10)

        assert signals.asked.is_set()
        assert signals.exit_code() == 143


def test_a_signal_is_met_although_the_main_thread_does_not_wake_for_it() -> None:
    # A signal that comes just before the main thread begins to wait for a lock does not wake it, and no
    # handler written in Python runs. Here the same for certain: another thread gets the signal.
    over = threading.Event()
    another = threading.Thread(target=over.wait)
    another.start()
    try:
        with listening(Stop(), Voice(quiet=True)) as signals:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                assert signals.asked.wait(10)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
    finally:
        over.set()
        another.join()


def test_with_patience_what_is_in_hand_is_finished_first() -> None:
    stop = Stop()
    with listening(stop, Voice(quiet=True), patience=1.0) as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.asked.wait(10)
        stop.check()

        with pytest.raises(Interrupted):
            stop.wait(10)
        assert signals.exit_code() == 130


def test_handlers_are_put_back_and_nothing_is_left_that_could_end_the_process_later() -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = Stop()
    with listening(stop, Voice(quiet=True)):
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted):
            stop.wait(10)

    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert not [thread for thread in threading.enumerate() if thread.name == "signals"]


def test_a_watch_that_is_stopped_says_so(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    later = say(503, "")

    def terminate(talk: Talk) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return later(talk)

    with serving(terminate, later) as server:
        words = ["watch", str(INVOCATION), "--tracking-uri", server.url, "--grace", "0.1"]
        assert main([*words, "--json"]) == 143
        captured = capsys.readouterr()
        assert '"error": "stopped by a signal"' in captured.out
        assert "stopped by a signal after 0 runs" in captured.err

    monkeypatch.undo()


def test_the_shim_is_written_and_its_place_told(capsys: Captured, tmp_path: Path) -> None:
    assert main(["shim", str(tmp_path / "bin")]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()

    (tmp_path / "file").write_text("")
    assert main(["shim", str(tmp_path / "file")]) != 0
    assert capsys.readouterr().err.startswith("mlflow-rest-export: ")


def result(label: str, outcome: Outcome, url: str = "", experiment: str = "") -> RunResult:
    return RunResult(label=label, outcome=outcome, run_url=url, experiment_url=experiment)


def no_answer(results: Sequence[RunResult]) -> dict[str, object]:
    raise AssertionError(f"nobody asked for JSON, which takes memory for each of {len(results)} runs")


def test_the_last_lines_are_the_experiments_of_good_runs_alone(capsys: Captured) -> None:
    results = [
        result("a", Outcome.EXPORTED, "http://h/1/a", "http://h/1"),
        result("b", Outcome.UNCHANGED, "http://h/1/b", "http://h/1"),
        result("c", Outcome.SKIPPED, "http://h/2/c", "http://h/2"),
        result("d", Outcome.FAILED, "http://h/3/d", "http://h/3"),
    ]
    Voice(quiet=True).summary(results, no_answer)

    assert capsys.readouterr().out.splitlines() == ["http://h/1", "http://h/2"]


def test_without_a_good_run_there_is_no_address(capsys: Captured) -> None:
    Voice(quiet=True).summary([result("d", Outcome.FAILED, "http://h/3/d", "http://h/3")], no_answer)

    assert capsys.readouterr().out == ""


def test_a_plan_shows_single_values_and_no_curves(capsys: Captured) -> None:
    record = RunRecord(
        key="k",
        label="l",
        lookup=Lookup("t", "v"),
        run_name="r",
        start_time=1,
        end_time=2,
        metrics=[Metric("loss", 1 / step, step, step) for step in range(1, 100)],
        params={"empty": "", "lines": "first\nsecond"},
    )
    Voice().plan(result("l", Outcome.PLANNED), build(record, (), Wishes(), STRICTEST))

    out = capsys.readouterr().out
    assert "metric" not in out.replace("metrics", "")
    assert "  param     empty = \n" in out
    assert "  param     lines = first\n" in out


def test_labels_stand_once_before_what_went_wrong(capsys: Captured) -> None:
    for sentence in ("job abc.0: no results", "abc.0: no results", "no results"):
        Voice().result(RunResult(label="abc.0", outcome=Outcome.FAILED, error=OSError(sentence)))

    assert set(capsys.readouterr().err.splitlines()) == {"failed: abc.0: no results"}
