"""Runs that a training script fills, in a real folder of runs and before servers that fail."""

# ruff: noqa: PT012  # a run is a block, and what it raises comes out at its end

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Reaction, Talk, reset_before, say, serving, unused_port

from mlflow_rest_export import connect
from mlflow_rest_export.client import Client
from mlflow_rest_export.errors import (
    ApiError,
    Conflict,
    ExportError,
    NoAnswer,
    ParamConflict,
    SettingsError,
    SourceError,
)
from mlflow_rest_export.live_run import LiveRun
from mlflow_rest_export.live_sender import Buffering
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.targets import files
from mlflow_rest_export.tracking.protocol import StoredRun


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return connect(str(tmp_path / "mlruns"))


def stored(client: Client, run: LiveRun) -> StoredRun:
    return client.tracking.get_run(run.run_id)


def test_values_arrive_and_the_run_is_finished(client: Client) -> None:
    with client.run(experiment="x", name="y", tags={"team": "eval"}, description="*why*") as run:
        run.log_params({"lr": 1e-4})
        run.log_metrics({"loss": 0.5, "acc": 0.1}, step=1)
        run.log_metric("loss", 0.4, step=2)

    found = stored(client, run)
    assert (found.run_name, found.status) == ("y", RunStatus.FINISHED)
    assert found.end_time is not None
    assert found.params == {"lr": "0.0001"}
    assert {key: (point.value, point.step) for key, point in found.metrics.items()} == {
        "loss": (0.4, 2),
        "acc": (0.1, 1),
    }
    assert found.tags["team"] == "eval"
    assert found.tags["mlflow.note.content"] == "*why*"
    assert [point.value for point in client.tracking.metric_history(run.run_id, "loss")] == [0.5, 0.4]
    assert run.url.endswith(run.run_id)


def test_files_folders_and_texts_are_uploaded(client: Client, tmp_path: Path) -> None:
    (tmp_path / "plots" / "deep").mkdir(parents=True)
    (tmp_path / "plots" / "a.svg").write_text("a")
    (tmp_path / "plots" / "deep" / "b.svg").write_text("b")
    (tmp_path / "model.bin").write_bytes(b"")
    with client.run(experiment="x") as run:
        run.log_artifact(tmp_path / "plots", "figures")
        run.log_artifact(str(tmp_path / "model.bin"))
        run.log_text("done", "notes/end.txt")

    assert client.artifacts.listing(stored(client, run)) == {
        "figures/plots/a.svg": 1,
        "figures/plots/deep/b.svg": 1,
        "model.bin": 0,
        "notes/end.txt": 4,
    }


def test_of_a_folder_nothing_is_left_out_silently_and_no_file_takes_anothers_place(
    client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "out"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "best").symlink_to(folder / "checkpoint")
    (folder / "a\\b.txt").write_text("1")
    (folder / "a_b.txt").write_text("22")

    with client.run(experiment="x") as run:
        run.log_artifact(folder)
        run.log_artifact(folder)

    assert set(client.artifacts.listing(stored(client, run)).values()) == {1, 2}
    assert f"artifact {folder / 'best'}" in caplog.text
    assert "it is a link to a folder" in caplog.text


def test_a_name_that_was_changed_meanwhile_stays(client: Client) -> None:
    with client.run(experiment="x", name="first") as run:
        run.set_tags({"mlflow.runName": "better"})
        run.flush()
        client.tracking.update_run(run.run_id, status=RunStatus.RUNNING, end_time=None, run_name="better")

    assert (stored(client, run).run_name, stored(client, run).status) == ("better", RunStatus.FINISHED)


def test_a_name_and_a_description_that_do_not_fit_are_cut_and_told(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with client.run(experiment="x", name="n" * 1000, description="d" * 100_000) as run:
        pass

    found = stored(client, run)
    assert found.run_name.endswith("[cut]")
    assert found.tags["mlflow.note.content"].endswith("[cut]")
    assert "run name" in caplog.text
    assert "mlflow.note.content" in caplog.text


def test_a_file_that_is_not_there_is_told_at_once(client: Client, tmp_path: Path) -> None:
    with client.run(experiment="x") as run, pytest.raises(SourceError, match="no such file or directory"):
        run.log_artifact(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (ValueError("broken"), RunStatus.FAILED),
        (KeyboardInterrupt(), RunStatus.KILLED),
        (SystemExit(0), RunStatus.FINISHED),
        (SystemExit(3), RunStatus.FAILED),
    ],
)
def test_the_status_follows_from_how_the_script_ends(
    client: Client, ending: BaseException, status: RunStatus
) -> None:
    with pytest.raises(type(ending)), client.run(experiment="x") as run:
        run.log_metrics({"loss": 0.5})
        raise ending

    assert stored(client, run).status is status
    assert stored(client, run).metrics["loss"].value == 0.5


