"""Every exchange that the facts about Databricks describe, played back strictly."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from replay import replay

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.chooser import ChosenRoutes
from mlflow_rest_export.artifacts.databricks import DatabricksRoute
from mlflow_rest_export.artifacts.databricks_parts import PartsUpload
from mlflow_rest_export.artifacts.leases import Lease
from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.artifacts.signed_uploads import upload
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import ApiError, ExportError, NotMlflow, SettingsError
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.retry import Backoff
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.records import Dataset, Lookup, Metric, RunStatus
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.tracking.protocol import NewRun, StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

FIXTURES = Path(__file__).parents[3] / "fixtures" / "databricks"
HOST = "https://x.cloud.databricks.com"
RUN_ID = "2d5d0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
RUN = StoredRun(
    run_id=RUN_ID,
    experiment_id="2000000000000001",
    status=RunStatus.RUNNING,
    artifact_uri=f"dbfs:/databricks/mlflow-tracking/2000000000000001/{RUN_ID}/artifacts",
)
VOLUME = dataclasses.replace(RUN, artifact_uri="dbfs:/Volumes/main/ml/evals/1/r/artifacts")
OLD = dataclasses.replace(RUN, artifact_uri="dbfs:/mine/1/r/artifacts")
TOKEN = {"DATABRICKS_TOKEN": "dapi-of-the-fixture"}
MACHINE = {"DATABRICKS_CLIENT_ID": "client-1", "DATABRICKS_CLIENT_SECRET": "dosecanary"}
AZURE = {
    "ARM_CLIENT_ID": "app-1",
    "ARM_CLIENT_SECRET": "canary",
    "ARM_TENANT_ID": "tenant-1",
    "DATABRICKS_AZURE_RESOURCE_ID": "/subscriptions/s/workspaces/w",
}
POINTS = [Metric("acc", 0.5, 1773500966000), Metric("acc", 0.75, 1773500966001, 1)]


@dataclasses.dataclass(frozen=True, slots=True)
class Client:
    """The typed client and the artifacts of the recorded workspace."""

    tracking: RestTracking
    artifacts: ChosenRoutes

    def lease(self, path: str) -> Lease:
        """The first place that the workspace names for a file."""
        store = Transport(conduct=self.tracking.transport.conduct)
        route = DatabricksRoute(self.tracking, store)
        place = route._ask("write", RUN, [path])[path]
        return Lease(store, place, renew=lambda: place, doing="uploading")


def client(case: str, *, create_parents: bool, environment: Mapping[str, str]) -> Client:
    """Give a client that shares no token with those of other cases: the CLI's path is part of who it is."""
    variables = {"DATABRICKS_HOST": HOST, "DATABRICKS_CLI_PATH": f"/{case}", **(environment or TOKEN)}
    target = choose("databricks", Connection(environment=variables, create_parents=create_parents))
    conduct = dataclasses.replace(Conduct.ordinary(timeout=10), backoff=Backoff(first=0.0))
    tracking = RestTracking(target, target.transport(conduct))
    return Client(tracking, artifacts_of(tracking))


@pytest.fixture
def play() -> Iterator[Callable[..., Client]]:
    """Give ``play(case, **environment)``: a client of the recording of that name."""
    with contextlib.ExitStack() as opened:

        def of(case: str, *, create_parents: bool = False, **environment: str) -> Client:
            opened.enter_context(replay(FIXTURES / f"{case}.yaml"))
            return client(case, create_parents=create_parents, environment=environment)

        yield of


Play = Callable[..., Client]


def test_every_fixture_is_used() -> None:
    text = Path(__file__).read_text()

    unused = [
        name
        for path in FIXTURES.rglob("*.yaml")
        if f'"{(name := path.relative_to(FIXTURES).with_suffix("").as_posix())}"' not in text
    ]
    assert not unused


def test_a_relative_name_becomes_a_path(play: Play) -> None:
    tracking = play("calls/experiments").tracking

    assert tracking.find_experiment("demo") is None
    made = tracking.create_experiment("demo")
    found = tracking.find_experiment("demo")

    assert made == found
    assert (made.experiment_id, made.name) == ("2000000000000001", "/Users/user@example.com/demo")


def test_a_folder_is_created_when_asked_for(play: Play) -> None:
    made = play("calls/folder_created", create_parents=True).tracking.create_experiment("/Shared/team/demo")

    assert made.experiment_id == "2000000000000001"


def test_a_name_that_somebody_took_meanwhile_is_found(play: Play) -> None:
    name = "/Users/user@example.com/demo"

    assert play("calls/name_taken").tracking.create_experiment(name).experiment_id == "2000000000000001"


