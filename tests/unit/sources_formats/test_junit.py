from __future__ import annotations

from pathlib import Path

import pytest
from result_samples import JUNIT, many, one, paths, reason, values, written

from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.sources import junit


def test_what_pytest_counts_becomes_metrics() -> None:
    record = one(junit.read, JUNIT)

    got = values(record)
    seconds = got.pop("pytest/time")
    assert got == {"pytest/tests": 4.0, "pytest/failures": 1.0, "pytest/errors": 1.0, "pytest/skipped": 1.0}
    assert seconds > 0
    assert record.status is RunStatus.FINISHED
    assert record.params == {"pytest.model": "demo/model-1"}
    assert record.tags["pytest.hostname"] == "builder"
    assert record.end_time == record.start_time + round(seconds * 1000)
    assert paths(record) == ["pytest.xml"]


SUITES = """<?xml version="1.0"?>
<testsuites>
  <testsuite name="a" tests="2" failures="1" errors="0" skipped="0" time="1,234.5"
      timestamp="2026-01-01T00:00:00">
    <testcase name="x"/>
    <testcase name="y"><failure message="no"/></testcase>
    <testsuite name="inner" tests="1" failures="0" errors="0" skipped="0"><testcase name="z"/></testsuite>
  </testsuite>
  <testsuite name="a"><testcase name="x"><skipped/><error/></testcase><testcase name="y"/></testsuite>
  <testsuite tests="many"/>
</testsuites>"""


def test_suites_keep_their_names_apart_and_have_totals(tmp_path: Path) -> None:
    record = one(junit.read, written(tmp_path, "a.xml", SUITES))

    assert values(record) == {
        "a/tests": 2,
        "a/failures": 1,
        "a/errors": 0,
        "a/skipped": 0,
        "a/time": 1234.5,
        "inner/tests": 1,
        "inner/failures": 0,
        "inner/errors": 0,
        "inner/skipped": 0,
        "a-2/tests": 2,
        "a-2/failures": 0,
        "a-2/errors": 0,
        "a-2/skipped": 1,
        "testsuite/tests": 0,
        "testsuite/failures": 0,
        "testsuite/errors": 0,
        "testsuite/skipped": 0,
        "tests": 4,
        "failures": 1,
        "errors": 0,
        "skipped": 1,
    }
    assert (record.start_time, record.end_time) == (1767225600000, 1767225600000 + 1234500)


def test_suites_become_children_when_asked(tmp_path: Path) -> None:
    _, *children = many(junit.read, written(tmp_path, "a.xml", SUITES), per_task=True)

    assert [child.tags["task_name"] for child in children] == ["a", "inner", "a-2", "testsuite"]


def test_namespaces_and_a_lone_suite_are_read(tmp_path: Path) -> None:
    inside = '<testcase/><properties><property name="p"/></properties>'
    text = f'<testsuite xmlns="urn:x" name="s">{inside}</testsuite>'
    record = one(junit.read, written(tmp_path, "a.xml", text))

    assert values(record)["s/tests"] == 1
    assert record.params == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ":1:1: not XML, no element found"),
        ("<testsuites>", ":1:13: not XML, no element found"),
        ("<testsuites/>", "it has no test suite"),
        ("<html/>", "its outermost element is html"),
        ("<testsuite>" + f"<!-- {'x' * (2 << 20)} -->" + "</testsuite>", "longer than 1 MiB"),
        ("<testsuite>" + "<property value='1'/>" * 10_001, "more than 10000 properties"),
        ("<testsuite>" * 101, "nested deeper than 100"),
        ("<testsuites>" + "<testsuite/>" * 10_001, "more than 10000 suites"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><testsuite/>', "document type declaration"),
        (b"<testsuite>\xff</testsuite>", ":1:12: not XML"),
        ('<?xml version="1.0" encoding="klingon"?><testsuite/>', "unknown encoding: klingon"),
    ],
)
def test_what_is_no_junit_is_told(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert said in reason(junit.read, written(tmp_path, "a.xml", content))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<testsuite/>", True),
        ("<testsuites><testsuite name='a'>", True),
        ("<html/>", False),
        ("{}", False),
        ("", False),
        ("<!DOCTYPE x><testsuite/>", False),
    ],
)
def test_a_file_is_recognised_by_its_outermost_element(tmp_path: Path, content: str, expected: bool) -> None:
    assert junit.recognises(written(tmp_path, "a.xml", content)) is expected
    assert not junit.recognises(tmp_path)


def test_suites_without_counts_have_those_of_the_suites_inside(tmp_path: Path) -> None:
    inner = "<testsuite name='b'><testcase/><testcase><failure/></testcase></testsuite>"
    told = "<testsuite name='c' tests='5'/>"
    path = written(tmp_path, "a.xml", f"<testsuite name='a'><testcase/>{inner}{told}</testsuite>")

    found = values(one(junit.read, path))

    assert (found["a/tests"], found["b/tests"], found["c/tests"]) == (8, 2, 5)
    assert (found["tests"], found["failures"]) == (8, 1)


def test_a_property_that_is_repeated_arrives_with_each_value(tmp_path: Path) -> None:
    pairs = "".join(f"<property name='p' value='{value}'/>" for value in "vwv")
    path = written(tmp_path, "a.xml", f"<testsuite name='a'><properties>{pairs}</properties></testsuite>")

    record = one(junit.read, path)

    assert record.params == {"a.p": "v", "a.p-2": "w"}
    assert [note.before for note in record.adjustments] == ["w"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "no such file" in reason(junit.read, tmp_path / "a.xml")