def begun(client: Client, **buffering: float) -> LiveRun:
    """Begin a run that keeps as much, and waits as long, as a test says."""
    made = stored(client, client.run(experiment="x"))
    rhythm = Buffering(**{"interval": 3600.0, **buffering})  # type: ignore[arg-type]
    return LiveRun(client.store, made, limits=client.tracking.limits(), buffering=rhythm)


def until(happened: Callable[[], bool]) -> None:
    """Wait for what a thread in the background does."""
    looking = threading.Event()
    while not happened():  # the test's own time-out ends it
        looking.wait(0.01)


def test_a_full_batch_is_sent_at_once(client: Client) -> None:
    with begun(client, batch=10) as run:
        for step in range(9):
            run.log_metric("loss", 0.5, step=step)
        assert "loss" not in stored(client, run).metrics
        run.log_metric("loss", 0.5, step=9)
        until(lambda: "loss" in stored(client, run).metrics)
        assert stored(client, run).metrics["loss"].step == 9


def test_what_was_collected_is_sent_after_a_while(client: Client) -> None:
    with begun(client, interval=0.01) as run:
        run.log_metric("loss", 0.5)
        until(lambda: "loss" in stored(client, run).metrics)
        assert stored(client, run).metrics["loss"].value == 0.5


def test_a_script_that_is_faster_than_the_store_waits_and_loses_nothing(client: Client) -> None:
    with begun(client, batch=10, most=20, wait=3600.0) as run:
        for step in range(300):
            run.log_metric("loss", 0.5, step=step)

    assert len(list(client.tracking.metric_history(run.run_id, "loss"))) == 300


def test_flush_sends_now(client: Client) -> None:
    with client.run(experiment="x") as run:
        run.log_metric("loss", 0.5)
        run.flush()
        assert stored(client, run).metrics["loss"].value == 0.5
        run.flush()


