from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from result_samples import INSPECT_JSON, LM_EVAL, document, written

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.sources import json_scan
from mlflow_rest_export.sources.json_files import MAX_BYTES, outline, parse_json, read_json, read_members

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=6)
INDENTS = st.sampled_from([None, 1, "\t", "\r\n"])


def taken(read: Callable[[Path], Any], path: Path) -> Any:
    """Read; None where it is refused with one line that names the file."""
    try:
        return read(path)
    except SourceError as error:
        said = str(error)
    assert str(path) in said
    assert "\n" not in said
    return None


@pytest.mark.parametrize("path", [LM_EVAL, INSPECT_JSON])
def test_genuine_files_are_read_as_json_reads_them(path: Path) -> None:
    assert read_json(path) == read_members(path) == document(path)
    assert list(outline(path)) == list(document(path))


@settings(deadline=None)
@given(value=OBJECTS, indent=INDENTS, ascii_only=st.booleans(), mark=st.booleans())
def test_any_object_is_read_as_json_reads_it(
    tmp_path_factory: pytest.TempPathFactory,
    value: dict[str, object],
    indent: str,
    ascii_only: bool,
    mark: bool,
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode())

    assert read_members(path) == read_json(path) == value
    assert {key: json.dumps(inner, ensure_ascii=False)[0] for key, inner in value.items()} == outline(path)


@settings(deadline=None)
@given(value=OBJECTS, size=st.integers(1, 7))
def test_pieces_of_any_size_are_walked_alike(value: dict[str, object], size: int) -> None:
    class Small(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            return super().read(min(size, count if count is not None and count >= 0 else size))

    text = json.dumps(value).encode()

    whole = list(json_scan.scan(io.BytesIO(text)))
    assert list(json_scan.scan(Small(text))) == whole
    assert [json.loads(text[member.start : member.end]) for member in whole] == list(value.values())


@settings(deadline=None)
@given(text=st.text(st.sampled_from('{}[]":,\\ 1ae\n\x00é'), max_size=30))
@example('{"a":1}{"b":2}')
@example('{"a" "b"}')
def test_what_is_no_object_is_refused_as_json_refuses_it(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(text)
    outline(path)

    try:
        expected = json.loads(text, object_pairs_hook=tuple)
    except ValueError:
        expected = None
    read = taken(read_members, path)

    if isinstance(expected, tuple) and len(dict(expected)) == len(expected) and text.lstrip().startswith("{"):
        assert tuple(read or ()) == tuple(key for key, _ in expected) or read is None
    else:
        assert read is None


@settings(deadline=None)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_bytes(data)
    outline(path)

    taken(read_json, path)
    taken(read_members, path)


def test_members_that_are_left_cost_no_memory_and_are_not_checked(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", '{"a": 1, "samples": [{"x": oops}, "}"], "b": [NaN, Infinity]}')

    members = read_members(path, leave=("samples",))

    assert members.keys() == {"a", "b"}
    assert members["a"] == 1
    numbers = members["b"]
    assert isinstance(numbers, list)
    assert math.isnan(numbers[0])
    assert numbers[1] == math.inf


def test_the_outline_looks_no_further_than_it_must(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", '{"a": 1, "b": ["' + "x" * MAX_BYTES)

    assert outline(path) == {"a": "1", "b": "["}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1:1: it is empty"),
        ("[1]", ":1:1: it is not a JSON object"),
        ("nothing", ":1:1: it is not a JSON object"),
        ('{"a": 1', ":1:8: the file ends in the middle"),
        ('{"a": "x', ":1:9: the file ends in the middle"),
        ('{"a": 1}\n{"b": 2}', ":2:1: more text follows behind the JSON object"),
        ('{"a": 1}\nx', ":2:1: more text follows behind the JSON object"),
        ('{"a": 1,}', ":1:9: not JSON"),
        ('{"a": 1 "b": 2}', ":1:9: not JSON"),
        ('{"a": {} []}', ":1:10: not JSON"),
        ('{"a" 1}', ":1:6: not JSON"),
        ('{"a": 1, "a": 2}', 'the key "a" stands twice'),
        ('{"a": {"b": 1, "b": 2}}', 'the key "b" stands twice in one object'),
        ('{"a":\n [1,\n  oops]}', ":3:3: not JSON, expecting value"),
        ('{"a": [1}]', ":1:9: a bracket is closed that is not open"),
        ('{"\\x": 1}', ":1:9: a key is not JSON text"),
        ('{"' + "k" * 5000 + '": 1}', "a key is longer than 4096 bytes"),
        ('{"a": ' + "[" * 101, "nested deeper than 100"),
        ('{"a": 1' + "0" * 400 + "}", "a number of 401 characters"),
        ("{" + ",".join(f'"{n}": 1' for n in range(10_001)) + "}", "more than 10000 members"),
    ],
)
def test_the_place_of_a_mistake_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, "a.json", text)

    with pytest.raises(SourceError) as raised:
        read_members(path)

    assert str(raised.value) == f"{path}{said}" or said in str(raised.value)


def test_what_is_not_utf_8_is_told_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", b'{"a": 1,\n "b": "\xff"}')

    for read in (read_json, read_members):
        with pytest.raises(SourceError, match=r"a.json:2:8: the file is not UTF-8 text"):
            read(path)


def test_long_keys_are_cut_in_messages() -> None:
    key = "k" * 200
    with pytest.raises(SourceError) as raised:
        parse_json(f'{{"{key}": 1, "{key}": 2}}'.encode(), "a")

    assert len(str(raised.value)) < 150


@pytest.mark.parametrize("depth", [102, 500, 100_000])
def test_depth_is_bounded_in_a_whole_document(depth: int) -> None:
    with pytest.raises(SourceError, match="nested deeper than 100"):
        parse_json(b"[" * depth + b"]" * depth, "a")
    assert parse_json(b"[" * 100 + b"]" * 100, "a")


def test_sizes_are_bounded(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", '{"a": "' + "x" * 100 + '"}')

    with pytest.raises(SourceError, match="it is larger than 0 MiB"):
        read_json(path, max_bytes=100)
    with pytest.raises(SourceError, match="it holds over 0 MiB of results"):
        read_members(path, max_bytes=100)
    assert read_members(path, leave=("a",), max_bytes=100) == {}


def test_pipes_folders_and_missing_files_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path, said in ((tmp_path / "pipe", "it is not a file"), (tmp_path, "it is not a file")):
        assert outline(path) == {}
        for read in (read_json, read_members):
            with pytest.raises(SourceError, match=said):
                read(path)
    for read in (read_json, read_members):
        with pytest.raises(SourceError, match="no such file"):
            read(tmp_path / "none")
