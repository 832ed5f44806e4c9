from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from clocks import Clock, Waits, conduct_of
from databricks_standin.tokens import CLIENT, GITHUB_BEARER, JWT, PASSWORD, PAT, WORKSPACE_ID
from databricks_standin.workspace import Workspace
from fault_proxy import FaultProxy
from faults import FAULTS

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError, SettingsError
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.targets.databricks_tokens import DISCOVERY, EnvironmentIdToken, GitHubIdToken
from mlflow_rest_export.tracking.rest import RestTracking

MACHINE = {"DATABRICKS_CLIENT_ID": CLIENT[0], "DATABRICKS_CLIENT_SECRET": CLIENT[1]}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


def client(workspace: Workspace, home: str = "", uri: str = "databricks", **environment: str) -> RestTracking:
    variables = {"DATABRICKS_HOST": workspace.url, **environment}
    target = choose(uri, Connection(environment=variables, home=home))
    return RestTracking(target, target.transport(Conduct.ordinary(timeout=10)))


@pytest.mark.parametrize("made", [EnvironmentIdToken({"T": "canary"}, "T"), GitHubIdToken({"T": "canary"})])
def test_no_repr_shows_the_environment(made: object) -> None:
    assert "canary" not in repr(made)


def asks(tracking: RestTracking) -> None:
    """Any call that needs to be let in."""
    assert tracking.find_experiment("/Shared/none") is None


def command(folder: Path, script: str) -> str:
    """A program called databricks; gives the PATH that has it."""
    program = folder / "databricks"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_a_personal_token_lets_in(workspace: Workspace) -> None:
    asks(client(workspace, DATABRICKS_TOKEN=PAT))


def test_user_and_password_let_in(workspace: Workspace) -> None:
    asks(client(workspace, DATABRICKS_USERNAME=PASSWORD[0], DATABRICKS_PASSWORD=PASSWORD[1]))


