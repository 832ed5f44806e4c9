"""What the command ``export`` prints, where, and with which exit code it ends."""

from __future__ import annotations

import io
import json
import logging
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from launcher_folders import make_job
from loopback import Reaction, Talk, say, serving, stall, unused_port

import mlflow_rest_export
from mlflow_rest_export.cli import main

ROOT = Path(mlflow_rest_export.__file__).parents[1]
FIXTURES = ROOT / "fixtures"
INVOCATION = FIXTURES / "results" / "20261122_190618-4d4685867b13b968"
TABLE = FIXTURES / "formats" / "table" / "leaderboard.csv"
ODD = FIXTURES / "formats" / "table" / "flat.json"
"""Has a NaN, which is told as a change."""

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and nothing in the environment that says where to."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DATABRICKS_", "NEMO_", "HTTP", "ALL_PROXY", "http")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def quiet_afterwards() -> Iterator[None]:
    """What a call makes of logging ends with the call."""
    before = list(logging.getLogger("mlflow_rest_export").handlers)
    yield
    assert logging.getLogger("mlflow_rest_export").handlers == before


def export(*words: object, uri: str = "./mlruns") -> int:
    return main(["export", *map(str, words), "--tracking-uri", uri])


def started(*words: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mlflow_rest_export", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )


def ran(*words: object, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    process = started(*words, env=env)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_good_export_ends_with_the_address_of_the_run(capsys: Captured, place: Path) -> None:
    assert export(ODD) == 0

    out = capsys.readouterr().out.splitlines()
    assert out[-1].startswith(f"file://{place}/mlruns/")
    assert Path(out[-1].removeprefix("file://")).joinpath("meta.yaml").exists()


def test_several_runs_end_with_the_address_of_their_experiment(capsys: Captured, place: Path) -> None:
    assert export(TABLE) == 0

    last = capsys.readouterr().out.splitlines()[-1]
    assert Path(last.removeprefix("file://")).parent == place / "mlruns"


def test_exporting_again_is_good_and_ends_with_the_same_address(capsys: Captured) -> None:
    export(ODD)
    first = capsys.readouterr().out.splitlines()[-1]

    assert export(ODD) == 0
    assert capsys.readouterr().out.splitlines()[-1] == first


@pytest.mark.parametrize("words", [[], ["-q"], ["-v"], ["-vv"], ["--dry-run"], ["--dry-run", "-vv"]])
def test_json_is_one_object_on_stdout_whatever_else_is_said(capsys: Captured, words: list[str]) -> None:
    assert export(TABLE, ODD, "--json", *words) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["success"]) == (1, True)
    assert told["metadata"]["successful_jobs"] == len(told["runs"]) == 3
    assert {run["outcome"] for run in told["runs"]} == {"planned" if "--dry-run" in words else "exported"}
    assert told["runs"][2]["adjustments"][0]["field"] == "metric gsm8k/accuracy"


def test_quiet_says_the_address_and_nothing_else(capsys: Captured) -> None:
    assert export(ODD, "-q") == 0

    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert captured.err == ""


def test_quiet_still_says_what_failed(capsys: Captured) -> None:
    assert export("nothing.csv", "-q") == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "failed: nothing.csv: there is no file or folder nothing.csv\n"


def test_changes_are_told_on_stderr_a_few_of_them_unless_more_is_wanted(
    capsys: Captured, place: Path
) -> None:
    odd = {f"metric {number}%": 0.5 for number in range(8)}
    (place / "odd.json").write_text(json.dumps(odd))
    export("odd.json")
    some = capsys.readouterr().err.splitlines()
    export("odd.json", "-v", uri="./other")
    every = [line for line in capsys.readouterr().err.splitlines() if line.startswith("changed:")]
    export("odd.json", "-v", uri="./other")
    again = [line for line in capsys.readouterr().err.splitlines() if line.startswith("changed:")]

    assert len(some) == 6
    assert again == every
    assert some[-1] == "changed: odd.json: 3 more, in the receipt and with -v"
    assert len(every) == 8


def test_a_plan_needs_no_network_and_writes_nothing(capsys: Captured, place: Path) -> None:
    assert export(ODD, INVOCATION, "--dry-run", uri=f"http://127.0.0.1:{unused_port()}") == 0

    out = capsys.readouterr().out
    assert "  metric    mmlu/accuracy = 0.3333333333333333\n" in out
    assert "  artifact  " in out
    assert "  param     " in out
    assert "  tag       mlflow_rest_export.key = " in out
    assert list(place.iterdir()) == []


def test_a_plan_needs_no_tracking_uri_either(capsys: Captured) -> None:
    assert main(["export", str(ODD), "--dry-run"]) == 0
    assert "planned" in capsys.readouterr().out


def test_a_plan_tells_what_could_not_be_exported(capsys: Captured) -> None:
    assert main(["export", str(ODD), "nothing.csv", "--dry-run", "-o", "export.mlflow.nan=fail"]) == 1

    err = capsys.readouterr().err
    assert "metric gsm8k/accuracy is NaN" in err
    assert "there is no file or folder nothing.csv" in err


def test_one_result_that_cannot_be_read_costs_itself(capsys: Captured) -> None:
    assert export("nothing.csv", ODD, "--json") == 1

    told = json.loads(capsys.readouterr().out)
    assert [run["outcome"] for run in told["runs"]] == ["failed", "exported"]
    assert told["success"] is False
    assert told["metadata"]["failed_jobs"] == 1
    assert told["runs"][0]["error"]["message"] == "there is no file or folder nothing.csv"


@pytest.mark.parametrize("name", ["x" * 300, "a" * 5000 + ".json", "ä/ö"])
def test_a_name_that_no_file_can_have_is_told_like_any_other(capsys: Captured, name: str) -> None:
    assert export(name) == 1
    assert capsys.readouterr().err.startswith("failed: ")


def test_what_cannot_be_read_needs_no_store_to_be_told(capsys: Captured) -> None:
    assert main(["export", "nothing.csv"]) == 1
    assert "there is no file or folder nothing.csv" in capsys.readouterr().err


def test_what_cannot_be_read_is_told_without_asking_the_server(capsys: Captured) -> None:
    with serving(say(503)) as server:
        assert export("feedbeef", "nothing.json", uri=server.url) == 1

    said = capsys.readouterr().err
    assert "no job is known by the id" in said
    assert "there is no file" in said
    assert server.received == []


def test_without_a_store_the_usage_is_wrong(capsys: Captured, place: Path) -> None:
    assert main(["export", str(ODD)]) == 2

    assert "no tracking URI is given" in capsys.readouterr().err
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["--no-such-flag"],
        ["--track", "x"],
        ["-q", "-v"],
        ["--format", "none-such"],
        ["-o", "export.mlflow.no_such=1"],
        ["-o", "nonsense"],
        ["--map", "nonsense"],
        ["--dest", "wandb"],
        ["--workers", "many"],
        ["--config", "nothing.yaml"],
        ["--tracking-uri", "http://[::1"],
        ["--tracking-uri", "sqlite:///x"],
        ["--shard", "3/2"],
        ["--log-file", "no/such/folder/log"],
    ],
)
def test_wrong_words_end_with_2_and_nothing_on_stdout(capsys: Captured, words: list[str]) -> None:
    assert main(["export", str(ODD), "--tracking-uri", "./mlruns", *words]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


@pytest.mark.parametrize("words", [[], ["no-such-command"], ["export"]])
def test_without_the_words_that_are_needed_one_line_names_the_help(
    capsys: Captured, words: list[str]
) -> None:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"; see {' '.join(['mlflow-rest-export', *words]).split(' no-')[0]} --help")


