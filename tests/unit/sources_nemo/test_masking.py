from __future__ import annotations

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.sources.masking import Masked, mask_document, mask_text
from mlflow_rest_export.yaml_files import parse_yaml

TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\ufffe\uffff\u2028\u2029\x85")
    | st.sampled_from("\n\t #:{}[],&*!|>'\"%@`-?"),
    max_size=20,
)
SECRETS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-/+ :#'\"\\é\n", min_size=3, max_size=30).map(
    "q7".__add__
)
NAMES = st.sampled_from(["model", "max_tokens", "name", "x y", "#odd", "api_key_name", "url"])
SECRET_NAMES = st.sampled_from(["api_key", "Token", "password", "Authorization"])
SCALARS = TEXTS | st.integers(-99, 99) | st.none() | st.booleans() | st.floats(allow_nan=False, width=16)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3)
        | st.tuples(SECRET_NAMES, SECRETS, st.dictionaries(NAMES, inner, max_size=2)).map(
            lambda t: {**t[2], t[0]: t[1]}
        )
    ),
    max_leaves=12,
)


def same_but_masked(before: object, after: object, secret: bool = False) -> bool:  # noqa: FBT002  # a test's own
    if isinstance(before, dict):
        assert isinstance(after, dict)
        assert list(before) == list(after)
        pairs = [
            (before[key], after[key], key.lower() in {"api_key", "token", "password", "authorization"})
            for key in before
        ]
        return all(same_but_masked(*pair) for pair in pairs)
    if isinstance(before, list):
        assert isinstance(after, list)
        return len(before) == len(after) and all(map(same_but_masked, before, after))
    if secret:
        return after == "***"
    return before == after or (isinstance(after, str) and "***" in after)


@given(
    document=DOCUMENTS,
    flow=st.sampled_from([True, False, None]),
    style=st.sampled_from([None, '"', "'", "|", ">"]),
    width=st.sampled_from([5, 80]),
    indent=st.sampled_from([2, 4]),
    unicode=st.booleans(),
)
def test_masked_yaml_reads_the_same_but_for_the_secrets(
    document: object, flow: bool | None, style: str | None, width: int, indent: int, unicode: bool
) -> None:
    text = yaml.dump(
        document,
        default_flow_style=flow,
        default_style=style,
        width=width,
        indent=indent,
        allow_unicode=unicode,
    )
    before = parse_yaml(text, "x")

    masked = mask_text(text, name="x.yml")

    assert same_but_masked(before, parse_yaml(masked.text, "x"))
    assert mask_text(masked.text, name="x.yml") == Masked(masked.text, 0)


