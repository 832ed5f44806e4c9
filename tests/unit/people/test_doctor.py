"""What ``doctor`` says at each layer, before servers that really answer so."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme
from loopback import Reaction, Talk, say, serving, unused_port

from mlflow_rest_export import connect
from mlflow_rest_export.cli import main

EXPERIMENTS: dict[str, object] = {"experiments": []}
NO_EXPERIMENT = say(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No experiment"})


def now(ahead: float = 0.0) -> str:
    return email.utils.formatdate(time.time() + ahead, usegmt=True)


def good(ahead: float = 0.0) -> list[Reaction]:
    """What a server of today answers to a doctor that does not write."""
    version = say(200, b"3.17.2")
    return [say(200, {"experiments": []}, Date=now(ahead)), version, version, NO_EXPERIMENT]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MLFLOW_TRACKING_URI", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


class Doctor:
    """Calls the doctor and keeps what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.code = -1
        self.lines: dict[str, tuple[str, str]] = {}
        self.err = ""

    def ask(self, *words: str) -> Doctor:
        self.code = main(["doctor", "--timeout", "2", *words])
        said = self._capsys.readouterr()
        self.err = said.err
        for line in said.out.splitlines():
            state, layer, text = line.split(maxsplit=2)
            self.lines[layer] = (state, text)
        return self

    @property
    def last(self) -> tuple[str, str, str]:
        layer, (state, text) = list(self.lines.items())[-1]
        return layer, state, text


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(capsys)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_of_files_gets_the_advice_of_an_export(doctor: Doctor, status: int) -> None:
    page = "<html><title>Error response</title></html>"
    with serving(say(status, page)) as server:
        doctor.ask("--tracking-uri", server.url)

    assert doctor.code == 14
    assert doctor.last[2].endswith(
        "there is no MLflow API at this address: check the path of the tracking URI"
    )


def test_a_healthy_server_is_told_layer_by_layer(doctor: Doctor) -> None:
    with serving(*good()) as server:
        doctor.ask("--tracking-uri", server.url, "--experiment-name", "nightly")

    assert doctor.code == 0
    expected = "versions settings proxy name tcp server credentials clock features experiment run"
    assert list(doctor.lines) == expected.split()
    assert {state for layer, (state, _) in doctor.lines.items() if layer != "run"} == {"ok"}
    assert doctor.lines["settings"][1] == f"{server.url}, experiment 'nightly'"
    assert doctor.lines["server"][1] == f"MLflow server at {server.url}"
    assert doctor.lines["credentials"][1] == "none given and none asked for"
    assert doctor.lines["features"][1].startswith("MLflow 3.17.2: params up to 6000 characters")
    assert doctor.lines["experiment"][1] == "there is no 'nightly' yet; an export creates it"
    assert doctor.lines["run"][0] == "warning"


def test_without_a_tracking_uri_it_ends_with_the_code_of_wrong_settings(doctor: Doctor) -> None:
    doctor.ask()

    assert doctor.code == 2
    assert doctor.last[:2] == ("settings", "failed")
    assert doctor.last[2].startswith("no tracking URI is given: pass --tracking-uri")


def test_wrong_words_in_a_setting_are_told_on_stderr(doctor: Doctor) -> None:
    doctor.ask("-o", "export.mlflow.nonsense=1")

    assert doctor.code == 2
    assert doctor.err.startswith("mlflow-rest-export: ")


def test_a_name_that_nobody_knows(doctor: Doctor) -> None:
    doctor.ask("--tracking-uri", "http://mlflow.invalid")

    assert doctor.code == 11
    assert doctor.last[:2] == ("name", "failed")
    assert doctor.last[2].startswith("the name mlflow.invalid cannot be resolved (")
    assert doctor.last[2].endswith("; check the tracking URI and the name service of this machine")


