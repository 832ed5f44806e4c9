"""``-o`` strings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.config import Environment, Settings, resolve
from mlflow_rest_export.errors import SettingsError


def settings_of(*overrides: str, config: dict[str, Any] | None = None) -> Settings:
    return resolve(environment=Environment(), overrides=overrides, config=config).settings


def refusal(*overrides: str) -> str:
    with pytest.raises(SettingsError) as refused:
        settings_of(*overrides)
    return str(refused.value)


@pytest.mark.parametrize(
    "override",
    ["export.mlflow.run_name=x", "+export.mlflow.run_name=x", "++export.mlflow.run_name=x", "run_name=x",
     " run_name = x ", "run_name='x'", 'run_name="x"'],
)  # fmt: skip
def test_a_setting_is_set_by_its_full_or_its_bare_name(override: str) -> None:
    assert settings_of(override).run_name == "x"


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("log_metrics=[acc, 'pass@1']", "log_metrics", ("acc", "pass@1")),
        ("log_metrics=pass@1", "log_metrics", ("pass@1",)),
        ("exclude_patterns=*.log", "exclude_patterns", ("*.log",)),
        ("exclude_patterns=['*.log']", "exclude_patterns", ("*.log",)),
        ("log_artifacts=False", "copy_artifacts", False),
        ("log_config_params=yes", "log_config_params", True),
        ("workers=3", "workers", 3),
        ("timeout=1.5", "timeout", 1.5),
        ("description=a: b # c", "description", "a: b # c"),
        ("description='a: b'", "description", "a: b"),
        ("description='a' and 'b'", "description", "'a' and 'b'"),
        ('description="line\\nline"', "description", "line\nline"),
        ("description=[draft] {x}", "description", "[draft] {x}"),
        ("description=a=b", "description", "a=b"),
        ("experiment_name=2024", "experiment_name", "2024"),
        ("tags.version=3.10", "tags", {"version": "3.10"}),
        ("tags.a.b=x", "tags", {"a.b": "x"}),
        ("tags.a=[x]", "tags", {"a": "[x]"}),
        ("tags={a: 3.10, b: yes}", "tags", {"a": "3.10", "b": "true"}),
        ("extra_metadata.n=32", "extra_metadata", {"n": "32"}),
        ("extra_metadata.n={a: [1]}", "extra_metadata", {"n": '{"a": [1]}'}),
        ("map.my.column=metric", "map", {"my.column": "metric"}),
        ("token_command=[get, 'a b']", "token_command", ("get", "a b")),
        ("token_command=get 'a b'", "token_command", ("get", "a b")),
    ],
)
def test_a_value_means_what_was_typed(override: str, key: str, value: object) -> None:
    assert getattr(settings_of(override), key) == value


def test_a_header_is_set_by_its_name() -> None:
    headers = settings_of("headers.Authorization=Bearer a: b").headers

    assert headers["Authorization"].get_secret_value() == "Bearer a: b"


@pytest.mark.parametrize("null", ["", "null", "~"])
def test_null_takes_a_setting_back(null: str) -> None:
    assert settings_of(f"run_name={null}", config={"run_name": "file"}).run_name is None


def test_the_last_word_counts() -> None:
    assert settings_of("run_name=a", "run_name=b").run_name == "b"
    assert settings_of("run_name=a", "~run_name").run_name is None
    assert settings_of("~run_name", "run_name=a", config={"run_name": "file"}).run_name == "a"
    assert settings_of("tags.a=1", "tags.b=2", "~tags.a").tags == {"b": "2"}
    assert settings_of("~tags", "tags.b=2", config={"tags": {"c": 3}}).tags == {"b": "2"}
    assert settings_of("log_logs=true", "log_logs=false", "copy_logs=false").copy_logs is False


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "export.wandb.entity=x",
            "-o export.wandb.entity: only mlflow is a destination here; for others use",
        ),
        ("~export.local.x", "-o export.local.x: only mlflow is a destination here"),
        ("export.mlfow.run_name=x", "-o export.mlfow.run_name: did you mean export.mlflow.KEY?"),
        (
            "exprot.mlflow.run_name=x",
            "-o exprot.mlflow.run_name: there is no such setting; did you mean run_name?",
        ),
        (
            "export.mlflow.runname=x",
            "-o export.mlflow.runname: there is no such setting; did you mean run_name?",
        ),
        ("export.mlflow=x", "-o export.mlflow: did you mean export.mlflow.KEY?"),
        ("execution.mode=x", "-o execution.mode: of a run config only export.mlflow.KEY can be set here"),
        ("", "-o : there is no '='"),
        ("=x", "-o : there is no such setting"),
        ("run_name", "-o run_name: there is no '='; write -o export.mlflow.KEY=VALUE"),
        ("run_name.x=1", "-o run_name.x: run_name has no such entry; it is set as a whole"),
        ("tags.=1", "-o tags.: tags has no such entry"),
        ("log_metrics=[a", "-o log_metrics: the value is not YAML, 2:1: while parsing a flow sequence"),
        ("tags=x", "-o tags: must be a mapping of names to values"),
        ("headers Authorization: Bearer s3cret", "-o headers: there is no '='"),
    ],
)
def test_a_string_that_matches_nothing_is_refused(override: str, said: str) -> None:
    message = refusal(override)

    assert message.startswith(said)
    assert "s3cret" not in message


def test_every_bad_string_is_told() -> None:
    assert refusal("a=1", "workers=0", "export.jet.x=1").startswith("3 problems with the settings: ")


@given(
    st.lists(
        st.text() | st.from_regex(r"(~|\+)?(export\.mlflow\.)?(tags|log_metrics|nan)(\.x)?=.*"), max_size=4
    )
)
def test_any_string_is_understood_or_refused(overrides: list[str]) -> None:
    try:
        settings_of(*overrides)
    except SettingsError as error:
        assert "\n" not in str(error)  # noqa: PT017  # some strings are good