@given(document=DOCUMENTS, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_masked_json_reads_the_same_but_for_the_secrets(
    document: object, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)

    masked = mask_text(text, name="x.json")

    assert same_but_masked(document, json.loads(masked.text))
    assert mask_text(masked.text, name="x.json").count == 0


@given(
    before=st.dictionaries(NAMES, SCALARS),
    after=st.lists(SCALARS),
    secret=SECRETS,
    style=st.sampled_from(["", '"', "|", ">"]),
)
def test_every_character_outside_the_secret_is_unchanged(
    before: dict[str, object], after: list[object], secret: str, style: str
) -> None:
    head = yaml.dump({"before": before}, default_flow_style=False) + "# a comment\n"
    tail = "\n# another\n" + yaml.dump({"after": after}, default_flow_style=None)
    middle = yaml.dump({"api_key": secret}, default_style=style or None).replace('"api_key"', "api_key")

    masked = mask_text(head + middle + tail, name="x").text

    assert masked.startswith(head)
    assert masked.endswith(tail)
    assert parse_yaml(masked[len(head) : len(masked) - len(tail)], "x") == {"api_key": "***"}


def test_masking_keeps_anchors_aliases_tags_comments_and_line_ends() -> None:
    text = (
        "\ufeff# kept\r\n"
        "base: &b {api_key: 's3cret-one', n: 1} # kept too\r\n"
        "job:\r\n  <<: *b\r\n  token: &t !!str s3cret-two\r\n"
        "again: *t\r\n"
        "plain: &p s3cret-three\r\n"
        "password: *p\r\n"
    )

    masked = mask_text(text, name="x.yml")

    assert masked.text == (
        "\ufeff# kept\r\n"
        "base: &b {api_key: '***', n: 1} # kept too\r\n"
        'job:\r\n  <<: *b\r\n  token: &t "***"\r\n'
        "again: *t\r\n"
        'plain: &p "***"\r\n'
        "password: *p\r\n"
    )
    assert masked.count == 3


def test_block_scalars_are_replaced_whole_and_the_next_key_stays_on_its_line() -> None:
    text = "a:\n  private_key: |+\n    one\n    two\n\n  next: 1\nb:\n- password: >-\n    x\n    y\n- z"

    assert mask_text(text, name="x").text == 'a:\n  private_key: "***"\n  next: 1\nb:\n- password: "***"\n- z'


def test_in_long_texts_only_the_secret_is_replaced() -> None:
    text = "command: run --token abc\n  --more\ncmd2: |\n  export MY_TOKEN=abcdefgh\n  # go\n"

    assert mask_text(text, name="x").text == (
        "command: run --token ***\n  --more\ncmd2: |\n  export MY_TOKEN=***\n  # go\n"
    )


def test_a_secret_spelt_with_escapes_is_found() -> None:
    assert mask_text('"api\\x5fkey": "\\x61bc"', name="x").text == '"api\\x5fkey": "***"'
    assert mask_text('{url: "http:\\/\\/u:p@h"}', name="x").text == '{url: "http://***@h"}'
    assert mask_text('{"url": "http:\\/\\/u:p@h"}', name="x.json").text == '{"url": "http://***@h"}'


def test_a_text_that_cannot_be_read_is_refused_with_its_place() -> None:
    with pytest.raises(SourceError, match=r"run_config\.yml:2:2"):
        mask_text("a: [1\nb: 2", name="run_config.yml")
    with pytest.raises(SourceError, match=r"x\.json:1:2"):
        mask_text("{1", name="x.json")


def test_an_empty_text_and_one_of_comments_alone_are_fine() -> None:
    assert mask_text("", name="x") == Masked("", 0)
    assert mask_text("# token: abcdefg1", name="x") == Masked("# token: ***", 1)


def test_a_secret_that_cannot_be_masked_in_place_is_refused() -> None:
    with pytest.raises(SourceError, match=r"x\.yml: its secrets cannot be masked in place"):
        mask_text("{&k s3cret-one: 1, api_key: *k}", name="x.yml")


def test_a_json_text_stays_valid_when_a_secret_ends_at_an_escaped_quote() -> None:
    text = json.dumps({"command": 'run "--api-key abc" -x', "other": 'HF_TOKEN="abcdefgh"'})

    masked = json.loads(mask_text(text, name="x.json").text)

    assert masked == {"command": 'run "--api-key ***" -x', "other": 'HF_TOKEN="***"'}


def test_keys_are_never_masked() -> None:
    text = "api_key: {inner: lit}\n? api_key2\n: https://h/x\n&a token: x\nother: {*a : 1}\n"

    assert mask_text(text, name="x").text.startswith('api_key: {inner: "***"}\n? api_key2\n')


def test_a_parsed_document_is_masked_in_a_copy_and_the_masked_names_are_told() -> None:
    document = {
        "env_vars": {"JUDGE_API_KEY": "lit:dummy-judge-key", "HF": "host:HF"},
        "tasks": [{"api_key": "abc"}, {"nan": math.nan, "n": 1, "none": None}],
        "command": "run dummy-judge-key",
    }

    shown, names = mask_document(document)

    assert names == ("env_vars.JUDGE_API_KEY", "tasks.0.api_key", "command")
    assert json.dumps(shown) == json.dumps(
        {
            "env_vars": {"JUDGE_API_KEY": "lit:***", "HF": "host:HF"},
            "tasks": [{"api_key": "***"}, {"nan": math.nan, "n": 1, "none": None}],
            "command": "run ***",
        }
    )
    assert document["command"] == "run dummy-judge-key"