def test_wrong_settings_are_one_json_object_too(capsys: Captured) -> None:
    assert main(["export", str(ODD), "--json"]) == 2

    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["success"], told["runs"]) == (1, False, [])
    assert "no tracking URI is given" in told["metadata"]["error"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (say(401, "Unauthorized", WWW_Authenticate="Basic"), 4),
        (say(403, {"error_code": "PERMISSION_DENIED", "message": "no"}), 4),
        (say(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "bad"}), 1),
        (say(200, "<html><title>Sign in</title></html>"), 1),
        (say(302, "", Location="https://login.example/"), 1),
    ],
)
def test_what_the_server_says_decides_the_exit_code(capsys: Captured, answer: Reaction, code: int) -> None:
    with serving(answer) as server:
        assert export(ODD, "--json", "--timeout", "2", uri=server.url) == code

    told = json.loads(capsys.readouterr().out)
    assert [run["outcome"] for run in told["runs"]] == ["failed"]


def test_an_outage_fails_the_run_within_the_time_that_was_given(capsys: Captured) -> None:
    began = time.monotonic()
    assert export(ODD, "--timeout", "0.3", uri=f"http://127.0.0.1:{unused_port()}") == 1

    assert time.monotonic() - began < 30
    assert "nothing listens at" in capsys.readouterr().err


