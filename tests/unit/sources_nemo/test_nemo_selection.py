from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from launcher_folders import (
    FAILED,
    FOLDER,
    INVOCATION,
    LCR,
    MMLU,
    OUTPUT,
    SHAPES,
    genuine,
    make_job,
    one,
    reason,
    row,
    split,
    write_database,
)

from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources import selection
from mlflow_rest_export.sources.nemo import launcher
from mlflow_rest_export.sources.options import ReadOptions

ALL = [f"{INVOCATION}.{number}" for number in (0, 1, 2)]
DEFAULT = ReadOptions()
Found = RunRecord | Unreadable


def named(*things: str, exec_db: Path = Path("none"), options: ReadOptions = DEFAULT) -> list[Found]:
    """Read ids and paths as a user names them."""
    return list(selection.read(things, options, format_name="auto", exec_db=exec_db))


def labels(found: list[RunRecord | Unreadable]) -> list[str]:
    return [result.label for result in found]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([INVOCATION], ALL),
        (["4D46"], ALL),
        ([f"{INVOCATION}.1"], ALL[1:2]),
        (["4d.2", " 4D4.0 "], [ALL[0], ALL[2]]),
        (["4d46.1", "4d46", INVOCATION, ALL[1]], ALL),
    ],
)
def test_ids_mean_jobs_each_once_in_index_order(ids: list[str], expected: list[str], tmp_path: Path) -> None:
    _, database = genuine(tmp_path)

    assert labels(list(launcher.read_ids(ids, DEFAULT, exec_db=database))) == expected


@pytest.mark.parametrize(
    "place",
    ["", FOLDER, f"{FOLDER}/{MMLU}", f"{FOLDER}/{MMLU}/artifacts", f"{FOLDER}/{MMLU}/artifacts/results.yml"],
)
def test_every_folder_of_the_launcher_and_a_results_file_are_recognised_and_read(
    place: str, tmp_path: Path
) -> None:
    output, _ = genuine(tmp_path)

    assert launcher.recognises(output / place)
    assert labels(list(launcher.read(output / place, DEFAULT))) == (ALL if MMLU not in place else ALL[:1])


def test_the_artifacts_folder_of_a_job_that_failed_names_the_job(tmp_path: Path) -> None:
    output, _ = genuine(tmp_path)

    assert labels(list(launcher.read(output / FOLDER / FAILED / "artifacts", DEFAULT))) == ALL[2:]


def test_ids_and_paths_together_give_no_job_twice(tmp_path: Path) -> None:
    output, database = genuine(tmp_path)
    both = [str(output / FOLDER / LCR), "4d46.1", str(output), INVOCATION]

    assert sorted(labels(named(*both, exec_db=database))) == ALL


def test_invocations_come_in_the_order_they_were_named(tmp_path: Path) -> None:
    first = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.0")
    second = make_job(tmp_path / "20250102_000000-bbbbbbbb" / "t.0")
    make_job(second.parent / "t.10")
    make_job(second.parent / "t.2")

    found = named(str(second), str(first), str(second.parent))

    assert labels(found) == ["bbbbbbbb.0", "aaaaaaaa.0", "bbbbbbbb.2", "bbbbbbbb.10"]
    assert labels(list(launcher.read(tmp_path, DEFAULT)))[0] == "aaaaaaaa.0"


def test_the_same_job_in_two_places_is_read_once(tmp_path: Path) -> None:
    here = make_job(tmp_path / "here" / "20250101_000000-aaaaaaaa" / "t.0")
    copy = shutil.copytree(here, tmp_path / "copy" / "20250101_000000-aaaaaaaa-backup" / "t.0")

    record = one(iter(named(str(here), str(copy), str(copy))))

    assert record.adjustments == ()
    assert record.params["results_dir"] == str(here)


@pytest.mark.parametrize("things", [["{copy}", "{here}"], ["{both}"], ["aaaa.0", "{copy}"]])
def test_the_same_job_with_other_scores_is_never_dropped_silently(things: list[str], tmp_path: Path) -> None:
    here = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.0")
    copy = Path(shutil.copytree(here, tmp_path / "20250101_000000-aaaaaaaa-backup" / "t.0"))
    results = copy / "artifacts" / "results.yml"
    results.write_text(results.read_text().replace("value: 0.5", "value: 0.75"))
    places = {"copy": copy, "here": here, "both": tmp_path}

    found = named(*(thing.format(**places) for thing in things), options=ReadOptions(job_dirs=(here.parent,)))

    records, (told,) = split(iter(found))
    assert labels([*records]) == ["aaaaaaaa.0"]
    assert told.label == "aaaaaaaa.0"
    assert "the same evaluation as" in told.reason
    assert str(here) in told.reason
    assert str(copy) in told.reason


