"""Holds ``docs/mapping.md`` against the genuine files, and against documents with every field.

Each value has a row and is where the row says, and nothing is exported that no row tells.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from result_every_field import EVERY_FIELD
from result_samples import SAMPLES

from mlflow_rest_export.records import RunRecord
from mlflow_rest_export.sources import detection, zip_members
from mlflow_rest_export.sources.masking import written
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.run_values import ABSENT

PAGE = Path(__file__).parents[3] / "docs" / "mapping.md"
ELSEWHERE = (
    "file only",
    "in the names of metrics",
    "start ",
    "end ",
    "as `results`",
    "dataset input",
    "the file",
)
"""What a row may say instead of a metric, param or tag."""


@dataclass(frozen=True)
class Row:
    """One row of a table: what it is about, and where that lands."""

    field: str
    lands: str
    lossless: str

    def matches(self, place: tuple[str, ...]) -> dict[str, str] | None:
        """Give what the placeholders stand for when the row is about the value at a place."""
        wanted = self.field.split(".")
        found: dict[str, str] = {}
        for number, part in enumerate(wanted):
            if part == "**":
                rest = [inner for inner in place[number:] if inner != "[]"]
                return {**found, "**": ".".join(rest)} if len(place) >= number else None
            pattern = "".join(
                f"(?P<{piece[1:-1]}>.*)" if piece.startswith("<") else re.escape(piece)
                for piece in re.split(r"(<\w+>)", part)
            )
            match = re.fullmatch(pattern, place[number]) if number < len(place) else None
            if match is None:
                return None
            found |= match.groupdict()
        return found if len(place) == len(wanted) else None


def sections() -> Iterator[tuple[str, list[Path], list[Row]]]:
    for section in PAGE.read_text().split("\n## ")[1:]:
        title = section.partition("\n")[0].partition(":")[0]
        said = re.search(r"^Sample: (.*)$", section, re.MULTILINE)
        samples = (
            [path for glob in re.findall("`(.*?)`", said[1]) for path in SAMPLES.glob(glob)] if said else []
        )
        rows = [
            Row(*row) for row in re.findall(r"^\| `([^|]+)` \| (.*?) \| (.*?) \|$", section, re.MULTILINE)
        ]
        yield title, samples, rows


CASES = [(title, sample, rows) for title, samples, rows in sections() for sample in samples]


def document(sample: Path) -> Any:
    if sample.suffix == ".xml":
        (suite,) = ET.parse(sample).getroot()  # noqa: S314  # our own file
        properties = {each.get("name"): each.get("value") for each in suite.iterfind("properties/property")}
        cases = [dict(case.attrib) for case in suite.iterfind("testcase")]
        return {"testsuite": {**suite.attrib, "properties": properties}, "testcase": cases}
    if sample.suffix == ".eval":
        member = zip_members.find(sample, {"header.json"})["header.json"]
        return json.loads(zip_members.unpack(sample, "header.json", member))
    return json.loads(sample.read_text())


def leaves(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = value.items() if isinstance(value, dict) else (("[]", each) for each in value)
    for key, deeper in inner:
        if isinstance(deeper, (dict, list)):
            yield from leaves(deeper, (*above, key))
        elif deeper is not None and deeper != "":
            yield (*above, key), deeper


def filled(template: str, found: dict[str, str]) -> str | None:
    """Fill a name in; None when it has a part that stands elsewhere in the document."""
    names = re.findall(r"<([^>]+)>", template)
    if "[" in template or any(name not in found for name in names):
        return None
    return re.sub(r"<([^>]+)>", lambda match: found[match[1]], template)


def holds(record: RunRecord, kind: str, template: str, found: dict[str, str], value: Any) -> bool:
    """Say whether the record has the value under the name, or under any where the name is not told."""
    name = filled(template.rstrip("."), found)
    if kind == "metric":
        return any(
            (name is None or point.key == name) and point.value == float(value) for point in record.metrics
        )
    texts = record.params if kind == "param" else record.tags
    return any(
        (name is None or key == name or (key and name.startswith(f"{key}.")))
        and (text == written(value) or json.dumps(value, ensure_ascii=False).strip('"') in text)
        for key, text in texts.items()
    )


def named(value: object) -> str:
    return value.name[-25:] if isinstance(value, Path) else value if isinstance(value, str) else ""


@pytest.mark.parametrize(("title", "sample", "rows"), CASES, ids=named)
def test_every_value_has_a_row_and_is_where_it_says(title: str, sample: Path, rows: list[Row]) -> None:
    (record,) = detection.read([sample], ReadOptions(), format=title)
    assert isinstance(record, RunRecord)
    check(record, document(sample), rows)


@pytest.mark.parametrize("title", EVERY_FIELD)
def test_every_field_that_an_evaluator_may_write_is_where_the_page_says(title: str, tmp_path: Path) -> None:
    path = tmp_path / "results_2026-01-01T00-00-00.json"
    path.write_text(json.dumps(EVERY_FIELD[title]))
    (record,) = detection.read([path], ReadOptions())
    assert isinstance(record, RunRecord)
    (rows,) = (rows for name, _, rows in sections() if name == title)

    told = check(record, EVERY_FIELD[title], rows)

    names = [("metric", point.key) for point in record.metrics]
    names += [("param", name) for name in record.params] + [("tag", name) for name in record.tags]
    assert [name for name in names if not any(explains(each, *name) for each in told | COMMON)] == []


COMMON = {("param", "model_id"), ("tag", "model"), ("tag", "harness"), ("tag", "task_name")}


def explains(told: tuple[str, str], kind: str, name: str) -> bool:
    """Say whether a row that puts something under a name is about this one, or about the list above it."""
    pattern = "".join(
        {"[": "(?:", "]": ")?"}.get(piece, ".*" if piece.startswith("<") else re.escape(piece))
        for piece in re.split(r"(<[^>]+>|[\[\]])", told[1])
    )
    return told[0] == kind and (re.fullmatch(pattern, name) is not None or told[1].startswith(f"{name}."))


def check(record: RunRecord, content: Any, rows: list[Row]) -> set[tuple[str, str]]:
    """Find each value where its row says; give the kinds and names that the rows tell."""
    used = set()
    told: set[tuple[str, str]] = set()
    task = record.tags.get("task_name", "")
    for place, value in leaves(content):
        row, found = next((row, found) for row in rows if (found := row.matches(place)) is not None)
        used.add(row)
        landings = re.findall(r"(metric|param|tag) `([^`]+)`", row.lands)
        assert landings or row.lands.startswith(ELSEWHERE), row
        assert (row.lossless == "yes") == bool(
            landings or not row.lands.startswith(("file", "start", "end"))
        ), row
        if landings and landings[0][0] == "metric" and isinstance(value, str) and value.lower() in ABSENT:
            continue
        for kind, template in landings:
            if "several trials" in row.lands or ("when it is true" in row.lands and value is False):
                continue
            known = {"task": task, "suite": task, **found} if task and "key" not in found else found
            told.add((kind, filled(template.rstrip("."), known) or template))
            if "when it" in row.lands and value not in [point.value for point in record.metrics]:
                continue
            assert holds(record, kind, template, known, value), (place, value, row)
    assert len(used) > 2
    return told


def test_every_format_that_reads_files_of_others_has_a_table() -> None:
    rows_of = {
        title: rows for title, _, rows in sections() if title != "mlruns"
    }  # which are no others' files

    assert rows_of.keys() | {"nemo-launcher", "mlruns"} == set(detection.names()) - {"auto"}
    assert all(rows_of.values())
