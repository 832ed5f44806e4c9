from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel
from result_samples import written

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.sources.masked_files import MAX_MASKED
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import one_line
from mlflow_rest_export.sources.result_files import (
    Objects,
    beside,
    changed,
    checked,
    identity,
    json_mask,
    uploads,
)

SECRET = "q7" * 12
SETTINGS = {"api_key": SECRET}


class _Inner(BaseModel):
    done: bool


class _Whole(BaseModel):
    parts: Objects
    names: list[str]
    inner: _Inner


def cannot(why: str) -> str:
    return f"it may hold secrets that cannot be masked: {why}; take them out to have it uploaded"


def uploaded(path: Path, *, settings: object = SETTINGS, near: tuple[Path, ...] = ()) -> dict[str, object]:
    notes: list[Adjustment] = []
    mask = json_mask(path, settings)
    found = uploads(path, ReadOptions(), notes, neighbours=near, configs=("scenario.json",), mask=mask)
    return {
        **{artifact.path: artifact.content for artifact in found},
        **{f"note {note.field}": note.reason for note in notes},
    }


def test_a_file_without_secrets_is_uploaded_as_it_lies_there(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", {"max_tokens": 5})

    assert uploaded(path, settings={"max_tokens": 5}) == {"a.json": path}


def test_secrets_are_masked_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = written(tmp_path, "a.results", SETTINGS)

    assert uploaded(path) == {
        "a.results": b'{"api_key": "***"}',
        "note artifact a.results": "secrets are masked in the copy",
    }


def test_a_file_whose_secrets_cannot_be_masked_is_left_out_and_noted(tmp_path: Path) -> None:
    broken = written(tmp_path, "a.json", b'{"api_key": "\xff"}')
    large = written(tmp_path, "b.json", "")
    with large.open("r+b") as file:
        file.truncate(MAX_MASKED + 1)

    assert uploaded(broken) == {"note artifact a.json": cannot("it is not UTF-8 text")}
    assert uploaded(large) == {"note artifact b.json": cannot("it is larger than 32 MiB")}


def test_configs_beside_a_result_are_masked(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", {})
    config = written(tmp_path, "run_config.yaml", f"api_key: {SECRET}\nmax_tokens: 5\n")
    plain = written(tmp_path, "other.yml", "max_tokens: 5\n")

    assert uploaded(path, settings=None, near=(config, plain)) == {
        "a.json": path,
        "run_config.yaml": config.read_bytes().replace(SECRET.encode(), b'"***"'),
        "other.yml": plain,
        "note artifact run_config.yaml": "secrets are masked in the copy",
    }


def test_what_lies_beside_is_sorted_and_not_hidden(tmp_path: Path) -> None:
    path = written(tmp_path / "home", "a.json", {})
    for name in ("c.jsonl", "b.jsonl", ".d.jsonl"):
        written(tmp_path / "home", name, "")
    (tmp_path / "home" / "folder.jsonl").mkdir()

    assert [near.name for near in beside(path, "*.jsonl", "b*", "*.json")] == ["b.jsonl", "c.jsonl"]


def test_what_lies_beside_but_is_a_link_that_leads_away_is_not_uploaded_and_told(tmp_path: Path) -> None:
    path = written(tmp_path / "home", "a.json", {})
    away = tmp_path / "home" / "away.jsonl"
    away.symlink_to(written(tmp_path, "away.jsonl", ""))
    inside = tmp_path / "home" / "inside.jsonl"
    inside.symlink_to(written(tmp_path / "home", "b.jsonl", ""))

    assert uploaded(path, settings=None, near=tuple(beside(path, "*.jsonl"))) == {
        "a.json": path,
        "b.jsonl": tmp_path / "home" / "b.jsonl",
        "inside.jsonl": inside,
        "note artifact away.jsonl": f"it is a link that leaves {tmp_path / 'home'}",
    }


def test_identity_is_that_of_the_bytes_in_their_order(tmp_path: Path) -> None:
    one, other = written(tmp_path, "a", "1"), written(tmp_path, "b", "2")

    assert identity(one) == identity(written(tmp_path, "c", "1"))
    assert identity(one, other) != identity(other, one)
    assert changed(one) > 1_700_000_000_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parts": []}, "parts: it should be an object"),
        ({"parts": {str(each): {} for each in range(20_001)}}, "parts: it has more than 20000 entries"),
        ({"names": {}}, "names: it should be a list"),
        ({"names": [1]}, "names.0: it should be a text"),
        ({"inner": []}, "inner: it should be an object"),
        ({"inner": {}}, "inner.done: it is missing"),
        ({"inner": {"done": "x"}}, "inner.done: it should be true or false"),
    ],
)
def test_mistakes_are_told_in_plain_words(change: dict[str, object], said: str) -> None:
    fine = {"parts": {}, "names": [], "inner": {"done": True}}
    with pytest.raises(SourceError) as caught:
        checked(_Whole, fine | change, Path("a"))

    assert str(caught.value) == f"a: {said}"


def test_names_are_shown_on_one_short_line() -> None:
    assert one_line("a\n b\x1b[31m\tc") == "a b [31m c"
    assert one_line("x" * 200) == "x" * 80 + "..."