def test_a_link_to_the_same_folder_is_the_same_place(tmp_path: Path) -> None:
    here = make_job(tmp_path / "here" / "20250101_000000-aaaaaaaa" / "t.0")
    (tmp_path / "link").symlink_to(tmp_path / "here")

    record = one(iter(named(str(here), str(tmp_path / "link" / here.parent.name))))

    assert record.adjustments == ()


@pytest.mark.parametrize("text", [INVOCATION, "4D46", "4d46.0", ALL[0]])
@pytest.mark.parametrize("inside", ["", FOLDER])
def test_job_dirs_are_searched_for_what_the_database_lacks(text: str, inside: str, tmp_path: Path) -> None:
    output, _ = genuine(tmp_path)
    options = ReadOptions(job_dirs=(tmp_path / "none", output / inside, output))

    found = list(launcher.read_ids([text], options, exec_db=tmp_path / "no.jsonl"))

    assert labels(found) == (ALL[:1] if "." in text else ALL)


def test_job_dirs_are_searched_too_when_the_noted_folder_is_gone(tmp_path: Path) -> None:
    output, _ = genuine(tmp_path)
    options = ReadOptions(job_dirs=(output,))

    found = list(launcher.read_ids([ALL[0]], options, exec_db=OUTPUT / "exec.v1.jsonl"))

    assert one(found).params["timestamp"] == "1795374380.0356078"
    assert one(found).params["results_dir"] == str(output / FOLDER / MMLU)


def test_a_date_is_no_prefix_of_an_id(tmp_path: Path) -> None:
    output, _ = genuine(tmp_path)

    assert "no job is known" in reason(
        launcher.read_ids(["2026"], ReadOptions(job_dirs=(output,)), exec_db=tmp_path / "none")
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "zz",
            "no job is known by the id 'zz': it is not in the launcher's database {db}, and no --job-dirs",
        ),
        ("4d46.7", "there is no job 4d46.7; its invocation has " + ", ".join(ALL)),
        ("4", "4 fits 2 invocations (4400000000000000, 4d4685867b13b968); give more of the id"),
        ("", "no job is known by the id ''"),
    ],
)
def test_one_bad_id_is_told_and_the_others_go_on(text: str, said: str, tmp_path: Path) -> None:
    _, database = genuine(tmp_path)
    database.write_text(
        database.read_text() + write_database(tmp_path / "x", [row("44" + "0" * 14 + ".0")]).read_text()
    )

    records, unreadable = split(launcher.read_ids([text, ALL[0]], DEFAULT, exec_db=database))

    assert labels([*records]) == ALL[:1]
    assert [failure.label for failure in unreadable] == [text]
    assert unreadable[0].reason.startswith(said.format(db=database))


def test_an_unknown_id_names_the_database_and_the_folders_that_were_searched(tmp_path: Path) -> None:
    options = ReadOptions(job_dirs=(tmp_path,))

    assert reason(launcher.read_ids(["abc.1"], options, exec_db=tmp_path / "db")) == (
        f"no job is known by the id 'abc.1': it is not in the launcher's database {tmp_path / 'db'} "
        f"(it does not exist), and not in {tmp_path}"
    )