def test_with_a_spool_an_outage_costs_nothing_and_the_spool_can_be_exported(
    capsys: Captured, place: Path
) -> None:
    down = f"http://127.0.0.1:{unused_port()}"
    assert export(TABLE, "--timeout", "0.3", "--spool", "databricks", "--json", uri=down) == 3
    told = json.loads(capsys.readouterr().out)
    assert [run["outcome"] for run in told["runs"]] == ["spooled", "spooled"]
    assert (told["success"], told["metadata"]["spooled_jobs"]) == (False, 2)

    assert export("databricks", "--json") == 0
    later = json.loads(capsys.readouterr().out)
    assert [run["key"] for run in later["runs"]] == [run["key"] for run in told["runs"]]
    assert (place / "databricks").is_dir()


def test_a_spool_that_could_take_nothing_is_told_before_anything_is_sent(capsys: Captured) -> None:
    Path("artifacts").mkdir()
    with serving(say(200, "{}")) as server:
        assert export(TABLE, "--spool", "artifacts/spool", uri=server.url) == 2

        assert server.received == []
    assert "MLflow finds no runs below a folder named 'artifacts'" in capsys.readouterr().err


def test_a_failure_weighs_more_than_a_spooled_run(capsys: Captured) -> None:
    down = f"http://127.0.0.1:{unused_port()}"

    assert export(ODD, "nothing.csv", "--timeout", "0.3", "--spool", "s", uri=down) == 1
    assert "spooled: " in capsys.readouterr().err


def test_refused_credentials_weigh_more_than_another_failure(capsys: Captured) -> None:
    with serving(say(403, "no")) as server:
        assert export("nothing.csv", ODD, "--timeout", "1", uri=server.url) == 4
    assert capsys.readouterr().err.count("failed: ") == 2


def job(place: Path, number: int, **stored: object) -> Path:
    """A job with settings of its own."""
    folder = place / f"2026112{number}_190618-4d4685867b13b96{number}" / "mmlu.0"
    config = {"launcher_resolved_config": {"export": {"mlflow": stored}}}
    return make_job(folder, {"artifacts/metadata.yaml": config})


def test_senseless_stored_settings_cost_the_job_that_has_them(capsys: Captured, place: Path) -> None:
    broken, good = job(place, 1, copy_logs="perhaps"), job(place, 2)
    words = ["-o", "export.mlflow.experiment_name=e", "--config", uri_file(place)]
    code = main(["export", str(broken), str(good), str(ODD), "--json", *map(str, words)])

    told = json.loads(capsys.readouterr().out)
    assert ([run["outcome"] for run in told["runs"]], code) == (["failed", "exported", "exported"], 1)
    assert "copy_logs" in told["runs"][0]["error"]["message"]


def uri_file(place: Path) -> Path:
    (place / "config.yml").write_text("export: {mlflow: {tracking_uri: ./mlruns}}")
    return place / "config.yml"


def test_a_store_that_a_job_names_itself_costs_that_job_when_it_cannot_be_opened(
    capsys: Captured, place: Path
) -> None:
    first, second = (
        job(place, 1, tracking_uri="databricks://no-such"),
        job(place, 2, tracking_uri="http://h/?x"),
    )
    assert main(["export", str(first), str(second), "--json"]) == 2

    told = json.loads(capsys.readouterr().out)
    assert [run["outcome"] for run in told["runs"]] == ["failed", "failed"]
    assert [run["error"]["type"] for run in told["runs"]] == ["SettingsError", "SettingsError"]


