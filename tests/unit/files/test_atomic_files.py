from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlflow_rest_export import atomic_files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def broken() -> Iterator[bytes]:
    yield b"half"
    raise OSError(errno.EIO, "unplugged")


def test_a_file_is_put_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    atomic_files.put(tmp_path / "a/b/c", [b"one ", b"two"], beside=tmp_path)

    assert (tmp_path / "a/b/c").read_bytes() == b"one two"
    assert names(tmp_path) == ["a"]


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")

    with pytest.raises(OSError, match="unplugged"):
        atomic_files.put(tmp_path / "f", broken(), beside=tmp_path)

    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_only_the_first_gets_a_name_that_is_free(tmp_path: Path) -> None:
    won = [atomic_files.put_new(tmp_path / "d/f", text, beside=tmp_path) for text in (b"1", b"2")]

    assert won == [True, False]
    assert (tmp_path / "d/f").read_bytes() == b"1"
    assert names(tmp_path) == ["d"]


def test_without_hard_links_a_name_still_has_one_winner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)

    won = [atomic_files.put_new(tmp_path / "f", text, beside=tmp_path) for text in (b"1", b"2")]

    assert won == [True, False]
    assert (tmp_path / "f").read_bytes() == b"1"


def test_an_error_that_is_not_about_links_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_disk(*_: object) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "link", broken_disk)

    with pytest.raises(OSError, match="input/output"):
        atomic_files.put_new(tmp_path / "f", b"1", beside=tmp_path)
    assert names(tmp_path) == []


def test_what_killed_writers_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    old, young = f"{atomic_files.UNFINISHED}old", f"{atomic_files.UNFINISHED}young"
    (tmp_path / old).mkdir()
    (tmp_path / old / "meta.yaml").touch()
    (tmp_path / f"{old}-file").touch()
    (tmp_path / young).touch()
    (tmp_path / "other").touch()
    for path in tmp_path.iterdir():
        os.utime(path, (1000, 2000 if path.name == young else 1000))

    atomic_files.sweep(tmp_path, older_than=2000)
    atomic_files.sweep(tmp_path / "missing", older_than=2000)

    assert names(tmp_path) == [young, "other"]


def test_a_folder_that_is_gone_needs_no_sync(tmp_path: Path) -> None:
    atomic_files.sync_folder(tmp_path / "missing")