def test_a_run_goes_its_whole_way(play: Play) -> None:
    tracking = play("calls/runs").tracking
    new = NewRun(
        experiment_id="2000000000000001",
        run_name="eval-1",
        start_time=1773500966000,
        tags={marks.OWNER: "me"},
    )

    run = tracking.create_run(new)
    tracking.log_values(run.run_id, metrics=POINTS, params={"model": "meta/llama"})
    found = list(tracking.find_runs("2000000000000001", [Lookup("job_id", "a.0")]))
    history = list(tracking.metric_history(run.run_id, "acc"))
    tracking.log_inputs(run.run_id, [Dataset("mmlu", "d1", context="eval")])
    tracking.update_run(run.run_id, status=RunStatus.FINISHED, end_time=1773500999000, run_name="eval-1")
    tracking.delete_run(run.run_id)

    assert [each.run_id for each in found] == [run.run_id] == [RUN_ID]
    assert history == POINTS
    assert tracking.run_url(run) == f"{HOST}/ml/experiments/2000000000000001/runs/{RUN_ID}"


def test_half_a_batch_is_completed(play: Play) -> None:
    play("calls/half_batch").tracking.log_values(RUN_ID, metrics=POINTS[:1], params={"model": "m"})


@pytest.mark.parametrize("case", ["artifacts/aws", "artifacts/aws_empty"])
def test_a_file_goes_to_s3(play: Play, case: str) -> None:
    data = b"" if case == "artifacts/aws_empty" else b"abc"

    play(case).artifacts.upload(RUN, "sub dir/a.json", BytesContent(data))


@pytest.mark.parametrize("case", ["artifacts/azure", "artifacts/google"])
def test_a_file_goes_to_the_other_stores(play: Play, case: str) -> None:
    play(case).artifacts.upload(RUN, "a.json", BytesContent(b"abc"))


@pytest.mark.parametrize("case", ["artifacts/azure_blocks", "artifacts/lake"])
def test_a_large_file_goes_to_azure_in_pieces(play: Play, case: str) -> None:
    upload(play(case).lease("a.json"), BytesContent(b"012345678901234"), block=10, at_once=10)


def parts(client: Client) -> PartsUpload:
    store = Transport(conduct=client.tracking.transport.conduct)
    return PartsUpload(client.tracking, store, RUN, "big", BytesContent(b"012345678901234"), part=10)


def test_a_large_file_goes_to_s3_in_parts(play: Play) -> None:
    parts(play("artifacts/aws_parts")).run()


def test_the_parts_of_an_upload_that_failed_are_thrown_away(play: Play) -> None:
    upload = parts(play("artifacts/aws_parts_aborted"))

    with pytest.raises(ApiError, match=r"part 1: .* 400 EntityTooSmall: Your proposed upload"):
        upload.run()


def test_a_file_is_read_by_a_signed_address(play: Play) -> None:
    assert b"".join(play("artifacts/read").artifacts.read(RUN, "a.json")) == b"abc"


def test_a_listing_has_pages(play: Play) -> None:
    assert play("artifacts/listing").artifacts.listing(RUN) == {"a.json": 3, "sub/b": 0}


def test_a_volume_is_written_listed_and_read(play: Play) -> None:
    artifacts = play("artifacts/volume").artifacts

    artifacts.upload(VOLUME, "sub dir/a.json", BytesContent(b"abc"))

    assert artifacts.listing(VOLUME) == {"sub dir/a.json": 3}
    assert b"".join(artifacts.read(VOLUME, "sub dir/a.json")) == b"abc"


def test_what_cannot_be_replaced_in_a_volume_is_an_error(play: Play) -> None:
    artifacts = play("artifacts/volume_taken").artifacts

    with pytest.raises(ApiError, match=r"uploading a.json to run .* 409 ALREADY_EXISTS: The file") as caught:
        artifacts.upload(VOLUME, "a.json", BytesContent(b"abc"))

    assert caught.value.already_exists


def test_files_go_to_the_old_file_system_and_come_back(play: Play) -> None:
    artifacts = play("artifacts/dbfs").artifacts

    artifacts.upload(OLD, "sub dir/a.json", BytesContent(b"abc"))
    artifacts.upload(OLD, "empty", BytesContent(b""))

    assert artifacts.listing(OLD) == {"sub dir/a.json": 3, "empty": 0}
    assert b"".join(artifacts.read(OLD, "sub dir/a.json")) == b"abc"


def test_an_old_folder_that_is_not_there_is_as_good_as_an_empty_one(play: Play) -> None:
    artifacts = play("artifacts/dbfs_empty").artifacts

    assert artifacts.listing(OLD) == artifacts.listing(OLD) == {}


def test_a_signature_that_allows_no_writing_is_renewed_once_and_then_told(play: Play) -> None:
    artifacts = play("artifacts/azure_read_only").artifacts

    with pytest.raises(ApiError, match=r"403 AuthorizationPermissionMismatch: This request is") as caught:
        artifacts.upload(RUN, "a.json", BytesContent(b"abc"))

    assert "canary" not in str(caught.value)


def test_an_experiment_is_restored_and_may_be_active_already(play: Play) -> None:
    tracking = play("calls/experiment_restored").tracking

    tracking.restore_experiment("2000000000000001")
    tracking.restore_experiment("2000000000000001")


