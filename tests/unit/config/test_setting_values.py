"""What each setting accepts, and in which words it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.config import Environment, Settings, resolve
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.sources.options import ReadOptions

NOTHING = Environment()


def settings_of(config: dict[str, Any]) -> Settings:
    return resolve(environment=NOTHING, config=config).settings


def refusal(config: dict[Any, Any]) -> str:
    with pytest.raises(SettingsError) as refused:
        resolve(environment=NOTHING, config=config)
    return str(refused.value)


def from_yaml(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return resolve(environment=NOTHING, config_file=path).settings


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("3.1", "3.1"),
        ("3.10", "3.10"),
        ("true", "true"),
        ("yes", "true"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2026-11-22", "2026-11-22"),
        ("1e5", "1e5"),
        (".nan", ".nan"),
    ],
)
def test_a_tag_is_the_text_that_stands_in_the_yaml(tmp_path: Path, written: str, text: str) -> None:
    assert from_yaml(tmp_path, f"tags: {{a: {written}}}").tags == {"a": text}


def test_numbers_from_python_become_text() -> None:
    tags = {"a": 3.1, "b": 3, "c": True, "d": False, 5: "five", True: "yes"}

    assert settings_of({"tags": tags}).tags == {
        "a": "3.1", "b": "3", "c": "true", "d": "false", "5": "five", "true": "yes",
    }  # fmt: skip


def test_blank_tags_are_dropped() -> None:
    assert settings_of({"tags": {"a": None, "b": "", "c": "  ", "d": "x"}}).tags == {"d": "x"}


def test_a_tag_that_is_a_list_is_refused() -> None:
    assert refusal({"tags": {"a": ["x"]}}) == "config: tags.a: must be text, a number or true or false"


def test_nested_metadata_becomes_json_and_null_is_dropped() -> None:
    given = {
        "a": {"b": [1, None, "ü"]},
        "c": None,
        "d": 1.5,
        "e": "text",
        "f": Path("/x"),
        "g": True,
        "h": "",
    }

    assert settings_of({"extra_metadata": given}).extra_metadata == {
        "a": '{"b": [1, null, "ü"]}', "d": "1.5", "e": "text", "f": "/x", "g": "true", "h": "",
    }  # fmt: skip


def test_metadata_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop

    assert "nested deeper" in refusal({"extra_metadata": {"a": loop}})


def test_metadata_that_json_cannot_say_is_refused() -> None:
    assert (
        refusal({"extra_metadata": {"a": {(1, 2): 3}}})
        == "config: extra_metadata.a: cannot be written as JSON"
    )


@pytest.mark.parametrize("key", ["log_metrics", "exclude_patterns"])
def test_a_single_text_is_a_list_of_one(key: str) -> None:
    assert getattr(settings_of({key: "acc"}), key) == ("acc",)


@pytest.mark.parametrize("key", ["run_name", "description", "experiment_name", "workspace"])
def test_a_name_may_be_a_number(key: str) -> None:
    assert getattr(settings_of({key: 2024}), key) == "2024"


@pytest.mark.parametrize("word", ["false", "no", "off", 0, False])
def test_truth_has_many_words(word: object) -> None:
    assert not settings_of({"log_artifacts": word}).copy_artifacts


def test_an_empty_text_says_nothing() -> None:
    assert settings_of({"experiment_name": " ", "run_name": ""}) == Settings()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"log_artifacts": "maybe"}, "log_artifacts: must be true or false"),
        ({"copy_logs": [1]}, "copy_logs: must be true or false"),
        ({"workers": 0}, "workers: must be greater than or equal to 1"),
        ({"workers": 65}, "workers: must be less than or equal to 64"),
        ({"workers": "many"}, "workers: must be a whole number"),
        ({"timeout": 0}, "timeout: must be greater than 0"),
        ({"timeout": "soon"}, "timeout: must be a number"),
        ({"timeout": float("inf")}, "timeout: must be a finite number"),
        ({"nan": "drop"}, "nan: must be 'skip', 'tag' or 'fail'"),
        ({"group_by": "model"}, "group_by: must be 'invocation'"),
        ({"map": {"a": "x"}}, "map.a: must be 'metric', 'param', 'tag', 'step', 'timestamp' or 'skip'"),
        ({"map": ["a=tag", "a=skip"]}, "map: makes a a tag and a skip; keep one"),
        ({"map": ["a"]}, "map: must be COLUMN=KIND, with a kind such as metric, param or skip"),
        ({"tags": "a"}, "tags: must be a mapping of names to values"),
        ({"log_metrics": [["a"]]}, "log_metrics: must be text, a number or true or false"),
        ({"headers": {"a b": "c"}}, "headers.a b: is no name that an HTTP header can have"),
        ({"headers": {"a": "b\nc"}},
         "headers.a: must be printable ASCII text on one line, as HTTP headers are"),
        ({"token_command": "a 'b"}, "token_command: a quote in this command is never closed"),
        ({"token_command": []}, "token_command: must be a command: one line, or a list of texts"),
        ({"token_command": {"a": 1}}, "token_command: must be a command: one line, or a list of texts"),
        ({"job_dirs": "/not/there"}, "job_dirs: there is no folder /not/there"),
        ({"log_config_params_max_depth": 0},
         "log_config_params_max_depth: must be greater than or equal to 1"),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused_in_words(config: dict[str, Any], said: str) -> None:
    assert refusal(config) == f"config: {said}"


@pytest.mark.parametrize("kind", ["step", "timestamp"])
def test_a_table_has_one_column_of_steps_and_one_of_times(kind: str) -> None:
    assert (
        refusal({"map": [f"a={kind}", f"b={kind}"]})
        == f"settings: map makes a and b a {kind}; a table has one"
    )


def test_equal_names_that_disagree_are_refused() -> None:
    assert refusal({"log_logs": True, "copy_logs": "no"}) == (
        "config: copy_logs: copy_logs and log_logs are equal names but have different values; keep one"
    )


def test_equal_names_that_make_no_sense_are_both_told() -> None:
    assert refusal({"log_logs": "x", "copy_logs": "z"}).startswith(
        "2 problems with the settings: config: copy_logs: "
    )


def test_a_blank_name_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be blank"):
        Settings(experiment_name=" ")


def test_equal_names_may_agree() -> None:
    assert settings_of(
        {"log_logs": True, "copy_logs": "yes", "log_artifacts": None, "copy_artifacts": False}
    ).copy_logs


def test_a_token_has_one_origin() -> None:
    assert refusal({"token_file": "a", "token_command": "b"}) == (
        "settings: token_file and token_command are both given; keep one"
    )


def test_a_command_is_one_line_or_a_list() -> None:
    assert settings_of({"token_command": "get-token --for 'a b'"}).token_command == (
        "get-token",
        "--for",
        "a b",
    )
    assert settings_of({"token_command": ["get-token", "a b"]}).token_command == ("get-token", "a b")


def test_columns_come_as_a_mapping_or_as_the_command_line_gives_them() -> None:
    assert settings_of({"map": {"a": "metric"}}).map == {"a": "metric"}
    assert settings_of({"map": ["a=b=metric", "c=skip"]}).map == {"a=b": "metric", "c": "skip"}
    assert settings_of({"map": "a=metric"}).map == {"a": "metric"}


def test_home_is_written_as_a_tilde(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    settings = resolve(
        environment=Environment({}, tmp_path),
        config={"spool": "~/spool", "token_file": "~", "job_dirs": ["~/results"], "tracking_uri": "~/mlruns"},
    ).settings

    assert settings.spool == tmp_path / "spool"
    assert settings.token_file == tmp_path
    assert settings.job_dirs == (tmp_path / "results",)
    assert settings.tracking_uri == f"{tmp_path}/mlruns"


def test_every_unknown_key_is_told_with_the_nearest() -> None:
    assert refusal({"experiment": "x", "log_metric": [], "zzz": 1, 5: 2}) == (
        "4 problems with the settings: config: experiment: there is no such setting; did you mean "
        "experiment_name?; config: log_metric: there is no such setting; did you mean log_metrics?; "
        "config: zzz: there is no such setting; docs/configuration.md lists every setting; "
        "config: 5: there is no such setting; docs/configuration.md lists every setting"
    )


def test_a_hostile_key_cannot_spoil_the_message() -> None:
    said = refusal({"a\nb\x1b[0m" + "c" * 200: 1})

    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 250


def test_settings_shape_what_a_source_reads(tmp_path: Path) -> None:
    options = settings_of(
        {
            "job_dirs": [tmp_path],
            "log_artifacts": False,
            "log_logs": True,
            "only_required": False,
            "exclude_patterns": ["*.tmp"],
            "log_config_params": True,
            "log_config_params_max_depth": 3,
            "per_task": True,
            "map": {"a": "metric"},
            "include_deleted": True,
        }
    ).read_options()

    assert options == ReadOptions(
        job_dirs=(tmp_path,),
        copy_artifacts=False,
        copy_logs=True,
        only_required=False,
        exclude_patterns=("*.tmp",),
        log_config_params=True,
        log_config_params_max_depth=3,
        per_task=True,
        columns={"a": "metric"},
        include_deleted=True,
    )


def test_without_a_tracking_uri_nothing_is_guessed() -> None:
    with pytest.raises(SettingsError, match="no tracking URI is given: pass --tracking-uri"):
        Settings().required_tracking_uri()

    assert Settings(tracking_uri="databricks").required_tracking_uri() == "databricks"


def test_a_representation_holds_no_secret() -> None:
    layers = resolve(
        environment=Environment({"MLFLOW_TRACKING_PASSWORD": "s3cret-env"}),
        config={
            "tracking_uri": "https://user:s3cret-uri@host",
            "headers": {"Authorization": "s3cret-header"},
            "token_command": "get s3cret-command",
        },
        overrides=["headers.X=s3cret-override"],
    )

    assert "s3cret" not in repr(layers) + str(layers.settings) + repr(layers.connection())


SECRET = "5ecretV4lue"
KEYS = [*Settings.model_fields, "log_logs", "log_artifacts", "no_such_key"]
BAD = st.recursive(
    st.sampled_from([SECRET, f"{SECRET} '", f"a\n{SECRET}", f"${{x:{SECRET}}}", -1, 5.5, None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner, max_size=1),
    max_leaves=4,
)
# A place is named in the message, for it is what a person has to mend; so it is no secret.
PLACES = {"job_dirs"}


@given(st.dictionaries(st.sampled_from([key for key in KEYS if key not in PLACES]), BAD, max_size=5))
def test_no_value_ever_stands_in_a_message(config: dict[str, Any]) -> None:
    try:
        resolve(environment=NOTHING, config=config)
    except SettingsError as error:
        assert SECRET not in str(error)  # noqa: PT017  # most inputs raise nothing
        assert "\n" not in str(error)  # noqa: PT017  # the same
