from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from result_samples import (
    BUNDLE,
    BUNDLES,
    EEE,
    HELM,
    INSPECT_EVAL,
    INSPECT_JSON,
    JUNIT,
    LIGHTEVAL,
    LM_EVAL,
    SAMPLES,
    TABLES,
    copied,
    document,
    written,
)

from mlflow_rest_export.errors import SettingsError, SourceError
from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources import detection, folders, selection
from mlflow_rest_export.sources.options import ReadOptions

LAUNCHER = next((SAMPLES.parent / "results").glob("*-4d4685867b13b968"))


def read(*paths: Path, form: str = "auto", **settings: Any) -> list[RunRecord | Unreadable]:
    return list(detection.read(paths, ReadOptions(**settings), format=form))


def keys(*paths: Path, form: str = "auto") -> list[str]:
    found = read(*paths, form=form)
    assert all(isinstance(record, RunRecord) for record in found), found
    return [record.key.partition(":")[0] for record in found if isinstance(record, RunRecord)]


def reasons(*paths: Path, form: str = "auto") -> list[str]:
    return [found.reason for found in read(*paths, form=form) if isinstance(found, Unreadable)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (BUNDLE, "nemo-bundle"),
        (LM_EVAL, "lm-eval"),
        (INSPECT_EVAL, "inspect"),
        (INSPECT_JSON, "inspect"),
        (LIGHTEVAL, "lighteval"),
        (HELM, "helm"),
        (HELM / "stats.json", "helm"),
        (EEE, "eee"),
        (JUNIT, "junit"),
        (TABLES / "history.csv", "table"),
        (TABLES / "flat.yaml", "table"),
    ],
)
def test_the_format_is_chosen_by_content(path: Path, expected: str, tmp_path: Path) -> None:
    assert keys(path) == [expected]
    if path.is_file() and expected not in {"helm", "table"}:
        assert keys(written(tmp_path, "renamed.dat", path.read_bytes())) == [expected]


def test_a_folder_gives_all_its_results_in_one_order() -> None:
    found = read(SAMPLES)

    assert not [record for record in found if isinstance(record, Unreadable)]
    assert [record.label for record in found] == sorted(record.label for record in found)
    assert keys(SAMPLES) == [
        *["eee"] * 2,
        "helm",
        *["inspect"] * 3,
        "junit",
        *["lighteval"] * 2,
        "lm-eval",
        *["nemo-bundle"] * 2,
    ]


def test_a_run_folder_of_several_bundles_gives_each() -> None:
    assert keys(BUNDLES) == ["nemo-bundle", "nemo-bundle"]


def selected(*paths: Path) -> list[RunRecord | Unreadable]:
    things = [str(path) for path in paths]
    return list(selection.read(things, ReadOptions(), format_name="auto", exec_db=Path("none")))


def test_one_result_is_given_once_however_often_it_lies_there(tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path / "a")
    copied(LM_EVAL, tmp_path / "b")

    assert len(selected(tmp_path, tmp_path / "a", LM_EVAL, LM_EVAL)) == 1


def test_both_forms_of_a_log_are_one_result() -> None:
    assert [found.label for found in selected(INSPECT_EVAL, INSPECT_JSON)] == [str(INSPECT_EVAL)]


def test_two_versions_of_one_result_are_not_mixed(tmp_path: Path) -> None:
    log = document(INSPECT_JSON)
    log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 1
    path = written(tmp_path, "scored.json", log)

    first, second = selected(INSPECT_JSON, path)

    assert isinstance(first, RunRecord)
    assert isinstance(second, Unreadable)
    assert second.reason == (
        f"{path}: the same evaluation as {INSPECT_JSON}, with other values; export them one at a time"
    )


def test_columns_are_no_matter_of_other_formats_than_tables() -> None:
    options = ReadOptions(columns={"acc": "metric"})

    (found,) = selection.read([str(LM_EVAL)], options, format_name="auto", exec_db=Path("none"))

    assert found == Unreadable(
        str(LM_EVAL),
        f"{LM_EVAL}: --map names columns of tables, and this is none; leave it out or say --format table",
    )


