"""YAML: the same values as the usual loader gives, within bounds, with a place for every mistake."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export import yaml_files
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.yaml_files import load_yaml, parse_yaml
from mlflow_rest_export.yaml_values import WrittenFloat, WrittenInt, written

# PyYAML writes these three line breaks as they are and reads them back as a space
WORDS = st.characters(exclude_characters="\x85\u2028\u2029", exclude_categories=["Cs"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(WORDS, max_size=20)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(WORDS, max_size=8) | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


def refusal(text: str) -> str:
    with pytest.raises(SourceError) as refused:
        parse_yaml(text, "f")
    return str(refused.value)


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, False, True]))
def test_what_yaml_writes_is_read_back(document: object, unicode: bool, flow: bool | None) -> None:
    text = yaml.safe_dump(document, allow_unicode=unicode, default_flow_style=flow)

    assert parse_yaml(text, "f") == document
    assert parse_yaml(text, "f", keep_written=True) == document


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%#?,<= \n\t019.eE_x~\x00\ud800é"))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        parse_yaml(text, "f")
    except SourceError as error:
        assert str(error).startswith("f:")  # noqa: PT017  # some texts are good
        assert "\n" not in str(error)  # noqa: PT017  # the same


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment", None),
        ("2026-11-22", "2026-11-22"),
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        ("[yes, No, ~, 0x1F, 1_000, 1.5e+3, 1e5, 017]", [True, False, None, 31, 1000, 1500.0, "1e5", 15]),
        ("[! 1, !!str 1, !!int '1', !!float '1', !!null '', !!bool 'on']", ["1", "1", 1, 1.0, None, True]),
        ("= : a", {"=": "a"}),
        ("{a: &x [1], b: *x, c: &x 2, d: *x}", {"a": [1], "b": [1], "c": 2, "d": 2}),
        ("a: &a {x: 1, y: 1}\nb: {x: 2, <<: *a}", {"a": {"x": 1, "y": 1}, "b": {"x": 2, "y": 1}}),
        (
            "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}",
            {"a": {"x": 1}, "b": {"x": 2, "y": 2}, "c": {"x": 1, "y": 2}},
        ),
        ("|\n  a\n  b\n", "a\nb\n"),
        ('"\\u00e9"', "é"),
    ],
)
def test_a_text_means_what_the_usual_loader_says_but_dates_stay_text(text: str, value: object) -> None:
    assert parse_yaml(text, "f") == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1: this key stands twice in one mapping"),
        ("a:\n  - *x", "f:2:5: an alias stands here whose anchor is missing or not finished"),
        ("&a [*a]", "f:1:5: an alias stands here whose anchor is missing or not finished"),
        ("a: !!python/object:os.system x", "f:1:4: a YAML tag that is not supported; plain YAML has none"),
        ("a: !!set {x}", "f:1:4: a YAML tag that is not supported; plain YAML has none"),
        ("a: !mine x", "f:1:4: a YAML tag that is not supported; plain YAML has none"),
        ("9" * 401, "f:1:1: a number of 401 characters"),
        ("0x_", "f:1:1: this is not a value of the kind int"),
        ("!!float x", "f:1:1: this is not a value of the kind float"),
        ("!!bool x", "f:1:1: this is not a value of the kind bool"),
        ("!!int ''", "f:1:1: this is not a value of the kind int"),
        ("? [a]\n: b", "f:1:5: a list or mapping cannot be a key"),
        ("<<: 1", "f:1:5: '<<' takes a mapping or a list of mappings"),
        ("<<: [1]", "f:1:7: '<<' takes a mapping or a list of mappings"),
        ("a\n---\nb", "f:2:1: a second YAML document begins, only one is read"),
        ("[" * 101, "f:1:101: lists and mappings are nested deeper than 100"),
        ("{a: " * 101, "f:1:401: lists and mappings are nested deeper than 100"),
        ("\ud800", "f: the text is not valid Unicode"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    assert refusal(text) == said


@pytest.mark.parametrize("text", ["a: [1", "\ta: 1", "a: 'x", "a: b: c", "%YAML 9.9\n---\na", '"\\ud800"'])
def test_a_mistake_of_form_has_a_place(text: str) -> None:
    assert refusal(text).startswith(("f:1:", "f:2:"))


def test_a_forbidden_character_is_told() -> None:
    assert refusal("a: \x00").startswith("f:1:4: a character that YAML does not allow, ")
    assert refusal("ü: 1\nb: \x07").startswith("f:2:4: a character that YAML does not allow, ")


def test_the_slower_parser_reads_the_same() -> None:
    program = (
        "import yaml; del yaml.CSafeLoader\n"
        "from mlflow_rest_export.yaml_files import parse_yaml\n"
        "print(parse_yaml('a: [1, 2.5, &x text, *x]', 'f'), end=' ')\n"
        "try: parse_yaml('a: [1\\nb: 2', 'f')\n"
        "except Exception as error: print(str(error)[:4], end=' ')\n"
        "try: parse_yaml('a: \\0', 'f')\n"
        "except Exception as error: print(str(error)[:13])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "{'a': [1, 2.5, 'text', 'text']} f:2: f:1:4: a char\n"


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert str(parse_yaml("[" * 100 + "]" * 100, "f")) == "[" * 100 + "]" * 100


def test_aliases_may_stand_for_many_values_but_not_for_too_many() -> None:
    def bomb(levels: int) -> str:
        lines = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
        return "\n".join(["a0: &a0 [x, x]", *lines])

    assert parse_yaml(bomb(6), "f")
    assert refusal(bomb(12)) == "f:7:30: aliases stand for more than 1,000,000 values"


def test_numbers_can_keep_how_they_were_written() -> None:
    document: Any = parse_yaml("[3.10, 0x1F, 1_000, .inf, text, true]", "f", keep_written=True)

    assert [written(value) for value in document if not isinstance(value, str)] == [
        "3.10", "0x1F", "1_000", ".inf", "true",
    ]  # fmt: skip
    assert document[:3] == [3.1, 31, 1000]
    assert isinstance(document[0], WrittenFloat)
    assert isinstance(document[1], WrittenInt)
    assert math.isinf(document[3])
    assert [type(value) for value in parse_yaml("[3.10, 1]", "f")] == [float, int]  # type: ignore[attr-defined]


def test_a_number_from_elsewhere_is_written_as_python_does() -> None:
    assert [written(value) for value in (1, 2.5, False)] == ["1", "2.5", "false"]


def test_a_file_is_read_with_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")

    assert load_yaml(path) == {"a": 1, "b": 2}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    cases = {
        tmp_path: "it is not a file",
        tmp_path / "pipe": "it is not a file",
        tmp_path / "none": "no such file or directory",
        tmp_path / "loop": "too many levels of symbolic links",
        Path("bad\0name"): "embedded null",  # byte, or character: it depends on the Python
    }
    for path, reason in cases.items():
        with pytest.raises(SourceError) as refused:
            load_yaml(path)
        assert str(refused.value).startswith(f"cannot read {path}: ")
        assert reason in str(refused.value)


def test_a_pipe_that_the_user_named_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a: 1")
    os.close(writing)

    assert load_yaml(Path(f"/dev/fd/{reading}")) == {"a": 1}
    os.close(reading)


def test_text_that_is_not_utf_8_has_a_place(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(SourceError) as refused:
        load_yaml(path)

    assert str(refused.value) == f"{path}:2:4: the file is not UTF-8 text"


def test_a_file_over_the_bound_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(yaml_files.MAX_BYTES + 1)

    with pytest.raises(SourceError, match=f"^cannot read {path}: it is larger than 32 MiB$"):
        load_yaml(path)
    with pytest.raises(SourceError, match=r"^cannot read f: it is larger than 32 MiB$"):
        parse_yaml(" " * (yaml_files.MAX_BYTES + 1), "f")