def test_a_port_at_which_nothing_listens(doctor: Doctor) -> None:
    port = unused_port()

    doctor.ask("--tracking-uri", f"http://127.0.0.1:{port}")

    assert doctor.code == 12
    expected = f"nothing listens at 127.0.0.1:{port} (connection refused); is the server running there?"
    assert doctor.last == ("tcp", "failed", expected)


def test_a_web_page_in_place_of_mlflow(doctor: Doctor) -> None:
    with serving(say(200, "<html><title>Welcome to nginx</title></html>")) as server:
        doctor.ask("--tracking-uri", server.url)

    assert doctor.code == 14
    assert doctor.last[:2] == ("server", "failed")
    assert 'a web page ("Welcome to nginx") came back' in doctor.last[2]


def test_refused_credentials_end_with_the_code_that_export_gives_them(doctor: Doctor) -> None:
    with serving(say(401, "You are not authenticated", WWW_Authenticate="Basic")) as server:
        doctor.ask("--tracking-uri", server.url)

    assert doctor.code == 4
    assert doctor.last[:2] == ("credentials", "failed")
    assert doctor.last[2].endswith("set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")


def test_it_says_as_whom_it_was_let_in_and_never_the_password(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "canary-of-the-password")
    with serving(*good()) as server:
        doctor.ask("--tracking-uri", server.url.replace("http://", "http://x:canary-of-the-uri@"))

    assert doctor.lines["credentials"] == ("ok", "accepted, as ada")
    assert "canary" not in str(doctor.lines) + doctor.err + capsys.readouterr().out


@pytest.mark.parametrize(("ahead", "said"), [(-900.0, "ahead of"), (900.0, "behind")])
def test_a_clock_that_is_wrong_is_a_warning_where_nothing_is_signed(
    doctor: Doctor, ahead: float, said: str
) -> None:
    with serving(*good(ahead)) as server:
        doctor.ask("--tracking-uri", server.url)

    state, text = doctor.lines["clock"]
    assert (doctor.code, state) == (0, "warning")
    assert f"s {said} the server's; signatures and tokens fail on that" in text


def test_a_clock_that_is_wrong_is_a_failure_where_requests_are_signed(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"ACCESS_KEY_ID": "AKIDEXAMPLE", "SECRET_ACCESS_KEY": "canary", "REGION": "us-east-1"}
    for name, value in variables.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("MLFLOW_TRACKING_AWS_SIGV4", "true")
    with serving(*good(-900.0)) as server:
        doctor.ask("--tracking-uri", server.url)

    assert doctor.code == 15
    assert doctor.last[:2] == ("clock", "failed")


def test_a_server_that_tells_neither_version_nor_time(doctor: Doctor) -> None:
    nothing = say(404, b"")
    with serving(say(200, EXPERIMENTS), nothing, nothing, NO_EXPERIMENT) as server:
        doctor.ask("--tracking-uri", server.url)

    assert doctor.code == 0
    assert doctor.lines["clock"] == ("ok", "the server does not tell its time")
    assert doctor.lines["features"][0] == "warning"
    assert doctor.lines["features"][1].startswith("a version that the server does not tell: params up to 250")


def test_a_server_that_breaks_when_asked_for_its_version(doctor: Doctor) -> None:
    with serving(say(200, EXPERIMENTS), say(500, b"")) as server:
        doctor.ask("--tracking-uri", server.url)

    assert (doctor.code, doctor.last[0]) == (14, "features")


def experiment(stage: str) -> Reaction:
    return say(200, {"experiment": {"experiment_id": "7", "name": "nightly", "lifecycle_stage": stage}})


def test_a_deleted_experiment_is_a_failure_with_its_ways_out(doctor: Doctor) -> None:
    with serving(*good()[:3], experiment("deleted")) as server:
        doctor.ask("--tracking-uri", server.url, "--experiment-name", "nightly")

    assert doctor.code == 16
    said = "'nightly' is deleted; give --restore-experiment, choose another name, or delete it for good"
    assert doctor.last == ("experiment", "failed", said)