def test_names_and_values_that_do_not_fit_are_changed_and_told_once(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with client.run(experiment="x") as run:
        for step in range(3):
            run.log_metrics({"pass@1": 0.5}, step=step)
        run.log_params({"long": "x" * 10_000})

    found = stored(client, run)
    assert found.metrics["pass_at_1"].step == 2
    assert len(found.params["long"]) == client.tracking.limits().param_value
    assert [record.message.split(": ", 1)[1].split(" (")[0][:22] for record in caplog.records] == [
        "metric pass@1 -> pass_",
        "param long -> xxxxxxxx",
    ]


def test_a_path_that_no_server_takes_is_changed_and_told_once(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with client.run(experiment="x") as run:
        run.log_text("a", "../../evil")
        run.log_text("b", "../../evil")
        run.log_text("c", "")

    assert client.artifacts.listing(stored(client, run)) == {"evil": 1, "file": 1}
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "artifact '../../evil' -> evil (the name is not one that every MLflow takes)",
        "artifact '' -> file (the name is not one that every MLflow takes)",
    ]


@pytest.mark.parametrize("value", ["b", None, [1]])
def test_a_metric_that_is_no_number_is_named(client: Client, value: Any) -> None:
    with (
        client.run(experiment="x") as run,
        pytest.raises(TypeError, match=f"the metric a must be a number, not {type(value).__name__}"),
    ):
        run.log_metrics({"a": value})


def test_a_server_that_is_down_at_the_start_raises() -> None:
    with pytest.raises(NoAnswer, match="nothing listens at"):
        connect(f"http://127.0.0.1:{unused_port()}", timeout=0.2).run(experiment="x")


def test_a_param_cannot_change(client: Client) -> None:
    run = client.run(experiment="x")
    with pytest.raises(ParamConflict), run:
        run.log_params({"lr": 1})
        run.flush()
        run.log_params({"lr": 2})

    assert stored(client, run).status is RunStatus.FAILED


def test_a_run_without_names_gets_the_default_experiment_and_the_time(client: Client) -> None:
    with client.run() as run:
        pass

    found = stored(client, run)
    experiment = client.tracking.find_experiment("nemo-evaluator-launcher")
    assert experiment is not None
    assert found.experiment_id == experiment.experiment_id
    assert found.run_name.startswith("run 20")


def test_a_folder_has_no_rest_api(client: Client) -> None:
    with pytest.raises(SettingsError, match="a folder of runs has no REST API: use tracking"):
        _ = client.rest


def test_a_client_of_a_server_has_one() -> None:
    assert connect("http://127.0.0.1:9").rest.target.base_url == "http://127.0.0.1:9"


def test_a_folder_can_be_a_file_uri(tmp_path: Path) -> None:
    assert files.path_of(f"file://{tmp_path}") == tmp_path
    with connect(f"file://{tmp_path}/mlruns").run(experiment="x") as run:
        assert run.url.startswith(f"file://{tmp_path}/mlruns/")


class Server:
    """A server of one run, whose answers to ``log-batch`` a test chooses."""

    def __init__(self) -> None:
        self.to_batches: list[Reaction] = []
        self.to_updates: list[Reaction] = []
        self.experiment = "active"
        self.down = False
        self.batches: list[dict[str, list[dict[str, object]]]] = []
        self.points: list[dict[str, object]] = []
        """What it says that it has stored."""
        self.statuses: list[object] = []

    def __call__(self, talk: Talk) -> bool:
        if self.down:
            return reset_before(talk)
        name = talk.request.target.partition("?")[0].rpartition("/")[2]
        info = {
            "run_id": "r1",
            "experiment_id": "7",
            "status": "RUNNING",
            "artifact_uri": "mlflow-artifacts:/r",
        }
        stage = {"experiment_id": "7", "name": "x", "lifecycle_stage": self.experiment}
        answers: dict[str, dict[str, object]] = {
            "get-by-name": {"experiment": stage},
            "create": {"run": {"info": info, "data": {}}},
            "get": {"run": {"info": info, "data": {"metrics": self.points}}},
            "get-history": {
                "metrics": [point for point in self.points if str(point["key"]) in talk.request.target]
            },
        }
        if name == "version":
            return say(200, b"3.17.2")(talk)
        if name == "log-batch":
            reaction = self.to_batches.pop(0) if self.to_batches else say(200, {})
            lives = reaction(talk)
            if talk.request.body:
                self.batches.append(json.loads(talk.request.body))
            return lives
        if name == "update" and self.to_updates:
            return self.to_updates.pop(0)(talk)
        if name == "update":  # the last request is noted before its answer, or the test may look too early
            talk.read_body()
            self.statuses.append(json.loads(talk.request.body)["status"])
            talk.connection.sendall(b"HTTP/1.1 200 Said\r\nContent-Length: 2\r\n\r\n{}")
            return True
        return say(200, answers.get(name, {}))(talk)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def remote(server: Server) -> Iterator[Client]:
    with serving(server) as running:
        yield connect(running.url, timeout=0.4)


REFUSED = say(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "no"})


def test_values_go_in_batches_with_the_tags_of_the_run(remote: Client, server: Server) -> None:
    with remote.run(experiment="x", tags={"team": "eval"}) as run:
        run.log_metrics({"a": 1.0, "b": 2.0}, step=3)
        run.log_metrics({"a": 1.5}, step=4)

    (batch,) = server.batches
    assert [(point["key"], point["value"], point["step"]) for point in batch["metrics"]] == [
        ("a", 1.0, 3),
        ("b", 2.0, 3),
        ("a", 1.5, 4),
    ]
    assert batch["tags"] == [{"key": "team", "value": "eval"}]
    assert server.statuses == ["FINISHED"]


def test_infinities_that_a_server_would_alter_go_into_a_tag(remote: Client, server: Server) -> None:
    with remote.run(experiment="x") as run:
        run.log_metrics({"loss": math.inf, "acc": 0.5}, step=7)

    (batch,) = server.batches
    assert [point["key"] for point in batch["metrics"]] == ["acc"]
    assert batch["tags"] == [{"key": "nonfinite.loss", "value": "Infinity at step 7"}]


