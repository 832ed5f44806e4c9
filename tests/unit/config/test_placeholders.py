"""Names of variables in settings, and what a tracking URI may be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.config import Environment, resolve
from mlflow_rest_export.config.placeholders import UnresolvedError, expand, tracking_uri
from mlflow_rest_export.errors import SettingsError

ENVIRONMENT = Environment({"VAR": "value", "EMPTY": "", "DOLLAR": "a$b${c}$$", "low": "x"}, Path("/home/me"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$VAR", "value"),
        ("${VAR}", "value"),
        ("${oc.env:VAR}", "value"),
        ("${oc.env: VAR , other}", "value"),
        ("${ oc.env:VAR }", "value"),
        ("a-$VAR-b ${VAR}c", "a-value-b valuec"),
        ("$VAR$VAR", "valuevalue"),
        ("${oc.env:NO,default}", "default"),
        ("${oc.env:NO, http://h:1/x?a=b,c }", "http://h:1/x?a=b,c"),
        ("${oc.env:NO,'quoted '}", "quoted "),
        ('${oc.env:NO,"q"}', "q"),
        ("${oc.env:NO,'}", "'"),
        ("${oc.env:NO,}", ""),
        ("${oc.env:NO,null}", ""),
        ("${oc.env:NO,${oc.env:NEITHER,${VAR}}}", "value"),
        ("${oc.env:EMPTY,default}", ""),
        ("$EMPTY", ""),
        ("$low", "x"),
        ("$DOLLAR", "a$b${c}$$"),
        ("$$VAR", "$VAR"),
        ("$${VAR}", "${VAR}"),
        ("costs $5 or 5$", "costs $5 or 5$"),
        ("*.$", "*.$"),
        ("plain", "plain"),
    ],
)
def test_a_placeholder_becomes_the_value_of_its_variable(text: str, expected: str) -> None:
    assert expand(text, ENVIRONMENT) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$NO", "the environment variable NO is not set; for a plain dollar sign write $$"),
        ("${NO}", "the environment variable NO is not set; for a plain dollar sign write $$"),
        ("${oc.env:NO}", "the environment variable NO is not set; for a plain dollar sign write $$"),
        ("${oc.env:A,${B}}", "the environment variable B is not set; for a plain dollar sign write $$"),
        ("${VAR", "a placeholder begins with ${ and has no }; for a plain dollar sign write $$"),
        ("${execution.type}", "the placeholder ${execution.type...} is not known; there are $VAR"),
        ("${oc.decode:x}", "the placeholder ${oc.decode...} is not known; there are $VAR"),
        ("${VAR,default}", "the placeholder ${VAR...} is not known; there are $VAR"),
        ("${}", "the placeholder ${...} is not known; there are $VAR"),
        ("${oc.env:NO," * 12 + "x" + "}" * 12, "placeholders stand too deep within each other"),
    ],
)
def test_a_placeholder_without_a_value_is_named(text: str, said: str) -> None:
    with pytest.raises(UnresolvedError) as unresolved:
        expand(text, ENVIRONMENT)

    assert str(unresolved.value).startswith(said)


def test_placeholders_work_in_every_text_of_lists_and_mappings() -> None:
    given = {"a": ["$VAR", {"b": ("${VAR}", 1, None)}], "$VAR": True}

    assert expand(given, ENVIRONMENT) == {"a": ["value", {"b": ["value", 1, None]}], "$VAR": True}


@given(st.text())
def test_a_text_with_doubled_dollar_signs_is_itself(text: str) -> None:
    assert expand(text.replace("$", "$$"), ENVIRONMENT) == text


@given(st.text(alphabet="${},:ocenv.NOVAR'null\n"))
def test_any_text_is_expanded_or_refused(text: str) -> None:
    try:
        assert isinstance(expand(text, ENVIRONMENT), str)
    except UnresolvedError as error:
        assert "\n" not in str(error)  # noqa: PT017  # most texts raise nothing


@pytest.mark.parametrize(
    "uri",
    ["./mlruns", "mlruns", "/data/mlruns", "databricks", "databricks://profile", "azureml://x/y/",
     "file:///x/", "file:x", "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/a",
     "sqlite:///x.db", "../MLRUNS"],
)  # fmt: skip
def test_a_tracking_uri_stays_as_it_is(uri: str) -> None:
    assert tracking_uri(uri, ENVIRONMENT) == uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        (" http://h:5000/ ", "http://h:5000"),
        ("HTTPS://h/base//", "HTTPS://h/base"),
        ("VAR", "value"),
        ("low", "x"),
        ("~/mlruns", "/home/me/mlruns"),
    ],
)
def test_a_tracking_uri_is_tidied_and_looked_up(text: str, uri: str) -> None:
    assert tracking_uri(text, ENVIRONMENT) == uri


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "MLFLOW_TRACKING_URI",
            "variable MLFLOW_TRACKING_URI is not set; for a folder of this name write ./MLFLOW",
        ),
        ("EMPTY", "the environment variable EMPTY is empty"),
        ("localhost:5000", "write http:// or https:// before it"),
        ("mlflow.example.com:80/base", "write http:// or https:// before it"),
    ],
)
def test_half_a_tracking_uri_is_refused(text: str, said: str) -> None:
    with pytest.raises(UnresolvedError) as unresolved:
        tracking_uri(text, ENVIRONMENT)

    assert said in str(unresolved.value)


def test_the_setting_is_named_with_the_variable() -> None:
    with pytest.raises(SettingsError) as refused:
        resolve(
            environment=Environment(),
            config={"description": "$A", "tracking_uri": "B"},
            overrides=["tags.x=$C"],
        )

    assert str(refused.value) == (
        "3 problems with the settings: -o tags.x: the environment variable C is not set; for a plain dollar "
        "sign write $$; config: description: the environment variable A is not set; for a plain dollar sign "
        "write $$; config: tracking_uri: the environment variable B is not set; for a folder of this name "
        "write ./B"
    )


def test_part_of_a_password_is_not_taken_for_the_name_of_a_variable_to_show() -> None:
    config = {
        "tracking_uri": "http://user:pa$s3cret@h",
        "headers": {"Authorization": "Bearer x$s3cret"},
        "token_command": "get --password x$s3cret",
    }
    with pytest.raises(SettingsError) as refused:
        resolve(environment=Environment(), config=config)

    assert "s3cret" not in str(refused.value)
    assert str(refused.value).count("what follows a dollar sign in it is no variable that is set") == 3


def test_a_path_object_is_a_tracking_uri() -> None:
    assert (
        resolve(environment=Environment(), config={"tracking_uri": Path("mlruns")}).settings.tracking_uri
        == "mlruns"
    )


def test_numbers_may_come_from_variables() -> None:
    environment = Environment({"N": "3", "NO": "false"})
    settings = resolve(environment=environment, config={"workers": "$N", "log_artifacts": "${NO}"}).settings

    assert (settings.workers, settings.copy_artifacts) == (3, False)
