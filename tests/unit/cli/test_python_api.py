"""The functions for Python: the launcher's own, with its answer, and what it never raises."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from loopback import say, serving, when

import mlflow_rest_export
from mlflow_rest_export import connect, export_results
from mlflow_rest_export.api import answer, cut_short
from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.errors import ApiError, ExportError, Interrupted, NoAnswer, SettingsError
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult

FIXTURES = Path(mlflow_rest_export.__file__).parents[1] / "fixtures"
RESULT = FIXTURES / "formats" / "table" / "flat.json"
INVOCATION = FIXTURES / "results" / "20261122_190618-4d4685867b13b968"


def exported(things: Any, dest: str = "mlflow", config: Mapping[str, object] | None = None) -> Any:
    """Export, and give the answer as untyped as it is for who calls it."""
    return export_results(things, dest, config)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DATABRICKS_", "NEMO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_answer_is_that_of_the_launcher_and_more() -> None:
    told = exported([str(RESULT), str(INVOCATION)], config={"tracking_uri": "./mlruns"})

    assert told["success"] is True
    assert told["metadata"] == {
        "successful_jobs": 3,
        "failed_jobs": 0,
        "skipped_jobs": 0,
        "spooled_jobs": 0,
    }
    assert len(told["runs"]) == 3


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a terminal; who is started in the background may be deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_an_export_that_waits_for_a_server() -> None:
    def pressed() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with serving(when(pressed, say(503, "")), say(503, "")) as server:
        with pytest.raises(KeyboardInterrupt):
            exported(str(RESULT), config={"tracking_uri": server.url})

        assert len(server.received) < 10  # in a minute of patience it would be more


@pytest.mark.parametrize("things", [str(RESULT), RESULT, [RESULT], (str(RESULT),)])
def test_one_result_or_many_may_be_named_as_text_or_path(things: object) -> None:
    told = exported(things, "mlflow", {"export": {"mlflow": {"tracking_uri": "./mlruns"}}})

    assert told["metadata"]["successful_jobs"] == 1


@pytest.mark.parametrize(
    ("dest", "config", "said"),
    [
        ("mlflow", None, "no tracking URI is given"),
        ("wandb", {}, "wandb"),
        ("mlflow", {"no_such": 1}, "no_such"),
        ("mlflow", {"tracking_uri": "sqlite:///x"}, "names the database"),
        ("mlflow", {"tracking_uri": "http://[::1"}, "no valid address"),
    ],
)
def test_what_makes_no_sense_is_told_and_never_raised(
    dest: str, config: dict[str, object] | None, said: str
) -> None:
    told = exported(str(RESULT), dest, config)

    assert (told["success"], told["runs"]) == (False, [])
    assert str(told["metadata"]["error"]).startswith("Export failed: ")
    assert said in told["metadata"]["error"]


@pytest.mark.parametrize("thing", ["nothing.csv", "8abcd123", "x" * 300, "a\0b", ""])
def test_what_cannot_be_found_costs_itself(thing: str) -> None:
    told = exported([thing, str(RESULT)], config={"tracking_uri": "./mlruns"})

    assert told["success"] is False
    assert [run["outcome"] for run in told["runs"]] == ["failed", "exported"]


def test_a_refusal_is_told_with_what_the_server_said() -> None:
    refusal = say(403, {"error_code": "PERMISSION_DENIED", "message": "no"}, X_Request_Id="q1")
    with serving(refusal) as server:
        told = exported(str(RESULT), config={"tracking_uri": server.url, "timeout": 1})

    (run,) = told["runs"]
    assert run["error"]["type"] == "ApiError"
    assert run["error"]["status"] == 403
    assert run["error"]["error_code"] == "PERMISSION_DENIED"
    assert run["error"]["request_id"] == "q1"


def test_a_store_that_cannot_be_written_is_told_and_never_raised(place: Path) -> None:
    (place / "mlruns").write_text("a file")
    told = exported(str(RESULT), config={"tracking_uri": "./mlruns"})

    assert told["success"] is False


def test_the_environment_says_where_to_when_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./elsewhere")

    assert exported(str(RESULT))["success"] is True
    assert (place / "elsewhere").is_dir()


def test_a_client_is_opened_without_asking_anybody() -> None:
    with serving(say(200, "3.17.2")) as server:
        client = connect(server.url, workers=2, timeout=5)
        assert server.received == []

        assert client.rest.version() == "3.17.2"


def test_a_client_needs_an_address() -> None:
    with pytest.raises(SettingsError, match="no tracking URI is given"):
        connect()


def test_the_package_has_these_names_and_no_others() -> None:
    assert mlflow_rest_export.__all__ == ["__version__", "connect", "export_results"]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = mlflow_rest_export.nothing


def result(outcome: Outcome, error: Exception | None = None) -> RunResult:
    return RunResult(label="job", outcome=outcome, error=error)


EXPORTED, SPOOLED = (
    result(Outcome.EXPORTED),
    result(Outcome.SPOOLED, NoAnswer("down", may_have_arrived=False)),
)
FAILED = result(Outcome.FAILED, ExportError("no"))
REFUSED = result(Outcome.FAILED, ApiError("no", status=403))
SENSELESS = result(Outcome.FAILED, SettingsError("no"))


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], 0),
        ([EXPORTED, result(Outcome.UNCHANGED), result(Outcome.SKIPPED)], 0),
        ([EXPORTED, SPOOLED], 3),
        ([SPOOLED, FAILED], 1),
        ([SPOOLED, FAILED, REFUSED], 4),
        ([SPOOLED, REFUSED, FAILED, SENSELESS], 2),
        ([result(Outcome.FAILED, ApiError("no", status=400, code="ExpiredTokenException"))], 4),
        ([result(Outcome.FAILED, OSError("no"))], 1),
    ],
)
def test_the_exit_code_is_the_first_that_applies(results: list[RunResult], code: int) -> None:
    assert exit_codes.of_results(results) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("no"), 2),
        (ApiError("no", status=401), 4),
        (ApiError("no", status=500), 1),
        (NoAnswer("no", may_have_arrived=True), 1),
        (OSError("no"), 1),
    ],
)
def test_an_error_of_the_whole_call_has_a_code_of_its_own(error: Exception, code: int) -> None:
    assert exit_codes.of_error(error) == code


def test_a_call_that_was_cut_short_tells_what_was_done_until_then() -> None:
    told: Any = cut_short([EXPORTED, FAILED], str(Interrupted("stopped")))

    assert told["success"] is False
    whole: Any = answer([EXPORTED, FAILED])
    assert told["metadata"] == {**whole["metadata"], "error": "stopped"}
    assert len(told["runs"]) == 2
    assert cut_short([], "no")["metadata"] == {"error": "no"}


@pytest.mark.parametrize("things", [None, [5], 5])
def test_what_is_no_id_and_no_path_is_told(things: object) -> None:
    told = exported(things, config={"tracking_uri": "./mlruns"})

    assert told["metadata"]["error"] == (
        "Export failed: invocation_ids must be an id or a path, or a list of them"
    )