def test_an_id_in_several_folders_of_job_dirs_is_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_job(tmp_path / name / "20250101_000000-aaaaaaaa" / "t.0")
    make_job(tmp_path / "a" / "20250101_000000-aaaaaaab" / "t.0")
    options = ReadOptions(job_dirs=(tmp_path / "a", tmp_path / "b"))

    assert "is in several folders" in reason(
        launcher.read_ids(["aaaaaaaa"], options, exec_db=tmp_path / "db")
    )
    assert "fits 2 invocations (aaaaaaaa, aaaaaaab)" in reason(
        launcher.read_ids(["aaaa"], ReadOptions(job_dirs=(tmp_path / "a",)), exec_db=tmp_path / "db")
    )
    assert (
        reason(launcher.read_ids(["aaaaaaab.7"], options, exec_db=tmp_path / "db"))
        == "there is no job aaaaaaab.7; its invocation has aaaaaaab.0"
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"remote_rundir_path": "/lustre/x", "hostname": "login", "username": "me"},
            "its results are at me@login:/lustre/x; copy that folder here and give its path, or export there",
        ),
        (
            {"remote_rundir_path": "/lustre/x", "hostname": "login"},
            "its results are at login:/lustre/x; copy",
        ),
        ({"remote_rundir_path": "/lustre/x"}, "its results are at /lustre/x; copy"),
        (
            {"output_dir": "/gone"},
            "its folder /gone is not there; give the path where it is now, or --job-dirs",
        ),
        ({}, "the launcher noted no folder for it; give the path of its folder"),
        (None, "the launcher noted no folder for it"),
    ],
)
def test_a_job_whose_files_are_elsewhere_is_told_with_advice(
    data: dict[str, str] | None, said: str, tmp_path: Path
) -> None:
    database = write_database(tmp_path / "db", [row("aaaaaaaa.0", data=data)])

    assert reason(launcher.read_ids(["aaaaaaaa"], DEFAULT, exec_db=database)).startswith(
        f"job aaaaaaaa.0: {said}"
    )


def test_a_job_of_a_cluster_whose_disk_is_shared_is_read_in_place(tmp_path: Path) -> None:
    job = make_job(tmp_path / "run" / "t.0")
    data = {"remote_rundir_path": str(job), "hostname": "login", "username": "me"}
    database = write_database(tmp_path / "db", [row("aaaaaaaa.0", executor="slurm", data=data)])

    record = one(launcher.read_ids(["a"], DEFAULT, exec_db=database))

    assert record.params["results_dir"] == f"login:{job}"
    assert record.tags["executor"] == "slurm"


def test_an_odd_row_costs_its_own_job(tmp_path: Path) -> None:
    good = make_job(tmp_path / "run" / "t.0")
    rows = [row("aaaaaaaa.0", data={"output_dir": 5}), row("aaaaaaaa.1", data={"output_dir": str(good)})]

    records, unreadable = split(
        launcher.read_ids(["a"], DEFAULT, exec_db=write_database(tmp_path / "db", rows))
    )

    assert labels([*records]) == ["aaaaaaaa.1"]
    assert unreadable[0].label == "aaaaaaaa.0"


@pytest.mark.parametrize(
    ("name", "tasks", "number"),
    [
        ("a.b.1", ["x", "a.b"], "1"),
        ("a.b", ["x", "a.b", "a.b"], "1"),
        ("x.1", ["x.1", "x"], "1"),
        ("x.07", None, "7"),
        ("odd.3", ["x"], "3"),
    ],
)
def test_the_number_of_a_job_is_told_by_the_tasks_of_the_run_or_the_folders_name(
    name: str, tasks: list[str] | None, number: str, tmp_path: Path
) -> None:
    listed = {"launcher_resolved_config": {"evaluation": {"tasks": [{"name": task} for task in tasks or []]}}}
    files = {"artifacts/metadata.yaml": listed} if tasks else {}
    make_job(tmp_path / "20250101_000000-aaaaaaaa" / name, files)

    assert one(launcher.read(tmp_path, DEFAULT)).tags["job_id"] == f"aaaaaaaa.{number}"


def test_tasks_may_be_listed_as_plain_names(tmp_path: Path) -> None:
    metadata = {"launcher_resolved_config": {"evaluation": {"tasks": ["x", "mine"]}}}
    make_job(tmp_path / "20250101_000000-aaaaaaaa" / "mine", {"artifacts/metadata.yaml": metadata})

    assert one(launcher.read(tmp_path, DEFAULT)).label == "aaaaaaaa.1"


@pytest.mark.parametrize("script", ["run.sh", "run.sub", "../run_all.sequential.sh"])
def test_where_the_folder_was_renamed_the_scripts_tell_the_invocation(script: str, tmp_path: Path) -> None:
    make_job(tmp_path / "mine" / "t.4", {script: '#!/bin/bash\nNEL_INVOCATION_ID="abcdef0123456789"\n'})

    assert one(launcher.read(tmp_path / "mine" / "t.4", DEFAULT)).label == "abcdef0123456789.4"


