"""The typed client where servers answer oddly: what recordings of good servers do not show."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

import pytest
from clocks import Clock, Waits, conduct_of
from loopback import Loopback, Reaction, close, reset_after, say, serving, when

from mlflow_rest_export import marks
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError, NoAnswer, NotMlflow, ParamConflict
from mlflow_rest_export.limits import Limits, for_server
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.records import Dataset, Lookup, Metric, RunStatus
from mlflow_rest_export.targets.http import target
from mlflow_rest_export.tracking.protocol import NewRun
from mlflow_rest_export.tracking.rest import TRIES_OF_CREATE, RestTracking

NEW = NewRun(experiment_id="7", run_name="eval", start_time=5, tags={marks.OWNER: "me:1", "t": "v"})
NOTHING = say(200, "{}")
MISSING = say(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"})
FORBIDDEN = say(403, {"error_code": "PERMISSION_DENIED", "message": "no"})
EXISTS = say(400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "there"})
TWICE = say(400, {"error_code": "BAD_REQUEST", "message": "UNIQUE constraint failed: metrics.key"})
BAD = say(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "bad"})


def run(stage: str = "active", **data: object) -> dict[str, object]:
    return {"info": {"run_id": "r1", "experiment_id": "7", "lifecycle_stage": stage}, "data": data}


def one_run(stage: str = "active", **data: object) -> Reaction:
    return say(200, {"run": run(stage, **data)})


def client(server: Loopback, *, conduct: Conduct | None = None, limits: Limits | None = None) -> RestTracking:
    place = target(server.url, Connection())
    tracking = RestTracking(place, place.transport(conduct or conduct_of(timeout=2)))
    if limits is not None:
        tracking._limits = limits
    return tracking


def paths(server: Loopback) -> list[str]:
    return [one.target.partition("?")[0].removeprefix("/api/2.0/mlflow/") for one in server.received]


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (say(200, "3.17.2"), "3.17.2"),
        (say(404, "<html>not found</html>"), ""),
        (say(403, "no"), ""),
        (say(302, "", Location="/login"), ""),
    ],
)
def test_a_server_that_tells_no_version_is_one_of_the_oldest(answer: Reaction, version: str) -> None:
    with serving(answer) as server:
        tracking = client(server)

        assert tracking.version() == version
        assert tracking.limits() == for_server((3, 17, 2) if version else None)


def test_the_version_is_asked_for_once() -> None:
    with serving(say(200, "3.17.2")) as server:
        tracking = client(server)
        tracking.limits()
        tracking.limits()

        assert len(server.received) == 1


def test_who_asks_for_the_version_meanwhile_shares_its_failure_and_who_comes_later_asks_again() -> None:
    others: list[threading.Thread] = []
    failures: list[ApiError] = []

    def ask() -> None:
        with pytest.raises(ApiError) as failure:
            tracking.limits()
        failures.append(failure.value)

    def ask_meanwhile() -> None:
        others.extend(threading.Thread(target=ask) for _ in range(3))
        deadline = time.monotonic() + 5
        for other in others:
            other.start()
            while "result" not in names_of_frames(other) and time.monotonic() < deadline:
                time.sleep(0.001)

    clearly = say(501, "no")
    with serving(when(ask_meanwhile, clearly), say(200, "3.17.2")) as server:
        tracking = client(server)
        ask()
        for other in others:
            other.join()

        assert len(server.received) == 1
        assert failures == failures[:1] * 4
        assert tracking.limits() == for_server((3, 17, 2))


@pytest.mark.parametrize("first", [NOTHING, FORBIDDEN])
def test_of_runs_that_name_one_dataset_the_first_goes_alone_and_frees_the_others_however_it_ends(
    first: Reaction,
) -> None:
    others: list[threading.Thread] = []
    alone: list[int] = []

    def others_come() -> None:
        others.extend(threading.Thread(target=name_it, args=(f"r{number}",)) for number in range(3))
        deadline = time.monotonic() + 5
        for other in others:
            other.start()
            while "wait" not in names_of_frames(other) and time.monotonic() < deadline:
                time.sleep(0.001)
        alone.append(len(server.received))

    def name_it(run_id: str) -> None:
        tracking.log_inputs(run_id, [Dataset("squad", "d1")])

    with serving(when(others_come, first), NOTHING) as server:
        tracking = client(server)
        with contextlib.suppress(ApiError):
            name_it("first")
        for other in others:
            other.join()
        name_it("later")

        assert alone == [1]
        assert len(server.received) == 5


def names_of_frames(thread: threading.Thread) -> list[str]:
    """Give the functions that a thread is in."""
    frame = sys._current_frames().get(thread.ident or 0)
    return [found.f_code.co_name for found, _ in traceback.walk_stack(frame)] if frame else []


def test_a_server_that_cannot_be_asked_is_not_one_of_the_oldest() -> None:
    with serving(say(500, "down")) as server, pytest.raises(ApiError):
        client(server).limits()


@pytest.mark.parametrize("answer", [FORBIDDEN, say(404, "<html>not here</html>"), say(500, "down")])
def test_could_not_ask_is_never_not_there(answer: Reaction) -> None:
    with serving(answer) as server, pytest.raises(ApiError, match="looking for the experiment 'e'"):
        client(server).find_experiment("e")


def test_an_experiment_that_somebody_else_creates_at_the_same_time_is_as_good() -> None:
    there = say(200, {"experiment": {"experiment_id": "9", "name": "e"}})
    with serving(EXISTS, there) as server:
        made = client(server).create_experiment("e")

        assert made.experiment_id == "9"
        assert paths(server) == ["experiments/create", "experiments/get-by-name"]


@pytest.mark.parametrize("then", [MISSING, FORBIDDEN])
def test_an_experiment_whose_name_is_taken_but_cannot_be_found_is_an_error(then: Reaction) -> None:
    with serving(EXISTS, then) as server, pytest.raises(ApiError):
        client(server).create_experiment("e")


def test_restoring_what_is_active_already_is_fine() -> None:
    active = say(200, {"experiment": {"experiment_id": "9", "name": "e"}})
    deleted = say(200, {"experiment": {"experiment_id": "9", "name": "e", "lifecycle_stage": "deleted"}})
    with serving(BAD, active) as server:
        client(server).restore_experiment("9")
    with serving(BAD, deleted) as server, pytest.raises(ApiError, match="restoring experiment 9"):
        client(server).restore_experiment("9")


def test_deleting_what_is_deleted_already_is_fine() -> None:
    with serving(MISSING, one_run("deleted")) as server:
        client(server).delete_run("r1")
    with serving(MISSING, one_run()) as server, pytest.raises(ApiError, match="deleting run r1"):
        client(server).delete_run("r1")
    with serving(FORBIDDEN) as server, pytest.raises(ApiError, match="deleting run r1"):
        client(server).delete_run("r1")


BUSY = say(400, {"error_code": "BAD_REQUEST", "message": "QueuePool limit of size 5 overflow 10 reached"})
BAD_GATEWAY = say(502, "<html>bad gateway</html>")
LOST: Sequence[Reaction] = [close, reset_after, BAD_GATEWAY, BUSY, say(200, '{"run": {')]


@pytest.mark.parametrize("lost", LOST)
def test_a_run_whose_creation_was_not_answered_is_looked_for_before_another_is_made(lost: Reaction) -> None:
    with serving(lost, say(200, {"runs": [run()]})) as server:
        made = client(server).create_run(NEW)

        assert made.run_id == "r1"
        assert paths(server) == ["runs/create", "runs/search"]
        assert json.loads(server.received[1].body)["filter"] == f"tags.`{marks.OWNER}` = 'me:1'"


@pytest.mark.parametrize("lost", LOST)
def test_a_run_that_is_not_found_was_not_created_and_is_created_again(lost: Reaction) -> None:
    with serving(lost, NOTHING_FOUND, one_run()) as server:
        assert client(server).create_run(NEW).run_id == "r1"
        assert paths(server) == ["runs/create", "runs/search", "runs/create"]


def test_creating_a_run_is_given_up_in_the_end_with_what_was_said_last() -> None:
    script = [reset_after, NOTHING_FOUND] * TRIES_OF_CREATE
    with serving(*script) as server, pytest.raises(NoAnswer, match="creating the run eval"):
        client(server).create_run(NEW)

    assert paths(server).count("runs/create") == TRIES_OF_CREATE


def test_where_it_cannot_be_found_out_whether_a_run_was_created_no_other_is_created() -> None:
    with serving(reset_after, FORBIDDEN) as server, pytest.raises(ApiError, match="searching for runs"):
        client(server).create_run(NEW)

    assert paths(server) == ["runs/create", "runs/search"]


@pytest.mark.parametrize("creates", [True, False])
def test_of_a_database_that_has_no_connection_left_less_is_asked_at_once(*, creates: bool) -> None:
    conduct = conduct_of(workers=8)
    with serving(BUSY, *([NOTHING_FOUND] if creates else []), one_run()) as server:
        tracking = client(server, conduct=conduct)
        run_id = (tracking.create_run(NEW) if creates else tracking.get_run("r1")).run_id

    assert (run_id, conduct.pace.allowed) == ("r1", 4)


@pytest.mark.parametrize("answer", [BAD, FORBIDDEN])
def test_a_refused_creation_is_told_at_once(answer: Reaction) -> None:
    with serving(answer) as server, pytest.raises(ApiError, match="creating the run eval"):
        client(server).create_run(NEW)

    assert paths(server) == ["runs/create"]


def test_a_run_without_an_id_is_no_run() -> None:
    with serving(say(200, {"run": {"info": {}}}), NOTHING_FOUND) as server, pytest.raises(NotMlflow):
        client(server).create_run(NEW)


def test_all_pages_of_a_search_are_read() -> None:
    pages = [say(200, {"runs": [run()], "next_page_token": token}) for token in ("p2", "p3")]
    with serving(*pages, say(200, {"runs": [run()]})) as server:
        assert len(list(client(server).find_runs("7", [Lookup("k", "v")]))) == 3
        assert [json.loads(one.body).get("page_token") for one in server.received] == [None, "p2", "p3"]


def test_all_pages_of_a_history_are_read() -> None:
    point = {"key": "m", "value": 1.0, "timestamp": 1, "step": 0}
    with serving(
        say(200, {"metrics": [point], "next_page_token": "p2"}), say(200, {"metrics": [point]})
    ) as server:
        assert list(client(server).metric_history("r1", "m")) == [Metric("m", 1.0, 1)] * 2
        assert "max_results=25000" in server.received[0].target
        assert "page_token=p2" in server.received[1].target


def test_all_pages_of_a_listing_are_read() -> None:
    file = {"path": "a/b", "file_size": 3}
    with serving(say(200, {"files": [file], "next_page_token": "p2"}), say(200, {"files": [file]})) as server:
        assert [one.path for one in client(server).list_artifacts("r1", "a")] == ["a/b", "a/b"]
        assert all("path=a" in one.target for one in server.received)


def test_an_empty_answer_to_a_search_is_no_answer() -> None:
    """Read as one, a gateway that swallows bodies would make the exporter create a second run."""
    with serving(say(200, "")) as server, pytest.raises(NotMlflow):
        list(client(server).find_runs("7", [Lookup("k", "v")]))


def test_status_end_and_name_go_together_and_an_open_end_is_left_out() -> None:
    with serving(NOTHING) as server:
        tracking = client(server)
        tracking.update_run("r1", status=RunStatus.FINISHED, end_time=0, run_name="n")
        tracking.update_run("r1", status=RunStatus.RUNNING, end_time=None, run_name="n")

        assert [json.loads(one.body) for one in server.received] == [
            {"run_id": "r1", "status": "FINISHED", "run_name": "n", "end_time": 0},
            {"run_id": "r1", "status": "RUNNING", "run_name": "n"},
        ]


def test_a_dataset_says_only_what_is_known_of_it() -> None:
    with serving(NOTHING) as server:
        client(server).log_inputs("r1", [Dataset("squad", "d1"), Dataset("mmlu", "d2", "hf", context="eval")])
        body = json.loads(server.received[0].body)

    assert body["datasets"] == [
        {"dataset": {"name": "squad", "digest": "d1"}, "tags": []},
        {
            "dataset": {"name": "mmlu", "digest": "d2", "source_type": "hf"},
            "tags": [{"key": "mlflow.data.context", "value": "eval"}],
        },
    ]


def test_a_dataset_that_two_runs_name_at_once_is_named_again() -> None:
    """3.17.2 on sqlite answers one of two with 400 although nothing is wrong."""
    with serving(TWICE, TWICE, NOTHING) as server:
        client(server).log_inputs("r1", [Dataset("squad", "d1")])
        assert len(server.received) == 3
    with serving(TWICE) as server, pytest.raises(ApiError, match="naming the datasets of run r1"):
        client(server).log_inputs("r1", [Dataset("squad", "d1")])
    with serving(BAD) as server, pytest.raises(ApiError):
        client(server).log_inputs("r1", [Dataset("squad", "d1")])
    assert len(server.received) == 1


def test_a_new_experiment_has_the_id_that_the_server_gave() -> None:
    with serving(say(200, {"experiment_id": 12})) as server:
        made = client(server).create_experiment("e")

    assert (made.experiment_id, made.name, made.deleted) == ("12", "e", False)


def test_a_run_is_brought_back_from_the_bin() -> None:
    with serving(NOTHING) as server:
        client(server).restore_run("r1")

        assert paths(server) == ["runs/restore"]


OLD = for_server((2, 22, 5))
POINTS = [Metric("a", 1.0, 5), Metric("b", 2.0, 5), Metric("b", 3.0, 6, 1)]
A = {"key": "a", "value": 1.0, "timestamp": 5, "step": 0}
B = {"key": "b", "value": 3.0, "timestamp": 6, "step": 1}
HISTORY = say(200, {"metrics": [B]})


def delivered(*script: Reaction, params: dict[str, str] | None = None) -> tuple[list[str], list[object]]:
    """Write points, a param and a tag; give the requests, and what each batch held."""
    with serving(*script) as server:
        client(server, limits=OLD).log_values(
            "r1", metrics=POINTS, params=params or {"p": "1"}, tags={"t": "1"}
        )
        sent = [
            {name: len(body.get(name, [])) for name in ("metrics", "params", "tags")}
            for one, path in zip(server.received, paths(server), strict=True)
            if path == "runs/log-batch" and (body := json.loads(one.body))
        ]
        return paths(server), list(sent)


ALL = {"metrics": 3, "params": 1, "tags": 1}


def test_values_that_were_taken_are_sent_once() -> None:
    assert delivered(NOTHING) == (["runs/log-batch"], [ALL])


@pytest.mark.parametrize("lost", [*LOST, TWICE])
def test_after_a_lost_answer_only_what_is_missing_is_sent(lost: Reaction) -> None:
    stored = one_run(metrics=[A, B], params=[{"key": "p", "value": "1"}])
    requests, sent = delivered(lost, stored, HISTORY, NOTHING)

    assert requests == ["runs/log-batch", "runs/get", "metrics/get-history", "runs/log-batch"]
    assert sent == [ALL, {"metrics": 1, "params": 0, "tags": 1}]


@pytest.mark.parametrize("lost", LOST)
def test_after_a_lost_answer_nothing_is_sent_when_all_arrived(lost: Reaction) -> None:
    points = say(200, {"metrics": [{"key": "b", "value": 2.0, "timestamp": 5}, B]})
    stored = one_run(metrics=[A, B], params=[{"key": "p", "value": "1"}], tags=[{"key": "t", "value": "1"}])
    requests, _ = delivered(lost, stored, points)

    assert requests == ["runs/log-batch", "runs/get", "metrics/get-history"]


@pytest.mark.parametrize(
    "lost", [*LOST, BAD, TWICE, say(500, {"error_code": "INTERNAL_ERROR", "message": "x"})]
)
def test_a_param_with_another_value_is_a_conflict_however_it_comes_to_light(lost: Reaction) -> None:
    """After a lost answer, too: writing on would fill a run that a rival has won."""
    with pytest.raises(ParamConflict, match="run r1 already has the param p with another value"):
        delivered(lost, one_run(params=[{"key": "p", "value": "theirs"}]))


def test_a_refusal_that_is_no_conflict_is_told_as_it_is() -> None:
    with pytest.raises(ApiError, match="bad") as refused:
        delivered(BAD, one_run())

    assert not isinstance(refused.value, ParamConflict)


@pytest.mark.parametrize("answer", [FORBIDDEN, MISSING])
def test_a_clear_refusal_needs_no_reading(answer: Reaction) -> None:
    with serving(answer) as server, pytest.raises(ApiError):
        client(server, limits=OLD).log_values("r1", metrics=POINTS)

    assert paths(server) == ["runs/log-batch"]


def test_where_it_cannot_be_read_what_arrived_nothing_is_sent_again() -> None:
    with serving(reset_after, FORBIDDEN) as server, pytest.raises(ApiError, match="reading run r1"):
        client(server, limits=OLD).log_values("r1", metrics=POINTS)

    assert paths(server) == ["runs/log-batch", "runs/get"]


def test_a_batch_that_never_arrives_is_given_up_in_the_end() -> None:
    clock = Clock()
    waits = Waits(clock)
    script: list[Reaction] = [reset_after, one_run()] * 30
    with serving(*script) as server, pytest.raises(NoAnswer, match="writing values to run r1"):
        client(server, conduct=conduct_of(clock, waits=waits), limits=OLD).log_values("r1", metrics=POINTS)

    assert paths(server).count("runs/log-batch") == 10
    assert clock.now > 1030  # over a minute at the most, and with growing waits


def test_no_values_need_no_request() -> None:
    with serving(NOTHING) as server:
        client(server, limits=OLD).log_values("r1")

        assert server.received == []


def test_pages_for_people_are_those_of_the_server() -> None:
    with serving(one_run()) as server:
        tracking = client(server)
        read = tracking.get_run("r1")

        assert tracking.run_url(read) == f"{server.url}/#/experiments/7/runs/r1"
        assert tracking.experiment_url("7") == f"{server.url}/#/experiments/7"


NOTHING_FOUND = say(200, "{}")
CALLS: list[Callable[[RestTracking], object]] = [
    lambda tracking: tracking.get_run("r1"),
    lambda tracking: tracking.get_experiment("7"),
    lambda tracking: list(tracking.metric_history("r1", "m")),
]


@pytest.mark.parametrize("call", CALLS)
def test_an_empty_answer_to_a_question_is_no_answer(call: Callable[[RestTracking], object]) -> None:
    with serving(say(200, "")) as server, pytest.raises(NotMlflow):
        call(client(server))
