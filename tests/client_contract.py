"""What the client must do on every MLflow server: the same cases on recordings and on running servers.

A case is a function of a ``Client`` and the name of an experiment nobody else uses. It asserts what it sees.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import ApiError, ParamConflict
from mlflow_rest_export.exporting.exporter import Exporter
from mlflow_rest_export.exporting.owner import Owner
from mlflow_rest_export.limits import parse_version
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.pace import Pace
from mlflow_rest_export.network.retry import Patience
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.planning.export_plan import Wishes
from mlflow_rest_export.records import Dataset, Lookup, Metric, RunRecord, RunStatus
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.tracking.protocol import NewRun, StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

START = 1_795_374_396_315
"""Milliseconds: when the run of each case began."""


@dataclass(frozen=True, slots=True)
class Client:
    """The typed client and the artifacts of one server."""

    tracking: RestTracking
    artifacts: ChosenRoutes

    def ask(self, method: str, path: str, body: bytes | None = None) -> object:
        """Send what the client has no method for, because no export needs it."""
        call = Call(
            method=method,
            url=self.tracking.target.base_url + path,
            doing="preparing a case",
            headers={"Content-Type": "application/json"},
            body=body,
        )
        return self.tracking.transport.send_for_json(call)

    def run(self, experiment: str, **tags: str) -> StoredRun:
        """Create an experiment and a run in it."""
        made = self.tracking.create_experiment(experiment)
        new = NewRun(
            experiment_id=made.experiment_id,
            run_name="a run",
            start_time=START,
            tags={marks.OWNER: "owner of the case", **tags},
        )
        return self.tracking.create_run(new)


Case = Callable[[Client, str], None]
CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    """Register a case under its function's name."""
    CASES[function.__name__] = function
    return function


def client_of(base_url: str, connection: Connection | None = None) -> Client:
    """Give a client that gives up soon: a case meets no faults."""
    conduct = Conduct(
        patience=Patience(clock=time.monotonic, first_contact=20, stall=20),
        pace=Pace(4, clock=time.monotonic),
    )
    target = choose(base_url, connection or Connection())
    transport = Transport(conduct=conduct, auth=target.auth, tls=target.tls, headers=target.headers)
    tracking = RestTracking(target, transport)
    return Client(tracking, artifacts_of(tracking))


@case
def an_experiment_is_found_created_and_restored(client: Client, experiment: str) -> None:
    tracking = client.tracking

    assert tracking.find_experiment(experiment) is None
    made = tracking.create_experiment(experiment)
    assert (made.name, made.deleted) == (experiment, False)
    assert tracking.create_experiment(experiment) == made  # somebody was faster
    assert tracking.find_experiment(experiment) == made
    assert tracking.get_experiment(made.experiment_id) == made
    tracking.restore_experiment(made.experiment_id)  # active already

    for _ in range(2):
        tracking.delete_experiment(made.experiment_id)
    found = tracking.find_experiment(experiment)
    assert found is not None
    assert found.deleted
    tracking.restore_experiment(made.experiment_id)
    assert tracking.find_experiment(experiment) == made


@case
def an_experiment_is_searched_renamed_and_tagged(client: Client, experiment: str) -> None:
    tracking = client.tracking
    made = tracking.create_experiment(experiment)
    other = tracking.create_experiment(f"{experiment} 2")
    tracking.update_experiment(made.experiment_id, name=f"{experiment} 1")
    for value in ("first", "it's"):
        tracking.set_experiment_tag(made.experiment_id, "team", value)

    renamed = replace(made, name=f"{experiment} 1")
    assert tracking.get_experiment(made.experiment_id) == renamed
    found = tracking.search_experiments(f"name LIKE '{experiment}%'", page_size=1)
    assert sorted(found, key=lambda one: one.name) == [renamed, other]
    assert list(tracking.search_experiments(f"name = '{experiment} 1' AND tags.team = \"it's\"")) == [renamed]
    assert other in tracking.search_experiments()

    tracking.delete_experiment(other.experiment_id)
    assert list(tracking.search_experiments(f"name LIKE '{experiment}%'")) == [renamed]
    binned = tracking.search_experiments(f"name LIKE '{experiment}%'", view="DELETED_ONLY")
    assert list(binned) == [replace(other, deleted=True)]


@case
def a_tag_is_taken_away_once(client: Client, experiment: str) -> None:
    run = client.run(experiment, t="1", u="2")

    for _ in range(2):
        client.tracking.delete_tag(run.run_id, "t")

    tags = client.tracking.get_run(run.run_id).tags
    assert "t" not in tags
    assert tags["u"] == "2"
    with pytest.raises(ApiError) as missing:
        client.tracking.delete_tag("f" * 32, "t")
    assert missing.value.not_found