def test_a_parent_and_its_children_are_all_given() -> None:
    assert len(read(LM_EVAL, per_task=True)) == 3


def test_what_could_be_two_formats_names_the_flag(tmp_path: Path) -> None:
    both = {**document(LM_EVAL), **document(EEE)}
    path = written(tmp_path, "both.json", both)

    said = f"{path} could be lm-eval or eee; say which with --format"
    assert reasons(path) == reasons(tmp_path) == [said]
    assert keys(path, form="eee") == keys(tmp_path, form="eee") == ["eee"]


def test_a_folder_without_results_says_so_in_one_line(tmp_path: Path) -> None:
    copied(TABLES / "history.csv", tmp_path)

    (said,) = reasons(tmp_path)
    assert said.startswith(f"{tmp_path}: no result of a known format in it (looked for ")
    assert "lm-eval" in said
    assert said.endswith("junit; for tables say --format table)")


def test_tables_in_a_folder_are_read_when_the_format_is_named(tmp_path: Path) -> None:
    copied(TABLES / "history.csv", tmp_path, ["history.csv", "flat.yaml"])

    assert keys(tmp_path, form="table") == ["table", "table"]


@pytest.mark.parametrize("name", ["results_1.json", "eval-1.json", "run.eval", "run_spec.json"])
def test_a_broken_result_in_a_folder_is_told_not_passed_over(tmp_path: Path, name: str) -> None:
    written(tmp_path, "fine.json", document(LM_EVAL))
    path = written(tmp_path, name, '{"oops": ')

    (said,) = reasons(tmp_path)
    assert said.startswith(str(path))
    assert len(read(tmp_path)) == 2


def broken(sample: Path, **members: object) -> dict[str, Any]:
    return {**document(sample), **members}


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("lm-eval", broken(LM_EVAL, results=[1]), "results: it should be an object"),
    ("lm-eval", broken(LM_EVAL, results=None), "results: it should be an object"),
    ("eee", broken(EEE, evaluation_results={}), "evaluation_results: it should be a list"),
    ("inspect", broken(INSPECT_JSON, eval=None), "eval: it should be an object"),
    ("nemo-bundle", broken(BUNDLE, benchmark=[]), "benchmark: it should be an object"),
    ("lighteval", broken(LIGHTEVAL, config_general="x"), "config_general: it should be an object"),
    ("lighteval", broken(LIGHTEVAL, results=3), "results: it should be an object"),
]


@pytest.mark.parametrize(("form", "content", "said"), BROKEN)
def test_a_broken_result_of_a_known_format_never_becomes_a_table(
    form: str, content: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = written(tmp_path, "a.json", content)

    assert reasons(path) == reasons(path, form=form) == reasons(tmp_path) == [f"{path}: {said}"]


def test_a_log_whose_version_is_a_text_is_a_log(tmp_path: Path) -> None:
    assert keys(written(tmp_path, "a.json", broken(INSPECT_JSON, version="2"))) == ["inspect"]


@pytest.mark.parametrize(
    "row",
    [
        {"results": 0.5, "git_hash": "abc"},
        {"benchmark": "mmlu", "run_id": "1", "config_hash": "2", "acc": 1},
        {"version": 1, "eval": 0.5, "status": "ok"},
    ],
)
def test_a_table_may_have_columns_that_are_called_like_members_of_results(
    row: dict[str, object], tmp_path: Path
) -> None:
    assert keys(written(tmp_path, "a.json", row)) == ["table"]


def test_a_results_yml_that_holds_something_else_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "results.yml", "results: 3\n")

    (said,) = reasons(path)
    assert "holds no results" in said


@pytest.mark.parametrize("name", ["eval-2-y.json", "results_1.json", "run_spec.json"])
def test_what_is_called_like_a_result_and_is_of_no_format_is_told(name: str, tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path / "good")
    path = written(tmp_path, name, {"fine": 1})

    (said,) = reasons(tmp_path)
    assert said.startswith(f"{path}: its format is not known")


