"""Damaged stores: what is broken is named, and everything else goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from anybody import bound_by_modes
from mlruns_stores import START, a_run, finish, folder_of, found, records, split, store

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import Metric, RunRecord, Unreadable
from mlflow_rest_export.sources import mlruns
from mlflow_rest_export.tracking.files import FileTracking


@pytest.fixture
def tracking(tmp_path: Path) -> FileTracking:
    tracking = store(tmp_path / "mlruns")
    for name in ("good 1", "bad", "good 2"):
        run = a_run(tracking, key=name, name=name)
        tracking.log_values(run.run_id, metrics=[Metric("acc", 0.5, START, 0)], params={"p": "1"})
        finish(tracking, run)
    return tracking


@pytest.fixture
def bad(tracking: FileTracking) -> Path:
    return folder_of(tracking, a_run(tracking, key="bad"))


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def meta_becomes_a_folder(run: Path) -> None:
    (run / "meta.yaml").unlink()
    (run / "meta.yaml").mkdir()


def params_become_a_file(run: Path) -> None:
    shutil.rmtree(run / "params")
    (run / "params").touch()


def an_input_loses_its_content(run: Path) -> None:
    (run / "inputs/i").mkdir(parents=True)
    (run / "inputs/i/meta.yaml").touch()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing meta": (lambda run: (run / "meta.yaml").unlink(), "meta.yaml: no such file"),
    "empty meta": (lambda run: (run / "meta.yaml").write_text(""), "meta.yaml is empty"),
    "half a meta": (lambda run: os.truncate(run / "meta.yaml", 30), "meta.yaml"),
    "no mapping": (lambda run: (run / "meta.yaml").write_text("- a\n"), "is no mapping"),
    "no yaml": (lambda run: (run / "meta.yaml").write_text("a: [\n"), "meta.yaml:2:1"),
    "meta is a folder": (
        meta_becomes_a_folder,
        "meta.yaml: it is not a file",
    ),
    "no start": (
        lambda run: edit(run / "meta.yaml", "start_time: 17", "begun: 17"),
        "start_time: field required",
    ),
    "odd start": (
        lambda run: edit(run / "meta.yaml", f"start_time: {START}", "start_time: soon"),
        "start_time",
    ),
    "unknown status": (lambda run: edit(run / "meta.yaml", "status: 3", "status: 9"), "meta.yaml: status:"),
    "odd status": (lambda run: edit(run / "meta.yaml", "status: 3", "status: DONE"), "meta.yaml: status:"),
    "other run id": (lambda run: edit(run / "meta.yaml", run.name, "f" * 32), "is that of run"),
    "other experiment": (
        lambda run: edit(run / "meta.yaml", f"experiment_id: '{run.parent.name}'", "experiment_id: '5'"),
        "is that of a run of experiment '5'",
    ),
    "folder renamed": (lambda run: run.rename(run.with_name("copy of run")), "not of copy of run"),
    "broken line": (
        lambda run: (run / "metrics/acc").write_text("17 0.5 0\nnonsense\n17 0.5 1\n"),
        "metrics/acc:2: this is no point",
    ),
    "endless line": (
        lambda run: (run / "metrics/acc").write_bytes(b"\0" * 9000),
        "metrics/acc:1: a line of more",
    ),
    "metric not ascii": (lambda run: (run / "metrics/acc").write_bytes(b"17 0.5 \xff\n"), "metrics/acc:1"),
    "param not utf-8": (lambda run: (run / "params/p").write_bytes(b"\xff\xfe"), "params/p is not UTF-8"),
    "tag not utf-8": (lambda run: (run / "tags/t").write_bytes(b"\xff\xfe"), "tags/t is not UTF-8"),
    "name not utf-8": (
        lambda run: (run / os.fsdecode(b"params/\xff")).write_text("1"),
        "is not UTF-8",
    ),
    "huge param": (lambda run: os.truncate(run / "params/p", 64 << 20), "is larger than 32 MiB"),
    "params is a file": (
        params_become_a_file,
        "params: not a directory",
    ),
    "broken input": (
        an_input_loses_its_content,
        "inputs/i/meta.yaml is empty",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_broken_run_is_named_and_the_others_go(tracking: FileTracking, bad: Path, kind: str) -> None:
    damage, said = DAMAGE[kind]
    damage(bad)

    good, (broken,) = split(tracking.root)

    assert good == ["good 1", "good 2"]
    assert said in broken.reason
    assert bad.parent.name in broken.label


def test_half_a_line_at_the_end_costs_that_line_alone(tracking: FileTracking, bad: Path) -> None:
    (bad / "metrics/acc").write_text("17 0.5 0\n18 0.2")

    (record,) = (one for one in records(tracking.root) if one.run_name == "bad")

    assert list(record.metrics) == [Metric("acc", 0.5, 17, 0)]
    (change,) = record.adjustments
    assert (change.field, change.before, change.after) == ("metric acc", "line 2", "")


@pytest.mark.parametrize("content", ["", "17 0.5"])
def test_a_metric_without_a_whole_point_is_left_out(tracking: FileTracking, bad: Path, content: str) -> None:
    (bad / "metrics/empty").write_text(content)

    (record,) = (one for one in records(tracking.root) if one.run_name == "bad")

    assert {point.key for point in record.metrics} == {"acc"}
    assert {change.field for change in record.adjustments} == {"metric empty"}


def test_a_hidden_file_that_is_no_metric_is_left_out(tracking: FileTracking, bad: Path) -> None:
    (bad / "metrics/.DS_Store").write_bytes(b"\0\0\0\1Bud1\n")
    (bad / "metrics/.hidden").write_text("17 0.5 0\n")

    (record,) = (one for one in records(tracking.root) if one.run_name == "bad")

    assert {point.key for point in record.metrics} == {"acc", ".hidden"}
    assert [change.field for change in record.adjustments] == ["metric .DS_Store"]


def test_a_link_to_nowhere_and_a_pipe_are_no_values(tracking: FileTracking, bad: Path) -> None:
    (bad / "params/nowhere").symlink_to(bad / "nowhere")
    (bad / "params/loop").symlink_to(bad)
    os.mkfifo(bad / "params/pipe")

    (record,) = (one for one in records(tracking.root) if one.run_name == "bad")

    assert record.params == {"p": "1"}


def test_foreign_files_and_folders_are_passed_by(tracking: FileTracking, bad: Path) -> None:
    experiment = bad.parent
    for place in (tracking.root, experiment):
        (place / "README.txt").write_text("x")
        for name in (".ipynb_checkpoints", "models", "datasets", "traces", "tags", "notes", ".creating"):
            (place / name / "x").mkdir(parents=True, exist_ok=True)
    (experiment / "traces/t-1/meta.yaml").parent.mkdir()
    (experiment / "traces/t-1/meta.yaml").write_text("x: y\n")

    assert sorted(record.run_name for record in records(tracking.root)) == ["bad", "good 1", "good 2"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        ("", "is empty"),
        ("experiment_id: '5'\nname: x\n", "is that of experiment '5'"),
        ("experiment_id: '{id}'\n", "name: field required"),
    ],
)
def test_an_experiment_that_is_broken_is_named_and_the_others_go(
    tracking: FileTracking, bad: Path, content: str | None, said: str
) -> None:
    finish(tracking, a_run(tracking, key="k", name="elsewhere", experiment="other"))
    meta = bad.parent / "meta.yaml"
    meta.unlink()
    if content is not None:
        meta.write_text(content.format(id=bad.parent.name))

    good, (broken,) = split(tracking.root)

    assert good == ["elsewhere"]
    assert said in broken.reason
    assert "write the experiment_id and name into its meta.yaml" in broken.reason


def test_a_store_of_broken_parts_is_still_recognised(tracking: FileTracking, bad: Path) -> None:
    (bad.parent / "meta.yaml").unlink()
    (bad / "meta.yaml").unlink()

    assert mlruns.recognises(tracking.root)
    assert mlruns.recognises(bad)
    assert [type(one) for one in found(bad)] == [Unreadable]


def test_a_file_that_breaks_while_it_is_sent_costs_its_run(tracking: FileTracking, bad: Path) -> None:
    (record,) = (one for one in records(tracking.root) if one.run_name == "bad")
    (bad / "metrics/acc").write_text("nonsense\n")

    with pytest.raises(SourceError, match="metrics/acc:1"):
        list(record.metrics)
    (bad / "metrics/acc").unlink()
    with pytest.raises(SourceError, match="cannot read"):
        list(record.metrics)


def test_what_may_not_be_looked_at_is_named(tracking: FileTracking, bad: Path) -> None:
    for path in (bad.parent, tracking.root):
        path.chmod(path.stat().st_mode | 0o755)
    finish(tracking, a_run(tracking, key="k", name="elsewhere", experiment="other"))

    def seen_by_nobody(closed: Path, mode: int = 0) -> tuple[list[str], list[Unreadable]]:
        closed.chmod(mode)
        try:
            with bound_by_modes(tracking.root):
                assert mlruns.recognises(tracking.root) is (closed != tracking.root)
                return split(tracking.root)
        finally:
            closed.chmod(0o755)

    assert seen_by_nobody(bad)[0] == ["elsewhere", "good 1", "good 2"]
    assert str(bad) in seen_by_nobody(bad)[1][0].label
    assert seen_by_nobody(bad.parent)[0] == ["elsewhere"]
    assert seen_by_nobody(bad.parent)[1][0].label == str(bad.parent)
    assert seen_by_nobody(bad.parent, 0o111)[1][0].label == str(bad.parent)
    assert seen_by_nobody(tracking.root)[1][0].label == str(tracking.root)
    assert seen_by_nobody(bad / "params")[0] == ["elsewhere", "good 1", "good 2"]
    assert seen_by_nobody(bad / "artifacts")[0] == ["elsewhere", "good 1", "good 2"]


def test_a_run_needs_none_of_its_folders(tracking: FileTracking, bad: Path) -> None:
    for name in ("metrics", "params", "tags", "artifacts"):  # git keeps no empty folders
        shutil.rmtree(bad / name)

    good, broken = split(tracking.root)

    assert (good, broken) == (["bad", "good 1", "good 2"], [])


def test_a_path_that_is_no_store_has_no_runs(tmp_path: Path) -> None:
    assert list(found(tmp_path)) == []
    assert [isinstance(one, RunRecord) for one in found(tmp_path / "missing")] == []
