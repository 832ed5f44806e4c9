from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from mlruns_stores import START, a_run, all_files, folder_of, store

from mlflow_rest_export.errors import ParamConflict, StoreError
from mlflow_rest_export.records import Metric
from mlflow_rest_export.tracking.files import FileTracking


@pytest.fixture
def tracking(tmp_path: Path) -> FileTracking:
    return store(tmp_path / "mlruns")


def test_a_param_may_be_written_again_with_its_value(tracking: FileTracking) -> None:
    run = a_run(tracking)

    for _ in range(2):
        tracking.log_values(run.run_id, params={"p": "1"})

    assert tracking.get_run(run.run_id).params == {"p": "1"}


def test_another_value_is_a_conflict_and_nothing_of_the_batch_is_stored(tracking: FileTracking) -> None:
    run = a_run(tracking)
    tracking.log_values(run.run_id, params={"p": "1"})
    before = all_files(tracking.root)

    with pytest.raises(ParamConflict, match=r"param p of run .* has another value already") as caught:
        tracking.log_values(
            run.run_id, metrics=[Metric("m", 1, START)], params={"a": "b", "p": "2"}, tags={"t": "u"}
        )

    assert all_files(tracking.root) == before
    assert (caught.value.status, caught.value.code) == (400, "INVALID_PARAMETER_VALUE")
    assert "1" not in str(caught.value).replace(run.run_id, "")


def lost_race(monkeypatch: pytest.MonkeyPatch, rival_writes: dict[str, str]) -> None:
    """Let a rival, who knows no locks, write a param just before ours."""
    real_link = os.link

    def link(source: Path, target: Path) -> None:
        value = rival_writes.pop(target.name, None)
        if value is not None:
            target.write_text(value)
        real_link(source, target)

    monkeypatch.setattr(os, "link", link)


def test_a_param_lost_in_a_race_is_a_conflict_and_the_others_are_taken_back(
    tracking: FileTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tracking)
    lost_race(monkeypatch, {"p": "theirs"})

    with pytest.raises(ParamConflict):
        tracking.log_values(run.run_id, params={"a": "b", "p": "ours", "z": "z"})

    assert tracking.get_run(run.run_id).params == {"p": "theirs"}


def test_a_race_about_the_same_value_has_no_loser(
    tracking: FileTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tracking)
    lost_race(monkeypatch, {"p": "same"})

    tracking.log_values(run.run_id, params={"a": "b", "p": "same"})

    assert tracking.get_run(run.run_id).params == {"a": "b", "p": "same"}


def test_a_param_that_its_writer_took_back_is_written_by_us(
    tracking: FileTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tracking)
    real_link, taken = os.link, [True]

    def link(source: Path, target: Path) -> None:
        if taken.pop() if taken else False:
            raise FileExistsError(errno.EEXIST, "file exists", str(target))
        real_link(source, target)

    monkeypatch.setattr(os, "link", link)

    tracking.log_values(run.run_id, params={"p": "1"})

    assert tracking.get_run(run.run_id).params == {"p": "1"}


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a", "a/b/c")])
@pytest.mark.parametrize("kind", ["params", "tags"])
def test_a_key_that_is_the_folder_of_another_is_an_error(
    tracking: FileTracking, first: str, second: str, kind: str
) -> None:
    run = a_run(tracking)
    write = {"params": lambda key: tracking.log_values(run.run_id, params={key: "1"})}
    write["tags"] = lambda key: tracking.log_values(run.run_id, tags={key: "1"})
    write[kind](first)

    with pytest.raises(
        StoreError, match=r"writing values to run .* failed: .*move it away|not UTF-8|is a dir"
    ):
        write[kind](second)


def test_a_key_that_leads_out_of_the_run_is_an_error(tracking: FileTracking) -> None:
    run = a_run(tracking)

    for values in ({"params": {"../x": "1"}}, {"tags": {"../x": "1"}}):
        with pytest.raises(StoreError, match="cannot be the name of a file"):
            tracking.log_values(run.run_id, **values)  # type: ignore[arg-type]  # one or the other
    with pytest.raises(StoreError, match="cannot be the name of a file"):
        tracking.log_values(run.run_id, metrics=[Metric("../../x", 1, START)])
    assert not (folder_of(tracking, run) / "x").exists()


def test_a_text_that_is_not_unicode_is_an_error_and_leaves_nothing(tracking: FileTracking) -> None:
    run = a_run(tracking)

    with pytest.raises(StoreError, match="not valid Unicode"):
        tracking.log_values(run.run_id, params={"a": "b", "p": "\ud800"})

    assert tracking.get_run(run.run_id).params == {}


def test_a_name_that_is_too_long_for_the_disk_is_said(tracking: FileTracking) -> None:
    run = a_run(tracking)

    with pytest.raises(StoreError, match="too long for this file system"):
        tracking.log_values(run.run_id, params={"ü" * 200: "1"})
