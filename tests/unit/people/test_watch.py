"""What the watch exports, when, and when it ends; its clock and its waiting are the test's."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from loopback import unused_port

from mlflow_rest_export.cli import main
from mlflow_rest_export.errors import ApiError, NoAnswer
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.watch import Watch

RESULTS = Path(__file__).parents[3] / "fixtures" / "results" / "20261122_190618-4d4685867b13b968"
FIRST, SECOND = "simple_evals.mmlu.0", "AA-LCR.aa_lcr.1"
UNFINISHED = "it was not complete when the watch ended"


class World:
    """A folder, a clock and an exporter; ``events`` happen at the ends of the waits, one a wait."""

    def __init__(
        self, folder: Path, *, idle: float | None = None, quiet: float = 10.0, pause: float = 30.0
    ) -> None:
        self.now = 1000.0
        self.folder = folder
        self.exported: list[tuple[float, str]] = []
        self.answers: list[Exception | None] = []
        self.results: list[RunResult] = []
        self.events: list[Callable[[], object]] = []
        self.notes: list[str] = []
        self.end_after = 1000
        self.watch = Watch(
            folder=folder,
            export=self.export,
            wait=self.wait,
            note=self.notes.append,
            clock=lambda: self.now,
            idle=idle,
            quiet=quiet,
            pause=pause,
        )

    def export(self, job: Path) -> Sequence[RunResult]:
        self.exported.append((self.now - 1000, job.name))
        error = self.answers.pop(0) if self.answers else None
        outcome = Outcome.EXPORTED if error is None else Outcome.FAILED
        return [RunResult(label=job.name, outcome=outcome, error=error)]

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self.end_after -= 1
        if self.events:
            self.events.pop(0)()
        return self.end_after <= 0

    def run(self) -> list[str]:
        self.results = list(self.watch.results())
        return [result.label for result in self.results]

    def left(self) -> dict[str, str]:
        """Give what failed, and why."""
        return {result.label: str(result.error) for result in self.results if result.error}


@pytest.fixture
def invocation(tmp_path: Path) -> Path:
    """An invocation whose jobs have not begun."""
    folder = tmp_path / RESULTS.name
    for name in (FIRST, SECOND):
        (folder / name).mkdir(parents=True)
        (folder / name / "run.sh").touch()
    return folder


def complete(invocation: Path, name: str, *, stages: bool = True) -> Callable[[], None]:
    def act() -> None:
        ignored = shutil.ignore_patterns() if stages else shutil.ignore_patterns("stage.*")
        shutil.copytree(RESULTS / name, invocation / name, dirs_exist_ok=True, ignore=ignored)
        metadata = invocation / name / "artifacts" / "metadata.yaml"
        config = yaml.safe_load(metadata.read_text())
        del config["launcher_resolved_config"]["evaluation"]["tasks"][2]  # its job failed and is elsewhere
        metadata.write_text(yaml.safe_dump(config))

    return act


def nothing() -> None:
    """Let a wait pass without an event."""


def test_each_job_is_exported_when_it_completes_and_then_the_watch_ends(invocation: Path) -> None:
    world = World(invocation)
    world.events = [nothing, complete(invocation, SECOND), nothing, complete(invocation, FIRST)]

    assert world.run() == [SECOND, FIRST]
    assert world.exported == [(4.0, SECOND), (8.0, FIRST)]
    assert not world.left()


@pytest.mark.parametrize("place", ["output folder", "job"])
def test_an_output_folder_and_a_job_can_be_watched_too(invocation: Path, place: str) -> None:
    complete(invocation, FIRST)()
    complete(invocation, SECOND)()

    assert FIRST in World({"output folder": invocation.parent, "job": invocation / FIRST}[place]).run()


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path / "later")
    job = tmp_path / "later" / RESULTS.name
    world.events = [nothing, complete(job, FIRST), complete(job, SECOND)]

    assert world.run() == [FIRST, SECOND]
    assert world.notes.pop() == f"1 of 2 jobs of {RESULTS.name} are there, the others not yet"
    assert world.notes == [f"there is no launcher job in {tmp_path / 'later'} yet"]


def test_results_without_stage_files_count_when_they_have_been_quiet(invocation: Path) -> None:
    world = World(invocation / FIRST, quiet=10)
    write_more = (invocation / FIRST / "artifacts" / "more.json").touch
    world.events = [complete(invocation, FIRST, stages=False), nothing, write_more]

    assert world.run() == [FIRST]
    assert world.exported == [(16.0, FIRST)]


def test_half_written_results_do_not_count(invocation: Path) -> None:
    complete(invocation, FIRST, stages=False)()
    results = invocation / FIRST / "artifacts" / "results.yml"
    results.write_text(results.read_text()[:200] + '\n  broken: "')

    world = World(invocation / FIRST, idle=60.0)
    world.run()
    assert world.exported == []
    assert world.left() == {FIRST: UNFINISHED}


def test_results_of_a_job_that_still_runs_do_not_count(invocation: Path) -> None:
    complete(invocation, FIRST)()
    (invocation / FIRST / "logs" / "stage.exit").unlink()

    world = World(invocation / FIRST, idle=60.0)
    world.run()
    assert world.exported == []


def test_idle_ends_the_watch_and_leaves_word_of_what_did_not_complete(invocation: Path) -> None:
    world = World(invocation, idle=20.0)
    world.events = [nothing, complete(invocation, FIRST)]

    assert world.run() == [FIRST, SECOND]
    assert world.now - 1000 == 24.0
    assert world.left() == {SECOND: UNFINISHED}


def test_a_job_that_writes_is_news_and_keeps_the_watch_going(invocation: Path) -> None:
    world = World(invocation, idle=4.0)
    artifacts = invocation / FIRST / "artifacts"
    artifacts.mkdir()
    world.events = [(artifacts / str(number)).touch for number in range(10)]

    world.run()

    assert world.now - 1000 == 20.0 + 4.0


def test_an_outage_is_waited_out(invocation: Path) -> None:
    complete(invocation, FIRST)()
    world = World(invocation / FIRST, pause=30.0)
    world.answers = [NoAnswer("down", may_have_arrived=False), ApiError("busy", status=503)]

    assert world.run() == [FIRST]
    assert world.exported == [(0.0, FIRST), (30.0, FIRST), (60.0, FIRST)]
    assert world.notes == ["down; jobs wait until the server is back", "the server is back"]


def test_in_an_outage_all_jobs_wait_together(invocation: Path) -> None:
    complete(invocation, FIRST)()
    complete(invocation, SECOND)()
    world = World(invocation, pause=30.0)
    world.answers = [NoAnswer("down", may_have_arrived=False)]

    assert world.run() == [SECOND, FIRST]
    assert world.exported == [(0.0, SECOND), (30.0, SECOND), (30.0, FIRST)]


def test_an_outage_is_no_news_and_is_what_is_told_of_jobs_left_over(invocation: Path) -> None:
    complete(invocation, FIRST)()
    world = World(invocation, pause=30.0, idle=35.0)
    world.answers = [NoAnswer("down", may_have_arrived=False)] * 100

    world.run()
    assert world.now - 1000 == 36.0
    assert world.left() == {FIRST: "down", SECOND: UNFINISHED}


def test_with_idle_nothing_else_ends_the_watch(invocation: Path) -> None:
    complete(invocation, FIRST)()
    complete(invocation, SECOND)()
    later = invocation.parent / "20261122_190619-0000000000000000"
    world = World(invocation.parent, idle=20.0)
    world.events = [nothing, nothing, lambda: shutil.copytree(RESULTS, later)]

    assert len(world.run()) == 5
    assert world.left() == {later.name: f"2 of 3 jobs of {later.name} are there, the others never came"}
    assert world.now - 1000 == 26.0


def test_jobs_without_a_folder_are_waited_for(invocation: Path) -> None:
    shutil.rmtree(invocation / SECOND)
    complete(invocation, FIRST)()
    world = World(invocation)
    world.events = [nothing, nothing, complete(invocation, SECOND)]

    assert world.run() == [FIRST, SECOND]
    assert world.notes == [f"1 of 2 jobs of {invocation.name} are there, the others not yet"]


@pytest.mark.parametrize("words", [["--idle", "0"], ["--idle", "0", "--json"]])
def test_with_idle_a_job_that_never_came_fails_the_command(
    words: list[str], invocation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(invocation / SECOND)
    complete(invocation, FIRST)()

    assert main(["watch", str(invocation), *words, "--tracking-uri", str(tmp_path / "mlruns")]) == 1
    said = f"failed: {invocation.name}: 1 of 2 jobs of {invocation.name} are there, the others never came"
    assert said in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("uri", ["htp://x", "https://nope:99999", "databricks", "http://"])
def test_an_address_that_makes_no_sense_ends_the_command_before_it_waits(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_CONFIG_FILE", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert main(["watch", str(tmp_path / "later"), "--json", "--tracking-uri", uri]) == 2

    said = capsys.readouterr()
    assert said.err.startswith("mlflow-rest-export: ")
    assert json.loads(said.out)["success"] is False


@pytest.mark.parametrize("place", ["nowhere", "a file", "results of another tool"])
def test_where_no_job_is_found_the_command_fails(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "watched"
    if place == "a file":
        folder.touch()
    elif place == "results of another tool":
        shutil.copytree(RESULTS.parents[1] / "formats" / "lm-eval", folder)

    code = main(["watch", str(folder), "--idle", "0", "--json", "--tracking-uri", str(tmp_path / "mlruns")])

    said = capsys.readouterr()
    expected = f"no launcher job was found in {folder}"
    if place == "a file":
        expected = f"{folder} is a file: give an output folder of the launcher"
    assert code == 1
    assert f"mlflow-rest-export: {expected}" in said.err
    assert json.loads(said.out)["success"] is False


def test_what_the_server_refuses_is_told_once(invocation: Path) -> None:
    complete(invocation, FIRST)()
    world = World(invocation / FIRST)
    world.answers = [ApiError("no", status=403)]

    assert world.run() == [FIRST]
    assert world.exported == [(0.0, FIRST)]


def test_when_asked_to_end_it_exports_what_is_complete_and_waits_for_nothing(invocation: Path) -> None:
    world = World(invocation, quiet=1000.0, pause=1000.0)
    complete(invocation, FIRST)()
    world.answers = [NoAnswer("down", may_have_arrived=False), NoAnswer("down", may_have_arrived=False)]
    world.events = [complete(invocation, SECOND, stages=False)]
    world.end_after = 1

    assert sorted(world.run()) == sorted([FIRST, SECOND])
    assert world.exported == [(0.0, FIRST), (2.0, SECOND), (2.0, FIRST)]
    assert world.left() == {SECOND: "down"}


@pytest.fixture
def watching(invocation: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``watch`` as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, uri: str = "") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "mlflow_rest_export", "watch", str(invocation), *words]
        command += ["--tracking-uri", uri or str(tmp_path / "mlruns")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_command_ends_by_itself_with_the_address_of_the_experiment(
    invocation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    complete(invocation, FIRST)()
    complete(invocation, SECOND)()

    code = main(["watch", str(invocation), "--tracking-uri", str(tmp_path / "mlruns")])

    assert code == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"file://{tmp_path}/mlruns/")


def test_the_command_fails_when_a_job_did_not_complete(
    invocation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    complete(invocation, FIRST)()

    code = main(["watch", str(invocation), "--idle", "0", "--json", "--tracking-uri", str(tmp_path / "m")])

    said = capsys.readouterr()
    assert code == 1
    assert f"failed: {SECOND}: {UNFINISHED}" in said.err
    told = json.loads(said.out)
    assert told["success"] is False
    assert [(run["job_id"], run["outcome"]) for run in told["runs"]][1:] == [(SECOND, "failed")]


def test_an_outage_is_told_when_it_begins(invocation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complete(invocation, FIRST)()
    port = unused_port()
    words = ["watch", str(invocation / FIRST), "--idle", "0", "--timeout", "0.1"]

    code = main([*words, "--tracking-uri", f"http://127.0.0.1:{port}"])

    said = capsys.readouterr().err
    assert code == 1
    assert f"nothing listens at 127.0.0.1:{port} (connection refused)" in said
    assert "note: " in said.partition("jobs wait until the server is back")[0]
    assert UNFINISHED not in said


def test_wrong_settings_of_one_job_cost_that_job(
    invocation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    complete(invocation, FIRST)()
    complete(invocation, SECOND)()
    for name in (FIRST, SECOND):
        metadata = invocation / name / "artifacts" / "metadata.yaml"
        metadata.write_text(metadata.read_text().replace("tracking_uri", "no_tracking_uri"))

    code = main(["watch", str(invocation), "--json"])

    said = capsys.readouterr()
    assert code == 2
    assert "note: no tracking URI is given, so only jobs that bring their own can be exported" in said.err
    assert said.err.count("no tracking URI is given: pass --tracking-uri") == 2


def test_wrong_words_end_the_command_at_once(capsys: pytest.CaptureFixture[str], invocation: Path) -> None:
    code = main(["watch", str(invocation), "--workers", "many", "--json"])

    said = capsys.readouterr()
    assert code == 2
    assert '"success": false' in said.out
    assert said.err.startswith("mlflow-rest-export: ")


def test_sigterm_lets_the_watch_export_what_is_complete(
    invocation: Path, watching: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    complete(invocation, FIRST)()
    process = watching()
    assert process.stdout is not None
    first = process.stdout.readline()
    complete(invocation, SECOND, stages=False)()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert FIRST.rsplit(".", maxsplit=1)[-1] in first
    assert process.returncode == 0, err
    assert len(list(tmp_path.glob("mlruns/*/*/tags/job_id"))) == 2
    assert out.splitlines()[-1].startswith("file://")


def test_after_its_grace_an_export_that_hangs_is_given_up(
    invocation: Path, watching: Callable[..., subprocess.Popen[str]]
) -> None:
    complete(invocation, FIRST)()
    process = watching("--grace", "0.5", "-v", uri=f"http://127.0.0.1:{unused_port()}")
    assert process.stderr is not None
    trying = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)

    assert "trying again" in trying
    assert process.returncode == 143
    assert "stopped by a signal" in err