@case
def a_run_keeps_what_it_was_created_with(client: Client, experiment: str) -> None:
    made = client.run(experiment, job_id="abc.0", text='it\'s "odd" ü 🙂')
    read = client.tracking.get_run(made.run_id)

    assert (read.run_name, read.start_time, read.status) == ("a run", START, RunStatus.RUNNING)
    assert read.end_time is None
    assert read.tags["text"] == 'it\'s "odd" ü 🙂'
    assert read.tags["job_id"] == "abc.0"
    assert read.artifact_uri
    assert read.artifact_uri == made.artifact_uri
    assert not read.deleted


@case
def values_arrive_and_arrive_once(client: Client, experiment: str) -> None:
    tracking = client.tracking
    run = client.run(experiment)
    metrics = [Metric("exact", 0.1, START, 0), Metric("exact", 0.30000000000000004, START + 1, 1)]
    metrics += [Metric("tiny/ü", 5e-324, START), Metric("huge", 1e308, START, -3)]
    params = {"p one": "ü", "empty": ""}

    for _ in range(2):
        tracking.log_values(run.run_id, metrics=metrics, params=params, tags={"t.x-1": "v"})

    read = tracking.get_run(run.run_id)
    assert read.params == params
    assert read.tags["t.x-1"] == "v"
    assert read.metrics["exact"] == metrics[1]
    assert sorted(tracking.metric_history(run.run_id, "exact"), key=lambda point: point.step) == metrics[:2]
    assert list(tracking.metric_history(run.run_id, "huge")) == [metrics[3]]
    assert read.metrics["tiny/ü"].value == 5e-324


@case
def nan_is_a_value_of_its_own(client: Client, experiment: str) -> None:
    run = client.run(experiment)

    client.tracking.log_values(
        run.run_id, metrics=[Metric("n", math.nan, START), Metric("after", 1.0, START)]
    )

    read = client.tracking.get_run(run.run_id).metrics
    assert math.isnan(read["n"].value)
    assert read["after"].value == 1.0


@case
def many_values_are_split_into_batches(client: Client, experiment: str) -> None:
    run = client.run(experiment)
    metrics = [Metric(f"m{number}", float(number), START) for number in range(120)]
    params = {f"p{number}": str(number) for number in range(110)}
    tags = {f"t{number}": str(number) for number in range(101)}

    client.tracking.log_values(run.run_id, metrics=metrics, params=params, tags=tags)

    read = client.tracking.get_run(run.run_id)
    assert read.params == params
    assert {metric.key: metric for metric in metrics} == read.metrics
    assert tags.items() <= read.tags.items()


@case
def a_param_cannot_change(client: Client, experiment: str) -> None:
    run = client.run(experiment)
    client.tracking.log_values(run.run_id, params={"p": "1"})

    with pytest.raises(ParamConflict, match="already has the param p with another value"):
        client.tracking.log_values(run.run_id, metrics=[Metric("m", 1.0, START)], params={"p": "2", "q": "3"})

    read = client.tracking.get_run(run.run_id)
    assert read.params == {"p": "1"}
    assert read.metrics == {}


@case
def a_run_is_found_by_a_tag_whatever_quotes_it_has(client: Client, experiment: str) -> None:
    values = ["plain", "it's", 'say "x"', "both ' and \"", "100% _a_"]
    first = client.run(experiment, odd=values[0])
    ids = [first.run_id]
    for value in values[1:]:
        new = NewRun(
            experiment_id=first.experiment_id, run_name="a run", start_time=START, tags={"odd": value}
        )
        ids.append(client.tracking.create_run(new).run_id)

    for value, run_id in zip(values, ids, strict=True):
        found = client.tracking.find_runs(first.experiment_id, [Lookup("odd", value)])
        assert [run.run_id for run in found if run.tags["odd"] == value] == [run_id]
    found = client.tracking.find_runs(first.experiment_id, [Lookup("odd", "100% ", prefix=True)])
    assert ids[-1] in [run.run_id for run in found]
    assert list(client.tracking.find_runs(first.experiment_id, [Lookup("odd", "other")])) == []


@case
def status_end_and_name_are_set_together(client: Client, experiment: str) -> None:
    run = client.run(experiment)

    for status in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED):
        client.tracking.update_run(run.run_id, status=status, end_time=START + 5, run_name="renamed")
        read = client.tracking.get_run(run.run_id)
        assert (read.status, read.end_time, read.run_name) == (status, START + 5, "renamed")
    client.tracking.update_run(run.run_id, status=RunStatus.RUNNING, end_time=None, run_name="renamed")
    assert client.tracking.get_run(run.run_id).status is RunStatus.RUNNING


@case
def a_deleted_run_is_in_no_search_and_comes_back(client: Client, experiment: str) -> None:
    tracking = client.tracking
    run = client.run(experiment, t="1")
    lookup = [Lookup("t", "1")]

    tracking.delete_run(run.run_id)
    tracking.delete_run(run.run_id)
    assert list(tracking.find_runs(run.experiment_id, lookup)) == []
    assert tracking.get_run(run.run_id).deleted

    tracking.restore_run(run.run_id)
    assert [found.run_id for found in tracking.find_runs(run.experiment_id, lookup)] == [run.run_id]