def test_a_deleted_experiment_is_restored_for_the_run_that_was_asked_for(
    doctor: Doctor, tmp_path: Path
) -> None:
    store = connect(str(tmp_path / "mlruns")).tracking
    made = store.create_experiment("nightly")
    (tmp_path / "mlruns" / ".trash").mkdir(exist_ok=True)
    (tmp_path / "mlruns" / made.experiment_id).rename(tmp_path / "mlruns" / ".trash" / made.experiment_id)
    meta = tmp_path / "mlruns" / ".trash" / made.experiment_id / "meta.yaml"
    meta.write_text(meta.read_text().replace("lifecycle_stage: active", "lifecycle_stage: deleted"))
    words = ["--tracking-uri", str(tmp_path / "mlruns"), "--experiment-name", "nightly"]

    doctor.ask(*words, "--restore-experiment")
    assert (doctor.code, *doctor.last[:2]) == (0, "run", "warning")

    doctor.ask(*words, "--restore-experiment", "--write")
    assert doctor.code == 0
    assert doctor.lines["experiment"] == ("ok", f"'nightly' is restored (id {made.experiment_id})")
    assert doctor.lines["artifacts"][0] == "ok"


def test_a_deleted_experiment_that_would_be_restored_is_fine(doctor: Doctor) -> None:
    with serving(*good()[:3], experiment("deleted")) as server:
        doctor.ask("--tracking-uri", server.url, "--experiment-name", "nightly", "--restore-experiment")

    assert doctor.code == 0


def test_an_experiment_that_may_not_be_read(doctor: Doctor) -> None:
    denied = say(403, {"error_code": "PERMISSION_DENIED", "message": "Permission denied"})
    with serving(*good()[:3], experiment("active"), denied) as server:
        doctor.ask("--tracking-uri", server.url, "--experiment-name", "nightly")

    assert (doctor.code, doctor.last[0]) == (16, "experiment")
    assert "PERMISSION_DENIED" in doctor.last[2]


def test_a_run_that_may_not_be_written(doctor: Doctor) -> None:
    denied = say(403, {"error_code": "PERMISSION_DENIED", "message": "Permission denied"})
    with serving(*good()[:3], experiment("active"), say(200, {"runs": []}), denied) as server:
        doctor.ask("--tracking-uri", server.url, "--experiment-name", "nightly", "--write")

    assert (doctor.code, doctor.last[0]) == (17, "run")


def run_reply(*metrics: str) -> dict[str, object]:
    info = {
        "run_id": "r1",
        "experiment_id": "7",
        "status": "RUNNING",
        "artifact_uri": "mlflow-artifacts:/7/r1",
    }
    data = {"metrics": [{"key": key, "value": 1.0, "timestamp": 1, "step": 0} for key in metrics]}
    return {"run": {"info": info, "data": data}}


def round_trip(*rest: Reaction, metrics: tuple[str, ...] = ("doctor",)) -> list[Reaction]:
    """Answers up to the run that was created, and then what a test wants."""
    fine = say(200, {})
    before = [*good()[:3], experiment("active"), say(200, {"runs": []}), say(200, run_reply())]
    return [*before, fine, say(200, run_reply(*metrics)), *([fine] if metrics else []), *rest]


def test_a_metric_that_does_not_stay(doctor: Doctor) -> None:
    with serving(*round_trip(metrics=())) as server:
        doctor.ask("--tracking-uri", server.url, "--experiment-name", "nightly", "--write")

    expected = "run r1 lacks the metric that was just logged to it"
    assert (doctor.code, *doctor.last) == (17, "run", "failed", expected)