def test_a_job_that_nothing_names_is_known_by_its_content_wherever_it_is(tmp_path: Path) -> None:
    here = make_job(tmp_path / "a" / "mine")
    there = make_job(tmp_path / "b" / "yours")
    other = make_job(
        tmp_path / "c" / "mine", results={"tasks": {"t": {"metrics": {"m": {"scores": {"s": {"value": 1}}}}}}}
    )

    first, second, third = (one(launcher.read(path, DEFAULT)) for path in (here, there, other))

    assert first.key == second.key != third.key
    assert first.label == str(here)
    assert first.lookup.tag == "mlflow_rest_export.key"
    assert first.lookup.value == first.key
    assert first.twin == {}
    assert "job_id" not in first.tags


@pytest.mark.parametrize("shape", ["bigcode_humaneval", "genai_perf", "mtbench", "safety_aegis"])
def test_a_results_file_with_nothing_around_it_is_read(shape: str) -> None:
    path = SHAPES / f"{shape}.results.yml"

    record = one(launcher.read(path, ReadOptions(only_required=False, copy_logs=True)))

    assert launcher.recognises(path)
    assert record.label == str(path)
    assert record.run_name == f"eval-{shape}"
    assert [artifact.path for artifact in record.artifacts] == [f"{shape}/artifacts/{path.name}"]
    assert record.tags["model"] == "meta/llama-3.1-8b-instruct"


def test_the_folder_that_nemo_evaluator_writes_without_the_launcher_is_read(tmp_path: Path) -> None:
    make_job(tmp_path / "x", {"artifacts/run_config.yml": {"framework_name": "h", "config": {"type": "t"}}})
    folder = (tmp_path / "x" / "artifacts").rename(tmp_path / "out")

    for path in (folder, folder / "results.yml"):
        record = one(launcher.read(path, DEFAULT))
        assert launcher.recognises(path)
        assert [artifact.path for artifact in record.artifacts] == [
            "h.t/artifacts/results.yml",
            "h.t/artifacts/run_config.yml",
        ]


def test_a_lone_results_yml_takes_nothing_along_that_stands_beside_it(tmp_path: Path) -> None:
    path = make_job(tmp_path / "x") / "artifacts" / "results.yml"
    path = path.rename(tmp_path / "results.yml")
    (tmp_path / "private.txt").write_text("mine")
    (tmp_path / "metadata.yaml").write_text("launcher_command: theirs")

    record = one(launcher.read(path, ReadOptions(only_required=False)))

    assert [artifact.path for artifact in record.artifacts] == ["t/artifacts/results.yml"]
    assert "launcher_command" not in record.params


def test_a_results_file_in_json_is_read(tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_text('{"results": {"tasks": {"t": {"metrics": {"m": {"scores": {"m": {"value": 1}}}}}}}}')

    assert launcher.recognises(path)
    assert [metric.key for metric in one(launcher.read(path, DEFAULT)).metrics] == ["t_m"]


def test_other_formats_are_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "lm.json").write_text('{"results": {"arc": {"acc,none": 0.5}}, "configs": {}}')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "a.yml").write_text("results: {arc: 1}")
    (tmp_path / "notes.txt").write_text("results:")
    (tmp_path / "broken.yml").write_text("a: [")
    (tmp_path / "run" / "artifacts").mkdir(parents=True)

    assert [path.name for path in [tmp_path, *tmp_path.rglob("*")] if launcher.recognises(path)] == []
    assert not launcher.recognises(tmp_path / "nowhere")
    assert "holds no job of NeMo Evaluator" in reason(launcher.read(tmp_path, DEFAULT))
    assert reason(launcher.read(tmp_path / "nowhere", DEFAULT)) == f"{tmp_path / 'nowhere'} does not exist"


def test_a_broken_results_yml_is_still_recognised_so_that_its_error_is_told(tmp_path: Path) -> None:
    path = tmp_path / "results.yml"
    for text in ("", "results: [", "results:\n\t- x"):
        path.write_text(text)
        assert launcher.recognises(path)


def test_relative_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine(tmp_path)
    monkeypatch.chdir(tmp_path / "nel-results" / FOLDER / MMLU)

    assert one(launcher.read(Path(), DEFAULT)).label == ALL[0]
    assert one(launcher.read(Path("artifacts"), DEFAULT)).params["results_dir"] == str(Path().absolute())


def test_a_path_with_odd_names_is_no_trouble(tmp_path: Path) -> None:
    job = make_job(tmp_path / "a b%20#?" / "20250101_000000-aaaaaaaa" / "t ü.0")

    assert one(launcher.read(job.parent.parent, DEFAULT)).label == "aaaaaaaa.0"
