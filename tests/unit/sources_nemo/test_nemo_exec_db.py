from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from launcher_folders import row, write_database

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.sources.nemo.exec_db import open_exec_db

ONE = [row(f"abcd1234.{number}") for number in (10, 2, 0)]


@pytest.mark.parametrize("text", ["abcd1234", "ABCD1234", "a", "AbC"])
def test_any_unique_prefix_in_any_case_means_the_jobs_of_the_invocation_in_index_order(
    text: str, tmp_path: Path
) -> None:
    database = open_exec_db(write_database(tmp_path / "db", [*ONE, row("ef.0")]))

    assert database.find(text) == ("abcd1234.0", "abcd1234.2", "abcd1234.10")


def test_the_index_of_a_job_id_must_be_exact(tmp_path: Path) -> None:
    database = open_exec_db(write_database(tmp_path / "db", ONE))

    assert database.find("AB.2") == ("abcd1234.2",)
    assert database.find("ab.1") == ()
    assert database.find("ab.") == ()


def test_a_prefix_that_fits_several_is_refused_with_their_names_and_a_whole_id_is_not(tmp_path: Path) -> None:
    database = open_exec_db(
        write_database(tmp_path / "db", [row(f"abc{end}.0") for end in ("", "d", "e", 1, 2, 3)])
    )

    with pytest.raises(
        SourceError, match=r"^ab fits 6 invocations \(abc, abc1, abc2, abc3, abcd and 1 more\); give"
    ):
        database.find("ab")
    with pytest.raises(SourceError, match="fits 6"):
        database.find("ab.0")
    assert database.find("abc") == ("abc.0",)
    assert database.find("ABCD") == ("abcd.0",)


def test_old_job_ids_without_a_dot_are_found(tmp_path: Path) -> None:
    rows = [row("12345678"), row("feedbeef", invocation_id="87654321")]
    database = open_exec_db(write_database(tmp_path / "db", rows))

    assert database.find("1234") == ("12345678",)
    assert database.find("FEEDBEEF") == ("feedbeef",)
    assert database.find("8765") == ("feedbeef",)


@pytest.mark.parametrize("text", ["", ".", "zz", "zz.0", ".0"])
def test_what_is_not_in_the_database_is_nothing(text: str, tmp_path: Path) -> None:
    assert open_exec_db(write_database(tmp_path / "db", ONE)).find(text) == ()


def test_the_last_row_of_a_job_counts(tmp_path: Path) -> None:
    database = open_exec_db(write_database(tmp_path / "db", [row("a.0"), row("a.0", data={"killed": True})]))

    found = database.row("a.0")

    assert found.data is not None
    assert found.data.killed


def test_lines_that_are_no_rows_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["{", "", "[]", json.dumps({"job_id": "b.0", "executor": "local"}), '{"job_id": "' + "x" * 100]
    path = write_database(tmp_path / "db", [row("a.0"), *lines, row("c.0")])

    with caplog.at_level(logging.WARNING):
        database = open_exec_db(path)

    assert list(database.places) == ["a.0", "c.0"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}:{number}: not a row of the launcher, left out" for number in (2, 4, 5, 6)
    ]
    assert database.row("c.0").job_id == "c.0"


def test_a_row_that_is_odd_costs_its_own_job_and_its_place_is_told(tmp_path: Path) -> None:
    path = write_database(tmp_path / "db", [row("a.0"), row("a.1", data={"output_dir": 5})])
    database = open_exec_db(path)

    assert database.row("a.0").timestamp == 1795374380.5
    with pytest.raises(SourceError, match=rf"{path}:2: data\.output_dir: input should be a valid string"):
        database.row("a.1")


def test_a_row_with_a_config_nested_out_of_bounds_is_refused(tmp_path: Path) -> None:
    deep = '{"a":' * 150 + "1" + "}" * 150
    line = json.dumps(row("a.0")).replace('"config": null', f'"config": {deep}')
    database = open_exec_db(write_database(tmp_path / "db", [line]))

    with pytest.raises(SourceError, match="nested deeper"):
        database.row("a.0")


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = write_database(tmp_path / "db", [row("a.0")])
    database = open_exec_db(path)
    write_database(path, [row("b.0")])

    with pytest.raises(SourceError, match="changed while"):
        database.row("a.0")
    path.unlink()
    with pytest.raises(SourceError, match=f"cannot read {path}"):
        database.row("a.0")


@pytest.mark.parametrize(
    ("name", "problem"),
    [("none", "it does not exist"), (".", "it is not a file"), ("loop", "symbolic links")],
)
def test_a_database_that_cannot_be_read_is_empty_and_says_why(
    name: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    database = open_exec_db(tmp_path / name)

    assert database.find("a") == ()
    assert problem in database.problem