def test_a_server_that_serves_no_artifacts(doctor: Doctor) -> None:
    closed = say(503, {"error_code": "X", "message": "artifact serving is disabled: --serve-artifacts"})
    missing = say(404, b"")
    with serving(*round_trip(closed, missing)) as server:
        doctor.ask("--tracking-uri", server.url, "--experiment-name", "nightly", "--write")

    assert (doctor.code, *doctor.last[:2]) == (18, "artifacts", "failed")
    assert "start the server with --serve-artifacts" in doctor.last[2]


def test_a_file_that_comes_back_changed(doctor: Doctor) -> None:
    with serving(*round_trip(say(200, {}), say(200, b"something else"))) as server:
        doctor.ask("--tracking-uri", server.url, "--experiment-name", "nightly", "--write")

    expected = "doctor.txt came back with other bytes than were sent"
    assert (doctor.code, *doctor.last) == (18, "artifacts", "failed", expected)


def test_a_folder_of_runs_is_written_and_read(doctor: Doctor, tmp_path: Path) -> None:
    doctor.ask("--tracking-uri", str(tmp_path / "mlruns"), "--write")

    assert doctor.code == 0
    assert list(doctor.lines) == ["versions", "settings", "folder", "experiment", "run", "artifacts"]
    assert doctor.lines["artifacts"] == ("ok", "a file went there and back (file)")
    (meta,) = tmp_path.glob("mlruns/*/*/meta.yaml")
    assert "lifecycle_stage: deleted" in meta.read_text()


def test_a_folder_that_cannot_be_written_is_told_by_trying(doctor: Doctor) -> None:
    doctor.ask("--tracking-uri", "/proc/nothere")

    assert (doctor.code, *doctor.last[:2]) == (10, "folder", "failed")
    assert doctor.last[2].startswith("/proc cannot be written (")


def test_trying_leaves_nothing_behind(doctor: Doctor, tmp_path: Path) -> None:
    doctor.ask("--tracking-uri", str(tmp_path / "deep" / "mlruns"))

    assert doctor.lines["folder"] == ("ok", f"{tmp_path}/deep/mlruns can be written")
    assert list(tmp_path.iterdir()) == []


