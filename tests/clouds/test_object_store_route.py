"""Direct access to an object store: reading, what it says when refused, and whose keys it uses."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import responses
import trustme
from cloud_standins import S3
from faults import FAULTS
from front_door import FrontDoor
from loopback import say, serving

from mlflow_rest_export import __file__ as package
from mlflow_rest_export.artifacts.object_store import ObjectStoreRoute
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import BytesContent, FileContent
from mlflow_rest_export.errors import ApiError, Interrupted, NoAnswer
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.pace import Pace
from mlflow_rest_export.network.retry import Backoff, Patience
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.tracking.protocol import StoredRun

RUN = StoredRun(
    run_id="r1", experiment_id="7", status=RunStatus.RUNNING, artifact_uri="s3://evals/direct/7/r1/artifacts"
)
ABC = BytesContent(b"abc")
HERE = Path(__file__)
TESTS = HERE.parents[1]
PLACES = [str(place) for place in (HERE.parent, TESTS, TESTS / "servers", Path(package).parents[1])]
"""Where a process of its own finds this module, and the package."""


def _conduct(seconds: float = 5.0) -> Conduct:
    return Conduct(
        patience=Patience(clock=time.monotonic, first_contact=seconds, stall=seconds),
        pace=Pace(8, clock=time.monotonic),
        backoff=Backoff(first=0.01, longest=0.05),
    )


def _route(variables: dict[str, str], conduct: Conduct | None = None) -> ObjectStoreRoute:
    return ObjectStoreRoute(variables, tls=Tls(), anonymous=Transport(conduct=conduct or _conduct()))


def test_a_shared_access_signature_wins_over_a_principal_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    principal = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "canary"}
    for name, value in principal.items():
        monkeypatch.setenv(name, value)
    made = say(201, "", ETag='"e"', Last_Modified="Sat, 28 Nov 2026 12:00:00 GMT")
    with serving(made) as store, serving(say(403, "")) as authority:
        variables = {
            **principal,
            "AZURE_AUTHORITY_HOST": authority.url,
            "AZURE_STORAGE_ENDPOINT": store.url,
            "AZURE_STORAGE_SAS_TOKEN": "?sv=2024-11-04&sig=canary",
        }
        run = dataclasses.replace(
            RUN, artifact_uri="wasbs://evals@account.blob.core.windows.net/7/r1/artifacts"
        )
        _route(variables).upload(run, "a.txt", ABC)

        assert authority.received == []
        assert [one.method for one in store.received] == ["PUT"]
        assert "sig=canary" in store.received[0].target


@pytest.mark.parametrize("path", ["d/a b+c.json", "d/é 中.txt", "d/q?m&x=1.txt", "d/%41.txt", "d/a~b.txt"])
def test_what_was_written_is_read_back(s3: S3, path: str) -> None:
    route = _route(s3.variables)

    route.upload(RUN, path, ABC)

    assert b"".join(route.read(RUN, path)) == b"abc"


@pytest.mark.parametrize("size", [0, 1, 8 * 1024 * 1024, 8 * 1024 * 1024 + 1])
def test_files_of_every_size_arrive_whole(s3: S3, tmp_path: Path, size: int) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * size)
    route = _route(s3.variables)

    route.upload(RUN, f"sizes/{size}", FileContent(file, size))

    assert sum(len(piece) for piece in route.read(RUN, f"sizes/{size}")) == size


def test_what_is_not_there_is_told_so(s3: S3) -> None:
    with pytest.raises(ApiError) as raised:
        list(_route(s3.variables).read(RUN, "nowhere"))

    assert raised.value.not_found


def test_a_refusal_is_one_of_credentials_without_them(s3: S3) -> None:
    wrong = s3.variables | {"AWS_SECRET_ACCESS_KEY": "canary-wrong"}

    with pytest.raises(ApiError, match="SignatureDoesNotMatch") as raised:
        _route(wrong).upload(RUN, "a", ABC)

    assert raised.value.refused
    assert "canary" not in str(raised.value)


def test_a_store_that_is_out_of_reach_is_waited_for_and_then_told(s3: S3) -> None:
    gone = s3.variables | {"MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9"}

    with pytest.raises(NoAnswer, match="the object store cannot be reached"):
        _route(gone, _conduct(0.3)).upload(RUN, "a", ABC)


def test_settings_that_cannot_be_honoured_close_the_way(s3: S3) -> None:
    owner = s3.variables | {"MLFLOW_S3_EXPECTED_BUCKET_OWNER": "123456789012"}

    with pytest.raises(RouteUnavailable, match="cannot be honoured"):
        _route(owner).upload(RUN, "a", ABC)


def test_our_own_file_is_not_taken_for_the_stores(s3: S3, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        _route(s3.variables).upload(RUN, "a", FileContent(tmp_path / "gone", 10))


def test_a_wish_to_stop_ends_a_long_upload(s3: S3, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * (20 * 1024 * 1024))
    conduct = _conduct()
    route = _route(s3.variables, conduct)
    route.upload(RUN, "before", ABC)
    conduct.stop.set()

    with pytest.raises(Interrupted):
        route.upload(RUN, "long", FileContent(file, file.stat().st_size))


async def _uploading_in_a_loop(route: ObjectStoreRoute) -> None:
    route.upload(RUN, "from-a-notebook", ABC)


def test_a_notebook_whose_event_loop_runs_may_upload_and_read(s3: S3) -> None:
    route = _route(s3.variables)

    asyncio.run(_uploading_in_a_loop(route))

    assert b"".join(route.read(RUN, "from-a-notebook")) == b"abc"


UPLOADS = """
import json, sys
sys.path[:0] = sys.argv[2:]
from test_object_store_route import ABC, RUN, _route
route = _route(json.loads(sys.argv[1]))
for number in range(3):
    route.upload(RUN, f"last/{number}", ABC)
