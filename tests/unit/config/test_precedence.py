"""Which place wins, and what a results folder may never decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlflow_rest_export.config import Environment, Layers, Settings, check_destination, resolve
from mlflow_rest_export.errors import SettingsError

PLACES = ("override", "flag", "python", "file", "environment", "stored")
"""Strongest first."""


def everywhere(tmp_path: Path, places: tuple[str, ...]) -> Settings:
    """Say a different experiment name, and one tag of its own beside a shared one, in each of the places."""
    said = {place: {"experiment_name": place, "tags": {place: "own", "shared": place}} for place in places}
    config_file = None
    if "file" in places:
        config_file = tmp_path / "settings.yaml"
        config_file.write_text("experiment_name: file\ntags: {file: own, shared: file}\n")
    layers = resolve(
        environment=Environment({"MLFLOW_EXPERIMENT_NAME": "environment"} if "environment" in places else {}),
        overrides=["experiment_name=override", "tags.override=own", "tags.shared=override"]
        if "override" in places
        else [],
        flags=said.get("flag"),
        config=said.get("python"),
        config_file=config_file,
    )
    return layers.with_stored(said.get("stored", {}), origin="job 1")


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_the_strongest_place_wins(tmp_path: Path, first: int) -> None:
    assert everywhere(tmp_path, PLACES[first:]).experiment_name == PLACES[first]


def test_the_default_is_the_weakest(tmp_path: Path) -> None:
    assert everywhere(tmp_path, ()).experiment_name == "nemo-evaluator-launcher"


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_mappings_are_merged_entry_by_entry(tmp_path: Path, first: int) -> None:
    places = tuple(place for place in PLACES[first:] if place != "environment")
    tags = everywhere(tmp_path, PLACES[first:]).tags

    assert tags == {**dict.fromkeys(places, "own"), "shared": places[0]}


def test_what_a_flag_does_not_say_the_file_says() -> None:
    settings = resolve(
        environment=Environment(), flags={"log_logs": None, "copy_artifacts": "no"}, config={"log_logs": True}
    ).settings

    assert settings.copy_logs
    assert not settings.copy_artifacts


def test_another_spelling_in_a_stronger_place_wins_and_is_no_conflict() -> None:
    assert not resolve(
        environment=Environment(), flags={"copy_logs": False}, config={"log_logs": True}
    ).settings.copy_logs


def test_an_unset_variable_in_a_place_that_lost_does_no_harm() -> None:
    settings = resolve(
        environment=Environment(),
        flags={"tracking_uri": "http://a"},
        config={"tracking_uri": "${NOT_SET}", "tags": {"a": "b"}},
    ).settings

    assert settings.tracking_uri == "http://a"


def test_a_placeholder_that_is_null_lets_the_weaker_place_speak() -> None:
    settings = resolve(
        environment=Environment({"MLFLOW_TRACKING_URI": "http://env"}),
        config={"tracking_uri": "${oc.env:NOT_SET,null}"},
    ).settings

    assert settings.tracking_uri == "http://env"


@pytest.mark.parametrize("override", ["~export.mlflow.tags", "~tags", "export.mlflow.tags=null", "~tags=x"])
def test_a_deletion_reaches_every_weaker_place(override: str) -> None:
    layers = resolve(
        environment=Environment(),
        overrides=[override],
        flags={"tags": {"flag": "1"}},
        config={"tags": {"file": "1"}},
    )

    assert layers.with_stored({"tags": {"stored": "1"}}, origin="job 1").tags == {}


def test_one_entry_can_be_deleted() -> None:
    layers = resolve(
        environment=Environment(), overrides=["~export.mlflow.tags.a.b"], config={"tags": {"a.b": 1, "c": 2}}
    )

    assert layers.settings.tags == {"c": "2"}


def test_a_deletion_leaves_the_environment() -> None:
    layers = resolve(
        environment=Environment({"MLFLOW_TRACKING_URI": "http://env"}),
        overrides=["~tracking_uri"],
        config={"tracking_uri": "http://file"},
    )

    assert layers.settings.tracking_uri == "http://env"


def test_the_file_of_a_python_mapping_is_the_weaker_one(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "export: {mlflow: {run_name: file, description: file}, env_vars: {A: 'lit:file', B: 'lit:file'}}"
    )
    layers = resolve(
        environment=Environment(),
        config={"export": {"mlflow": {"run_name": "python"}, "env_vars": {"A": "lit:python"}}},
        config_file=path,
    )

    assert (layers.settings.run_name, layers.settings.description) == ("python", "file")
    assert layers.environment.variables == {"A": "python", "B": "file"}


def layers_with(variables: dict[str, str] | None = None) -> Layers:
    return resolve(environment=Environment(variables or {}, Path("/home/me")))


STORED_BUT_FORBIDDEN: dict[str, Any] = {
    "token_command": "touch /tmp/owned",
    "token_file": "/etc/passwd",
    "headers": {"X-Evil": "1"},
    "spool": "/data/spool",
    "job_dirs": ["/"],
    "workspace": "theirs",
    "workers": 64,
    "timeout": 1,
    "verify": True,
    "create_parents": True,
    "restore_experiment": True,
    "format": "junit",
    "map": {"a": "metric"},
    "per_task": True,
    "include_deleted": True,
    "a key of another version": 1,
}


@pytest.mark.parametrize("key", STORED_BUT_FORBIDDEN)
def test_a_results_folder_does_not_decide_this(key: str) -> None:
    layers = layers_with()

    assert layers.with_stored({key: STORED_BUT_FORBIDDEN[key]}, origin="job 1") == layers.settings


def test_a_results_folder_shapes_its_own_run() -> None:
    stored = {
        "tracking_uri": "http://mlflow:5000/",
        "description": "costs $5, ${not} a placeholder",
        "log_artifacts": False,
        "tags": {"a": 1},
        "log_metrics": "acc",
    }
    settings = layers_with().with_stored(stored, origin="job 1")

    assert settings == Settings(
        tracking_uri="http://mlflow:5000",
        description="costs $5, ${not} a placeholder",
        copy_artifacts=False,
        tags={"a": "1"},
        log_metrics=("acc",),
    )


def test_a_results_folder_cannot_read_variables() -> None:
    variables = {"SECRET": "s3cret"}
    settings = layers_with(variables).with_stored({"tags": {"a": "$SECRET ${SECRET}"}}, origin="job 1")

    assert settings.tags == {"a": "$SECRET ${SECRET}"}
    with pytest.raises(SettingsError, match=r"job 1: export.mlflow.tracking_uri: a stored placeholder"):
        layers_with(variables).with_stored({"tracking_uri": "http://evil/${SECRET}"}, origin="job 1")


@pytest.mark.parametrize("uri", ["./mlruns", "file:///etc", "/etc", "~/x", "sqlite:///x.db", "databricks-uc"])
def test_a_results_folder_cannot_choose_a_place_on_this_machine(uri: str) -> None:
    with pytest.raises(SettingsError) as refused:
        layers_with().with_stored({"tracking_uri": uri}, origin="job 1")

    assert str(refused.value) == (
        "the stored config of job 1: export.mlflow.tracking_uri: a stored tracking URI must be that of a "
        "server; pass --tracking-uri"
    )


@pytest.mark.parametrize(
    "uri", ["https://h", "databricks", "databricks://p", "arn:aws:sagemaker:x", "azureml://x"]
)
def test_a_results_folder_may_name_a_server(uri: str) -> None:
    assert layers_with().with_stored({"tracking_uri": uri}, origin="job 1").tracking_uri == uri


def test_a_results_folder_may_name_the_variable_of_a_server() -> None:
    layers = layers_with({"TEAM_MLFLOW": "http://team:5000"})

    assert layers.with_stored({"tracking_uri": "TEAM_MLFLOW"}, origin="j").tracking_uri == "http://team:5000"


def test_a_stored_tracking_uri_is_not_even_looked_at_when_another_is_given() -> None:
    layers = layers_with({"MLFLOW_TRACKING_URI": "http://mine"})

    assert layers.with_stored({"tracking_uri": "${X}"}, origin="j").tracking_uri == "http://mine"


def test_an_odd_stored_value_names_the_job() -> None:
    with pytest.raises(
        SettingsError, match=r"^the stored config of 8abcd123.0: export.mlflow.tags: must be a mapping"
    ):
        layers_with().with_stored({"tags": ["a"]}, origin="8abcd123.0")


def test_other_destinations_are_sent_to_the_official_launcher() -> None:
    check_destination("mlflow")

    with pytest.raises(
        SettingsError, match=r"^--dest wandb: only mlflow is a destination here; .*--dest wandb$"
    ):
        check_destination("wandb")


@pytest.mark.parametrize(
    ("variables", "stored", "left"),
    [
        ({}, {"tracking_uri": "http://theirs"}, True),
        ({}, {}, False),
        ({"MLFLOW_TRACKING_URI": "http://mine"}, {"tracking_uri": "http://theirs"}, False),
        ({"TEAM_MLFLOW": "http://team"}, {"tracking_uri": "TEAM_MLFLOW"}, False),
    ],
)
def test_it_is_known_whether_the_results_alone_name_the_server(
    variables: dict[str, str], stored: dict[str, Any], left: bool
) -> None:
    assert layers_with(variables).leaves_address_to(stored) is left
