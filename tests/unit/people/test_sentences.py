"""The failures that people are likeliest to meet, and the very words in which they are told.

Each case is a whole call of the command line against a server, a proxy or a folder that really fails so;
compared is everything on stderr. ``{host}`` is where the server of the case listens.
"""

# ruff: noqa: E501  # a sentence is compared as it is printed

from __future__ import annotations

import errno
import json
import os
import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from launcher_folders import make_job
from loopback import Loopback, Reaction, Talk, say, serving, unused_port

from mlflow_rest_export.cli import main
from mlflow_rest_export.tracking.store_failures import store_error

FIXTURES = Path(__file__).parents[3] / "fixtures"
RESULT = FIXTURES / "formats" / "lm-eval"
VERSION = say(200, b"3.17.2")
OUT_OF_PATIENCE = "(no good answer within 0.3 s)"
ACTIVE = say(200, {"experiment": {"experiment_id": "7", "name": "n", "lifecycle_stage": "active"}})
DELETED = say(200, {"experiment": {"experiment_id": "7", "name": "n", "lifecycle_stage": "deleted"}})
UNKNOWN = say(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"})


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home and a working folder with nothing in them, and an environment that says nothing."""
    for name in os.environ:
        if name.upper().startswith(
            ("MLFLOW_", "DATABRICKS_", "HTTP_PROXY", "HTTPS_PROXY", "REQUESTS_", "CURL")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def result(tmp_path: Path) -> str:
    """A small result of some format."""
    (tmp_path / "scores.json").write_text('{"accuracy": 0.5}')
    return "scores.json"


Told = Callable[..., str]


@pytest.fixture
def told(result: str, capsys: pytest.CaptureFixture[str]) -> Told:
    """Export, and give the exit code with what stood on stderr."""

    def export(*words: str, what: str = result) -> str:
        code = main(["export", what, *words, "--timeout", "0.3", "--no-progress"])
        return f"exit {code}: " + capsys.readouterr().err.removesuffix("\n")

    return export


def by_path(**reactions: Reaction) -> Reaction:
    """React as the last part of the path says: ``search`` for ``runs/search``; ``other`` for all else."""

    def react(talk: Talk) -> bool:
        name = talk.request.target.partition("?")[0].rpartition("/")[2].replace("-", "_")
        return reactions.get(name, reactions["other"])(talk)

    return react


def at(server: Loopback) -> tuple[str, str]:
    return "--tracking-uri", server.url


def test_no_tracking_uri(told: Told) -> None:
    assert told() == (
        "exit 2: "
        "mlflow-rest-export: no tracking URI is given: pass --tracking-uri, put tracking_uri under export.mlflow "
        "or set MLFLOW_TRACKING_URI (http://HOST:PORT, databricks, or ./mlruns for a local folder)"
    )


def test_a_scheme_that_nobody_knows(told: Told) -> None:
    assert told("--tracking-uri", "mlflow://server:5000") == (
        "exit 2: "
        "mlflow-rest-export: no MLflow host is known for tracking URIs that begin with mlflow:, so give "
        "http(s)://..., databricks, an ARN, azureml://... or a folder such as ./mlruns"
    )


def test_the_database_in_place_of_its_server(told: Told) -> None:
    assert told("--tracking-uri", "sqlite:///mlflow.db") == (
        "exit 2: "
        "mlflow-rest-export: sqlite: names the database behind an MLflow server; give the address of the server, "
        "such as http://mlflow.example.com:5000"
    )


def test_a_name_that_cannot_be_resolved(told: Told) -> None:
    said = told("--tracking-uri", "http://mlflow.invalid:5000")

    before, _, after = said.partition(" (")  # what the resolver says is the system's
    assert before == (
        "exit 1: failed: scores.json: asking for the server's version: the name of mlflow.invalid:5000 cannot be resolved"
    )
    assert after.endswith(f"); check the tracking URI {OUT_OF_PATIENCE}")


def test_a_server_that_is_down(told: Told) -> None:
    port = unused_port()

    assert told("--tracking-uri", f"http://127.0.0.1:{port}") == (
        "exit 1: "
        f"failed: scores.json: asking for the server's version: nothing listens at 127.0.0.1:{port} (connection "
        f"refused); is the server running there? {OUT_OF_PATIENCE}"
    )


def test_a_port_at_which_something_else_answers(told: Told) -> None:
    with serving(say(200, "<html><head><title>Grafana</title></head></html>")) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 1: "
            "failed: scores.json: looking for the experiment 'n': a web page (\"Grafana\") came back from "
            f"127.0.0.1:{server.port} in place of MLflow's JSON; is the tracking URI right, with its path, and is it "
            "MLflow that listens there?"
        )


def test_a_path_below_which_there_is_no_mlflow(told: Told) -> None:
    with serving(say(404, "<html><head><title>404 Not Found</title></head></html>")) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 1: "
            f"failed: scores.json: looking for the experiment 'n': 127.0.0.1:{server.port} answered 404: Not "
            "Found; there is no MLflow API at this address: check the path of the tracking URI"
        )


@pytest.fixture
def self_signed() -> Iterator[Loopback]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with serving(VERSION, tls=context) as server:
        yield server


def test_a_certificate_of_an_authority_that_is_not_known_here(told: Told, self_signed: Loopback) -> None:
    assert told(*at(self_signed)) == (
        "exit 1: "
        f"failed: scores.json: asking for the server's version: the certificate of localhost:{self_signed.port} is "
        "not trusted (unable to get local issuer certificate); give the CA bundle in "
        "MLFLOW_TRACKING_SERVER_CERT_PATH or REQUESTS_CA_BUNDLE"
    )


def test_a_login_page_before_the_server(told: Told) -> None:
    with serving(say(302, Location="https://login.example.com/authorize?client_id=canary")) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 1: "
            f"failed: scores.json: looking for the experiment 'n': 127.0.0.1:{server.port} redirects to "
            "https://login.example.com/authorize; that is a login page, or the tracking URI lacks https:// or a "
            "path: give the address that answers itself"
        )


def test_no_credentials_where_some_are_wanted(told: Told) -> None:
    wanted = say(401, "You are not authenticated.", WWW_Authenticate='Basic realm="mlflow"')
    with serving(VERSION, wanted) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 4: "
            f"failed: scores.json: looking for the experiment 'n': 127.0.0.1:{server.port} answered 401: You are "
            "not authenticated; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )


def test_a_token_that_has_expired(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary-of-the-token")
    with serving(
        VERSION, say(401, {"error_code": "UNAUTHENTICATED", "message": "Token is expired"})
    ) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 4: "
            f"failed: scores.json: looking for the experiment 'n': 127.0.0.1:{server.port} answered 401 "
            "UNAUTHENTICATED: Token is expired; get a new token; token_file or token_command in the settings "
            "renews it by itself"
        )


def test_somebody_who_may_not_do_this(told: Told) -> None:
    denied = say(403, {"error_code": "PERMISSION_DENIED", "message": "Permission denied"})
    with serving(VERSION, denied) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 4: "
            f"failed: scores.json: looking for the experiment 'n': 127.0.0.1:{server.port} answered 403 "
            "PERMISSION_DENIED: Permission denied; these credentials are known but not allowed to do this: ask for "
            "the right to edit the experiment"
        )


def test_a_server_that_does_not_know_the_name_by_which_it_is_called(told: Told) -> None:
    with serving(say(403, "Invalid Host header - possible DNS rebinding attack detected")) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 4: "
            f"failed: scores.json: looking for the experiment 'n': 127.0.0.1:{server.port} answered 403: Invalid "
            "Host header - possible DNS rebinding attack detected; start the server with --allowed-hosts naming "
            "this host (MLflow 3.5 and later check it)"
        )


def test_an_experiment_that_is_deleted(told: Told) -> None:
    with serving(VERSION, DELETED) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 1: "
            "failed: scores.json: the experiment 'n' is deleted, and MLflow keeps its name: export with "
            "--restore-experiment, or choose another --experiment-name"
        )


def test_a_server_that_is_overloaded(told: Told) -> None:
    with serving(say(503, "<html><title>503 Service Temporarily Unavailable</title></html>")) as server:
        assert told(*at(server)) == (
            "exit 1: "
            f"failed: scores.json: asking for the server's version: 127.0.0.1:{server.port} answered 503: Service "
            "Temporarily Unavailable; the server is down or overloaded: export again later, or keep the runs with "
            f"--spool DIR {OUT_OF_PATIENCE}"
        )


def test_a_request_that_is_too_large_for_a_proxy(told: Told) -> None:
    large = say(413, "<html><title>413 Request Entity Too Large</title></html>")
    with serving(by_path(version=VERSION, get_by_name=ACTIVE, other=large)) as server:
        assert told(*at(server), "--experiment-name", "n") == (
            "exit 1: "
            f"failed: scores.json: searching for runs: 127.0.0.1:{server.port} answered 413: Request Entity Too "
            "Large; a proxy on the way limits the size of requests: ask for more (nginx: "
            "client_max_body_size)"
        )


def test_a_proxy_that_is_not_there(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://user:canary@127.0.0.1:{unused_port()}")

    assert told("--tracking-uri", "http://mlflow.invalid") == (
        "exit 1: "
        "failed: scores.json: asking for the server's version: no way through the proxy to mlflow.invalid "
        "(connection refused); check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists the hosts that need none "
        f"{OUT_OF_PATIENCE}"
    )


class OneRun:
    """A server that keeps the run it is given, and knows no way for artifacts."""

    def __init__(self) -> None:
        self._info = {"run_id": "r1", "experiment_id": "7", "status": "RUNNING"}
        self._info["artifact_uri"] = "/srv/7/r1/artifacts"
        self._tags: list[object] = []

    def __call__(self, talk: Talk) -> bool:
        name = talk.request.target.partition("?")[0].rpartition("/")[2]
        run = {"info": self._info, "data": {"tags": self._tags}}
        known: dict[str, dict[str, object]] = {
            "search": {"runs": [run] if self._tags else []},
            "log-batch": {},
            "update": {},
            "set-tag": {},
            "list": {},
        }
        missing = say(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "no such endpoint"})
        rest = {"version": VERSION, "get-by-name": ACTIVE}
        if name == "create":
            lives = say(200, {"run": run})(talk)
            self._tags = json.loads(talk.request.body)["tags"]
            return lives
        if name == "get":
            return say(200, {"run": run})(talk)
        return (say(200, known[name]) if name in known else rest.get(name, missing))(talk)


def test_artifacts_that_the_server_does_not_serve(told: Told) -> None:
    with serving(OneRun()) as server:
        said = told(*at(server), "--experiment-name", "n")

    assert said == (
        "exit 1: "
        "failed: scores.json: no way to store scores.json of run r1, whose artifacts are kept at "
        "/srv/7/r1/artifacts (the server's small-file upload: the server offers no small-file uploads; a disk "
        "shared with the server: the server does not see what is written there, so this disk is not the "
        "server's); start the server with --serve-artifacts, or export with log_artifacts: false"
    )


def test_databricks_without_an_address(told: Told) -> None:
    assert told("--tracking-uri", "databricks") == (
        "exit 2: "
        "mlflow-rest-export: there is no address of a Databricks workspace: set DATABRICKS_HOST, or name a profile "
        "of ~/.databrickscfg (databricks://PROFILE)"
    )


def test_a_databricks_experiment_in_a_folder_that_is_not_there(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = say(200, {"userName": "ada@example.com"})
    with serving(by_path(Me=me, other=UNKNOWN)) as server:
        monkeypatch.setenv("DATABRICKS_HOST", server.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", "canary")
        assert told("--tracking-uri", "databricks", "--experiment-name", "team/nightly") == (
            "exit 2: "
            "failed: scores.json: the folder /Users/ada@example.com/team of the experiment "
            "/Users/ada@example.com/team/nightly is not in the workspace: give --create-parents to have it created, "
            "or choose a name below /Users/YOU or /Shared"
        )


def test_a_disk_that_is_full() -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/mlruns/1/2/metrics/acc")

    assert str(store_error("writing values to run 2 in /data/mlruns", error)) == (
        "writing values to run 2 in /data/mlruns failed: no space left on device (/data/mlruns/1/2/metrics/acc); "
        "free some space or choose another disk, then export again"
    )


def test_a_file_in_the_place_of_the_folder_for_runs(told: Told, home: Path) -> None:
    (home / "taken").touch()

    assert told("--tracking-uri", "./taken") == (
        f"exit 2: mlflow-rest-export: {home}/taken is a file: choose a folder for the runs, such as ./mlruns"
    )


def test_an_id_that_nobody_knows(told: Told, home: Path) -> None:
    assert told("--tracking-uri", "./mlruns", what="8abcd123") == (
        "exit 1: "
        "failed: 8abcd123: no job is known by the id '8abcd123': it is not in the launcher's database "
        f"{home}/.nemo-evaluator/exec-db/exec.v1.jsonl (it does not exist), and no --job-dirs are given"
    )


def test_a_path_that_does_not_exist(told: Told) -> None:
    assert told("--tracking-uri", "./mlruns", what="results/results.yml") == (
        "exit 1: failed: results/results.yml: there is no file or folder results/results.yml"
    )


def test_a_job_that_left_no_results(told: Told, home: Path) -> None:
    job = home / "20261122_190618-4d4685867b13b968" / "tooltalk.tooltalk.2"
    shutil.copytree(FIXTURES / "failed-job" / "tooltalk.tooltalk.2", job)

    assert told("--tracking-uri", "./mlruns", what=str(job)) == (
        "exit 1: "
        f"failed: 4d4685867b13b968.2: there is no {job}/artifacts/results.yml: the evaluation ended with exit code "
        f"1 (logs/stage.exit); look into {job}/logs"
    )


def test_results_that_are_cut_short(told: Told, home: Path) -> None:
    (home / "results.yml").write_text('results:\n  tasks: "mml')

    assert told("--tracking-uri", "./mlruns", what="results.yml") == (
        "exit 1: "
        f"failed: {home}/results.yml:2:14: while scanning a quoted scalar, found unexpected end of stream"
    )


@pytest.mark.parametrize("uri", ["http://", "https://", "http:///"])
def test_an_address_without_a_host(uri: str, told: Told) -> None:
    assert told("--tracking-uri", uri) == (
        f"exit 2: mlflow-rest-export: the tracking URI names no host: {uri.partition(':')[0]}://..."
    )


def test_a_folder_of_tables(told: Told) -> None:
    folder = FIXTURES / "formats" / "table"
    assert told("--tracking-uri", "./mlruns", what=str(folder)) == (
        f"exit 1: failed: {folder}: no result of a known format in it (looked for nemo-launcher, mlruns, nemo-bundle, "
        "lm-eval, inspect, lighteval, helm, eee, junit; for tables say --format table)"
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("export.tracking_uri", "did you mean export.mlflow.tracking_uri?"),
        ("execution.auto_export.destinations", "of a run config only export.mlflow.KEY can be set here"),
    ],
)
def test_an_override_of_something_else(name: str, advice: str, told: Told) -> None:
    assert told("-o", f"{name}=") == f"exit 2: mlflow-rest-export: -o {name}: {advice}"


def test_the_address_of_a_job_that_nobody_answers_at(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = unused_port()
    config = {
        "launcher_resolved_config": {"export": {"mlflow": {"tracking_uri": f"http://127.0.0.1:{port}"}}}
    }
    job = make_job(home / "20261122_190618-aaaabbbbccccdddd" / "h.t.0", {"artifacts/metadata.yaml": config})

    assert main(["export", str(job), "--timeout", "0.3", "-v"]) == 1

    lines = capsys.readouterr().err.splitlines()
    stored = "address stored by the job; --tracking-uri overrides it"
    assert lines[0] == f"INFO: exporting to http://127.0.0.1:{port}: {stored}"
    assert lines[-1] == (
        "failed: aaaabbbbccccdddd.0: asking for the server's version: nothing listens at "
        f"127.0.0.1:{port} (connection refused); is the server running there? {OUT_OF_PATIENCE} ({stored})"
    )


def test_a_setting_that_does_not_exist(told: Told) -> None:
    assert told("-o", "export.mlflow.experiment=x") == (
        "exit 2: "
        "mlflow-rest-export: -o export.mlflow.experiment: there is no such setting; did you mean experiment_name?"
    )


def test_another_destination(told: Told) -> None:
    assert told("--dest", "wandb") == (
        "exit 2: "
        "mlflow-rest-export: --dest wandb: only mlflow is a destination here; for others use the official "
        "launcher: nemo-evaluator-launcher export --dest wandb"
    )


def test_a_config_file_that_is_not_there(told: Told) -> None:
    assert told("--config", "run.yaml") == (
        "exit 2: mlflow-rest-export: --config: cannot read run.yaml: no such file or directory"
    )
