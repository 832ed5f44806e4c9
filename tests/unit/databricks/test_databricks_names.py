from __future__ import annotations

from collections.abc import Iterator

import pytest
from databricks_standin.folders import USER
from databricks_standin.tokens import PAT
from databricks_standin.workspace import Workspace
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_rest_export.connection import Connection
from mlflow_rest_export.errors import ApiError, SettingsError
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.targets.databricks_names import canonical
from mlflow_rest_export.tracking.rest import RestTracking


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


def client(workspace: Workspace, *, create_parents: bool = False) -> RestTracking:
    environment = {"DATABRICKS_HOST": workspace.url, "DATABRICKS_TOKEN": PAT}
    target = choose("databricks", Connection(environment=environment, create_parents=create_parents))
    return RestTracking(target, target.transport(Conduct.ordinary(timeout=10)))


def test_a_relative_name_goes_to_the_home_folder_and_says_so(workspace: Workspace) -> None:
    tracking = client(workspace)

    made = tracking.create_experiment("demo")
    found = tracking.find_experiment("demo")

    assert found == made
    assert made.name == f"/Users/{USER}/demo"
    (change,) = made.adjustments
    assert (change.field, change.before, change.after) == ("experiment name", "demo", made.name)
    assert len(workspace.calls("/Me")) == 1


def test_an_absolute_name_asks_nobody_and_changes_nothing(workspace: Workspace) -> None:
    made = client(workspace).create_experiment("/Shared/demo")

    assert (made.name, made.adjustments) == ("/Shared/demo", ())
    assert not workspace.calls("/Me")


def test_the_spellings_that_create_alone_understands_lead_to_one_experiment(workspace: Workspace) -> None:
    tracking = client(workspace)

    first = tracking.create_experiment("/Workspace//Shared/demo/")

    assert first.name == "/Shared/demo"
    assert tracking.find_experiment("/Workspace/Shared//demo") == tracking.find_experiment(
        "/Workspace/Shared//demo"
    )
    assert len(workspace.folders.experiments) == 1


def test_one_that_is_not_there_is_none(workspace: Workspace) -> None:
    assert client(workspace).find_experiment("/Shared/none") is None


def test_a_missing_folder_is_an_error_with_advice(workspace: Workspace) -> None:
    with pytest.raises(SettingsError, match=r"the folder /Shared/a/b of .* not in the workspace: give"):
        client(workspace).create_experiment("/Shared/a/b/demo")

    assert not workspace.calls("/experiments/create")


def test_a_missing_folder_is_created_when_asked_for(workspace: Workspace) -> None:
    client(workspace, create_parents=True).create_experiment("/Shared/a/b/demo")

    assert {"/Shared/a", "/Shared/a/b"} <= workspace.folders.folders


def test_an_experiment_at_the_root_needs_no_folder(workspace: Workspace) -> None:
    client(workspace).create_experiment("/demo")

    assert not workspace.calls("/workspace/get-status")


def test_a_folder_that_may_not_be_looked_at_is_left_to_the_creation(workspace: Workspace) -> None:
    workspace.spoil("/get-status", 403, {"error_code": "PERMISSION_DENIED", "message": "no"})

    assert client(workspace).create_experiment("/Shared/demo").name == "/Shared/demo"


def test_an_odd_answer_about_a_folder_is_told(workspace: Workspace) -> None:
    workspace.spoil("/get-status", 400, {"error_code": "BAD_REQUEST", "message": "odd"})

    with pytest.raises(ApiError, match=r"looking for the folder /Shared: .* odd"):
        client(workspace).create_experiment("/Shared/demo")


def test_a_notebook_of_that_name_is_told(workspace: Workspace) -> None:
    workspace.folders.notebooks.add("/Shared/demo")

    with pytest.raises(ApiError, match=r"Node named 'demo' already exists; if that is a notebook"):
        client(workspace).create_experiment("/Shared/demo")


def test_an_experiment_that_somebody_created_meanwhile_is_as_good(workspace: Workspace) -> None:
    first = client(workspace).create_experiment("/Shared/demo")

    assert client(workspace).create_experiment("/Shared/demo").experiment_id == first.experiment_id


def test_a_user_without_a_name_is_told(workspace: Workspace) -> None:
    workspace.spoil("/Me", 200, {"id": "1"})

    with pytest.raises(ApiError, match=r"the answer names nobody; give the experiment an absolute name"):
        client(workspace).find_experiment("demo")


@pytest.mark.parametrize("name", ["/", "//", "/Workspace", "/Workspace/", " "])
def test_a_name_without_a_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"names a folder of the workspace"):
        canonical(name)


@given(st.text(alphabet="/aWorkspce .é", min_size=1, max_size=30))
@example("W/ /")
def test_a_canonical_name_stays_as_it_is(name: str) -> None:
    try:
        full = canonical(name)
    except SettingsError:
        return
    assert "//" not in full
    assert not full.endswith("/")
    if not full.startswith("/Workspace"):  # a folder of that name inside of the tree is another one
        assert canonical(full) == full.strip()
