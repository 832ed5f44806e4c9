"""The shapes of config files and Python mappings, env blocks, and files that are none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mlflow_rest_export.config import Environment, Layers, resolve
from mlflow_rest_export.errors import SettingsError

HOST = Environment({"HOST_URI": "http://host:5000", "PATH": "/bin", "EMPTY": ""})


def from_file(tmp_path: Path, text: str | bytes, environment: Environment = HOST) -> Layers:
    path = tmp_path / "run.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return resolve(environment=environment, config_file=path)


def refusal(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(SettingsError) as refused:
        from_file(tmp_path, text)
    return str(refused.value).replace(str(tmp_path / "run.yaml"), "FILE")


@pytest.mark.parametrize(
    "text",
    [
        "run_name: x",
        "export: {mlflow: {run_name: x}}",
        "export: {mlflow: {run_name: x}, wandb: {entity: y}, env_vars: {A: lit:b}}",
        "execution: {type: local}\nexport: {mlflow: {run_name: x}}\nfree_extra: 1",
        "\ufeffrun_name: x\r\n",
        "defaults: &d {run_name: x}\nexport: {mlflow: {<<: *d}}",
    ],
)
def test_three_shapes_are_understood(tmp_path: Path, text: str) -> None:
    assert from_file(tmp_path, text).settings.run_name == "x"


@pytest.mark.parametrize(
    "text",
    [
        "execution: {type: local}",
        "execution: {type: local}\nexport:",
        "export: {mlflow: }",
        "export: {mlflow: {}}",
        "{}",
    ],
)
def test_a_config_may_say_nothing(tmp_path: Path, text: str) -> None:
    assert from_file(tmp_path, text).settings == resolve(environment=HOST).settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("export: {wandb: {}, jet: {}, env_vars: {}}",
         "FILE: there is no mlflow under export, only wandb, jet"),
        ("export: {env_vars: {A: lit:b}}", "FILE: there is no mlflow under export"),
        ("export: {}", "FILE: there is no mlflow under export"),
        ("export:", "FILE: there is no mlflow under export"),
        ("export: [mlflow]", "FILE: there is no mlflow under export"),
        ("export: {mlflow: [a]}", "FILE: export.mlflow: must be a mapping of settings, this is a list"),
        ("export: {mlflow: {workers: x}}", "FILE: export.mlflow.workers: must be a whole number"),
        ("export: {mlflow: {tags: {a: [b]}}}",
         "FILE: export.mlflow.tags.a: must be text, a number or true or false"),
        ("export: {mlflow: {runname: x}}",
         "FILE: export.mlflow.runname: there is no such setting; did you mean run_name?"),
        ("export: {mlflow: {}, env_vars: [a]}",
         "FILE: export.env_vars: must be a mapping of variables, this is a list"),
        ("export: {mlflow: {}, env_vars: {A: [a]}}",
         "FILE: export.env_vars.A: must be text such as host:VAR or lit:value"),
        ("- a", "FILE: a mapping of settings is needed, this is a list"),
        ("text", "FILE: a mapping of settings is needed, this is a text"),
        ("5", "FILE: a mapping of settings is needed, this is a single value"),
        ("", "--config FILE: the file is empty"),
        ("# only a comment\n", "--config FILE: the file is empty"),
        (b"a: \xff\xfe", "--config: FILE:1:4: the file is not UTF-8 text"),
        ("workers: 1\nworkers: 2", "--config: FILE:2:1: this key stands twice in one mapping"),
        ("[" * 500, "--config: FILE:1:101: lists and mappings are nested deeper than 100"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_named(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert refusal(tmp_path, text) == said


def test_a_mistake_in_the_yaml_has_a_place(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a: [1\nb: 2").startswith("--config: FILE:2:")


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]

    assert "aliases stand for more than" in refusal(tmp_path, "\n".join(["a0: &a0 [x, x]", *levels]))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(SettingsError, match=f"^--config: cannot read {path}: "):
            resolve(environment=HOST, config_file=path)


def test_a_python_config_that_is_no_mapping_is_refused() -> None:
    given: Any = ["tracking_uri"]
    with pytest.raises(SettingsError, match=r"^config: a mapping of settings is needed, this is a list$"):
        resolve(environment=HOST, config=given)


def block_value(value: object, environment: Environment = HOST) -> str | None:
    layers = resolve(environment=environment, config={"export": {"mlflow": {}, "env_vars": {"NAME": value}}})
    return layers.environment.get("NAME")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("host:HOST_URI", "http://host:5000"),
        ("runtime:HOST_URI", "http://host:5000"),
        ("lit:HOST_URI", "HOST_URI"),
        ("lit:$PATH", "$PATH"),
        ("HOST_URI", "http://host:5000"),
        ("/opt/bin:$PATH", "/opt/bin:/bin"),
        ("/opt/bin:${PATH}:$UNSET", "/opt/bin:/bin:"),
        ("http://literal:1", "http://literal:1"),
        ("word", "word"),
        (5, "5"),
        (True, "true"),
        (None, None),
        ("UNSET", None),
        ("host:UNSET", None),
    ],
)
def test_an_env_block_says_where_a_value_comes_from(value: object, expected: str | None) -> None:
    assert block_value(value) == expected


def test_a_variable_that_the_launcher_has_already_set_needs_no_source() -> None:
    assert block_value("host:UNSET", Environment({"NAME": "set by the launcher"})) == "set by the launcher"


def test_blocks_of_all_three_places_add_up() -> None:
    layers = resolve(
        environment=HOST,
        config={
            "env_vars": {"A": "lit:1", "B": "lit:1", "C": "lit:1"},
            "execution": {"env_vars": {"export": {"B": "lit:2", "C": "lit:2"}, "evaluation": {"C": "lit:9"}}},
            "export": {"mlflow": {"tracking_uri": "$A$B$C"}, "env_vars": {"C": "lit:3"}},
        },
    )

    assert layers.settings.tracking_uri == "123"
    assert HOST.variables.keys() == {"HOST_URI", "PATH", "EMPTY"}


def test_blocks_feed_the_variables_of_the_sdk_and_never_the_process(tmp_path: Path) -> None:
    layers = from_file(
        tmp_path,
        "export:\n  mlflow: {}\n  env_vars:\n"
        "    MLFLOW_TRACKING_URI: host:HOST_URI\n    MLFLOW_TRACKING_TOKEN: lit:s3cret\n",
    )

    assert layers.settings.tracking_uri == "http://host:5000"
    assert layers.connection().token == "s3cret"
    assert "s3cret" not in repr(layers)
    assert os.environ.get("MLFLOW_TRACKING_TOKEN") != "s3cret"


def test_an_unset_source_is_named_with_the_variable_that_needs_it() -> None:
    config = {"export": {"mlflow": {"run_name": "$TEAM"}, "env_vars": {"TEAM": "host:HOST_TEAM"}}}
    with pytest.raises(SettingsError) as refused:
        resolve(environment=HOST, config=config)

    assert str(refused.value) == (
        "config: export.mlflow.run_name: the environment variable TEAM is not set (config: export.env_vars "
        "takes it from HOST_TEAM, which is not set); for a plain dollar sign write $$"
    )