LOGINS: dict[str, dict[str, str]] = {
    "logins/pat": TOKEN,
    "logins/basic": {"DATABRICKS_USERNAME": "user", "DATABRICKS_PASSWORD": "canary"},
    "logins/machine": MACHINE,
    "logins/machine_old_workspace": {**MACHINE, "DATABRICKS_CLUSTER_ID": "1"},
    "logins/machine_of_an_account": {**MACHINE, "DATABRICKS_GROUP_ID": ""},
    "logins/env_oidc": {"DATABRICKS_OIDC_TOKEN": "eyJcanary.x.y"},
    "logins/file_oidc": {"DATABRICKS_AUTH_TYPE": "file-oidc", "DATABRICKS_CLIENT_ID": "sp-1"},
    "logins/github_oidc": {
        "DATABRICKS_CLIENT_ID": "sp-1",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://run.actions.example/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-runner",
    },
    "logins/azure": AZURE,
    "logins/azure_unknown_tenant": {**AZURE, "ARM_TENANT_ID": ""},
}
REFUSED: dict[str, tuple[dict[str, str], type[ExportError], str]] = {
    "logins/machine_refused": (MACHINE, ApiError, r"401 invalid_client: .* expired; check the client id"),
    "logins/machine_refused_otherwise": (MACHINE, ApiError, r"400 invalid_client: No such client; check"),
    "logins/machine_insecure": (MACHINE, SettingsError, r"a token endpoint without https; it gets no secret"),
    "logins/machine_without_token": (MACHINE, NotMlflow, r"the answer holds no token"),
    "logins/azure_no_tenant": ({**AZURE, "ARM_TENANT_ID": ""}, SettingsError, r"set ARM_TENANT_ID"),
    "logins/azure_login_page_fails": ({**AZURE, "ARM_TENANT_ID": ""}, ApiError, r"Azure tenant: .* 403"),
    "logins/azure_refused": (AZURE, ApiError, r"AADSTS7000222: .*; check ARM_CLIENT_ID"),
}


@pytest.mark.parametrize("case", LOGINS)
def test_each_way_to_log_in_sends_what_databricks_expects(play: Play, case: str, tmp_path: Path) -> None:
    environment = dict(LOGINS[case])
    if case == "logins/file_oidc":
        (tmp_path / "token").write_text("eyJcanary.x.y\n")
        environment["DATABRICKS_OIDC_TOKEN_FILEPATH"] = str(tmp_path / "token")

    found = play(case, **environment).tracking.get_experiment("2000000000000001")

    assert found.name == "/Users/user@example.com/demo"


@pytest.mark.parametrize("case", REFUSED)
def test_a_login_that_is_refused_says_what_to_do(play: Play, case: str) -> None:
    environment, kind, said = REFUSED[case]
    tracking = play(case, **environment).tracking

    with pytest.raises(kind, match=said) as caught:
        tracking.get_experiment("2000000000000001")

    assert "canary" not in str(caught.value)
    assert "canary" not in repr(caught.value)


ERRORS = {
    "errors/integer_403": r"answered 403: Invalid access token; check the Databricks credentials",
    "errors/integer_401": r"answered 401: Credential was not sent .*; check the Databricks credentials",
    "errors/details": r"answered 403 PERMISSION_DENIED: You do not have permission",
    "errors/empty_body": r"answered 403: Source IP address is blocked",
    "errors/text": r"answered 400: MALFORMED_REQUEST: vpc_endpoints",
    "errors/page": r"answered 400: Error 400 io.jsonwebtoken.IncorrectClaimException",
    "errors/api_1_2": r"java.lang.IllegalArgumentException: not allowed",
    "errors/scim": r"answered 404.*Group not found",
    "errors/login_page": r"redirects to https://x.cloud.databricks.com/login.html; that is a login page",
    "errors/relative_name": r"an invalid experiment name 'demo'. An experiment name must be an absolute path",
    "errors/wrong_id": r"Node ID 4072937019901104 does not exist",
    "errors/quota": r"QUOTA_EXCEEDED: .*; this is a quota of the host, so waiting does not help",
    "errors/quota_as_bad_request": r"BAD_REQUEST: .*; this is a quota of the host",
}


@pytest.mark.parametrize("case", ERRORS)
def test_each_shape_of_error_becomes_one_sentence(play: Play, case: str) -> None:
    tracking = play(case).tracking

    with pytest.raises(ApiError, match=ERRORS[case]) as caught:
        tracking.get_experiment("2000000000000001")

    assert str(caught.value).startswith("reading experiment 2000000000000001: x.cloud.databricks.com")
    assert caught.value.refused is (caught.value.status in {401, 403})


@pytest.mark.parametrize("case", ["errors/rate_limit", "errors/exhausted", "errors/passing_503"])
def test_what_passes_is_waited_for(play: Play, case: str) -> None:
    assert play(case).tracking.get_experiment("2000000000000001").experiment_id == "2000000000000001"