def test_what_the_server_refuses_raises_at_the_end_and_fails_the_run(remote: Client, server: Server) -> None:
    server.to_batches = [REFUSED]
    with pytest.raises(ApiError, match="INVALID_PARAMETER_VALUE"), remote.run(experiment="x") as run:
        run.log_metric("a", 1.0)

    assert server.statuses == ["FAILED"]


def test_what_the_server_refuses_raises_at_the_next_call_and_only_once(
    remote: Client, server: Server
) -> None:
    server.to_batches = [REFUSED]
    with remote.run(experiment="x") as run:
        run.log_metric("a", 1.0)
        with pytest.raises(ApiError):
            run.flush()
        run.log_metric("b", 1.0)

    assert [point["key"] for point in server.batches[-1]["metrics"]] == ["b"]
    assert server.statuses == ["FINISHED"]


def test_what_an_outage_kept_arrives_later(remote: Client, server: Server) -> None:
    with remote.run(experiment="x") as run:
        run.log_metric("a", 1.0)
        server.down = True
        with pytest.raises(NoAnswer):
            run.flush()
        server.down = False
        run.log_metric("b", 2.0)

    assert [point["key"] for batch in server.batches for point in batch["metrics"]] == ["a", "b"]
    assert server.statuses == ["FINISHED"]