def test_a_profile_lets_in(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text(f"[prod]\nhost={workspace.url}\ntoken={PAT}\n")
    target = choose("databricks://prod", Connection(home=str(tmp_path)))

    asks(RestTracking(target, target.transport(Conduct.ordinary(timeout=10))))


def test_a_service_principal_discovers_where_tokens_are_and_sends_the_workspace_id(
    workspace: Workspace,
) -> None:
    asks(client(workspace, **MACHINE))

    (form,) = workspace.tokens.asked
    assert form == {"grant_type": "client_credentials", "scope": "all-apis"}
    assert workspace.asked[-1].headers["x-databricks-org-id"] == WORKSPACE_ID
    assert workspace.asked[-1].headers["user-agent"].endswith("auth/oauth-m2m")


def test_one_token_serves_all_threads_and_all_targets_of_a_process(workspace: Workspace) -> None:
    trackings = [client(workspace, **MACHINE) for _ in range(4)]
    threads = [threading.Thread(target=asks, args=(tracking,)) for tracking in trackings * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(workspace.tokens.asked) == 1
    assert len(workspace.calls("databricks-config")) == 1
    assert all(asked.headers["x-databricks-org-id"] for asked in workspace.calls("get-by-name"))


def test_an_old_workspace_that_tells_nothing_has_its_tokens_at_the_usual_place(workspace: Workspace) -> None:
    workspace.tokens.discovery = False

    asks(client(workspace, **MACHINE))

    assert len(workspace.tokens.asked) == 1
    assert "x-databricks-org-id" not in workspace.asked[-1].headers


def test_an_address_for_discovery_is_used(workspace: Workspace) -> None:
    url = f"{workspace.url}/oidc/.well-known/oauth-authorization-server"

    asks(client(workspace, DATABRICKS_DISCOVERY_URL=url, **MACHINE))

    assert not workspace.calls("databricks-config")


def test_a_revoked_token_is_replaced_once_and_the_call_sent_again(workspace: Workspace) -> None:
    tracking = client(workspace, **MACHINE)
    asks(tracking)
    workspace.tokens.revoke()

    asks(tracking)

    assert len(workspace.tokens.asked) == 2


def test_a_token_forgotten_by_the_front_door_is_replaced_although_it_says_403(workspace: Workspace) -> None:
    tracking = client(workspace, **MACHINE)
    asks(tracking)
    workspace.tokens.given.clear()

    asks(tracking)

    assert len(workspace.tokens.asked) == 2


def test_many_threads_replace_a_revoked_token_once(workspace: Workspace) -> None:
    tracking = client(workspace, **MACHINE)
    asks(tracking)
    workspace.tokens.revoke()
    threads = [threading.Thread(target=asks, args=(tracking,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(workspace.tokens.asked) == 2


def test_a_new_token_that_is_refused_as_well_ends_it(workspace: Workspace) -> None:
    workspace.tokens.lifetime, workspace.tokens.told_lifetime = 0.0, 3600.0

    with pytest.raises(ApiError, match=r"401: Token is expired; get a new token") as caught:
        asks(client(workspace, **MACHINE))

    assert caught.value.refused
    assert len(workspace.tokens.asked) == 2


def test_a_token_about_to_expire_is_renewed_before(workspace: Workspace) -> None:
    workspace.tokens.told_lifetime = 30.0
    tracking = client(workspace, **MACHINE)

    asks(tracking)
    asks(tracking)

    assert len(workspace.tokens.asked) == 2


def test_a_wrong_secret_is_a_refusal_with_advice_and_without_the_secret(workspace: Workspace) -> None:
    wrong = {**MACHINE, "DATABRICKS_CLIENT_SECRET": "dosecanary"}

    with pytest.raises(
        ApiError, match=r"access token: .* 401 invalid_client: .*; check the client id"
    ) as caught:
        asks(client(workspace, **wrong))

    assert caught.value.refused
    assert "canary" not in str(caught.value)


def test_a_wrong_personal_token_is_a_refusal(workspace: Workspace) -> None:
    with pytest.raises(
        ApiError, match=r"answered 403: Invalid access token|403 403: Invalid access"
    ) as caught:
        asks(client(workspace, DATABRICKS_TOKEN="dapicanary"))

    assert caught.value.refused
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("variable", ["DATABRICKS_OIDC_TOKEN", "MY_TOKEN"])
def test_a_token_of_somebody_trusted_is_exchanged(workspace: Workspace, variable: str) -> None:
    more = {} if variable == "DATABRICKS_OIDC_TOKEN" else {"DATABRICKS_OIDC_TOKEN_ENV": variable}

    asks(client(workspace, **{variable: JWT, **more}))

    (form,) = workspace.tokens.asked
    assert form["subject_token"] == JWT
    assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
    assert "client_id" not in form


def test_a_token_in_a_file_is_read_at_every_exchange(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{JWT}.one\n")
    environment = {"DATABRICKS_OIDC_TOKEN_FILEPATH": str(file), "DATABRICKS_CLIENT_ID": "sp"}
    tracking = client(workspace, DATABRICKS_AUTH_TYPE="file-oidc", **environment)
    asks(tracking)
    file.write_text(f"{JWT}.two\n")
    workspace.tokens.revoke()

    asks(tracking)

    assert [form["subject_token"] for form in workspace.tokens.asked] == [f"{JWT}.one", f"{JWT}.two"]
    assert workspace.tokens.asked[0]["client_id"] == "sp"


def test_a_token_file_that_is_not_there_is_told(workspace: Workspace, tmp_path: Path) -> None:
    environment = {"DATABRICKS_OIDC_TOKEN_FILEPATH": str(tmp_path / "none")}

    with pytest.raises(SettingsError, match=r"none cannot be read: No such file"):
        asks(client(workspace, **environment))


def test_a_job_on_github_asks_its_runner(workspace: Workspace) -> None:
    runner = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{workspace.url}/github/id-token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": GITHUB_BEARER,
    }

    asks(client(workspace, DATABRICKS_CLIENT_ID="sp", **runner))

    (form,) = workspace.tokens.asked
    assert form["subject_token"] == f"{JWT}.token"  # the audience was the token endpoint
    assert form["client_id"] == "sp"


def test_a_runner_that_gives_nothing_is_told(workspace: Workspace) -> None:
    runner = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{workspace.url}/github/id-token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": GITHUB_BEARER,
    }
    workspace.spoil("/github/id-token", 200, {})

    with pytest.raises(SettingsError, match=r"has the job id-token: write\?"):
        asks(client(workspace, DATABRICKS_CLIENT_ID="sp", **runner))


def test_a_token_that_is_not_trusted_is_a_refusal_with_advice(workspace: Workspace) -> None:
    with pytest.raises(ApiError, match=r"400 invalid_grant: .*; check the federation policy") as caught:
        asks(client(workspace, DATABRICKS_OIDC_TOKEN="eyJcanary.x.y"))

    assert (caught.value.status, caught.value.refused) == (401, True)
    assert "canary" not in str(caught.value)


def test_the_command_line_gives_its_token(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text(f"[prod]\nhost={workspace.url}\nauth_type=databricks-cli\n")
    script = (
        f'[ "$*" = "auth token --profile prod" ] && echo \'{{"access_token": "{PAT}", '
        '"token_type": "Bearer", "expiry": "2099-03-14T16:09:26.123456789Z"}\''
    )
    path = command(tmp_path, script)

    asks(client(workspace, str(tmp_path), "databricks://prod", PATH=path))


def test_without_anything_else_the_command_line_is_asked_for_the_host(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = command(
        tmp_path, f'[ "$*" = "auth token --host {workspace.url}" ] && echo \'{{"access_token": "{PAT}"}}\''
    )

    asks(client(workspace, PATH=path))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "echo 'cannot get access token: refresh token is invalid' >&2; exit 1",
            "failed with exit code 1: cannot get .* auth login",
        ),
        ("exit 3", "failed with exit code 3: it said nothing"),
        ("echo usage", "printed no token"),
        ("echo '[]'", "printed no token"),
    ],
)
def test_a_command_line_that_fails_is_told(
    workspace: Workspace, tmp_path: Path, script: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=f"databricks auth token {said}"):
        asks(client(workspace, PATH=command(tmp_path, script)))


def test_a_command_line_that_gives_the_refused_token_again_is_not_asked_for_ever(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = command(tmp_path, 'echo \'{"access_token": "eyJold.x.y"}\'')

    with pytest.raises(ApiError, match=r"Invalid access token"):
        asks(client(workspace, PATH=path))

    assert len(workspace.calls("get-by-name")) == 1


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"DATABRICKS_AUTH_TYPE": "azure-cli"}, r"auth_type azure-cli .* is not known here .*token_command"),
        ({"DATABRICKS_AUTH_TYPE": "oauth-m2m"}, r"oauth-m2m needs client_id and client_secret"),
        ({"DATABRICKS_AUTH_TYPE": "env-oidc"}, r"env-oidc needs the variable DATABRICKS_OIDC_TOKEN"),
        (
            {"DATABRICKS_AUTH_TYPE": "github-oidc", "DATABRICKS_CLIENT_ID": "c"},
            r"needs the variable ACTIONS_ID_TOKEN_REQUEST_URL and",
        ),
        ({"DATABRICKS_AUTH_TYPE": "databricks-cli", "PATH": "/none"}, r"no program databricks in PATH"),
        ({"DATABRICKS_AUTH_TYPE": "databricks-cli", "DATABRICKS_CLI_PATH": "/x/y"}, r"not installed"),
    ],
)
def test_a_kind_of_login_that_lacks_something_is_told_at_once(
    workspace: Workspace, environment: dict[str, str], advice: str
) -> None:
    with pytest.raises(SettingsError, match=advice):
        client(workspace, **environment)