def test_the_log_file_has_what_vv_would_say_and_the_screen_has_not(capsys: Captured, place: Path) -> None:
    with serving(say(403, "no")) as server:
        export(ODD, "--timeout", "1", "--log-file", "log.txt", uri=server.url)

    log = (place / "log.txt").read_text()
    assert f"DEBUG GET {server.url}/version: 403 in " in log
    assert "DEBUG" not in capsys.readouterr().err


def test_vv_says_every_request_and_v_does_not(capsys: Captured) -> None:
    with serving(say(403, "no")) as server:
        export(ODD, "--timeout", "1", "-vv", uri=server.url)
        assert f"DEBUG: GET {server.url}/version: 403 in " in capsys.readouterr().err
        export(ODD, "--timeout", "1", "-v", uri=server.url)
        assert "DEBUG" not in capsys.readouterr().err


def test_repeats_are_told_with_v(capsys: Captured) -> None:
    with serving(say(503, "busy")) as server:
        export(ODD, "--timeout", "0.3", "-v", uri=server.url)

    assert "INFO: asking for the server's version" in capsys.readouterr().err


def test_one_call_after_the_other_speaks_once(capsys: Captured) -> None:
    with serving(say(403, "no")) as server:
        for _ in range(3):
            export(ODD, "--timeout", "1", "-vv", uri=server.url)
            assert capsys.readouterr().err.count("/version: 403 in ") == 1