def test_an_outage_that_has_passed_is_no_failure(
    remote: Client, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with begun(remote, batch=1, interval=0.01) as run:
        server.down = True
        run.log_metric("a", 1.0)
        until(lambda: "values are kept and sent later" in caplog.text)
        run.log_metric("b", 1.0)
        server.down = False
        until(lambda: "the store takes values again" in caplog.text)

    assert caplog.text.count("values are kept and sent later") == 1
    assert server.statuses == ["FINISHED"]


def test_an_outage_never_hides_what_the_server_refused(
    remote: Client, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_and_vanish(talk: Talk) -> bool:
        server.down = True
        return say(403, {"error_code": "PERMISSION_DENIED", "message": "no"})(talk)

    server.to_batches = [refuse_and_vanish]
    with pytest.raises(ApiError, match="PERMISSION_DENIED"), begun(remote, batch=1) as run:
        run.log_metrics({"a": 1.0, "b": 2.0})
        until(lambda: "values are kept and sent later" in caplog.text)
        server.down = False

    assert server.statuses == ["FAILED"]


def test_a_point_whose_answer_was_lost_is_not_sent_twice(remote: Client, server: Server) -> None:
    def stored_and_lost(talk: Talk) -> bool:
        talk.read_body()
        server.points += json.loads(talk.request.body)["metrics"]
        server.down = True
        return reset_before(talk)

    server.to_batches = [stored_and_lost]
    with remote.run(experiment="x") as run:
        run.log_metrics({"a": 1.0, "b": 2.0}, step=1)
        with pytest.raises(NoAnswer):
            run.flush()
        server.down = False
        run.log_metric("a", 3.0, step=2)

    sent = [(point["key"], point["step"]) for batch in server.batches for point in batch.get("metrics", [])]
    assert sorted(sent) == [("a", 1), ("a", 2), ("b", 1)]


def test_an_outage_does_not_stop_the_script_and_too_many_values_are_left_out_with_a_warning(
    remote: Client, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NoAnswer), begun(remote, batch=10, most=50, wait=0.0) as run:
        server.down = True
        for step in range(100):
            run.log_metric("a", 1.0, step=step)
        until(lambda: run._sender.outage is not None)

    warnings = [record.message for record in caplog.records if "further ones are left out" in record.message]
    assert len(warnings) == 1
    assert "run r1: 50 values wait for the store already" in warnings[0]
    assert "values did not arrive" in caplog.text


@pytest.mark.parametrize("kind", ["client", "remote"])
def test_a_step_that_is_no_whole_number_is_told_at_once_and_costs_nothing(
    kind: str, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(kind)
    with client.run(experiment="x") as run:
        run.log_metric("a", 1.0, step=1)
        with pytest.raises(TypeError, match="integer"):
            run.log_metric("b", 1.0, step=2.5)  # type: ignore[arg-type]

    if kind == "client":
        assert list(stored(client, run).metrics) == ["a"]
        assert stored(client, run).status is RunStatus.FINISHED


def test_a_folder_that_cannot_be_written_fails_the_run_and_keeps_what_there_was(
    client: Client, tmp_path: Path
) -> None:
    with client.run(experiment="x") as run:
        (metrics,) = tmp_path.glob(f"mlruns/*/{run.run_id}/metrics")
        metrics.rmdir()
        metrics.write_text("in the way")
        run.log_metric("a", 1.0)
        with pytest.raises(ExportError, match="writing values to run"):
            run.flush()
        metrics.unlink()

    assert stored(client, run).metrics["a"].value == 1.0


def test_a_param_cannot_change_between_two_batches_either(client: Client) -> None:
    with client.run(experiment="x") as run:
        run.log_params({"lr": 1})
        run.log_params({"lr": 1})
        with pytest.raises(ParamConflict, match="already has the param lr with another value"):
            run.log_params({"lr": 2, "other": 3})

    assert stored(client, run).params == {"lr": "1"}


def test_a_param_that_was_refused_can_be_given_again(remote: Client, server: Server) -> None:
    server.to_batches = [REFUSED]
    with remote.run(experiment="x") as run:
        run.log_params({"lr": "wrong"})
        with pytest.raises(ApiError):
            run.flush()
        run.log_params({"lr": "right"})

    assert server.batches[-1]["params"] == [{"key": "lr", "value": "right"}]


def test_names_stay_apart_in_whatever_order_they_come(client: Client) -> None:
    with client.run(experiment="x") as run:
        run.log_metric("pass@1", 0.5)
        run.log_metric("pass_at_1", 0.25)
        run.log_metric("pass@1", 0.75, step=1)
        run.log_metrics({"loss": 1.0, "loss/val": 2.0})
        run.log_metric("deep/er", 3.0)
        run.log_metric("deep", 4.0)

    found = {key: point.value for key, point in stored(client, run).metrics.items()}
    assert found.pop("pass_at_1") == 0.75
    assert found.pop("loss") == 1.0
    assert found.pop("loss_val") == 2.0
    assert found.pop("deep/er") == 3.0
    assert sorted(found.values()) == [0.25, 4.0]


def test_every_value_that_is_no_number_is_told_in_the_tag(remote: Client, server: Server) -> None:
    with remote.run(experiment="x") as run:
        run.log_metric("loss", math.inf, step=7)
        run.log_metric("loss", -math.inf, step=8)

    (batch,) = server.batches
    told = "Infinity at step 7, -Infinity at step 8"
    assert batch["tags"] == [{"key": "nonfinite.loss", "value": told}]


@pytest.mark.parametrize(
    "log",
    [
        lambda run: run.log_metrics({"a": 1.0}),
        lambda run: run.log_params({"a": 1}),
        lambda run: run.set_tags({"a": 1}),
        lambda run: run.log_text("a", "a.txt"),
        lambda run: run.log_artifact("a.txt"),
        lambda run: run.flush(),
    ],
)
def test_outside_of_its_block_a_run_takes_nothing(client: Client, log: Callable[[LiveRun], None]) -> None:
    run = client.run(experiment="x")
    with pytest.raises(ExportError, match=f"run {run.run_id} is not begun: log values inside its with block"):
        log(run)
    with run:
        pass
    with pytest.raises(ExportError, match=f"run {run.run_id} is over: log values inside its with block"):
        log(run)


def test_a_second_block_wants_a_run_of_its_own(client: Client) -> None:
    run = client.run(experiment="x")
    with run:
        pass
    with pytest.raises(ExportError, match="was begun before: give a second block a run of its own"), run:
        pass


def test_the_scripts_own_exception_is_not_hidden(
    remote: Client, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.to_batches = [REFUSED]
    with pytest.raises(ValueError, match="mine"), remote.run(experiment="x") as run:
        run.log_metric("a", 1.0)
        raise ValueError("mine")

    assert "run r1 is not complete: " in caplog.text


def test_a_status_that_cannot_be_set_raises(remote: Client, server: Server) -> None:
    server.to_updates = [REFUSED]
    with pytest.raises(ApiError), remote.run(experiment="x"):
        pass


def test_a_deleted_experiment_is_refused(remote: Client, server: Server) -> None:
    server.experiment = "deleted"

    with pytest.raises(Conflict, match="the experiment 'x' is deleted"):
        remote.run(experiment="x")