def test_results_of_other_formats_than_the_one_asked_for_are_no_mistakes(tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path)
    written(tmp_path, "results_2026-01-01T00-00-00.json", document(LIGHTEVAL))

    assert keys(tmp_path, form="lm-eval") == ["lm-eval"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", 'model,acc\n"m,0.5\n', ":2: unexpected end of data"),
        ("a.csv", "model,acc\nm\n", ":2: 1 cells stand below 2 columns"),
        ("a.csv", "model,acc\nm,0.5\n".encode("utf-16"), ":1:1: the file is not UTF-8 text"),
        ("a.csv", "a,b\n", ": it has no column of numbers"),
        ("a.jsonl", '{"acc":', ":1: the file ends in the middle"),
        ("a.yaml", "acc: 1\n---\nacc: 2\n", ":2:1: "),
        ("a.yaml", "acc: !!python/object:os.system 1\n", ":1:"),
        ("a.json", '{"a": {"b": 1}, "a/b": 2}', ': "a/b" stands twice'),
        ("a.json", b"\xff\xfe{", ":1:1: the file is not UTF-8 text"),
        ("a.xml", "<!DOCTYPE a><testsuite/>", ": it has a document type declaration, which results have not"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_without_a_format_named(
    name: str, content: str | bytes, said: str, tmp_path: Path
) -> None:
    path = written(tmp_path, name, content)

    (reason,) = reasons(path)
    assert reason.startswith(f"{path}{said}")


def test_large_results_are_recognised_wherever_their_marks_stand(tmp_path: Path) -> None:
    scores = {f"task{number:05d}": {"alias": "x" * 150, "acc,none": 0.5} for number in range(15_000)}
    log = document(INSPECT_JSON)
    first = {"version": 2, "samples": [{"text": "x" * (3 << 20)}]}

    many = written(tmp_path, "a.json", {**document(LM_EVAL), "results": scores})
    late = written(tmp_path, "b.json", first | {key: log[key] for key in log if key != "samples"})

    assert keys(many, late) == ["lm-eval", "inspect"]


def test_a_file_that_is_only_called_like_a_result_is_passed_over(tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path)
    written(tmp_path, "results_summary.json", {"fine": 1})

    assert len(read(tmp_path)) == 1


def test_an_unfinished_run_of_helm_is_told(tmp_path: Path) -> None:
    path = copied(HELM / "run_spec.json", tmp_path / "run", ["run_spec.json"])

    assert reasons(tmp_path) == [f"cannot read {path.parent / 'stats.json'}: no such file or directory"]


def test_a_broken_file_that_is_named_is_told_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", LM_EVAL.read_text()[:200])

    assert reasons(path) == [f"{path}:9:7: the file ends in the middle"]


def test_a_file_of_no_known_form_says_what_can_be_said(tmp_path: Path) -> None:
    path = written(tmp_path, "notes.txt", "hello")

    (said,) = reasons(path)
    assert said.startswith(f"{path}: its format is not known; say with --format which of nemo")


def test_with_a_format_named_its_own_reason_is_given(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", {"results": 3})

    assert reasons(path, form="lm-eval") == [f"{path}: results: it should be an object"]


def test_an_unknown_format_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="there is no format csv; there are auto, "):
        read(LM_EVAL, form="csv")


def test_paths_that_are_no_files_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert reasons(tmp_path / "pipe", tmp_path / "none", Path("a\0b")) == [
        f"cannot read {tmp_path / 'pipe'}: it is neither a file nor a folder",
        f"cannot read {tmp_path / 'none'}: there is no such file or folder",
        "cannot read a\0b: there is no such file or folder",
    ]
    assert reasons(tmp_path)[0].startswith(f"{tmp_path}: no result")


def test_links_that_lead_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path / "away")
    home = tmp_path / "home"
    home.mkdir()
    (home / "file.json").symlink_to(tmp_path / "away" / LM_EVAL.name)
    (home / "folder").symlink_to(tmp_path / "away")
    (home / "loop").symlink_to(home)
    (home / "dangling").symlink_to(home / "none")

    assert reasons(home)[0].startswith(f"{home}: no result of a known format")


def test_links_inside_a_folder_and_to_it_are_fine(tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path / "home" / "below")
    (tmp_path / "home" / "again.json").symlink_to(tmp_path / "home" / "below" / LM_EVAL.name)
    (tmp_path / "link").symlink_to(tmp_path / "home")

    (record,) = selected(tmp_path / "link")
    assert record.label == str(tmp_path / "link" / "again.json")


def test_results_beside_the_invocations_of_the_launcher_are_not_passed_over(tmp_path: Path) -> None:
    shutil.copytree(LAUNCHER, tmp_path / LAUNCHER.name)
    copied(LM_EVAL, tmp_path / "lm-eval")

    found = [record.key.partition(":")[0] for record in read(tmp_path) if isinstance(record, RunRecord)]
    assert found == ["nemo-launcher", "nemo-launcher", "lm-eval"]


def test_hidden_folders_are_left_out(tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path / ".cache")

    assert reasons(tmp_path)


def test_a_folder_is_walked_within_bounds(tmp_path: Path) -> None:
    deep = tmp_path.joinpath("deep", *["d"] * (folders.MAX_DEPTH + 1))
    copied(LM_EVAL, deep)
    copied(LM_EVAL, tmp_path / "deep")

    found = read(tmp_path / "deep")
    assert isinstance(found[0], RunRecord)
    assert reasons(tmp_path / "deep")[0].startswith(f"{tmp_path / 'deep'} holds folders deeper than 20")

    with pytest.raises(SourceError, match="holds more than 3 files"):
        list(folders.walk(SAMPLES, lambda _: False, unreadable=lambda *_: None, max_entries=3))


def test_a_folder_that_cannot_be_read_costs_itself_and_not_those_beside_it(tmp_path: Path) -> None:
    files = [written(tmp_path / name, "r.json", "{}") for name in ("a", "b", "c")]
    closed: list[tuple[Path, OSError]] = []

    def whole(place: Path) -> bool:
        if place.name == "b":
            raise PermissionError(13, "Permission denied", str(place / "run_spec.json"))
        return False

    found = list(folders.walk(tmp_path, whole, unreadable=lambda *said: closed.append(said)))

    assert found == [files[0], files[2]]
    assert [place for place, _ in closed] == [tmp_path / "b"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_named_and_results_beside_it_are_exported(tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path / "z")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)

    record, told = read(tmp_path)

    assert isinstance(record, RunRecord)
    assert told == Unreadable(str(closed), f"cannot read {closed}: permission denied")


def test_folders_that_are_exported_to_hold_no_results(tmp_path: Path) -> None:
    copied(LM_EVAL, tmp_path / "results")
    copied(LM_EVAL, tmp_path / "spool")
    (tmp_path / "link").symlink_to(tmp_path)
    options = ReadOptions(leave=((tmp_path / "spool").resolve(),))

    (record,) = detection.read([tmp_path / "link"], options)

    assert record.label == str(tmp_path / "link" / "results" / LM_EVAL.name)


def test_a_path_that_no_system_takes_is_told() -> None:
    (said,) = reasons(Path("a" * 5000))
    assert said.endswith("file name too long")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": the file is empty"),
        (b"results: {a: [1\n", ":2:1: "),
        (b"\x00\xff\xfe\x01", ":1:2: the file is not UTF-8 text"),
        (b"a: 1\nb: \x07\n", ":2:4: a character that YAML does not allow"),
    ],
)
def test_a_broken_yaml_file_of_any_name_is_told_with_its_place(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "foo.yml"
    path.write_bytes(content)

    (found,) = detection.read([path], ReadOptions())

    assert isinstance(found, Unreadable)
    assert found.reason.startswith(f"{path}{said}")