"""


@pytest.mark.parametrize("number", range(5))
def test_a_process_whose_last_act_is_an_upload_ends_well(s3: S3, number: int) -> None:
    del number  # of the try: what once went wrong did so in one of five
    command = [sys.executable, "-c", UPLOADS, json.dumps(s3.variables), *PLACES]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_library_holds_for_impossible_closes_the_way(s3: S3) -> None:
    nowhere = dataclasses.replace(RUN, artifact_uri="s3://evals bucket{/7/r1/artifacts")

    with pytest.raises((RouteUnavailable, ApiError)):
        _route(s3.variables).upload(nowhere, "a", ABC)


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "a\x7fb"])
def test_a_name_that_the_library_cannot_write_closes_the_way_for_itself(s3: S3, name: str) -> None:
    with pytest.raises(RouteUnavailable, match="control characters") as raised:
        _route(s3.variables).upload(RUN, name, ABC)

    assert not raised.value.for_all_files


def test_a_failing_file_of_many_parts_is_told_in_its_own_words(s3: S3, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * (9 << 20))

    with pytest.raises(OSError, match="became shorter"):
        _route(s3.variables).upload(RUN, "short", FileContent(file, 20 << 20))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secured(authority: trustme.CA, s3: S3, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The same store behind TLS; gives the environment in which it is reached."""
    pair = tmp_path / "pair.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pair)
    with FrontDoor(lambda _: None, s3.door.port, certificate=pair) as door:
        yield s3.variables | {"MLFLOW_S3_ENDPOINT_URL": door.url}