def test_a_command_line_that_cannot_be_run_is_told(workspace: Workspace, tmp_path: Path) -> None:
    path = command(tmp_path, "")
    (tmp_path / "databricks").write_bytes(b"\x7fELF no program of this machine")

    with pytest.raises(SettingsError, match=r"databricks auth token cannot be run: Exec format error"):
        asks(client(workspace, PATH=path))


def test_a_workspace_that_tells_nothing_about_itself_in_time_costs_seconds(workspace: Workspace) -> None:
    """Its answers to the two questions break off for ever; the clock moves only while somebody waits."""
    clock = Clock()
    waits = Waits(clock)
    for ending in ("databricks-config", "oauth-authorization-server"):
        workspace.spoil(ending, 503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "no"}, times=999)
    variables = {"DATABRICKS_HOST": workspace.url, "DATABRICKS_ACCOUNT_ID": "of this test", **MACHINE}
    target = choose("databricks", Connection(environment=variables))

    asks(RestTracking(target, target.transport(conduct_of(clock, waits=waits))))

    assert len(workspace.tokens.asked) == 1
    assert DISCOVERY < sum(waits.seconds) <= 2 * DISCOVERY


def test_a_workspace_that_hangs_up_on_the_question_is_asked_for_a_token_all_the_same(
    workspace: Workspace,
) -> None:
    with FaultProxy(workspace.port) as proxy:
        for path in ("databricks-config", "oauth-authorization-server"):
            proxy.inject(FAULTS["reset_before"], path=path, times=10**6)
        clock = Clock()
        variables = {"DATABRICKS_HOST": proxy.url, "DATABRICKS_ACCOUNT_ID": "of that test", **MACHINE}
        target = choose("databricks", Connection(environment=variables))

        asks(RestTracking(target, target.transport(conduct_of(clock, waits=Waits(clock)))))

    assert len(workspace.tokens.asked) == 1
