"""Bad input: one line naming the file and the place in it, and the other jobs go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from launcher_folders import make_job, one, split

from mlflow_rest_export.sources.nemo import launcher
from mlflow_rest_export.sources.options import ReadOptions

GOOD = "results: {tasks: {t: {metrics: {m: {scores: {s: {value: 1}}}}}}}\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it has no section 'results'"),
        (b"# nothing\n", "it has no section 'results'"),
        (b"[1, 2]", "it has no section 'results'"),
        (b"just text", "it has no section 'results'"),
        (b"config: {type: t}\n", "it has no section 'results'"),
        (b"results: null\n", "holds no results"),
        (b"results: {}\n", "holds no results"),
        (
            b"results: {tasks: {t: {metrics: {m: {scores: {s: {value: high}}}}}}}\n",
            "holds no results (tasks.t.metrics",
        ),
        (b"a: 1\nresults: \xff\n", ":2:10: the file is not UTF-8 text"),
        (GOOD.encode()[:-5], ":1:"),
        (b"results:\n  tasks: [\n", ":3:1:"),
        (b"results:\n\t- x\n", ":2:1:"),
        (b"results: {}\nresults: {}\n", ":2:1: this key stands twice"),
        (b"results: &a [*a]\n", ":1:14: an alias stands here whose anchor is missing"),
        (b"results: *nowhere\n", ":1:"),
        (BOMB.encode(), "aliases stand for more than"),
        (b"results: " + b"[" * 5000, "nested deeper than 100"),
        (b"results: {tasks: " + b"9" * 5000 + b"}\n", "a number of 5000 characters"),
        (b"results: !!python/object/apply:os.system [ls]\n", "a YAML tag that is not supported"),
        (b"results: {}\n---\nresults: {}\n", ":2:1: a second YAML document begins"),
        (b"results: \x07\n", "results.yml"),
    ],
)
def test_a_results_file_that_is_bad_costs_its_own_job(content: bytes, said: str, tmp_path: Path) -> None:
    bad = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.0", {"artifacts/results.yml": content})
    make_job(bad.parent / "t.1")

    records, (failure,) = split(launcher.read(bad.parent, ReadOptions()))

    assert [record.label for record in records] == ["aaaaaaaa.1"]
    assert failure.label == "aaaaaaaa.0"
    assert str(bad / "artifacts" / "results.yml") in failure.reason
    assert said in failure.reason
    assert "\n" not in failure.reason


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"results": {"tasks": {}}', ":1:"),
        ('{"results": {"tasks": {}}, "a": ' + "[" * 500_000, "nested deeper"),
        ('{"results": {"tasks": {}}, "a": 1, "a": 2}', "stands twice"),
        ('{"results": {"tasks": {}}}', "holds no results"),
    ],
)
def test_a_results_file_in_json_that_is_bad_is_told(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)

    (failure,) = split(launcher.read(path, ReadOptions()))[1]

    assert said in failure.reason
    assert str(path) in failure.reason


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_results_that_are_no_file_are_told_and_nothing_hangs(kind: str, tmp_path: Path) -> None:
    job = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.0", {"logs/stage.pre-start": ""})
    results = job / "artifacts" / "results.yml"
    results.unlink()
    if kind == "pipe":
        os.mkfifo(results)
    elif kind == "folder":
        results.mkdir()
    else:
        results.symlink_to(results)

    (failure,) = split(launcher.read(job, ReadOptions()))[1]

    assert failure.reason.startswith(f"job aaaaaaaa.0: there is no {results}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_results_without_permission_are_told(tmp_path: Path) -> None:
    job = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.0")
    (job / "artifacts" / "results.yml").chmod(0)

    (failure,) = split(launcher.read(job, ReadOptions()))[1]

    assert failure.reason == f"cannot read {job}/artifacts/results.yml: permission denied"


def test_an_enormous_file_is_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.0")
    with (job / "artifacts" / "results.yml").open("ab") as file:
        file.truncate(33 << 20)

    (failure,) = split(launcher.read(job, ReadOptions()))[1]

    assert "it is larger than 32 MiB" in failure.reason


def test_an_enormous_config_is_left_out(tmp_path: Path) -> None:
    job = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.0", {"artifacts/export_config.yml": "a: 1\n"})
    with (job / "artifacts" / "export_config.yml").open("ab") as file:
        file.truncate(33 << 20)

    record = one(launcher.read(job, ReadOptions(only_required=False)))

    assert [artifact.path for artifact in record.artifacts] == ["t/artifacts/results.yml"]
    assert "larger than 32 MiB" in record.adjustments[0].reason


@pytest.mark.parametrize("date", ["2026-11-22", "2026-11-22T19:06:32Z"])
def test_dates_in_yaml_stay_texts(date: str, tmp_path: Path) -> None:
    metadata = f"launcher_command: {date}\nlauncher_resolved_config: {{when: {date}}}\n"
    job = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.0", {"artifacts/metadata.yaml": metadata})

    record = one(launcher.read(job, ReadOptions(log_config_params=True)))

    assert record.params["config.when"] == record.params["launcher_command"] == date


def test_names_of_every_kind_give_a_record_with_text_keys(tmp_path: Path) -> None:
    odd = "results: {tasks: {1: {metrics: {null: {scores: {2.5: {value: 1, stats: {true: 2}}}}}}}}\n"
    path = tmp_path / "results.yml"
    path.write_text(odd)

    record = one(launcher.read(path, ReadOptions()))

    assert [metric.key for metric in record.metrics] == ["1_None_2.5", "1_None_2.5_True"]