def test_a_certificate_that_is_not_trusted_is_told_with_the_variables(secured: dict[str, str]) -> None:
    with pytest.raises(RouteUnavailable, match=r"not trusted \(UnknownIssuer\).*REQUESTS_CA_BUNDLE"):
        _route(secured).upload(RUN, "a", ABC)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_usual_ca_bundle_holds_for_the_store(
    secured: dict[str, str], authority: trustme.CA, tmp_path: Path, name: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    trustme.CA().cert_pem.write_to_path(bundle)
    authority.cert_pem.write_to_path(bundle, append=True)

    _route(secured | {name: str(bundle)}).upload(RUN, "over-tls", ABC)


def test_keys_of_a_profile_are_used(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    keys = f"aws_access_key_id = {s3.keys.access_key}\naws_secret_access_key = {s3.keys.secret}\n"
    config.write_text(f"[profile eval]\n{keys}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    variables = {"MLFLOW_S3_ENDPOINT_URL": s3.proxy.url, "AWS_REGION": "us-east-1", "AWS_PROFILE": "eval"}

    _route(variables).upload(RUN, "by-profile", ABC)


def test_no_keys_at_all_close_the_way_with_advice(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    with pytest.raises(RouteUnavailable, match="no AWS credentials were found"):
        _route({"MLFLOW_S3_ENDPOINT_URL": s3.proxy.url}).upload(RUN, "a", ABC)


class Counting(Pace):
    """A pace that notes the most places that were ever held."""

    def __init__(self, most: int) -> None:
        super().__init__(most, clock=time.monotonic)
        self.held: list[int] = []

    @contextlib.contextmanager
    def turn(self, check: Callable[[], None] = lambda: None, *, most: int = 1) -> Iterator[int]:
        with super().turn(check, most=most) as held:
            self.held.append(held)
            yield held


def test_the_parts_of_a_file_take_places_of_their_own(s3: S3, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * (20 * 1024 * 1024))
    pace = Counting(3)
    route = _route(s3.variables, dataclasses.replace(_conduct(), pace=pace))

    route.upload(RUN, "places", FileContent(file, file.stat().st_size))
    route.upload(RUN, "one place", ABC)

    assert pace.held == [3, 1]


def test_too_much_at_once_slows_everybody_down_and_passes(s3: S3) -> None:
    conduct = _conduct(30.0)
    s3.proxy.forget()
    s3.proxy.inject(FAULTS["limit_429"], times=3)

    _route(s3.variables, conduct).upload(RUN, "much", ABC)

    s3.proxy.forget()
    assert conduct.pace.allowed < 8


def test_a_file_that_breaks_off_while_it_is_read_is_told_in_our_terms(s3: S3) -> None:
    route = _route(s3.variables)
    route.upload(RUN, "broken", BytesContent(b"x" * (4 << 20)))
    s3.proxy.forget()
    s3.proxy.inject(FAULTS["cut_body"], times=50, method="GET")

    with pytest.raises((NoAnswer, ApiError), match="reading broken of run r1"):
        for _ in route.read(RUN, "broken"):
            pass

    s3.proxy.forget()


@responses.activate
@pytest.mark.parametrize("status", [200, 301, 403])
def test_the_region_of_a_bucket_is_asked_of_s3(status: int) -> None:
    responses.get(
        "https://s3.amazonaws.com/evals", status=status, headers={"x-amz-bucket-region": "eu-west-3"}
    )

    assert _route({})._region_of("evals") == "eu-west-3"


@responses.activate
def test_where_s3_cannot_be_asked_the_environment_decides() -> None:
    assert _route({}, _conduct(0.05))._region_of("evals") == ""


LARGE = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from test_object_store_route import RUN, _route
from mlflow_rest_export.content import FileContent
variables = dict(zip(("MLFLOW_S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), sys.argv[1:4]))
file = Path("large")
for size in (128 << 20, file.stat().st_size):
    _route(variables).upload(RUN, f"large/{size}", FileContent(file, size))
    status = Path("/proc/self/status").read_text().splitlines()  # getrusage begins with the parent's memory
    print(next(line for line in status if "VmHWM" in line).split()[1])
"""


def test_memory_does_not_grow_with_the_file(s3: S3, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as out:
        out.truncate(256 << 20)
    keys = (s3.proxy.url, s3.keys.access_key, s3.keys.secret)
    command = [sys.executable, "-c", LARGE, *keys, *PLACES]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    small, large = (int(line) for line in done.stdout.split())
    assert large - small < 20_000  # KiB


def test_a_key_file_that_is_not_there_closes_the_way() -> None:
    route = _route({"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json"})

    with pytest.raises(RouteUnavailable, match=r"its settings make no sense: .*/nowhere/key.json"):
        route.upload(dataclasses.replace(RUN, artifact_uri="gs://bucket/7/r1/artifacts"), "a", ABC)


def test_a_store_that_falls_silent_is_not_waited_for_for_ever(s3: S3) -> None:
    conduct = dataclasses.replace(_conduct(0.5), timeout=0.3)
    route = _route(s3.variables, conduct)
    s3.proxy.forget()
    s3.proxy.inject(FAULTS["stall_before"], times=50)
    begun = time.monotonic()

    with pytest.raises(NoAnswer, match="did not answer in time"):
        route.upload(RUN, "silent", ABC)

    s3.proxy.forget()
    assert time.monotonic() - begun < 30


def test_a_wish_to_stop_ends_even_a_silence(s3: S3) -> None:
    conduct = _conduct()
    s3.proxy.forget()
    s3.proxy.inject(FAULTS["stall_before"], times=50)
    threading.Timer(0.5, conduct.stop.set).start()
    begun = time.monotonic()

    with pytest.raises(Interrupted):
        _route(s3.variables, conduct).upload(RUN, "silent", ABC)

    s3.proxy.forget()
    assert time.monotonic() - begun < 20