def test_a_dead_proxy_is_no_fault_of_the_server(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    port = unused_port()
    monkeypatch.setenv("HTTP_PROXY", f"http://user:canary@127.0.0.1:{port}")
    doctor.ask("--tracking-uri", "http://mlflow.invalid")

    assert (doctor.code, *doctor.last[:2]) == (10, "proxy", "failed")
    said = f"there is no way to the proxy http://127.0.0.1:{port}: nothing listens at 127.0.0.1:{port} "
    said += "(connection refused); check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists the hosts that need none"
    assert doctor.last[2] == said


def test_a_proxy_that_gives_no_way(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(say(407, b"")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        doctor.ask("--tracking-uri", "https://mlflow.invalid")

    state, said = doctor.lines["proxy"]
    assert (doctor.code, state) == (10, "failed")
    assert "gives no way to mlflow.invalid (Tunnel connection failed: 407 Said)" in said


def test_the_certificate_is_looked_at_behind_a_proxy_too(
    doctor: Doctor, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tunnel(talk: Talk) -> bool:
        talk.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context(authority).wrap_socket(talk.connection, server_side=True, do_handshake_on_connect=False):
            pass
        return False

    with serving(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:canary@"))
        doctor.ask("--tracking-uri", "https://localhost:1")

        signed = {request.headers.get("proxy-authorization", "") for request in proxy.received}
    assert (doctor.code, doctor.last[0]) == (13, "tls")
    assert signed == {"Basic dXNlcjpjYW5hcnk="}


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_nobody_who_reads_is_no_traceback(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "mlflow_rest_export", "doctor", *words]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)

    assert (done.returncode, done.stderr) == (2, "")


def test_signs_that_the_terminal_lacks_are_escaped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mlflow_rest_export", "doctor", "--tracking-uri", str(tmp_path / "é")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xe9" in done.stdout


def test_json_is_an_object_even_when_the_settings_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json", "-o", "export.mlflow.nope=1"])

    told = json.loads(capsys.readouterr().out)
    assert (code, told["success"]) == (2, False)
    assert [(check["layer"], check["state"]) for check in told["checks"]] == [("settings", "failed")]


@pytest.mark.parametrize("command", ["doctor", "export"])
def test_a_password_in_a_file_uri_is_not_told(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "report.xml").write_text("<testsuite name='x'/>")
    words = [str(tmp_path / "report.xml")] if command == "export" else []

    assert main([command, *words, "--tracking-uri", "file://bob:hunter2@h/x"]) == 2

    said = "".join(capsys.readouterr())
    assert "names the machine 'h'" in said
    assert "hunter2" not in said
    assert "bob" not in said


def test_a_proxy_is_named_without_its_password(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(*good()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:canary@"))
        doctor.ask("--tracking-uri", "http://mlflow.invalid")

    assert doctor.code == 0
    assert doctor.lines["proxy"][1].startswith(f"{proxy.url} (from HTTP_PROXY")
    assert doctor.lines["tcp"][1].startswith(f"127.0.0.1:{proxy.port} answers")


def test_json_gives_one_object_with_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--tracking-uri", f"http://127.0.0.1:{unused_port()}", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert (code, told["schema"], told["success"]) == (12, 1, False)
    assert [check["layer"] for check in told["checks"]] == ["versions", "settings", "proxy", "name", "tcp"]
    assert {"layer", "state", "said"} == set(told["checks"][-1])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context(authority: trustme.CA, days: int = 100) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ends = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=days)
    authority.issue_cert("localhost", not_after=ends).configure_cert(made)
    return made


@pytest.mark.parametrize(("days", "state"), [(100, "ok"), (3, "warning")])
def test_a_trusted_certificate_is_told_with_its_bundle_and_its_end(
    doctor: Doctor,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    state: str,
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    first, *rest = good()
    with serving(first, first, *rest, tls=context(authority, days)) as server:  # the first is never asked
        server.script.pop(0)
        doctor.ask("--tracking-uri", server.url)

    assert doctor.lines["tls"][0] == state
    assert f"is trusted by REQUESTS_CA_BUNDLE ({bundle}) and good until" in doctor.lines["tls"][1]
    assert doctor.code == 0


def test_a_certificate_that_nobody_vouches_for(doctor: Doctor, authority: trustme.CA) -> None:
    with serving(*good(), tls=context(authority)) as server:
        doctor.ask("--tracking-uri", server.url)

    assert (doctor.code, *doctor.last[:2]) == (13, "tls", "failed")
    assert doctor.last[2].startswith(
        "the certificate of localhost is not trusted by the bundle of requests ("
    )
    assert "MLFLOW_TRACKING_SERVER_CERT_PATH or REQUESTS_CA_BUNDLE" in doctor.last[2]


def test_a_server_that_speaks_no_tls(doctor: Doctor) -> None:
    with serving(*good()) as server:
        doctor.ask("--tracking-uri", server.url.replace("http://", "https://"))

    assert (doctor.code, *doctor.last[:2]) == (13, "tls", "failed")
    assert doctor.last[2].endswith("does the server speak https at this port?")


def test_a_bundle_that_is_no_certificate(
    doctor: Doctor, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("nothing of the kind")
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(bundle))
    with serving(*good(), tls=context(authority)) as server:
        doctor.ask("--tracking-uri", server.url)

    assert (doctor.code, doctor.last[0]) == (13, "tls")
    assert doctor.last[2].endswith(f": {bundle}")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_no_check_of_certificates_is_a_warning(
    doctor: Doctor, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    with serving(*good(), tls=context(authority)) as server:
        doctor.ask("--tracking-uri", server.url)

    assert doctor.code == 0
    assert doctor.lines["tls"][0] == "warning"
    assert doctor.lines["settings"][0] == "warning"