def test_a_warning_is_given_before_secrets_go_in_the_clear(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary")
    export(ODD, "--timeout", "0.1", uri="http://mlflow.invalid:5000")

    err = capsys.readouterr().err
    assert "WARNING: credentials go to mlflow.invalid over plain http" in err
    assert "canary" not in err


def test_the_version_and_the_help_are_told() -> None:
    assert ran("--version")[:2] == (0, f"mlflow-rest-export {mlflow_rest_export.__version__}\n")
    code, out, _ = ran("export", "--help")
    assert (code, "Exit codes: 0 all there" in out) == (0, True)


def test_the_program_ends_with_the_codes_that_it_promises(place: Path) -> None:
    assert ran("export", ODD, "--tracking-uri", "./mlruns")[0] == 0
    assert ran("export", "nothing.csv", "--tracking-uri", "./mlruns")[0] == 1
    code, out, err = ran("export", ODD)
    assert (code, out) == (2, "")
    assert err.startswith("mlflow-rest-export: no tracking URI")
    assert (place / "mlruns").is_dir()


def test_a_reader_that_goes_away_stops_no_export(place: Path) -> None:
    """As in ``mlflow-rest-export ... | head -0``."""
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow_rest_export", "export", TABLE, ODD, "--tracking-uri", "./mlruns"],
        stdout=write,
        stderr=write,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(write)

    assert process.wait(timeout=60) == 0
    assert len(list((place / "mlruns").glob("*/*/params"))) == 3


def test_closed_streams_stop_no_export(place: Path) -> None:
    line = f"exec {sys.executable} -m mlflow_rest_export export {ODD} --tracking-uri ./mlruns >&- 2>&-"
    done = subprocess.run(
        ["/bin/sh", "-c", line], env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60, check=False
    )

    assert done.returncode == 0
    assert len(list((place / "mlruns").glob("*/*/params"))) == 1


@pytest.mark.parametrize("words", [["--json"], []])
def test_a_stream_that_lacks_signs_gets_escapes(place: Path, words: Sequence[str]) -> None:
    (place / "größe-日本.json").write_text('{"acc": 0.5}')
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    code, out, _ = ran("export", "größe-日本.json", "--tracking-uri", "./mlruns", *words, env=env)

    assert code == 0
    if words:
        assert json.loads(out)["runs"][0]["job_id"] == "größe-日本.json"
    else:
        assert "gr\\xf6\\xdfe-\\u65e5\\u672c.json" in out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_export_in_time_and_the_json_tells_what_was_done(
    number: signal.Signals, code: int
) -> None:
    with serving(say(503, "busy", Retry_After="50")) as server:
        process = started("export", ODD, "--tracking-uri", server.url, "--json")
        while not server.received:
            time.sleep(0.01)
        process.send_signal(number)
        began = time.monotonic()
        out, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert time.monotonic() - began < 15
    told = json.loads(out)
    assert (told["success"], told["metadata"]["error"]) == (False, "stopped by a signal")
    assert "stopped by a signal after 0 runs" in err


def test_a_signal_ends_even_an_export_that_hangs_in_a_request() -> None:
    with serving(stall) as server:
        process = started("export", ODD, "--tracking-uri", server.url)
        while not server.received:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, err = process.communicate(timeout=60)

    assert process.returncode == 143
    assert time.monotonic() - began < 15
    assert "stopped by a signal" in err


def test_a_second_signal_ends_it_at_once() -> None:
    (job,) = (ROOT / "fixtures" / "results").glob("*/simple_evals.mmlu.0")
    with serving(stall) as server:
        # After one signal it would have a thousand seconds for what is in hand.
        process = started("watch", str(job), "--grace", "1000", "--tracking-uri", server.url)
        while not server.received:
            time.sleep(0.01)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        process.communicate()

    assert process.returncode == 130


def test_a_signal_in_the_middle_of_a_wait_is_met_at_once(capsys: Captured) -> None:
    later = say(429, "", Retry_After="40")

    def terminate(talk: Talk) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return later(talk)

    with serving(terminate, later) as server:
        assert export(ODD, "--json", uri=server.url) == 143

    assert json.loads(capsys.readouterr().out)["metadata"]["error"] == "stopped by a signal"


def test_the_module_is_the_program(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(sys, "argv", ["mlflow-rest-export", "--version"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("mlflow_rest_export", run_name="__main__")

    assert end.value.code == 0
    assert capsys.readouterr().out == f"mlflow-rest-export {mlflow_rest_export.__version__}\n"


class Broken(io.StringIO):
    """A stream whose reader went away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


@pytest.mark.parametrize("stream", [Broken(), None])
def test_nothing_that_is_said_can_fail_the_export(
    stream: io.StringIO | None, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)

    assert export(ODD) == 0
    assert len(list((place / "mlruns").glob("*/*/params"))) == 1


def test_a_shard_and_groups_are_of_what_was_named(capsys: Captured) -> None:
    assert export(INVOCATION, "--json", "-o", "export.mlflow.group_by=invocation") == 0
    grouped = json.loads(capsys.readouterr().out)["runs"]
    assert export(INVOCATION, "--json", "--shard", "1/2", uri="./other") == 0
    first = json.loads(capsys.readouterr().out)["runs"]
    assert export(INVOCATION, "--json", "--shard", "2/2", uri="./other") == 0
    second = json.loads(capsys.readouterr().out)["runs"]

    assert len(grouped) == 3
    assert {run["job_id"] for run in first} ^ {run["job_id"] for run in second} == {
        run["job_id"] for run in grouped[1:]
    }


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_every_part_tells_what_is_not_there_and_an_empty_one_that_it_is(
    capsys: Captured, more: list[str]
) -> None:
    for shard in ("1/2", "2/2"):
        assert export("junk/nothere.json", "--shard", shard, *more) == 1
        assert "there is no file or folder junk/nothere.json" in capsys.readouterr().err

    codes = [export(ODD, "--shard", f"{number}/2", *more) for number in (1, 2)]

    assert codes == [0, 0]
    assert capsys.readouterr().err.count("note: nothing in this part (") == 1


def test_quiet_plans_say_nothing(capsys: Captured) -> None:
    assert export(ODD, "--dry-run", "-q") == 0
    assert capsys.readouterr().out == ""


def test_columns_of_a_table_are_taken_as_told(capsys: Captured) -> None:
    assert export(TABLE, "--dry-run", "--map", "stderr=skip", "accuracy=metric") == 0

    out = capsys.readouterr().out
    assert "accuracy = 0.5" in out
    assert "stderr" not in out


def test_a_table_of_no_results_is_none(capsys: Captured, place: Path) -> None:
    (place / "empty").mkdir()
    (place / "empty" / "meta.yaml").write_text("")
    export("empty", "--json")

    assert json.loads(capsys.readouterr().out)["schema"] == 1