@case
def files_come_back_as_they_were_sent(client: Client, experiment: str) -> None:
    run = client.run(experiment)
    files = {"config.yaml": b"a: 1\n", "deep/er/data.bin": bytes(range(256)), "empty.txt": b""}
    files |= {"odd/a b & c;d+e.txt": b"x", "odd/\u00fc?.txt": b"y", "large.txt": b"0123456789" * 1000}

    for path, content in files.items():
        client.artifacts.upload(run, path, BytesContent(content))
    client.artifacts.upload(run, "config.yaml", BytesContent(b"a: 2\n"))
    files["config.yaml"] = b"a: 2\n"

    assert client.artifacts.listing(run) == {path: len(content) for path, content in files.items()}
    for path in files.keys() - {"odd/\u00fc?.txt"}:
        assert b"".join(client.artifacts.read(run, path)) == files[path]


@case
def a_dataset_is_named_where_the_server_knows_datasets(client: Client, experiment: str) -> None:
    if not client.tracking.limits().dataset_inputs:
        return
    run = client.run(experiment)

    for _ in range(2):
        client.tracking.log_inputs(
            run.run_id, [Dataset("mmlu", "0123abcd", "local", "file:/d", context="eval")]
        )

    answer = client.ask("GET", f"/api/2.0/mlflow/runs/get?run_id={run.run_id}")
    inputs = answer["run"]["inputs"]["dataset_inputs"]  # type: ignore[index]
    assert [(entry["dataset"]["name"], entry["dataset"]["digest"]) for entry in inputs] == [
        ("mmlu", "0123abcd")
    ]


@case
def what_is_not_there_is_said_to_be_not_there(client: Client, experiment: str) -> None:
    tracking = client.tracking
    nowhere = "f" * 32

    with pytest.raises(ApiError) as missing:
        tracking.get_run(nowhere)
    assert missing.value.not_found
    assert nowhere in str(missing.value)
    with pytest.raises(ApiError):
        tracking.log_values(nowhere, params={"p": "1"})
    run = client.run(experiment)
    assert list(tracking.metric_history(run.run_id, "no such metric")) == []
    assert client.artifacts.listing(run) == {}
    with pytest.raises(ApiError):
        list(client.artifacts.read(run, "no such file"))


@case
def a_web_page_is_not_taken_for_mlflow(client: Client, experiment: str) -> None:
    del experiment
    wrong = client_of(f"{client.tracking.target.base_url}/not/here")

    with pytest.raises(ApiError) as error:
        wrong.tracking.get_experiment("0")

    assert not error.value.not_found
    assert "404" in str(error.value)


@case
def the_version_is_told_and_decides_the_limits(client: Client, experiment: str) -> None:
    del experiment
    told = parse_version(client.tracking.version())
    limits = client.tracking.limits()

    if told is None:  # before 2.1
        assert (limits.param_value, limits.colon_in_keys) == (250, False)
    else:
        assert limits.param_value == (6000 if told >= (2, 8, 0) else 500)
        assert limits.tag_value == (8000 if told >= (2, 17, 0) else 5000)


class NamedOwner(Owner):
    """An owner whose marks are the same at every recording."""

    def mark(self) -> str:
        """Give a mark that looks like all others."""
        return f"{self.machine}:{self.process}:{self.born}:{self.token}:000000000000"


@case
def an_export_is_done_once_and_corrected_once(client: Client, experiment: str) -> None:
    wishes = Wishes(experiment_name=experiment, log_artifacts=False)
    exporter = Exporter(
        tracking=client.tracking,
        artifacts=client.artifacts,
        conduct=client.tracking.transport.conduct,
        wishes=lambda _: wishes,
        owner=NamedOwner(machine="0123456789ab", process=1, born="1", token="01234567"),
    )
    record = RunRecord(
        key="case:1",
        label="case.1",
        lookup=Lookup("invocation_id", "case"),
        run_name="eval-case-mmlu",
        start_time=START,
        end_time=START + 60_000,
        metrics=[Metric("acc", 0.75, START), Metric("acc_stderr", 0.01, START)],
        params={"model_id": "meta/llama-3.1-8b-instruct"},
        tags={"invocation_id": "case", "job_id": "case.1"},
    )
    corrected = replace(record, metrics=[Metric("acc", 0.5, START), Metric("acc_stderr", 0.01, START)])

    outcomes = [next(exporter.export([one])) for one in (record, record, corrected)]

    assert [result.error for result in outcomes] == [None] * 3
    assert [result.outcome.value for result in outcomes] == ["exported", "unchanged", "exported"]
    assert len({result.run_id for result in outcomes}) == 1
    run = client.tracking.get_run(outcomes[0].run_id)
    assert (run.status, run.end_time) == (RunStatus.FINISHED, START + 60_000)
    assert {key: metric.value for key, metric in run.metrics.items()} == {"acc": 0.5, "acc_stderr": 0.01}
    points = list(client.tracking.metric_history(run.run_id, "acc"))
    assert points == [Metric("acc", 0.75, START), Metric("acc", 0.5, START + 1)]
